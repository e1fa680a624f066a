"""Positions that `keyside eval --positions` wrote (src/evaluate/positions.rs), as tensors."""

import json

import numpy as np
import torch

from .features import SCHEMA

# Of a context: two bytes for the candidate that follows, then its match features.
CONTEXT_BYTES = 2 + len(SCHEMA.match)


class Positions:
    """Positions as tensors; contexts, whose number differs from position to position, in one list."""

    def __init__(self, rows: list[dict]):
        self.cases = [(r.get("file"), r["kind"], r["package"], r["case"]) for r in rows]
        self.n_candidates = max(len(r["distributions"][0]) for r in rows)
        n_distributions = 1 + SCHEMA.n_ngrams
        distributions = np.zeros((len(rows), n_distributions, self.n_candidates), np.float32)
        for i, r in enumerate(rows):
            distributions[i, :, : len(r["distributions"][0])] = r["distributions"]
        # Of the model and the n-gram matches: [positions, 1 + n-grams, candidates].
        self.distributions = torch.from_numpy(distributions)
        # Their sums over all tokens that may come, of which the candidates are some.
        self.allowed = torch.tensor([r["allowed"] for r in rows])
        # What the gate reads of them.
        self.model = torch.tensor([r["model"] for r in rows])
        self.ngrams = torch.tensor([r["ngrams"] for r in rows])
        # The candidate that is right.
        self.target = torch.tensor([r["target"] for r in rows])
        contexts = [
            np.frombuffer(bytes.fromhex(r["contexts"]), np.uint8).reshape(-1, CONTEXT_BYTES)
            for r in rows
        ]
        self.n_contexts = torch.tensor([len(it) for it in contexts])
        self.first_context = torch.cumsum(self.n_contexts, 0) - self.n_contexts
        joined = torch.from_numpy(np.concatenate(contexts))
        # Of each context: the candidate that follows, and the quantized match features.
        self.next = joined[:, 0].long() * 256 + joined[:, 1]
        self.match_features = joined[:, 2:].contiguous()

    def __len__(self) -> int:
        return len(self.target)

    def contexts_of(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The contexts of some positions: for each its row in `index`, and its number."""
        n = self.n_contexts[index]
        row = torch.repeat_interleave(torch.arange(len(index)), n)
        first = torch.cumsum(n, 0) - n
        return row, torch.arange(len(row)) - first[row] + self.first_context[index][row]


def read_rows(path: str) -> list[dict]:
    """The records of one file."""
    with open(path) as file:
        return [json.loads(line) | {"file": path} for line in file]


def read(paths: list[str]) -> tuple[Positions, Positions, Positions]:
    """Positions to fit on and others to measure on, for the tables; and those that what ships is
    fitted on."""
    rows = [row for path in paths for row in read_rows(path)]
    fit = [r for r in rows if r["fit"]]
    if 0 < len(fit) < len(rows):
        return Positions(fit), Positions([r for r in rows if not r["fit"]]), Positions(fit)
    # One half alone: every other line, with all its carets, measures.
    halves = [Positions([r for r in rows if r["case"] // 4 % 2 == side]) for side in (0, 1)]
    return *halves, Positions(rows)
