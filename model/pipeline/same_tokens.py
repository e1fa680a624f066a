"""Checks that the product's tokens are the trainer's, on held-out text: what a model was not
trained on it can't read.

    python3 -m pipeline.same_tokens --text .work/full/text --model NAME.gguf --keyside ../target/release/keyside

Compares whole files and, because the product cuts text there, single lines.
"""

import argparse
import glob
import json
import os
import subprocess

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))


def held_out_texts(folder: str, most_bytes: int) -> list[str]:
    """Held-out files of all languages in turn, until `most_bytes` are reached; every fourth file as
    its lines."""
    languages = [open(path) for path in sorted(glob.glob(f"{folder}/*.heldout.jsonl"))]  # noqa: SIM115
    texts, size, number = [], 0, 0
    while languages and size < most_bytes:
        for file in list(languages):
            line = file.readline()
            if not line:
                file.close()
                languages.remove(file)
                continue
            text = json.loads(line)["text"]
            texts += text.split("\n") if number % 4 == 3 else [text]
            size += len(text.encode())
            number += 1
    for file in languages:
        file.close()
    return texts


def main() -> None:
    """The command; a difference ends it with the first text that differs."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--text", required=True)
    p.add_argument("--model", required=True)
    p.add_argument("--keyside", required=True)
    p.add_argument("--tokenizer", default=os.path.join(HERE, "..", "tokenizer.json"))
    p.add_argument("--bytes", type=int, default=1_100_000)
    a = p.parse_args()
    texts = held_out_texts(a.text, a.bytes)
    asked = "\n".join(json.dumps(t) for t in texts)
    said = subprocess.run(
        [a.keyside, "tokenize", "--model", a.model], input=asked, capture_output=True, text=True
    )
    if said.returncode != 0:
        raise SystemExit(said.stderr.strip())
    tokenizer = Tokenizer.from_file(a.tokenizer)
    products = [json.loads(line) for line in said.stdout.splitlines()]
    if len(products) != len(texts):
        raise SystemExit(f"{len(texts)} texts were asked for and {len(products)} answered")
    n_tokens = 0
    for text, product in zip(texts, products, strict=False):
        trainer = tokenizer.encode(text).ids
        if trainer != product:
            at = next(
                (i for i, (x, y) in enumerate(zip(trainer, product, strict=False)) if x != y),
                min(len(trainer), len(product)),
            )
            raise SystemExit(
                f"tokens differ at {at}: the trainer has {trainer[at : at + 5]}, the product {product[at : at + 5]}, after {tokenizer.decode(trainer[max(0, at - 8) : at])!r}"
            )
        n_tokens += len(trainer)
    print(
        f"the same {n_tokens} tokens in {len(texts)} texts of {sum(len(t.encode()) for t in texts)} bytes"
    )


if __name__ == "__main__":
    main()
