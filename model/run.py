"""Makes the model from nothing: virtual environment, corpus, counts, training, export, gate, evaluation.

    python3 model/run.py --setting small --keyside target/release/keyside

Every step is skipped if its output is there and newer than its inputs; `--only STEP` and `--from STEP` run steps again. `small` is a
network of one to six minutes on two cores, from a small corpus, to see that everything works; `cpu` is the model as it is shipped; `gpu` is for
a machine with a CUDA GPU (GPU.md).
"""

import argparse
import glob
import json
import os
import subprocess
import sys
import time
import venv
from collections.abc import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = ("corpus", "counts", "train", "export", "tokens", "gate", "evaluate")
# For each setting: the packages, the arguments of training and of export, the evaluation's lines a language, its other arguments, the
# megabytes of the counts.
SETTINGS = {
    "small": ("corpus/small", "--d-model 128 --layers 2 --heads 2 --kv-heads 1 --d-ffn 384 --steps 60 --check-every 30", "--name keyside-small", 40, "--blocks 10 --typed 300", 0.2),
    "cpu": ("corpus", "--d-model 256 --layers 6 --heads 4 --kv-heads 1 --d-ffn 768 --rows 8 --micro-batches 1 --rate 0.004 --decay 1.0 --long-from 0 --minutes 42 --start-from keyside-nano-v0.gguf", "", 2000, "", 8),
    "gpu": ("corpus", "--d-model 512 --layers 10 --heads 8 --kv-heads 2 --d-ffn 1408 --rows 64 --micro-batches 1 --loaders 12 --minutes 24", "", 2000, "", 8),
}


def python_of(work: str) -> str:
    """The virtual environment's interpreter; the environment is made if it is missing or requirements.txt is newer."""
    folder, requirements = f"{work}/venv", f"{HERE}/requirements.txt"
    python, done = f"{folder}/bin/python", f"{folder}/installed"
    if not newer(done, [requirements]):
        print("environment: installing requirements.txt", flush=True)
        started = time.monotonic()
        venv.create(folder, with_pip=True)
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements])
        open(done, "w").close()
        print(f"environment: {time.monotonic() - started:.0f} s", flush=True)
    return python


def newer(output: str, inputs: list[str]) -> bool:
    """Whether `output` is there and none of `inputs` is newer."""
    return os.path.exists(output) and all(os.path.getmtime(i) <= os.path.getmtime(output) for i in inputs)


def run(command: list[str], **how) -> None:
    """Runs a command in this folder; its failure ends everything with one sentence."""
    try:
        code = subprocess.run(command, cwd=HERE, **how).returncode
    except OSError as problem:
        raise SystemExit(f"{command[0]} cannot be run: {problem.strerror}")
    if code != 0:
        raise SystemExit(f"`{' '.join(command[:3])}` ended with {code}")


def sources(*names: str) -> list[str]:
    """The pipeline's files of these names."""
    return [f"{HERE}/pipeline/{name}.py" for name in names]


def corpus(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """The step's output, its inputs, and what makes it."""
    packages = f"{HERE}/{SETTINGS[a.setting][0]}"
    pinned = [p for p in (f"{packages}/crates/Cargo.lock", f"{packages}/pypi.txt", f"{packages}/npm.txt") if os.path.exists(p)]
    inputs = [*pinned, *sources("corpus", "filters", "near_duplicates")]

    def make():
        for done in ("crates.done", "wheels.done"):  # what is pinned may have changed; the clients keep what they have
            if os.path.exists(f"{work}/downloads/{done}") and not newer(f"{work}/downloads/{done}", pinned):
                os.remove(f"{work}/downloads/{done}")
        run([python_of(work), "-m", "pipeline.corpus", "--packages", packages, "--work", work, "--keyside", program(a)])

    return f"{work}/manifest.tsv", inputs, make


def counts(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """As `corpus`."""
    table = f"{work}/counts.bin"
    inputs = [f"{work}/manifest.tsv", f"{HERE}/tokenizer.json", *sources("counts")]
    chosen = ["--text", f"{work}/text", "--out", table, "--megabytes", str(SETTINGS[a.setting][5])]
    return table, inputs, lambda: run([python_of(work), "-m", "pipeline.counts", *chosen])


def train(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """As `corpus`. A checkpoint of a finished training is put away before a new one; one that was interrupted is gone on with."""
    done = f"{work}/run/trained.json"
    inputs = [f"{work}/manifest.tsv", f"{HERE}/tokenizer.json", *sources("train", "network", "samples")]

    def make():
        if os.path.exists(done):
            for path in glob.glob(f"{work}/run/*"):
                os.remove(path)
        chosen = SETTINGS[a.setting][1].split()
        if a.steps:  # of two options of one name the later one counts
            chosen += ["--steps", str(a.steps), "--rows", "1", "--held-out-batches", "1"]
            if "--loaders" in chosen:  # as on a GPU: one process that trains, and one beside it that makes samples
                chosen += ["--loaders", "1", "--processes", "1"]
        run([python_of(work), "-m", "pipeline.train", "--text", f"{work}/text", "--out", f"{work}/run", *chosen])
        losses = held_out_losses(f"{work}/run/log.jsonl")
        say = f"held-out loss {losses[0]:.3f} -> {losses[-1]:.3f} nats a token"
        if a.setting == "small" and not losses[-1] < losses[0]:
            raise SystemExit(f"{say}: it did not fall")
        print(f"{say}: {'it fell' if losses[-1] < losses[0] else 'it did not fall'}", flush=True)
        with open(done, "w") as file:
            json.dump({"first": losses[0], "last": losses[-1]}, file)

    return done, inputs, make


def held_out_losses(path: str) -> list[float]:
    """The losses on held-out text as training logged them, from step 0."""
    with open(path) as file:
        return [json.loads(line)["nats"] for line in file]


def export(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """As `corpus`."""
    checkpoint, model = f"{work}/run/checkpoint.pt", f"{work}/model.gguf"
    inputs = [f"{work}/run/trained.json", checkpoint, f"{HERE}/tokenizer.json", *sources("export")]
    chosen = SETTINGS[a.setting][2].split()
    return model, inputs, lambda: run([python_of(work), "-m", "pipeline.export", "--checkpoint", checkpoint, "--out", model, *chosen])


def tokens(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """As `corpus`: the product's tokens are the trainer's."""
    model, result = f"{work}/model.gguf", f"{work}/same_tokens.txt"

    def make():
        chosen = ["--text", f"{work}/text", "--model", model, "--keyside", program(a)]
        with open(result + ".part", "w") as file:
            run([python_of(work), "-m", "pipeline.same_tokens", *chosen], env=own_home(work), stdout=file)
        with open(result + ".part") as file:
            print(file.read().strip(), flush=True)
        os.replace(result + ".part", result)

    return result, [model, f"{work}/manifest.tsv", a.keyside, *sources("same_tokens")], make


def gate(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """As `corpus`: fitted with the counts that are built into the program."""
    model, positions, result = f"{work}/model.gguf", f"{work}/positions.jsonl", f"{work}/gate.json"

    def make():
        n_lines = ["--cases", str(a.cases or SETTINGS[a.setting][3]), "--blocks", "0", "--typed", "0"]
        asked = ["--text", f"{work}/text", "--model", model, "--part", "fit", "--workspace", "--positions", positions]
        run([program(a), "eval", *asked, *n_lines], env=own_home(work))
        run([python_of(work), "-m", "pipeline.gate", "--positions", positions, "--out", result])

    return result, [model, f"{work}/manifest.tsv", a.keyside, *sources("gate")], make


def evaluate(a, work: str) -> tuple[str, list[str], Callable[[], None]]:
    """As `corpus`."""
    model, result = f"{work}/model.gguf", f"{work}/evaluation.json"

    def make():
        cases, others = SETTINGS[a.setting][3:5]
        others = "--blocks 1 --typed 30" if a.steps else others
        chosen = ["--cases", str(a.cases or cases), *others.split()]
        run([program(a), "eval", "--text", f"{work}/text", "--model", model, "--json", result + ".part", *chosen], env=own_home(work))
        os.replace(result + ".part", result)

    return result, [model, f"{work}/manifest.tsv", a.keyside], make


def program(a) -> str:
    """The path of keyside, where it is one that can evaluate."""
    keyside = os.path.abspath(a.keyside)
    if not os.path.exists(keyside):
        raise SystemExit(f"{a.keyside} is not there; build it first, or name it with --keyside")
    said = subprocess.run([keyside, "eval", "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if said.returncode != 0:
        raise SystemExit(f"{a.keyside} has no command `eval`; build a newer keyside")
    return keyside


def own_home(work: str) -> dict[str, str]:
    """An environment in which keyside keeps its files apart from the user's own."""
    return os.environ | {"KEYSIDE_HOME": os.environ.get("KEYSIDE_HOME", f"{work}/home")}


def main() -> None:
    """Runs the steps that are due."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--setting", choices=list(SETTINGS), required=True)
    p.add_argument("--keyside", required=True, help="the program, for the evaluation")
    p.add_argument("--work", help="where everything goes (default: .work/SETTING beside this file)")
    p.add_argument("--cases", type=int, default=0, help="lines a language in the evaluation, instead of the setting's")
    p.add_argument("--steps", type=int, default=0, help="train only so many steps of one row and evaluate little, to see that the setting runs")
    again = p.add_mutually_exclusive_group()
    again.add_argument("--only", choices=STEPS, help="run this step, even if its output is there, and no other")
    again.add_argument("--from", choices=STEPS, dest="from_step", help="run this step and all after it, even if their outputs are there")
    a = p.parse_args()
    work = os.path.abspath(a.work or f"{HERE}/.work/{a.setting}")
    os.makedirs(work, exist_ok=True)
    for number, step in enumerate((corpus, counts, train, export, tokens, gate, evaluate)):
        name = STEPS[number]
        if a.only and name != a.only:
            continue
        forced = name == a.only or (a.from_step and number >= STEPS.index(a.from_step))
        output, inputs, make = step(a, work)
        if not forced and newer(output, [i for i in inputs if os.path.exists(i)]):
            print(f"{name}: {output} is there", flush=True)
            continue
        missing = [i for i in inputs if not os.path.exists(i)]
        if missing:
            raise SystemExit(f"{name}: {missing[0]} is missing; run the steps before it")
        started = time.monotonic()
        print(f"{name}:", flush=True)
        make()
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
