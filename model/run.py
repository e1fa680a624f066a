"""Makes the model from nothing: environment, corpus, n-gram table, training, export, mixture,
evaluation.

    python3 model/run.py --setting small --keyside target/release/keyside

A step is skipped if its output is there and newer than its inputs; `--only STEP` and `--from STEP`
run steps again. `small` is a network of one to six minutes on two cores, from a small corpus, to
see that everything works; `cpu` is the model as it is shipped; `gpu` is for a machine with a CUDA
GPU (GPU.md).
"""

import argparse
import dataclasses
import glob
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable

from pipeline.settings import SETTINGS, EvaluationSettings, Setting

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclasses.dataclass(frozen=True)
class Step:
    """One file that is made from others."""

    name: str
    output: str
    inputs: list[str]
    make: Callable[[], None]

    def is_done(self) -> bool:
        """Whether the output is newer than all inputs that are there."""
        return is_newer(self.output, [i for i in self.inputs if os.path.exists(i)])

    def run(self) -> None:
        """Makes the output."""
        missing = [i for i in self.inputs if not os.path.exists(i)]
        if missing:
            raise SystemExit(f"{self.name}: {missing[0]} is missing; run the steps before it")
        started = time.monotonic()
        print(f"{self.name}:", flush=True)
        self.make()
        print(f"{self.name}: {time.monotonic() - started:.0f} s", flush=True)


def is_newer(output: str, inputs: list[str]) -> bool:
    """Whether `output` is there and none of `inputs` is newer."""
    if not os.path.exists(output):
        return False
    return all(os.path.getmtime(i) <= os.path.getmtime(output) for i in inputs)


def run(command: list[str], **how) -> None:
    """Runs a command in this folder; its failure ends everything with one sentence."""
    try:
        code = subprocess.run(command, cwd=HERE, **how).returncode
    except OSError as problem:
        raise SystemExit(f"{command[0]} cannot be run: {problem.strerror}") from None
    if code != 0:
        raise SystemExit(f"`{' '.join(command[:3])}` ended with {code}")


def sources(*names: str) -> list[str]:
    """The pipeline's files of these names."""
    return [f"{HERE}/pipeline/{name}.py" for name in names]


class Pipeline:
    """The steps of one setting in one work folder."""

    def __init__(self, setting: Setting, keyside: str, work: str, n_cases: int, n_steps: int):
        """`n_cases` and `n_steps` replace the setting's where they are not 0."""
        self.setting, self.work, self.n_cases, self.n_steps = setting, work, n_cases, n_steps
        # As it was given, to look at its time without asking whether it can evaluate.
        self.keyside_path = keyside
        self.text, self.manifest = f"{work}/text", f"{work}/manifest.tsv"
        self.trained, self.model = f"{work}/run/trained.json", f"{work}/model.gguf"
        self.tokenizer = f"{HERE}/tokenizer.json"
        # KEYSIDE_HOME keeps keyside's own files apart from the user's.
        home = os.environ.get("KEYSIDE_HOME", f"{work}/home")
        self.env = os.environ | {"KEYSIDE_HOME": home}

    def steps(self) -> list[Step]:
        """In the order in which they run."""
        return [
            self.corpus(),
            self.counts(),
            self.train(),
            self.export(),
            self.tokens(),
            self.mixture(),
            self.evaluate(),
        ]

    def python(self) -> str:
        """The interpreter of the virtual environment, which is made if it is missing or
        requirements.txt is newer."""
        folder, requirements = f"{self.work}/venv", f"{HERE}/requirements.txt"
        python, done = f"{folder}/bin/python", f"{folder}/installed"
        if not is_newer(done, [requirements]):
            print("environment: installing requirements.txt", flush=True)
            started = time.monotonic()
            venv.create(folder, with_pip=True)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            # One at a time and without a cache, so that the disk holds no wheel beside its content
            # but that of the package at hand: half of the space is enough.
            with open(requirements, encoding="utf-8") as file:
                lines = [line.split("#")[0].strip() for line in file]
            for requirement in filter(None, lines):
                run([*pip, "--no-cache-dir", "--no-deps", requirement])
            open(done, "w").close()
            print(f"environment: {time.monotonic() - started:.0f} s", flush=True)
        return python

    def module(self, name: str, *arguments: str, **how) -> None:
        """Runs a command of the pipeline."""
        run([self.python(), "-m", f"pipeline.{name}", *arguments], **how)

    def keyside(self) -> str:
        """The path of keyside, where it is one that can evaluate."""
        keyside = os.path.abspath(self.keyside_path)
        if not os.path.exists(keyside):
            raise SystemExit(
                f"{self.keyside_path} is not there; build it first, or name it with --keyside"
            )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if subprocess.run([keyside, "eval", "--help"], **quiet).returncode != 0:
            raise SystemExit(f"{self.keyside_path} has no command `eval`; build a newer keyside")
        return keyside

    def corpus(self) -> Step:
        """Fetches packages and filters their files."""
        packages = f"{HERE}/{self.setting.packages}"
        names = (f"{packages}/{name}" for name in ("crates/Cargo.lock", "pypi.txt", "npm.txt"))
        pinned = [path for path in names if os.path.exists(path)]

        def make():
            # What is pinned may have changed; the clients keep what they have.
            for done in (f"{self.work}/downloads/{it}.done" for it in ("crates", "wheels")):
                if os.path.exists(done) and not is_newer(done, pinned):
                    os.remove(done)
            places = ["--packages", packages, "--work", self.work]
            self.module("corpus", *places, "--keyside", self.keyside())

        inputs = [*pinned, *sources("corpus", "filters", "near_duplicates")]
        return Step("corpus", self.manifest, inputs, make)

    def counts(self) -> Step:
        """Counts and packs n-grams."""
        table = f"{self.work}/counts.bin"
        megabytes = str(self.setting.ngram_megabytes)
        chosen = ["--text", self.text, "--out", table, "--megabytes", megabytes]
        inputs = [self.manifest, self.tokenizer, *sources("counts", "languages")]
        return Step("counts", table, inputs, lambda: self.module("counts", *chosen))

    def train(self) -> Step:
        """Trains. Discards the checkpoint of a finished training; resumes an interrupted one."""

        def make():
            if os.path.exists(self.trained):
                for path in glob.glob(f"{self.work}/run/*"):
                    os.remove(path)
            settings = self.setting.train
            settings = settings.for_a_try(self.n_steps) if self.n_steps else settings
            places = ["--text", self.text, "--out", f"{self.work}/run"]
            self.module("train", *places, *settings.arguments())
            with open(f"{self.work}/run/log.jsonl") as log:
                losses = [json.loads(line)["nats"] for line in log]
            fell = losses[-1] < losses[0]
            result = f"held-out loss {losses[0]:.3f} -> {losses[-1]:.3f} nats a token"
            if self.setting.must_learn and not fell:
                raise SystemExit(f"{result}: it did not fall")
            print(f"{result}: {'it fell' if fell else 'it did not fall'}", flush=True)
            with open(self.trained, "w") as file:
                json.dump({"first": losses[0], "last": losses[-1]}, file)

        code = sources("train", "trainer", "optimizer", "sharding", "schedule", "checkpoint")
        code += sources("network", "samples", "languages")
        return Step("train", self.trained, [self.manifest, self.tokenizer, *code], make)

    def export(self) -> Step:
        """Writes the checkpoint as GGUF."""
        checkpoint, name = f"{self.work}/run/checkpoint.pt", self.setting.model_name
        chosen = ["--checkpoint", checkpoint, "--out", self.model]
        chosen += ["--name", name] if name else []
        inputs = [self.trained, checkpoint, self.tokenizer, *sources("export")]
        return Step("export", self.model, inputs, lambda: self.module("export", *chosen))

    def tokens(self) -> Step:
        """Checks that the product's tokens are the trainer's."""
        result = f"{self.work}/same_tokens.txt"

        def make():
            places = ["--text", self.text, "--model", self.model, "--keyside", self.keyside()]
            with open(result + ".part", "w") as file:
                self.module("same_tokens", *places, env=self.env, stdout=file)
            with open(result + ".part") as file:
                print(file.read().strip(), flush=True)
            os.replace(result + ".part", result)

        inputs = [self.model, self.manifest, self.keyside_path, *sources("same_tokens")]
        return Step("tokens", result, inputs, make)

    def mixture(self) -> Step:
        """Fits the mixture's networks, with the n-gram table that is built into the program."""
        positions, result = f"{self.work}/positions.jsonl", f"{self.work}/mixture.json"

        def make():
            n_cases = self.n_cases or self.setting.evaluation.n_cases
            how_much = EvaluationSettings(n_cases, n_blocks=0, n_typed_characters=0)
            asked = ["--part", "fit", "--workspace", "--positions", positions]
            self.evaluation(*asked, *how_much.arguments())
            self.module("fit_mixture", "--positions", positions, "--out", result)

        code = sources("fit_mixture", "mixture", "positions", "features")
        inputs = [self.model, self.manifest, self.keyside_path, f"{HERE}/features.json", *code]
        return Step("mixture", result, inputs, make)

    def evaluate(self) -> Step:
        """Measures the model."""
        result = f"{self.work}/evaluation.json"

        def make():
            settings = self.setting.evaluation
            if self.n_steps:
                settings = dataclasses.replace(settings, n_blocks=1, n_typed_characters=30)
            if self.n_cases:
                settings = dataclasses.replace(settings, n_cases=self.n_cases)
            self.evaluation("--json", result + ".part", *settings.arguments())
            os.replace(result + ".part", result)

        return Step("evaluate", result, [self.model, self.manifest, self.keyside_path], make)

    def evaluation(self, *arguments: str) -> None:
        """Runs `keyside eval` on the held-out text."""
        places = ["--text", self.text, "--model", self.model]
        run([self.keyside(), "eval", *places, *arguments], env=self.env)


STEPS = ("corpus", "counts", "train", "export", "tokens", "mixture", "evaluate")


def main() -> None:
    """Runs the steps that are due."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--setting", choices=list(SETTINGS), required=True)
    p.add_argument("--keyside", required=True, help="the program, for the evaluation")
    p.add_argument("--work", help="where everything goes (default: .work/SETTING beside this file)")
    p.add_argument(
        "--cases",
        type=int,
        default=0,
        help="lines a language in the evaluation, instead of the setting's",
    )
    p.add_argument(
        "--steps",
        type=int,
        default=0,
        help="train only so many steps of one row and evaluate little, to see that it runs",
    )
    again = p.add_mutually_exclusive_group()
    again.add_argument(
        "--only", choices=STEPS, help="run this step, even if its output is there, and no other"
    )
    again.add_argument(
        "--from",
        choices=STEPS,
        dest="from_step",
        help="run this step and all after it, even if their outputs are there",
    )
    a = p.parse_args()
    work = os.path.abspath(a.work or f"{HERE}/.work/{a.setting}")
    os.makedirs(work, exist_ok=True)
    pipeline = Pipeline(SETTINGS[a.setting], a.keyside, work, a.cases, a.steps)
    for number, step in enumerate(pipeline.steps()):
        if a.only and step.name != a.only:
            continue
        forced = bool(a.only) or (a.from_step and number >= STEPS.index(a.from_step))
        if not forced and step.is_done():
            print(f"{step.name}: {step.output} is there", flush=True)
        else:
            step.run()


if __name__ == "__main__":
    sys.exit(main())
