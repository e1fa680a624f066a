"""The mixture of experts as the product computes it (src/retrieval): attention over retrieved
contexts, and a gate that weights the model, the attention heads and the n-gram matches."""

import dataclasses
import json

import torch

from .features import SCHEMA
from .positions import Positions

N_HIDDEN = 32
# Where the model may not be used, "abstain" takes its place and gives every token this probability.
ABSTAIN_PROBABILITY = 1e-3
# The logit of a component that is absent, and the score of no context.
ABSENT = -1e9
LEAST_PROBABILITY = 1e-9

# What a mixture may read.
ALL_SOURCES = frozenset({"model", "document", "workspace", "ngrams"})


@dataclasses.dataclass(frozen=True)
class Dropout:
    """How often a source is hidden while fitting: a file that stands alone has no workspace, and
    the n-gram table has nothing of most languages."""

    workspace: float = 0.2
    ngrams: float = 0.15


NO_DROPOUT = Dropout(0.0, 0.0)


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a mixture gives for some positions."""

    # Of each candidate, among the tokens that may come: [positions, candidates].
    probabilities: torch.Tensor
    # Of the model and each component: [positions, 1 + components].
    weights: torch.Tensor


def mlp(n_inputs: int, n_outputs: int) -> torch.nn.Sequential:
    """One hidden layer of tanh."""
    hidden, output = torch.nn.Linear(n_inputs, N_HIDDEN), torch.nn.Linear(N_HIDDEN, n_outputs)
    return torch.nn.Sequential(hidden, torch.nn.Tanh(), output)


class AttentionMixture(torch.nn.Module):
    """Attention and a gate, for a set of sources."""

    def __init__(
        self, sources: frozenset[str] = ALL_SOURCES, attention: torch.nn.Module | None = None
    ):
        """An attention network that is given stays as it is."""
        super().__init__()
        self.sources = frozenset(sources)
        if attention is None:
            self.attention = mlp(len(SCHEMA.match), SCHEMA.n_heads)
        else:
            self.attention = attention.requires_grad_(False)
        self.gate = mlp(SCHEMA.n_gate_features, 1 + SCHEMA.n_components)
        with torch.no_grad():  # the model has most of the weight at first
            self.gate[2].bias[0] += 1.0

    def forward(self, positions: Positions, index, dropout: Dropout = NO_DROPOUT) -> Prediction:
        """The mixture at the positions of these numbers."""
        n = len(index)
        hides_workspace, hides_ngrams = torch.rand(2, n) < torch.tensor(
            [[dropout.workspace], [dropout.ngrams]]
        )
        distributions = positions.distributions[index]
        model = positions.model[index]
        if "model" not in self.sources:
            abstain = torch.full_like(distributions[:, :1], ABSTAIN_PROBABILITY)
            distributions = torch.cat([abstain, distributions[:, 1:]], 1)
            model = model.clone()
            for name in ("entropy", "top_probability"):
                model[:, SCHEMA.model.index(name)] = 0
        ngrams = positions.ngrams[index] * ~hides_ngrams[:, None, None]
        ngrams = ngrams * ("ngrams" in self.sources)
        heads, head_features, has_contexts = self.attend(positions, index, hides_workspace)
        has_ngrams = ngrams[:, :, SCHEMA.ngram.index("is_present")] > 0
        has_model = torch.ones(n, 1, dtype=bool)
        has_heads = has_contexts[:, None].expand(n, SCHEMA.n_heads)
        is_present = torch.cat([has_model, has_heads, has_ngrams], 1)
        gate_features = torch.cat([model, head_features.flatten(1), ngrams.flatten(1)], 1)
        logits = self.gate(gate_features).masked_fill(~is_present, ABSENT)
        weights = logits.softmax(-1) * is_present
        components = torch.cat([distributions[:, :1], heads, distributions[:, 1:]], 1)
        allowed = positions.allowed[index]
        allowed = torch.cat([allowed[:, :1], torch.ones(n, SCHEMA.n_heads), allowed[:, 1:]], 1)
        mixed = torch.einsum("nc,nck->nk", weights, components)
        total = (weights * allowed).sum(1, keepdim=True).clamp_min(LEAST_PROBABILITY)
        return Prediction(mixed / total, weights)

    def visible_contexts(self, positions: Positions, index, hides_workspace):
        """The contexts that may be used, as `Positions.contexts_of` gives them."""
        row, context = positions.contexts_of(index)
        of_other_text = SCHEMA.match.index("is_in_other_text")
        is_in_workspace = positions.match_features[context, of_other_text] > SCHEMA.levels // 2
        may_use = torch.where(
            is_in_workspace, "workspace" in self.sources, "document" in self.sources
        )
        is_visible = may_use & ~(is_in_workspace & hides_workspace[row])
        return row[is_visible], context[is_visible]

    def attend(self, positions: Positions, index, hides_workspace):
        """Of each head: its distribution [positions, heads, candidates] and features [positions,
        heads, features]; and whether a position has any context."""
        n, n_candidates = len(index), positions.n_candidates
        row, context = self.visible_contexts(positions, index, hides_workspace)
        candidate = row * n_candidates + positions.next[context]
        scores = self.attention(SCHEMA.dequantized(positions.match_features[context]))
        has_contexts = torch.zeros(n).index_add(0, row, torch.ones(len(row))) > 0
        heads, features = [], []
        for score in scores.unbind(1):
            highest = torch.full((n,), ABSENT).scatter_reduce(0, row, score.detach(), "amax")
            weight = (score - highest[row]).exp()
            total = torch.zeros(n).index_add(0, row, weight)
            share = torch.zeros(n * n_candidates).index_add(0, candidate, weight / total[row])
            share = share.view(n, n_candidates)
            of_head = SCHEMA.attention.scaled(
                is_present=torch.ones(n),
                top_probability=share.max(1).values,
                entropy=-(share.clamp_min(LEAST_PROBABILITY).log() * share).sum(1),
                log_sum_exp_score=total.clamp_min(LEAST_PROBABILITY).log() + highest,
                highest_score=highest,
            )
            features.append(of_head * has_contexts[:, None])
            heads.append(share)
        return torch.stack(heads, 1), torch.stack(features, 1), has_contexts

    @torch.no_grad()
    def silence(self, component: int) -> None:
        """Gives a component no weight, whatever it will predict one day; 0 is the model."""
        self.gate[2].bias[component] = -1e4


def layer_to_json(linear: torch.nn.Linear) -> list[list[float]]:
    """For each output its weights, and its bias at the end."""
    rows = zip(linear.weight.tolist(), linear.bias.tolist(), strict=True)
    return [[round(x, 5) for x in [*weights, bias]] for weights, bias in rows]


def mlp_to_json(network: torch.nn.Sequential) -> dict:
    """As the product reads it."""
    return {"hidden": layer_to_json(network[0]), "output": layer_to_json(network[2])}


def write(path: str, with_model: AttentionMixture, without_model: AttentionMixture) -> None:
    """The three networks as the product reads them; both mixtures have the same attention."""
    networks = {
        "attention": mlp_to_json(with_model.attention),
        "with_model": mlp_to_json(with_model.gate),
        "without_model": mlp_to_json(without_model.gate),
    }
    with open(path, "w") as file:
        json.dump(networks, file)
        file.write("\n")


def mlp_from_json(layers: dict) -> torch.nn.Sequential:
    """What `mlp_to_json` made."""
    linears = []
    for name in ("hidden", "output"):
        rows = torch.tensor(layers[name])
        linear = torch.nn.Linear(rows.shape[1] - 1, rows.shape[0])
        with torch.no_grad():
            linear.weight.copy_(rows[:, :-1])
            linear.bias.copy_(rows[:, -1])
        linears.append(linear)
    return torch.nn.Sequential(linears[0], torch.nn.Tanh(), linears[1])


def read(path: str) -> tuple[AttentionMixture, AttentionMixture]:
    """The mixtures with and without the model of a file that the product reads."""
    with open(path) as file:
        networks = {name: mlp_from_json(it) for name, it in json.load(file).items()}
    with_model = AttentionMixture(ALL_SOURCES, networks["attention"])
    with_model.gate = networks["with_model"]
    without_model = AttentionMixture(ALL_SOURCES - {"model"}, networks["attention"])
    without_model.gate = networks["without_model"]
    return with_model, without_model
