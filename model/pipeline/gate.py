"""Fits what weighs places and the gates that weigh the model against counts, on positions that `keyside eval --positions` wrote.

    python3 -m pipeline.gate --positions .work/positions.jsonl --out keyside-mixture.json

Three networks of one hidden layer. The weighing scores each place in the user's texts by its likeness to the caret's (src/retrieval/contexts.rs), in
several ways; by softmax over places each way becomes an opinion of the next token. The gate gives the model, these opinions and the corpus their
shares, by how good the evidence of each is (src/retrieval/mixture.rs). Both are fitted together, on the positions marked `fit`; the tables printed are
of the others, each source switched off in turn (fitted anew). Where all are marked, the tables are fitted on every other line and measured on
the rest, and what is written is fitted on all.

The third is a gate for counts that answer before the model is asked: it sees nothing of the model's, takes the weighing as it is, and what would be
the model's share is that nobody knows.
"""

import argparse
import collections
import json

import numpy as np
import torch

# What a place is described by, ways of weighing places, features of each source.
N_LIKENESS, N_WAYS, N_FEATURES = 20, 2, 5
# Sources: the model, each way of weighing places, the longer and the shorter match of the corpus.
N_SOURCES = 1 + N_WAYS + 2
N_HIDDEN = 32
# The side of a place that is not in the document (`Here::likeness`), in 255ths.
ELSEWHERE = 4
EPOCHS, BATCH, RATE, DECAY = 8, 256, 4e-3, 1e-4
# While fitting, the workspace and the corpus are hidden this often: a file that stands alone has no workspace, and the corpus has
# nothing of most languages.
WORKSPACE_HIDDEN, CORPUS_HIDDEN = 0.2, 0.15
# What a token gets of the share that nobody knows.
UNKNOWN = 1e-3
LEAST = 1e-6
# What may be looked at.
ALL = {"model", "document", "workspace", "corpus"}
VARIANTS = {
    "model alone": {"model"},
    "+ document": {"model", "document"},
    "+ document + workspace": {"model", "document", "workspace"},
    "+ corpus alone": {"model", "corpus"},
    "+ document + corpus": {"model", "document", "corpus"},
    "everything": ALL,
    "counts alone": ALL - {"model"},
}


class Positions:
    """Positions as tensors; places, of which each position has another number, one after the other."""

    def __init__(self, rows: list[dict]):
        self.cases = [(r["file"], r["kind"], r["package"], r["case"]) for r in rows]
        most = max(len(r["distributions"][0]) for r in rows)
        opinions = np.zeros((len(rows), 3, most), np.float32)
        for i, r in enumerate(rows):
            opinions[i, :, : len(r["distributions"][0])] = r["distributions"]
        self.opinions = torch.from_numpy(opinions)
        self.allowed = torch.tensor([r["allowed"] for r in rows])
        self.model = torch.tensor([r["model"] for r in rows])
        self.corpus = torch.tensor([r["ngrams"] for r in rows])
        self.target = torch.tensor([r["target"] for r in rows])
        places = [np.frombuffer(r["contexts"], np.uint8).reshape(-1, 2 + N_LIKENESS) for r in rows]
        self.n_places = torch.tensor([len(p) for p in places])
        self.first_place = torch.cumsum(self.n_places, 0) - self.n_places
        joined = torch.from_numpy(np.concatenate(places))
        self.followed = joined[:, 0].long() * 256 + joined[:, 1]
        self.likeness = joined[:, 2:].contiguous()

    def places_of(self, index):
        """The places of some positions: for each its row in `index`, and its number."""
        n = self.n_places[index]
        row = torch.repeat_interleave(torch.arange(len(index)), n)
        first = torch.cumsum(n, 0) - n
        return row, torch.arange(len(row)) - first[row] + self.first_place[index][row]


def read(paths: list[str]) -> tuple[Positions, Positions, Positions]:
    """Positions to fit on and others to measure on, for the tables; and those that what ships is fitted on."""
    rows = []
    for path in paths:
        with open(path) as file:
            for line in file:
                row = json.loads(line)
                row.update(file=path, contexts=bytes.fromhex(row["contexts"]), distributions=np.array(row["distributions"], np.float32))
                rows.append(row)
    fit = [r for r in rows if r["fit"]]
    if 0 < len(fit) < len(rows):
        return Positions(fit), Positions([r for r in rows if not r["fit"]]), Positions(fit)
    # One half alone: every other line, with all its carets, measures.
    halves = [Positions([r for r in rows if r["case"] // 4 % 2 == side]) for side in (0, 1)]
    return *halves, Positions(rows)


class Weighers(torch.nn.Module):
    """The weighing and a gate, for what may be looked at."""

    def __init__(self, may_see: set[str], weighing=None):
        super().__init__()
        self.may_see = may_see
        # A weighing that was given stays as it is.
        self.weighing = weighing.requires_grad_(False) if weighing else network(N_LIKENESS, N_WAYS)
        self.gate = network(3 + N_FEATURES * (N_SOURCES - 1), N_SOURCES)
        with torch.no_grad():  # the model has most of the say at first
            self.gate[2].bias[0] += 1.0

    def forward(self, part: Positions, index, fitting: bool):
        """Probabilities [n, candidates] of the mixture, among what is allowed."""
        n, most = len(index), part.opinions.shape[2]
        hidden = torch.rand(2, n) < torch.tensor([[WORKSPACE_HIDDEN], [CORPUS_HIDDEN]]) * fitting
        opinions, allowed = part.opinions[index], part.allowed[index]
        model, corpus = part.model[index].clone(), part.corpus[index] * ~hidden[1][:, None, None]
        if "corpus" not in self.may_see:
            corpus = corpus * 0
        if "model" not in self.may_see:
            opinions = torch.cat([torch.full_like(opinions[:, :1], UNKNOWN), opinions[:, 1:]], 1)
            model[:, :2] = 0
        row, place = part.places_of(index)
        elsewhere = part.likeness[place, ELSEWHERE] > 127
        seen = ~(elsewhere & hidden[0][row])
        seen &= torch.where(elsewhere, "workspace" in self.may_see, "document" in self.may_see)
        row, place = row[seen], place[seen]
        followed = row * most + part.followed[place]
        scores = self.weighing(part.likeness[place].float() / 255)
        has_places = torch.zeros(n).index_add(0, row, torch.ones(len(row))) > 0
        ways, features = [], []
        for way in range(N_WAYS):
            score = scores[:, way]
            highest = torch.full((n,), -1e9).scatter_reduce(0, row, score.detach(), "amax")
            weight = (score - highest[row]).exp()
            sum_ = torch.zeros(n).index_add(0, row, weight)
            share = torch.zeros(n * most).index_add(0, followed, weight / sum_[row]).view(n, most)
            entropy = -(share.clamp_min(1e-9).log() * share).sum(1)
            together = (sum_.clamp_min(1e-9).log() + highest).clamp(-20, 20)
            found = [torch.ones(n), share.max(1).values, entropy / 3, together / 5, highest.clamp(-20, 20) / 5]
            features.append(torch.stack(found, 1) * has_places[:, None])
            ways.append(share[:, None])
        there = torch.stack([torch.ones(n, dtype=bool)] + [has_places] * N_WAYS + [corpus[:, 0, 0] > 0, corpus[:, 1, 0] > 0], 1)
        shares = self.gate(torch.cat([model, *features, corpus.flatten(1)], 1)).masked_fill(~there, -1e9).softmax(-1) * there
        allowed = torch.cat([allowed[:, :1], torch.ones(n, N_WAYS), allowed[:, 1:]], 1)
        mixed = torch.einsum("bs,bsk->bk", shares, torch.cat([opinions[:, :1], *ways, opinions[:, 1:]], 1))
        return mixed / (shares * allowed).sum(1, keepdim=True).clamp_min(1e-9)


def network(n_inputs: int, n_outputs: int) -> torch.nn.Sequential:
    """One hidden layer of tanh."""
    return torch.nn.Sequential(torch.nn.Linear(n_inputs, N_HIDDEN), torch.nn.Tanh(), torch.nn.Linear(N_HIDDEN, n_outputs))


def fitted(part: Positions, may_see: set[str], weighing=None, seed: int = 0) -> Weighers:
    """What makes the right tokens of `part` most probable."""
    torch.manual_seed(seed)
    weighers = Weighers(may_see, weighing)
    optimiser = torch.optim.Adam([p for p in weighers.parameters() if p.requires_grad], RATE, weight_decay=DECAY)
    n = len(part.target)
    n_steps = EPOCHS * -(-n // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(1 - step / n_steps, 0.0) ** 0.5 + 2e-3)
    for _ in range(EPOCHS):
        for index in torch.randperm(n).split(BATCH):
            p = weighers(part, index, fitting=True).gather(1, part.target[index][:, None])
            loss = -(p + LEAST).log().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return weighers


class Measured:
    """What came of each line of one kind of caret: its probability, and whether it is right."""

    @torch.no_grad()
    def __init__(self, weighers: Weighers, part: Positions, kind: str):
        self.right, self.sure = collections.defaultdict(lambda: True), collections.defaultdict(lambda: 1.0)
        self.bits, self.hits, self.n = 0.0, 0, 0
        for index in torch.arange(len(part.target)).split(BATCH):
            p = weighers(part, index, fitting=False)
            of_target = p.gather(1, part.target[index][:, None])[:, 0]
            top, best = p.max(1)
            for i, one, hit, t in zip(index.tolist(), of_target.tolist(), (best == part.target[index]).tolist(), top.tolist()):
                case = part.cases[i]
                if case[1] == kind:
                    self.right[case] &= hit
                    self.sure[case] *= t
                    self.bits -= np.log2(one + LEAST)
                    self.hits += hit
                    self.n += 1

    def right_of(self, cases: list) -> str:
        """The share of these lines that are right."""
        return f"{100 * sum(self.right[c] for c in cases) / max(1, len(cases)):.1f}%"

    def row(self) -> str:
        """Bits a token, tokens right, lines right, and right in the surest third."""
        order = sorted(self.right, key=lambda c: -self.sure[c])
        third = order[: max(1, len(order) // 3)]
        return f"{self.bits / max(1, self.n):.3f} | {100 * self.hits / max(1, self.n):.1f}% | {self.right_of(order)} | {self.right_of(third)} | {len(order)}"

    def sure_rows(self):
        """Which share of lines is this sure, and how many of these are right: a row a threshold."""
        for least in (0.5, 0.6, 0.7, 0.8, 0.9):
            cases = [c for c in self.right if self.sure[c] >= least]
            yield f"{least} | {100 * len(cases) / max(1, len(self.right)):.1f}% | {self.right_of(cases)} | {len(self.right)}"


def layer(linear: torch.nn.Linear) -> list[list[float]]:
    """For each output its weights, and its bias at the end."""
    return [[round(x, 5) for x in [*w, b]] for w, b in zip(linear.weight.tolist(), linear.bias.tolist())]


def main() -> None:
    """The command."""
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--positions", nargs="+", required=True)
    a.add_argument("--out", required=True)
    a.add_argument("--without", nargs="*", default=[], choices=["document", "workspace", "corpus"], help="sources that do not ship")
    a.add_argument("--everything", action="store_true", help="measure no source alone, only all of them")
    arguments = a.parse_args()
    fit, test, shipped = read(arguments.positions)
    print(f"{len(fit.target)} positions to fit on, {len(test.target)} to measure")
    print("| rest of a line, lines for measuring | bits a token | tokens right | lines right | in the surest third | lines |\n|---|---|---|---|---|---|")
    variants = {}
    for name, may_see in VARIANTS.items():
        if may_see == ALL or not arguments.everything:
            variants[name] = fitted(fit, may_see)
            print(f"| {name} | {Measured(variants[name], test, 'boundary').row()} |", flush=True)
    ships = ALL - set(arguments.without)
    print("| counts alone, before the model is asked: probability at least | lines | right | of lines |\n|---|---|---|---|")
    with_model = variants["everything"] if ships == ALL else fitted(fit, ships)
    alone = fitted(fit, ships - {"model"}, with_model.weighing)
    for row in Measured(alone, test, "boundary").sure_rows():
        print(f"| {row} |", flush=True)
    with_model = fitted(shipped, ships)
    counts_alone = fitted(shipped, ships - {"model"}, with_model.weighing)
    with torch.no_grad():  # what was not fitted gets no share, whatever it will say one day
        unfitted = [1 + N_WAYS, 2 + N_WAYS] * ("corpus" not in ships) + [*range(1, 1 + N_WAYS)] * ships.isdisjoint({"document", "workspace"})
        for source in unfitted:
            with_model.gate[2].bias[source] = counts_alone.gate[2].bias[source] = -1e4
    weights = lambda it: {"hidden": layer(it[0]), "output": layer(it[2])}  # noqa: E731
    parts = dict(attention=with_model.weighing, with_model=with_model.gate, without_model=counts_alone.gate)
    with open(arguments.out, "w") as file:
        json.dump({name: weights(it) for name, it in parts.items()}, file)
        file.write("\n")


if __name__ == "__main__":
    main()
