"""Fits the networks of the retrieval mixture, on positions that `keyside eval --positions` wrote.

    python3 -m pipeline.fit_mixture --positions .work/positions.jsonl --out keyside-mixture.json

Three networks with one hidden layer each (mixture.py). Attention scores each retrieved context by
its match features, once for each head. A gate weights the model, the heads and the n-gram matches.
Both are fitted together, on the positions marked `fit`; the tables printed are of the others, for
each set of sources (fitted anew). Where all are marked, the tables are fitted on every other line
and measured on the rest, and what is written is fitted on all.

The third is a gate for predictions before the model is asked: it reads nothing of the model, takes
the attention as it is, and the model's weight becomes the probability of abstaining.
"""

import argparse
import collections

import torch

from . import mixture, positions
from .features import SCHEMA
from .mixture import ALL_SOURCES, AttentionMixture, Dropout
from .positions import Positions

N_EPOCHS, BATCH, RATE, WEIGHT_DECAY = 8, 256, 4e-3, 1e-4
# What a right token's probability counts as at least.
LEAST_PROBABILITY = 1e-6
VARIANTS = {
    "model alone": {"model"},
    "+ document": {"model", "document"},
    "+ document + workspace": {"model", "document", "workspace"},
    "+ n-grams alone": {"model", "ngrams"},
    "+ document + n-grams": {"model", "document", "ngrams"},
    "everything": ALL_SOURCES,
    "without the model": ALL_SOURCES - {"model"},
}
# The kind of caret that the tables are of: the rest of a line.
REST_OF_LINE = "boundary"


def fitted(part: Positions, sources, attention=None, seed: int = 0) -> AttentionMixture:
    """The mixture that makes the right tokens of `part` most probable."""
    torch.manual_seed(seed)
    model = AttentionMixture(frozenset(sources), attention)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, RATE, weight_decay=WEIGHT_DECAY)
    n_steps = N_EPOCHS * -(-len(part) // BATCH)

    def factor(step: int) -> float:
        return max(1 - step / n_steps, 0.0) ** 0.5 + 2e-3

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    for _ in range(N_EPOCHS):
        for index in torch.randperm(len(part)).split(BATCH):
            predicted = model(part, index, Dropout()).probabilities
            of_target = predicted.gather(1, part.target[index][:, None])
            loss = -(of_target + LEAST_PROBABILITY).log().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model


class Evaluation:
    """How a mixture does on the lines of one kind of caret."""

    @torch.no_grad()
    def __init__(self, model: AttentionMixture, part: Positions, kind: str = REST_OF_LINE):
        # By line: whether all its tokens are right, and the probability of what is predicted.
        self.is_right = collections.defaultdict(lambda: True)
        self.confidence = collections.defaultdict(lambda: 1.0)
        self.bits, self.n_right_tokens, self.n_tokens = 0.0, 0, 0
        for index in torch.arange(len(part)).split(BATCH):
            predicted = model(part, index).probabilities
            target = part.target[index]
            of_target = predicted.gather(1, target[:, None])[:, 0]
            top, best = predicted.max(1)
            bits = -(of_target + LEAST_PROBABILITY).log2()
            columns = (index, bits, best == target, top)
            for i, n_bits, hit, probability in zip(*(it.tolist() for it in columns), strict=True):
                case = part.cases[i]
                if case[1] == kind:
                    self.is_right[case] &= hit
                    self.confidence[case] *= probability
                    self.bits += n_bits
                    self.n_right_tokens += hit
                    self.n_tokens += 1

    def precision(self, cases: list) -> float:
        """The share of these lines that are right."""
        return sum(self.is_right[it] for it in cases) / max(1, len(cases))

    def row(self) -> str:
        """Bits a token, token accuracy, exact lines, and their precision at 33% coverage."""
        by_confidence = sorted(self.is_right, key=lambda it: -self.confidence[it])
        third = by_confidence[: max(1, len(by_confidence) // 3)]
        n = max(1, self.n_tokens)
        return (
            f"{self.bits / n:.3f} | {self.n_right_tokens / n:.1%} | "
            f"{self.precision(by_confidence):.1%} | {self.precision(third):.1%} | "
            f"{len(by_confidence)}"
        )

    def coverage_rows(self):
        """For each threshold of confidence the share of lines that reach it, and their precision."""
        for least in (0.5, 0.6, 0.7, 0.8, 0.9):
            cases = [it for it in self.is_right if self.confidence[it] >= least]
            coverage = len(cases) / max(1, len(self.is_right))
            yield f"{least} | {coverage:.1%} | {self.precision(cases):.1%} | {len(self.is_right)}"


def silenced_components(sources) -> list[int]:
    """The components that a mixture of these sources never had while it was fitted; 0 is the model."""
    heads = list(range(1, 1 + SCHEMA.n_heads))
    ngrams = list(range(1 + SCHEMA.n_heads, 1 + SCHEMA.n_components))
    has_contexts = not frozenset(sources).isdisjoint({"document", "workspace"})
    return heads * (not has_contexts) + ngrams * ("ngrams" not in sources)


def fit_to_ship(part: Positions, sources) -> tuple[AttentionMixture, AttentionMixture]:
    """The mixtures with and without the model, of one attention."""
    with_model = fitted(part, sources)
    without_model = fitted(part, sources - {"model"}, with_model.attention)
    for component in silenced_components(sources):
        with_model.silence(component)
        without_model.silence(component)
    return with_model, without_model


def main() -> None:
    """The command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--positions", nargs="+", required=True)
    p.add_argument("--out", required=True)
    p.add_argument(
        "--without",
        nargs="*",
        default=[],
        choices=["document", "workspace", "ngrams"],
        help="sources that do not ship",
    )
    p.add_argument("--everything", action="store_true", help="measure only all sources together")
    a = p.parse_args()
    fit, test, shipped = positions.read(a.positions)
    print(f"{len(fit)} positions to fit on, {len(test)} to measure")
    print(
        "| rest of a line | bits a token | right tokens | exact lines | precision at 33% coverage "
        "| lines |\n|---|---|---|---|---|---|"
    )
    variants = {}
    for name, sources in VARIANTS.items():
        if sources == ALL_SOURCES or not a.everything:
            variants[name] = fitted(fit, sources)
            print(f"| {name} | {Evaluation(variants[name], test).row()} |", flush=True)
    sources = ALL_SOURCES - set(a.without)
    with_model = variants["everything"] if sources == ALL_SOURCES else fitted(fit, sources)
    without_model = fitted(fit, sources - {"model"}, with_model.attention)
    print(
        "| without the model, confidence at least | coverage | precision | of lines |\n|---|---|---|---|"
    )
    for row in Evaluation(without_model, test).coverage_rows():
        print(f"| {row} |", flush=True)
    mixture.write(a.out, *fit_to_ship(shipped, sources))


if __name__ == "__main__":
    main()
