"""keyside classify --by-model beside llama-server: the same GGUF, threads, prompt and texts, each with its own prompt cache.

    python3 benches/labels_versus_llama_server.py [--items 300] [--model FILE.gguf]

Needs Linux, Python 3.10, target/release/keyside and the instruct model of the tests (target/instruct-model, made by
`cargo xtask setup`), and the packages of benches/requirements.txt, as versus_llama_server.py.

llama-server is asked in the two ways in which people have it label texts: under a grammar of the labels, which it generates, and for one
token with the probabilities of the likeliest ones, which says the label where all part at their first token. They take turns block by
block, so that a busy machine troubles all. keyside is given one text at a time, as they are.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time

from versus_llama_server import HERE, ROOT, python_with_packages

LABELS = ["bug report", "feature request", "question", "documentation"]
EXAMPLES = [
    ("it crashes when the file is empty", "bug report"),
    ("please add a dark theme", "feature request"),
    ("how do I change the width?", "question"),
    ("the page on settings lacks an example", "documentation"),
]
N_BLOCK = 25
N_CONTEXT = 2048


def instruction() -> str:
    """The words in which keyside asks."""
    lines = "".join(f"\n- {label}" for label in LABELS)
    examples = "".join(f"\n\nText: {text}\nLabel: {label}" for text, label in EXAMPLES)
    return f"Say which label the text has. Answer with one of these labels and nothing else:{lines}{examples}"


class Keyside:
    """One text at a time through a pipe."""

    name = "keyside classify --by-model"

    def __init__(self, home: str, model: str, n_threads: int) -> None:
        with open(os.path.join(home, "config.toml"), "w", encoding="utf-8") as file:
            file.write(f"[model]\ninstruct = {json.dumps(model)}\ninstruct_context_tokens = {N_CONTEXT}\nthreads = {n_threads}\n")
        examples = os.path.join(home, "examples.jsonl")
        with open(examples, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text, "label": label}) + "\n" for text, label in EXAMPLES)
        command = [os.path.join(ROOT, "target", "release", "keyside"), "classify", "--by-model", "--labels", ",".join(LABELS)]
        self.process = subprocess.Popen(
            [*command, "--examples", examples],
            env={**os.environ, "KEYSIDE_HOME": home},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.n_evaluated = 0

    def label(self, text: str) -> str:
        """The label of a text."""
        print(json.dumps({"text": text}), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        self.n_evaluated += answer["evaluated_tokens"]
        return answer["label"]

    def end(self) -> None:
        """Its input ends."""
        self.process.stdin.close()
        self.process.wait()


class LlamaServer:
    """One text at a time by HTTP, `/completion` with its prompt cache."""

    def __init__(self, address: str, by_grammar: bool) -> None:
        self.name = f"llama-server, {'a grammar of the labels' if by_grammar else 'one token and its probabilities'}"
        self.address = address
        self.by_grammar = by_grammar
        self.n_evaluated = 0

    def label(self, text: str) -> str:
        """The label of a text."""
        prompt = (
            f"<|im_start|>system\n{instruction()}<|im_end|>\n<|im_start|>user\nText: {text}<|im_end|>\n<|im_start|>assistant\n"
        )
        body = {"prompt": prompt, "cache_prompt": True, "temperature": 0, "n_predict": 1, "n_probs": 20}
        if self.by_grammar:
            alternatives = " | ".join(json.dumps(label) for label in LABELS)
            body |= {"n_predict": 16, "n_probs": 0, "grammar": f"root ::= {alternatives}"}
        # The server closes a connection that has had nothing to do for some seconds.
        connection = http.client.HTTPConnection(self.address, timeout=600)
        connection.request("POST", "/completion", json.dumps(body), {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        connection.close()
        self.n_evaluated += answer["timings"]["prompt_n"] + answer["timings"]["predicted_n"]
        return answer["content"]

    def end(self) -> None:
        """It ends when its input does."""


def texts(n: int) -> list[str]:
    """Short texts: requests of the routing task, which are committed."""
    with open(os.path.join(ROOT, "model", "routing", "requests.jsonl"), encoding="utf-8") as file:
        all_texts = [json.loads(line)["text"] for line in file]
    step = max(1, len(all_texts) // n)
    return all_texts[::step][:n]


def main() -> None:
    """The command."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--items", type=int, default=300)
    options.add_argument("--model", default=os.path.join(ROOT, "target", "instruct-model", "SmolLM2-135M-Instruct.Q4_1.gguf"))
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options = options.parse_args()
    python = os.environ.get("KEYSIDE_VERSUS_PYTHON") or python_with_packages()
    server = subprocess.Popen(
        [python, os.path.join(HERE, "versus", "llama_server.py"), options.model, str(options.threads), str(N_CONTEXT), "512"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    about = json.loads(server.stdout.readline())
    print(f"{about['version']} ({about['processor_features']})", file=sys.stderr)
    with tempfile.TemporaryDirectory() as home:
        sides = [Keyside(home, options.model, options.threads), LlamaServer(about["address"], True), LlamaServer(about["address"], False)]
        # The first text pays for the instruction.
        for side in sides:
            side.label("a first text")
            side.n_evaluated = 0
        seconds = [0.0] * len(sides)
        items = texts(options.items)
        for start in range(0, len(items), N_BLOCK):
            for at, side in enumerate(sides):
                began = time.perf_counter()
                for text in items[start : start + N_BLOCK]:
                    side.label(text)
                seconds[at] += time.perf_counter() - began
        print(f"| {len(items)} texts, {len(LABELS)} labels | texts a second | tokens evaluated a text | keyside is faster by |")
        print("|---|---|---|---|")
        for side, taken in zip(sides, seconds):
            rate, tokens = len(items) / taken, side.n_evaluated / len(items)
            print(f"| {side.name} | {rate:.1f} | {tokens:.1f} | {taken / seconds[0]:.2f} |")
            side.end()
    server.stdin.close()
    server.wait()


if __name__ == "__main__":
    main()
