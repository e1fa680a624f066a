"""The features that the mixture's networks read, as the product defines them
(src/retrieval/features.rs).

`features.json` beside this package is written by the product's tests; names, order and scale come
from there, so that neither side can change alone.
"""

import dataclasses
import json
import os

import torch

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "features.json")

TRANSFORMS = {
    "linear": lambda value: value,
    "log1p": torch.log1p,
    "clamp20": lambda value: value.clamp(-20, 20),
}


@dataclasses.dataclass(frozen=True)
class Feature:
    """One input of a network: a quantity in its natural unit, transformed, then divided."""

    name: str
    transform: str
    divisor: float

    def scaled(self, value: torch.Tensor) -> torch.Tensor:
        """What the network reads."""
        return TRANSFORMS[self.transform](value) / self.divisor


class Features:
    """The features of one kind, in the order in which networks read them."""

    def __init__(self, features: list[Feature]):
        self.all = features
        self.names = [it.name for it in features]

    def __len__(self) -> int:
        return len(self.all)

    def index(self, name: str) -> int:
        """Where the feature of this name stands."""
        return self.names.index(name)

    def scaled(self, **values: torch.Tensor) -> torch.Tensor:
        """Stacks quantities, each a tensor of one shape, along a new last dimension."""
        if set(values) != set(self.names):
            raise ValueError(f"features {sorted(self.names)} are needed, not {sorted(values)}")
        return torch.stack([it.scaled(values[it.name]) for it in self.all], -1)


@dataclasses.dataclass(frozen=True)
class Schema:
    """All that `features.json` says."""

    # Of a retrieved context; quantized to this many levels above zero.
    match: Features
    levels: int
    # Of the mixture's components.
    model: Features
    attention: Features
    ngram: Features
    # Beside the model: attention heads, then n-gram matches.
    n_heads: int
    n_ngrams: int

    @property
    def n_components(self) -> int:
        """Without the model."""
        return self.n_heads + self.n_ngrams

    @property
    def n_gate_features(self) -> int:
        """What a gate reads."""
        of_heads, of_ngrams = self.n_heads * len(self.attention), self.n_ngrams * len(self.ngram)
        return len(self.model) + of_heads + of_ngrams

    def quantized(self, scaled: torch.Tensor) -> torch.Tensor:
        """Match features as bytes."""
        return (scaled.clamp(0, 1) * self.levels).to(torch.uint8)

    def dequantized(self, features: torch.Tensor) -> torch.Tensor:
        """What the attention network reads of quantized match features."""
        return features.float() / self.levels


def read(path: str = PATH) -> Schema:
    """The schema of the product."""
    with open(path) as file:
        schema = json.load(file)
    groups = {
        name: Features([Feature(**it) for it in schema.pop(f"{name}_features")])
        for name in ("match", "model", "attention", "ngram")
    }
    return Schema(**groups, **schema)


SCHEMA = read()
