"""keyside beside llama-server, asked as llama.vim asks it: the same model, threads and context, the same stretches typed key by key.

    python3 benches/versus_llama_server.py                                           # the built-in model, 2,000 keys
    python3 benches/versus_llama_server.py --accept                                  # a person who takes what is right
    python3 benches/versus_llama_server.py --model random-0.5b --keys 100 --equal-tokens 8
    python3 benches/versus_llama_server.py --model FILE.gguf --json RESULT.json

Needs Linux, Python 3.10 and target/release/keyside. At its first run it makes target/versus/venv and installs the packages of
benches/requirements.txt there; llama-server comes out of one of them.

A key is a character, or a line break with the indentation after it. Its latency goes from the key to the answer, over stdio for
keyside and over HTTP for llama-server, with what llama.vim's cache answers counted in. The next key comes when the answer is there.
Both know only the file that is typed in. They take turns stretch by stretch, so that a busy machine troubles both.

Without --accept nothing that is shown is taken, so both are asked at the same carets; that is what latencies are compared at. Without
--speculative llama.vim asks nothing in the background, neither for what comes after the text that it shows nor anew where its cache
had a text, though it does both: the next key would have to wait, and as keys come with no pause here, it looks better without, in
latency and in processor time. --pause-ms gives the background time.

The built-in model was trained on keyside's order of a prompt, in which the caret's line comes last. llama-server puts it before the
suffix, where this model has never seen it, and what it says then is worthless. That would deny llama.vim's cache the hits that it
has with a model that knows the order. So with the built-in model, --texts keyside is the default: what llama-server says costs what it
costs, and is then replaced with what a second keyside, which shows everything however unsure, has for the same caret. With other
models --texts own is.

What a model with random weights says ends nowhere. --equal-tokens N has both generate N tokens at each key, keyside without its stop
where it is unsure and without the counts of the file. Such texts are hardly ever right, so no cache is of use: compare what the asked cost.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import venv

from versus.keyside import Keyside
from versus.llama_vim import LlamaVim, LlamaVimSettings
from versus.side import Answer, Place, Side

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
WORK = os.path.join(ROOT, "target", "versus")
TYPED_FILES = [
    "tests/fixtures/project/lib/text/documents.rs",
    "tests/fixtures/project/pipeline/counts.py",
    "tests/fixtures/project/lib/prompt/finish.rs",
    "tests/fixtures/project/pipeline/samples.py",
    "tests/fixtures/project/tasks/main.rs",
    "tests/fixtures/project/lib/engine/actor.rs",
]
# Where stretches begin, as parts of a file.
BEGINNINGS = (0.6, 0.3, 0.8, 0.1)
# llama.vim's users are told to start llama-server with this; prompts never have many more tokens.
BATCH_TOKENS = 1024
N_ROUND_TRIPS = 50
# The editor indents a new line by itself.
KEY = re.compile(r"\n[ \t]*|.")


@dataclasses.dataclass
class Stretch:
    """Lines of a file that are typed again."""

    path: str
    before: str
    goal: str
    after: str


@dataclasses.dataclass
class Key:
    """A key and what came of it."""

    inserted: str
    answer: Answer
    # The text goes on with what is shown.
    is_right: bool
    # It has taken what was shown before it.
    is_acceptance: bool


def keys_of(text: str) -> list[str]:
    """The keys that type a text."""
    return KEY.findall(text)


def stretches(paths: list[str], n_lines: int, n_keys: int) -> list[Stretch]:
    """Lines of each file in turn, until there are `n_keys` keys. The same each time."""
    texts = {path: read_text(path) for path in paths}
    found = []
    for part in BEGINNINGS:
        for path, text in texts.items():
            stretch = stretch_at(path, text, part, n_lines)
            keys = keys_of(stretch.goal)[:n_keys]
            stretch.goal = "".join(keys)
            n_keys -= len(keys)
            found.append(stretch)
            if n_keys == 0:
                return found
    raise SystemExit(f"the stretches have {n_keys} keys too few; lower --keys, raise --stretch-lines or name more files")


def read_text(path: str) -> str:
    """A file of the repository, or any other."""
    try:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{path} can't be typed ({error}); name text files in UTF-8") from None


def stretch_at(path: str, text: str, part: float, n_lines: int) -> Stretch:
    """The stretch that begins at a part of the file, after the indentation of a line that is not blank."""
    lines = text.split("\n")
    first = int(len(lines) * part)
    while first < len(lines) and not lines[first].strip():
        first += 1
    goal = "\n".join(lines[first : first + n_lines]).rstrip()
    if not goal:
        raise SystemExit(f"{path} is too short to be typed; name longer files")
    before = "".join(f"{line}\n" for line in lines[:first])
    # Blanks at the end of the last line would stand after the caret.
    after = text[len(before) + len(goal) :].lstrip(" \t")
    unindented = goal.lstrip()
    return Stretch(path, before + goal[: len(goal) - len(unindented)], unindented, after)


def type_stretch(side: Side, stretch: Stretch, accepts: bool, pause_ms: float) -> list[Key]:
    """A person types a stretch, and if `accepts`, takes what is shown whenever it is exactly right."""
    path = os.path.basename(stretch.path) if os.path.isabs(stretch.path) else stretch.path
    side.open(Place(path, stretch.before, stretch.after))
    keys, at, is_right, shown = [], 0, False, ""
    while at < len(stretch.goal):
        is_acceptance = accepts and is_right
        inserted = shown if is_acceptance else KEY.match(stretch.goal, at)[0]
        at += len(inserted)
        answer = side.key(inserted)
        shown = answer.text
        is_right = shown != "" and stretch.goal.startswith(shown, at)
        keys.append(Key(inserted, answer, is_right, is_acceptance))
        time.sleep(pause_ms / 1e3)
    return keys


def texts_for(source: Side, stretch: Stretch) -> dict[int, str]:
    """What `source` shows at each caret of a stretch, by the number of characters before it."""
    keys = type_stretch(source, stretch, accepts=False, pause_ms=0)
    ends = itertools.accumulate(map(len, keys_of(stretch.goal)), initial=len(stretch.before))
    return dict(zip(itertools.islice(ends, 1, None), (key.answer.text for key in keys)))


def figures(side: Side, keys: list[Key], cpu_seconds: float, round_trip_ms: float, accepts: bool) -> dict[str, float]:
    """What is reported of a side. Every key counts, also the first of a stretch, for which nothing is resident."""
    times = sorted(key.answer.ms for key in keys)
    asked = [key.answer.ms for key in keys if key.answer.is_asked]
    n_shown = sum(key.answer.text != "" for key in keys)
    line_breaks = [key.answer.ms for key in keys if "\n" in key.inserted]
    work = side.work

    def at(quantile: float) -> float:
        return times[round((len(times) - 1) * quantile)]

    found = {
        "keys": len(keys),
        "key to answer, median ms": at(0.5),
        "key to answer, 95% ms": at(0.95),
        "key to answer, 99% ms": at(0.99),
        "key to answer, mean ms": statistics.fmean(times),
        "key to answer after a line break, median ms": statistics.median(line_breaks) if line_breaks else 0.0,
        "answered without the model, %": 100 * (1 - len(asked) / len(keys)),
        "key to answer where the model was asked, median ms": statistics.median(asked) if asked else 0.0,
        "prompt tokens evaluated a key": work.evaluated_tokens / len(keys),
        "tokens generated a key": work.generated_tokens / len(keys),
        "ms a prompt token": work.prompt_ms / max(1, work.evaluated_tokens),
        "ms a generated token": work.generate_ms / max(1, work.generated_tokens),
        "processor ms a key": 1e3 * cpu_seconds / len(keys),
        "processor seconds": cpu_seconds,
        "keys with something shown, %": 100 * n_shown / len(keys),
        "of that exactly right, %": 100 * sum(key.is_right for key in keys) / max(1, n_shown),
        "round trip that asks for nothing, median ms": round_trip_ms,
    }
    if accepts:
        # An acceptance is a key too.
        n_spared = sum(len(key.inserted) - 1 for key in keys if key.is_acceptance)
        found["characters spared"] = n_spared
        found["characters spared, %"] = 100 * n_spared / sum(len(key.inserted) for key in keys)
    return found


def show(sides: list[Side], columns: list[dict[str, float]]) -> None:
    """The table, with the ratio of the first side to the second."""
    print(f"{'':<52}" + "".join(f"{side.name:>14}" for side in sides) + f"{'ratio':>10}")
    for row, first in columns[0].items():
        second = columns[1][row]
        ratio = f"{first / second:10.3f}" if second else f"{'':>10}"
        print(f"{row:<52}{first:14.2f}{second:14.2f}{ratio}")


def python_with_packages() -> str:
    """The interpreter of the virtual environment, which is made if it is missing or older than benches/requirements.txt."""
    requirements, folder = os.path.join(HERE, "requirements.txt"), os.path.join(WORK, "venv")
    python, done = os.path.join(folder, "bin", "python"), os.path.join(folder, "installed")
    if not os.path.exists(done) or os.path.getmtime(done) < os.path.getmtime(requirements):
        print("installing benches/requirements.txt into target/versus/venv", file=sys.stderr)
        venv.create(folder, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", requirements]
        if subprocess.run(pip).returncode != 0:
            raise SystemExit("the packages of benches/requirements.txt can't be installed; pip says above why")
        open(done, "w").close()
    return python


def model_file(model: str, keyside: str, python: str) -> str:
    """The GGUF file that --model names."""
    if model == "embedded":
        tried = subprocess.run([keyside, "try", "--lines", "1", "--json"], capture_output=True, text=True, check=True)
        return os.path.join(ROOT, "model", f"{json.loads(tried.stdout)['model']}.gguf")
    if model == "random-0.5b":
        path = os.path.join(WORK, "random-0.5b.gguf")
        if not os.path.exists(path):
            print("writing target/versus/random-0.5b.gguf, 531 MB", file=sys.stderr)
            if subprocess.run([python, os.path.join(HERE, "random_model.py"), path], stdout=sys.stderr).returncode != 0:
                raise SystemExit("the model with random weights can't be written; what is said above must be mended first")
        return path
    if not os.path.isfile(model):
        raise SystemExit(f"{model} is not a file; --model takes embedded, random-0.5b or a GGUF file")
    return os.path.abspath(model)


def keyside_settings(options: argparse.Namespace, path: str) -> dict:
    """What the measured keyside is told; all else is its default."""
    settings = {"model": {}, "completion": {}}
    if options.model != "embedded":
        settings["model"]["path"] = path
    if options.threads:
        settings["model"]["threads"] = options.threads
    if options.equal_tokens:
        settings["completion"] = {"max_tokens": options.equal_tokens, "min_confidence": 1e-9, "generate_ms": 60_000, "retrieval": False}
    return settings


def read_options() -> argparse.Namespace:
    """The command line, checked."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("files", nargs="*", default=TYPED_FILES, help="what to type, below the repository (default: six frozen files)")
    p.add_argument("--keyside", default=os.path.join(ROOT, "target", "release", "keyside"), help="the program")
    p.add_argument("--model", default="embedded", help="embedded, random-0.5b or a GGUF file")
    p.add_argument("--keys", type=int, default=2000, help="how many keys to type, if none is spared")
    p.add_argument("--stretch-lines", type=int, default=12, help="lines of a stretch")
    p.add_argument("--accept", action="store_true", help="take what is shown whenever it is exactly right")
    p.add_argument("--texts", choices=("keyside", "own"), help="whose texts llama.vim gets (default: see above)")
    p.add_argument("--speculative", action="store_true", help="llama.vim asks in the background as well")
    p.add_argument("--pause-ms", type=float, default=0, help="a pause after each answer")
    p.add_argument("--equal-tokens", type=int, default=0, metavar="N", help="both generate N tokens at a key, for random weights")
    p.add_argument("--threads", type=int, default=0, help="threads for both (default: what keyside takes for the model)")
    p.add_argument("--json", metavar="FILE", help="write the figures and all keys there")
    options = p.parse_args()
    options.texts = options.texts or ("keyside" if options.model == "embedded" else "own")
    if min(options.keys, options.stretch_lines) < 1 or min(options.pause_ms, options.equal_tokens, options.threads) < 0:
        p.error("--keys and --stretch-lines must be at least 1, other numbers at least 0")
    if options.equal_tokens > 64:
        p.error("--equal-tokens must be at most 64")
    if not sys.platform.startswith("linux"):
        p.error("processor time is read from /proc, so this needs Linux")
    if not os.access(options.keyside, os.X_OK):
        p.error(f"{options.keyside} is not a program; build it with `cargo build --release`, or name it with --keyside")
    if options.json and not os.path.isdir(os.path.dirname(os.path.abspath(options.json))):
        p.error(f"--json names {options.json}, whose folder does not exist")
    return options


def write_json(path: str, about: dict, sides: list[Side], columns: list[dict[str, float]], keys: list[list[Key]]) -> None:
    """Everything, for other programs; of the texts only their lengths."""
    ratios = {row: columns[0][row] / columns[1][row] for row in columns[0] if columns[1][row]}
    per_key = {
        side.name: [
            [len(key.inserted), key.is_acceptance, round(key.answer.ms, 3), key.answer.is_asked, len(key.answer.text), key.is_right]
            for key in of_side
        ]
        for side, of_side in zip(sides, keys)
    }
    result = about | {side.name: column for side, column in zip(sides, columns)} | {"ratios": ratios}
    result |= {"columns of keys": ["characters", "acceptance", "ms", "asked", "characters shown", "right"], "every key": per_key}
    with open(path, "w") as file:
        json.dump(result, file)


def start(options: argparse.Namespace, home: str, at_the_end: contextlib.ExitStack) -> tuple[Keyside, LlamaVim, Keyside | None]:
    """The two sides with the same model, threads and context, and where llama.vim's texts come from."""
    python = python_with_packages()
    program = os.path.abspath(options.keyside)
    path = model_file(options.model, program, python)
    of_keyside = keyside_settings(options, path)
    keyside = Keyside(program, of_keyside, home, os.path.join(WORK, "keyside.log"))
    at_the_end.callback(keyside.end)
    settings = LlamaVimSettings(is_speculative=options.speculative)
    n_threads, n_context = keyside.model["threads"], keyside.model["context_tokens"]
    # A prompt of a whole batch must leave room for what is generated.
    n_batch = min(BATCH_TOKENS, n_context - settings.n_predict)
    settings.n_predict = options.equal_tokens or settings.n_predict
    command = [python, os.path.join(HERE, "versus", "llama_server.py"), path, *map(str, (n_threads, n_context, n_batch))]
    llama_vim = LlamaVim(command, settings, os.path.join(WORK, "llama-server.log"))
    at_the_end.callback(llama_vim.end)
    source = None
    if options.texts == "keyside":
        of_keyside["completion"]["min_confidence"] = 1e-9
        source = Keyside(program, of_keyside, home, os.path.join(WORK, "source.log"))
        at_the_end.callback(source.end)
    return keyside, llama_vim, source


def main() -> None:
    """The command."""
    options = read_options()
    to_type = stretches(options.files, options.stretch_lines, options.keys)
    os.makedirs(WORK, exist_ok=True)
    keys: list[list[Key]] = [[], []]
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as at_the_end:
        *sides, source = start(options, home, at_the_end)
        keyside, llama_vim = sides
        round_trips = [statistics.median(side.round_trip_ms() for _ in range(N_ROUND_TRIPS)) for side in sides]
        cpu_before = [side.cpu_seconds() for side in sides]
        for turn, stretch in enumerate(to_type):
            llama_vim.texts = texts_for(source, stretch) if source else {}
            for n in (0, 1) if turn % 2 == 0 else (1, 0):
                keys[n] += type_stretch(sides[n], stretch, options.accept, options.pause_ms)
        llama_vim.wait_for_background()
        cpu = [side.cpu_seconds() - before for side, before in zip(sides, cpu_before)]
    columns = [figures(*each, options.accept) for each in zip(sides, keys, cpu, round_trips)]
    about = {
        "keyside version": subprocess.run([options.keyside, "--version"], capture_output=True, text=True).stdout.strip(),
        "llama-server version": llama_vim.about["version"],
        "llama-server was built for": llama_vim.about["processor_features"],
        "model": keyside.model["name"],
        "threads": keyside.model["threads"],
        "context_tokens": keyside.model["context_tokens"],
        "stretches": len(to_type),
        "characters": sum(len(stretch.goal) for stretch in to_type),
        "options": {key: value for key, value in vars(options).items() if key not in ("json", "keyside")},
    }
    for key, value in about.items():
        print(f"{key}: {value}")
    show(sides, columns)
    if options.json:
        write_json(options.json, about, sides, columns, keys)


if __name__ == "__main__":
    main()
