"""Fits the gate that weighs the model against counts, on positions that `keyside eval --positions` wrote.

    python3 -m pipeline.gate --positions .work/positions.jsonl --out keyside-gate.json

One hidden layer over features of the evidence (src/adapt/gate.rs), shares by softmax over the sources that have something. Fitted on the
half of the held-out packages marked `fit`; the table printed is of the other half, each source switched off in turn (fitted anew).

A second gate of the same shape is for counts that answer before the model is asked: it sees nothing of the model's, and what would be the
model's share is that nobody knows.
"""

import argparse
import collections
import json

import numpy as np
import torch

# Features before those of the sources.
N_OWN, N_SOURCES, N_HIDDEN = 3, 6, 32
EPOCHS, BATCH, RATE, DECAY = 12, 256, 4e-3, 1e-4
# While fitting, both matches of a source are hidden together this often: a file that stands alone has no workspace, and the corpus
# has nothing of most languages.
WORKSPACE_HIDDEN, CORPUS_HIDDEN = 0.3, 0.15
# What a token gets of the share that nobody knows.
UNKNOWN = 1e-3
VARIANTS = {
    "model alone": {0},
    "+ document": {0, 1, 2},
    "+ document + workspace": {0, 1, 2, 3, 4},
    "+ corpus alone": {0, 5, 6},
    "+ document + corpus": {0, 1, 2, 5, 6},
    "everything": set(range(1 + N_SOURCES)),
    "counts alone": set(range(1, 1 + N_SOURCES)),
}


def read(path: str):
    """The positions as padded tensors, by `fit`."""
    rows = [json.loads(line) for line in open(path)]
    most = max(len(r["opinions"][0]) for r in rows)
    opinions = np.zeros((len(rows), 1 + N_SOURCES, most), np.float32)
    for i, r in enumerate(rows):
        opinions[i, :, : len(r["opinions"][0])] = r["opinions"]
    tensors = dict(
        opinions=torch.from_numpy(opinions),
        allowed=torch.tensor([r["allowed"] for r in rows]),
        features=torch.tensor([r["features"] for r in rows]),
        target=torch.tensor([r["target"] for r in rows]),
    )
    fit = torch.tensor([r["fit"] for r in rows])
    if fit.all() or not fit.any():  # one package alone: every other case measures
        fit = torch.tensor([r["case"] % 2 == 0 for r in rows])
    cases = [(path, r["kind"], r["package"], r["case"]) for r in rows]
    split = lambda which: {k: v[which] for k, v in tensors.items()} | {"cases": [c for c, w in zip(cases, which.tolist()) if w]}  # noqa: E731
    return split(fit), split(~fit)


def new_gate():
    """The network; the model has most of the say at first."""
    gate = torch.nn.Sequential(torch.nn.Linear(N_OWN + 5 * N_SOURCES, N_HIDDEN), torch.nn.Tanh(), torch.nn.Linear(N_HIDDEN, 1 + N_SOURCES))
    with torch.no_grad():
        gate[2].bias[0] += 1.0
    return gate


def mixed(gate, part, index, sources):
    """Probabilities [n, candidates] of the mixture among what is allowed."""
    features = part["features"][index]
    there = torch.cat([torch.ones(len(features), 1), features[:, N_OWN::5]], 1) > 0
    there &= torch.tensor([s in sources for s in range(1 + N_SOURCES)])
    shares = gate(features).masked_fill(~there, -1e9).softmax(-1) * there
    allowed = (shares * part["allowed"][index]).sum(1, keepdim=True)
    return torch.einsum("bs,bsk->bk", shares, part["opinions"][index]) / allowed.clamp_min(1e-9)


def fit_gate(part, sources, seed=0):
    """A gate fitted on `part`, which may look at `sources` only."""
    torch.manual_seed(seed)
    gate = new_gate()
    optimiser = torch.optim.Adam(gate.parameters(), RATE, weight_decay=DECAY)
    n = len(part["target"])
    kept = part["features"].clone()
    for _ in range(EPOCHS):
        part["features"] = kept.clone()
        for first, hidden in ((N_OWN + 10, WORKSPACE_HIDDEN), (N_OWN + 20, CORPUS_HIDDEN)):
            part["features"][:, first : first + 10] *= (torch.rand(n, 1) > hidden).float()
        for index in torch.randperm(n).split(BATCH):
            p = mixed(gate, part, index, sources).gather(1, part["target"][index][:, None])
            loss = -(p + 1e-6).log().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    part["features"] = kept
    return gate


@torch.no_grad()
def measured(gate, part, sources, kind):
    """Bits a token, tokens right, lines right, and right in the surest third, for one kind of caret."""
    p = mixed(gate, part, torch.arange(len(part["target"])), sources)
    of_target = p.gather(1, part["target"][:, None])[:, 0]
    top, best = p.max(1)
    right, sure = collections.defaultdict(lambda: True), collections.defaultdict(lambda: 1.0)
    bits, hits, n = 0.0, 0, 0
    for case, one, hit, t in zip(part["cases"], of_target.tolist(), (best == part["target"]).tolist(), top.tolist()):
        if case[1] == kind:
            right[case] &= hit
            sure[case] *= t
            bits -= np.log2(one + 1e-6)
            hits += hit
            n += 1
    order = sorted(right, key=lambda c: -sure[c])
    third = order[: max(1, len(order) // 3)]
    share = lambda cases: 100 * sum(right[c] for c in cases) / max(1, len(cases))  # noqa: E731
    return f"{bits / max(1, n):.3f} | {100 * hits / max(1, n):.1f}% | {share(order):.1f}% | {share(third):.1f}% | {len(order)}"


def main() -> None:
    """The command."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--positions", nargs="+", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--without", nargs="*", default=[], choices=["document", "workspace", "corpus"], help="sources that do not ship")
    arguments = a.parse_args()
    parts = [read(p) for p in arguments.positions]
    join = lambda side: {  # noqa: E731
        k: (sum((p[side][k] for p in parts), []) if k == "cases" else torch.cat([pad(p[side][k], parts, side, k) for p in parts])) for k in parts[0][side]
    }
    fit, test = join(0), join(1)
    print(f"{len(fit['target'])} positions to fit on, {len(test['target'])} to measure")
    print("| rest of a line, test packages | bits a token | tokens right | lines right | in the surest third | lines |\n|---|---|---|---|---|---|")
    for name, sources in VARIANTS.items():
        print(f"| {name} | {measured(fit_gate(fit, sources), test, sources, 'boundary')} |", flush=True)
    ships = VARIANTS["everything"] - {s for w in arguments.without for s in {"document": (1, 2), "workspace": (3, 4), "corpus": (5, 6)}[w]}
    gate = fit_gate(fit, ships)
    fit, test = without_model(fit), without_model(test)
    counts_alone = fit_gate(fit, ships | {0})
    print("| counts alone, before the model is asked: probability at least | lines | right | of lines |\n|---|---|---|---|")
    for row in sure_lines(counts_alone, test, "boundary"):
        print(f"| {row} |", flush=True)
    with torch.no_grad():  # what was not fitted gets no share, whatever it will say one day
        for source in set(range(1 + N_SOURCES)) - ships:
            gate[2].bias[source] = counts_alone[2].bias[source] = -1e4
    layer = lambda m: [[round(x, 5) for x in [*w, b]] for w, b in zip(m.weight.tolist(), m.bias.tolist())]  # noqa: E731
    with open(arguments.out, "w") as file:
        weights = lambda it: {"hidden": layer(it[0]), "output": layer(it[2])}  # noqa: E731
        json.dump({"with_model": weights(gate), "counts_alone": weights(counts_alone)}, file)
        file.write("\n")


def without_model(part):
    """The positions as they are before the model is asked."""
    part = part | {"opinions": part["opinions"].clone(), "features": part["features"].clone()}
    part["opinions"][:, 0] = UNKNOWN
    part["features"][:, :2] = 0
    return part


@torch.no_grad()
def sure_lines(gate, part, kind):
    """How many lines counts are sure of, and how many of these are right: a row a threshold."""
    p = mixed(gate, part, torch.arange(len(part["target"])), VARIANTS["everything"])
    top, best = p.max(1)
    right, sure = collections.defaultdict(lambda: True), collections.defaultdict(lambda: 1.0)
    for case, hit, t in zip(part["cases"], (best == part["target"]).tolist(), top.tolist()):
        if case[1] == kind:
            right[case] &= hit
            sure[case] *= t
    for least in (0.5, 0.6, 0.7, 0.8, 0.9):
        cases = [c for c in right if sure[c] >= least]
        share = 100 * sum(right[c] for c in cases) / max(1, len(cases))
        yield f"{least} | {100 * len(cases) / max(1, len(right)):.1f}% | {share:.1f}% | {len(right)}"


def pad(tensor, parts, side, key):
    """Opinions of several files have different numbers of candidates."""
    if key != "opinions":
        return tensor
    most = max(p[side]["opinions"].shape[2] for p in parts)
    return torch.nn.functional.pad(tensor, (0, most - tensor.shape[2]))


if __name__ == "__main__":
    main()
