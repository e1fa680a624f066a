"""The settings of `run.py`: for each what is trained from which packages, and how much is measured.

Only the standard library is needed here, because `run.py` reads it before there is an environment.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainSettings:
    """Options of `pipeline.train`; what is None has the default there."""

    d_model: int
    layers: int
    heads: int
    kv_heads: int
    d_ffn: int
    rows: int | None = None
    micro_batches: int | None = None
    loaders: int | None = None
    rate: float | None = None
    decay: float | None = None
    long_from: float | None = None
    minutes: float | None = None
    steps: int | None = None
    check_every: int | None = None
    held_out_batches: int | None = None
    processes: int | None = None
    start_from: str | None = None

    def arguments(self) -> list[str]:
        """The command line that says this."""
        values = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        pairs = ([f"--{name.replace('_', '-')}", str(v)] for name, v in values if v is not None)
        return [word for pair in pairs for word in pair]

    def for_a_try(self, n_steps: int) -> "TrainSettings":
        """The same network for a few small steps, to see that it runs."""
        small = {"steps": n_steps, "rows": 1, "held_out_batches": 1}
        if self.loaders is not None:
            # As on a GPU: one process that trains, and one beside it that makes samples.
            small |= {"loaders": 1, "processes": 1}
        return dataclasses.replace(self, **small)


@dataclasses.dataclass(frozen=True)
class EvaluationSettings:
    """How much `keyside eval` measures, a language."""

    n_cases: int
    # None: as many as its own default.
    n_blocks: int | None = None
    n_typed_characters: int | None = None

    def arguments(self) -> list[str]:
        """The command line that says this."""
        named = {"cases": self.n_cases, "blocks": self.n_blocks, "typed": self.n_typed_characters}
        pairs = ([f"--{name}", str(n)] for name, n in named.items() if n is not None)
        return [word for pair in pairs for word in pair]


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to make a model."""

    # The folder of the packages' pinned names, beside `run.py`.
    packages: str
    train: TrainSettings
    evaluation: EvaluationSettings
    # The most that the n-gram table may have, in megabytes.
    ngram_megabytes: float
    # In the GGUF; None: the default of `pipeline.export`.
    model_name: str | None = None
    # Training fails if the held-out loss did not fall.
    must_learn: bool = False


SETTINGS = {
    # A network of one to six minutes on two cores, from a small corpus, to see that everything
    # works.
    "small": Setting(
        packages="corpus/small",
        train=TrainSettings(
            d_model=128, layers=2, heads=2, kv_heads=1, d_ffn=384, steps=60, check_every=30
        ),
        evaluation=EvaluationSettings(n_cases=40, n_blocks=10, n_typed_characters=300),
        ngram_megabytes=0.2,
        model_name="keyside-small",
        must_learn=True,
    ),
    # The model as it is shipped.
    "cpu": Setting(
        packages="corpus",
        train=TrainSettings(
            d_model=256,
            layers=6,
            heads=4,
            kv_heads=1,
            d_ffn=768,
            rows=8,
            micro_batches=1,
            rate=0.004,
            decay=1.0,
            long_from=0,
            minutes=42,
            start_from="keyside-nano-v0.gguf",
        ),
        evaluation=EvaluationSettings(n_cases=2000),
        ngram_megabytes=8,
    ),
    # For a machine with a CUDA GPU (GPU.md).
    "gpu": Setting(
        packages="corpus",
        train=TrainSettings(
            d_model=512,
            layers=10,
            heads=8,
            kv_heads=2,
            d_ffn=1408,
            rows=64,
            micro_batches=1,
            loaders=12,
            minutes=24,
        ),
        evaluation=EvaluationSettings(n_cases=2000),
        ngram_megabytes=8,
    ),
}
