"""Trains the byte-level BPE tokenizer on a fixed sample of the training split, and measures
variants of it.

    python3 -m pipeline.tokenizer --text .work/full/text --out tokenizer.json --vocabulary 8192
    python3 -m pipeline.tokenizer --text .work/full/text --measure --out .work/tokenizers.md

The same text gives the same tokenizer: files are sampled by a hash of their path, and ties between
merges are broken by their ids. `--measure` writes a table of characters per token on held-out text:
8,192 and 16,384 tokens, each as shipped ("words": the pre-tokenizer of Qwen2) and with merges
across single spaces inside a line ("lines").
"""

import argparse
import hashlib
import json
import os
import time

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from .languages import LANGUAGE_SHARE

HERE = os.path.dirname(os.path.abspath(__file__))
# In the order of their ids, from 0; GGUF's metadata and the product refer to them by name.
SPECIAL_TOKENS = [
    "<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>",
    "<|im_start|>", "<|im_end|>",
]  # fmt: skip
# How text is cut before merges, none of which crosses a cut. "words" is Qwen2's, which llama.cpp
# knows by name; llama.cpp would have to be taught "lines", which cuts at line ends, around
# indentation and digits, and nowhere else.
CUTS = {
    "words": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "lines": r"\p{N}| ?[^\s\p{N}]+(?: [^\s\p{N}]+)*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
MEASURED_SIZES = (8192, 16384)


def characters(megabytes: float) -> dict[str, float]:
    """How many characters of each language make so many megabytes."""
    return {name: megabytes * 1e6 * share for name, share in LANGUAGE_SHARE.items()}


def sample(folder: str, split: str, characters: dict[str, float]):
    """Texts of a split by language, about as many characters as asked for: a file belongs to the
    sample by a hash of its path."""
    for language, wanted in characters.items():
        path = f"{folder}/{language}.{split}.jsonl"
        if not os.path.exists(path):
            continue
        share = wanted / max(1, os.path.getsize(path))
        with open(path) as file:
            for line in file:
                document = json.loads(line)
                place = (
                    int.from_bytes(hashlib.md5(document["path"].encode()).digest()[:8], "big")
                    / 2**64
                )
                if place < share:
                    yield language, document["text"]


def train(texts, vocabulary: int, cuts: str) -> Tokenizer:
    """A tokenizer of `vocabulary` tokens: the special ones, the 256 bytes, and merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(CUTS[cuts]), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def first_tokens(tokenizer: Tokenizer, vocabulary: int) -> Tokenizer:
    """The tokenizer that would have come of a smaller vocabulary: merges are found one after the
    other, so it has the first of them."""
    whole = json.loads(tokenizer.to_str())
    model = whole["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < vocabulary}
    model["merges"] = model["merges"][: vocabulary - len(SPECIAL_TOKENS) - 256]
    return Tokenizer.from_str(json.dumps(whole))


def characters_per_token(tokenizer: Tokenizer, held_out) -> dict[str, float]:
    """By language, and for all of them together as "all"."""
    characters, tokens = {"all": 0}, {"all": 0}
    for language, text in held_out:
        n = len(tokenizer.encode(text).ids)
        for key in (language, "all"):
            characters[key] = characters.get(key, 0) + len(text)
            tokens[key] = tokens.get(key, 0) + n
    return {key: characters[key] / tokens[key] for key in characters}


def measure(folder: str, megabytes: float, shipped: str) -> str:
    """The table of variants as Markdown."""
    held_out = list(sample(folder, "heldout", dict.fromkeys(LANGUAGE_SHARE, 1500000)))
    rows = []
    if os.path.exists(shipped):
        rows.append(
            (
                "tokenizer.json as it is",
                characters_per_token(Tokenizer.from_file(shipped), held_out),
                "",
            )
        )
    for cuts in CUTS:
        started = time.monotonic()
        texts = [text for _, text in sample(folder, "train", characters(megabytes))]
        size = sum(map(len, texts)) / 1e6
        largest = train(texts, max(MEASURED_SIZES), cuts)
        took = time.monotonic() - started
        del texts
        for vocabulary in MEASURED_SIZES:
            got = characters_per_token(first_tokens(largest, vocabulary), held_out)
            rows.append(
                (
                    f"{vocabulary:,} tokens, {cuts}",
                    got,
                    f"{took:.0f} s" if vocabulary == max(MEASURED_SIZES) else "",
                )
            )
            print(rows[-1], flush=True)
    columns = [*(name for name in LANGUAGE_SHARE if any(name in row[1] for row in rows)), "all"]
    lines = [
        f"Characters per token on {sum(len(t) for _, t in held_out) / 1e6:.1f} MB of held-out text, trained on {size:.1f} MB.",
        "",
        "| tokenizer | " + " | ".join(columns) + " | training |",
        "|---|" + "---:|" * (len(columns) + 1),
        *(
            f"| {name} | " + " | ".join(f"{got[c]:.3f}" for c in columns) + f" | {took} |"
            for name, got, took in rows
        ),
        "",
        "The smaller vocabulary of a kind is the start of the larger one's, so it needs no training of its own.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the step."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        "--text",
        required=True,
        help="the folder with LANGUAGE.train.jsonl and LANGUAGE.heldout.jsonl",
    )
    p.add_argument(
        "--out", required=True, help="the tokenizer.json to write, or the table with --measure"
    )
    p.add_argument("--vocabulary", type=int, default=8192)
    p.add_argument("--cuts", choices=list(CUTS), default="words")
    p.add_argument("--megabytes", type=float, default=40.0, help="of text to train on")
    p.add_argument(
        "--measure", action="store_true", help="write a table of variants instead of a tokenizer"
    )
    p.add_argument(
        "--shipped",
        default=os.path.join(HERE, "..", "tokenizer.json"),
        help="a tokenizer to measure beside the variants",
    )
    a = p.parse_args()
    if a.measure:
        table = measure(a.text, a.megabytes, a.shipped)
        with open(a.out, "w") as file:
            file.write(table)
        print(table)
        return
    texts = (text for _, text in sample(a.text, "train", characters(a.megabytes)))
    train(texts, a.vocabulary, a.cuts).save(a.out)
    print(f"{a.out}: {a.vocabulary} tokens")


if __name__ == "__main__":
    main()
