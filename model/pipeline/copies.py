"""Checks that suggestions do not copy the training set: finds runs of 65 or more words and
punctuation marks that a training file has too.

    python3 -m pipeline.copies --suggestions suggestions.jsonl --text .work/full/text
    python3 -m pipeline.copies --keyside ../target/release/keyside --text .work/full/text

Each line of the suggestions is {"text": ...}. White space does not count, nor do runs of fewer than
eight different words and marks. With `--keyside` the suggestions are made first, where copying is
likeliest: training files up to the first line of a block, nothing after it, everything that the
model says up to an eighth of its context. Ends with 1 if something was copied.
"""

import argparse
import glob
import hashlib
import heapq
import json
import os
import re
import subprocess
import sys
import tempfile

import numpy as np

LEAST_TOKENS = 65
# A row of zeros is nobody's.
LEAST_DIFFERENT = 8
TOKEN = re.compile(r"\w+|[^\w\s]")
MULTIPLIER, BASE = np.uint64(0x9E3779B97F4A7C15), 0xD6E8FEB86659FD93


def window_hashes(tokens: list[str], numbers: dict[str, int]) -> np.ndarray:
    """A hash of each run of LEAST_TOKENS tokens; `numbers` gives each token of the suggestions a
    number, others are 0."""
    if len(tokens) < LEAST_TOKENS:
        return np.zeros(0, np.uint64)
    hashed = np.fromiter((numbers.get(t, 0) for t in tokens), np.uint64, len(tokens)) * MULTIPLIER
    hashed ^= hashed >> np.uint64(29)
    # The hash of a run is a polynomial in the run's tokens; doubling its length adds few operations
    # on whole files.
    powers, factor, runs = {1: hashed}, {1: BASE}, 1
    while runs * 2 <= LEAST_TOKENS:
        shorter = powers[runs]
        powers[runs * 2] = shorter[:-runs] * np.uint64(factor[runs]) + shorter[runs:]
        factor[runs * 2] = factor[runs] ** 2 % 2**64
        runs *= 2
    result, length = powers[runs], runs
    while length < LEAST_TOKENS:
        step = next(n for n in sorted(powers, reverse=True) if n <= LEAST_TOKENS - length)
        n_windows = len(tokens) - length - step + 1
        result = (
            result[:n_windows] * np.uint64(factor[step]) + powers[step][length : length + n_windows]
        )
        length += step
    return result


def find(suggestions: list[str], folder: str) -> list[dict]:
    """For each suggestion that copies a training file, the first such file and the longest run from
    the first one found."""
    tokens = [TOKEN.findall(s) for s in suggestions]
    numbers = {}
    for t in (t for ts in tokens if len(ts) >= LEAST_TOKENS for t in ts):
        numbers.setdefault(t, len(numbers) + 1)
    places = {}
    for i, ts in enumerate(tokens):
        for at, h in enumerate(window_hashes(ts, numbers).tolist()):
            if len(set(ts[at : at + LEAST_TOKENS])) >= LEAST_DIFFERENT:
                places.setdefault(h, []).append((i, at))
    if not places:
        return []
    wanted = np.sort(np.fromiter(places, np.uint64, len(places)))
    found = {}
    for path in sorted(glob.glob(f"{folder}/*.train.jsonl")):
        with open(path) as file:
            for line in file:
                document = json.loads(line)
                words = TOKEN.findall(document["text"])
                hashes = window_hashes(words, numbers)
                near = np.minimum(np.searchsorted(wanted, hashes), len(wanted) - 1)
                for there in np.flatnonzero(wanted[near] == hashes).tolist():
                    for i, at in places[int(hashes[there])]:
                        if (
                            i in found
                            or tokens[i][at : at + LEAST_TOKENS]
                            != words[there : there + LEAST_TOKENS]
                        ):
                            continue
                        n = LEAST_TOKENS
                        while (
                            at + n < len(tokens[i])
                            and there + n < len(words)
                            and tokens[i][at + n] == words[there + n]
                        ):
                            n += 1
                        found[i] = {
                            "suggestion": i,
                            "path": document["path"],
                            "tokens": n,
                            "copied": " ".join(tokens[i][at : at + n]),
                        }
    return [found[i] for i in sorted(found)]


def likeliest(folder: str, n: int):
    """`n` beginnings of training files, each ending in the first line of a block; the same ones
    every time."""
    carets = []
    for path in sorted(glob.glob(f"{folder}/*.train.jsonl")):
        with open(path) as file:
            for line in file:
                document = json.loads(line)
                order = int.from_bytes(hashlib.md5(document["path"].encode()).digest())
                places = [m.end() for m in re.finditer(r"[{:]\n *", document["text"])]
                if places:
                    heapq.heappush(
                        carets,
                        (-order, document["path"], document["text"][: places[order % len(places)]]),
                    )
                if len(carets) > n:
                    heapq.heappop(carets)
    return [(path, prefix) for _, path, prefix in carets]


def suggested(keyside: str, folder: str, n: int) -> list[str]:
    """What the program suggests at these places."""
    asked = "".join(
        json.dumps({"id": str(i), "path": path, "prefix": prefix, "suffix": ""}) + "\n"
        for i, (path, prefix) in enumerate(likeliest(folder, n))
    )
    with tempfile.TemporaryDirectory() as home:
        with open(f"{home}/config.toml", "w") as file:
            file.write(
                "[completion]\nmax_tokens = 512\nmax_lines = 64\nmin_confidence = 0.0\ngenerate_ms = 60000\n"
            )
        command = [os.path.abspath(keyside), "complete", "--batch"]
        answered = subprocess.run(
            command,
            input=asked.encode(),
            stdout=subprocess.PIPE,
            env=os.environ | {"KEYSIDE_HOME": home},
            check=True,
        )
    return [json.loads(line)["completion"] for line in answered.stdout.splitlines()]


def main() -> int:
    """Runs the check."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    of = p.add_mutually_exclusive_group(required=True)
    of.add_argument("--suggestions", help='a JSONL file of {"text": ...}')
    of.add_argument("--keyside", help="the program, which is asked for suggestions")
    p.add_argument("--n", type=int, default=1000, help="how many suggestions it is asked for")
    p.add_argument("--text", required=True, help="the folder with LANGUAGE.train.jsonl")
    a = p.parse_args()
    if not glob.glob(f"{a.text}/*.train.jsonl"):
        raise SystemExit(f"{a.text} has no *.train.jsonl; make the corpus first")
    if a.keyside:
        suggestions = suggested(a.keyside, a.text, a.n)
    else:
        with open(a.suggestions) as file:
            suggestions = [json.loads(line)["text"] for line in file if line.strip()]
    long_enough = sum(len(TOKEN.findall(s)) >= LEAST_TOKENS for s in suggestions)
    found = find(suggestions, a.text)
    for one in found:
        print(json.dumps(one, ensure_ascii=False))
    print(
        f"{len(suggestions)} suggestions, {long_enough} of {LEAST_TOKENS} tokens or more, {len(found)} copy a training file",
        file=sys.stderr,
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
