"""Counts n-grams of tokens over the whole corpus and packs those that say most into a table that
the product reads as it lies.

    python3 -m pipeline.counts --text .work/full/text --out keyside-ngrams.bin

The corpus is a few times what two cores can train on, and a table costs memory and no decode time.
Text is what src/retrieval/datastore.rs makes of it: each line's own tokens and an end token. A file
counts once, however often it says the same; what fewer than three files or two packages say is left
out, so that the table knows habits of a language and not one package's text. A context of k tokens
is kept if what follows it is told better than by k - 1 tokens (the gain in nats over the corpus,
Seymore and Rosenfeld 1996), the best first until the table is full.

The file (src/retrieval/ngram_table.rs): "KSCOUNT1", a hash of the vocabulary's text tokens (u64),
log2 of the number of buckets (u32), entries (u32), where each bucket's entries begin and the last
one ends (u32 each), entries (u32 each, sorted in their bucket): 14 bits of the context's hash, 13
of the token, 5 of a logarithm: of the total for token TOTAL, which is a context's first, and of the
probability for the others. All little-endian.
"""

import argparse
import json
import os
import struct

import numpy as np

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
from tokenizers import Tokenizer

from .languages import NGRAM_GROUPS

HERE = os.path.dirname(os.path.abspath(__file__))
MAX_ORDER = 6
MOST_LINE_BYTES = 400
LEAST_FILES, LEAST_PACKAGES = 3, 2
# How many followers of a context are kept, by its order.
MOST_FOLLOWERS = (8, 6, 4, 3, 3, 2)
LEAST_PROBABILITY = 0.01
# A token that never follows anything: it marks the entry of the total.
TOTAL = 1
END = 0
POSITION_BITS = 28
BUCKET_ENTRIES = 16
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(x):
    """Mixes 64 bits, in place."""
    x ^= x >> np.uint64(31)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(29)
    return x


def stream(folder: str, group, tokenizer: Tokenizer):
    """All training text of a group: tokens, and each token's file and package by number."""
    tokens, files, packages, names = [], [], [], {}
    n_files = 0
    for language in group:
        path = f"{folder}/{language}.train.jsonl"
        if not os.path.exists(path):
            continue
        with open(path) as lines:
            while batch := [json.loads(line) for _, line in zip(range(2000), lines, strict=False)]:
                kept = []
                for number, document in enumerate(batch):
                    text = (line.rstrip("\r") for line in document["text"].split("\n"))
                    kept += [
                        (line, number)
                        for line in text
                        if line.strip() and len(line.encode()) <= MOST_LINE_BYTES
                    ]
                encoded = tokenizer.encode_batch_fast([line for line, _ in kept])
                sizes = np.fromiter((len(e.ids) + 1 for e in encoded), np.int64, len(encoded))
                tokens.append(
                    np.fromiter((t for e in encoded for t in (*e.ids, END)), np.uint16, sizes.sum())
                )
                of_batch = np.fromiter((number for _, number in kept), np.int32, len(kept))
                files.append(np.repeat(of_batch + n_files, sizes))
                package = np.array(
                    [names.setdefault(d["pkg"], len(names)) for d in batch], np.int32
                )
                packages.append(np.repeat(package[of_batch], sizes))
                n_files += len(batch)
    if not tokens:
        return None
    return tuple(np.concatenate(x) for x in (tokens, files, packages))


def changes(*arrays):
    """Where any of these arrays differs from its last value."""
    changed = np.ones(len(arrays[0]), bool)
    changed[1:] = False
    for a in arrays:
        changed[1:] |= a[1:] != a[:-1]
    return changed


def grams(hashes, tokens, files, packages, order: int):
    """The n-grams that enough files and packages have: a place of each in the text (of its
    context's last token), its hash, in how many files it is, and how many its context has in all.
    """
    place = np.arange(order - 1, len(tokens) - 1)
    place = place[(files[place - order + 1] == files[place + 1])]
    key = mix((hashes[place] + tokens[place + 1].astype(np.uint64) + np.uint64(1)) * GOLDEN)
    key &= ~np.uint64((1 << POSITION_BITS) - 1)
    key |= place.astype(np.uint64)
    del place
    key.sort()
    place = (key & np.uint64((1 << POSITION_BITS) - 1)).astype(np.int64)
    key >>= np.uint64(POSITION_BITS)
    starts = np.flatnonzero(changes(key))
    new_file = changes(key, files[place])
    n_files = np.add.reduceat(new_file.astype(np.int32), starts)
    del new_file
    new_package = changes(key, packages[place])
    n_packages = np.add.reduceat(new_package.astype(np.int32), starts)
    del new_package
    place, key = place[starts], key[starts]
    enough = (n_files >= LEAST_FILES) & (n_packages >= LEAST_PACKAGES)
    contexts = np.unique(hashes[place[enough]])
    total = np.zeros(len(contexts), np.int64)
    for part in range(0, len(place), 1 << 24):  # of all n-grams, in parts, for the memory's sake
        wanted = hashes[place[part : part + (1 << 24)]]
        at = np.searchsorted(contexts, wanted)
        at[at == len(contexts)] = 0
        there = contexts[at] == wanted if len(contexts) else np.zeros(len(wanted), bool)
        np.add.at(total, at[there], n_files[part : part + (1 << 24)][there])
    place, key, n_files = place[enough], key[enough], n_files[enough]
    return place, key, n_files, total[np.searchsorted(contexts, hashes[place])]


def entries_of(tokens, files, packages, group: int, most: int):
    """Contexts' hashes with their entries (hash, token, code), the ones that tell most, at most
    `most` entries."""
    hashes = np.full(len(tokens), np.uint64(group + 1))
    lower = None
    kept = []
    for order in range(1, MAX_ORDER + 1):
        shifted = np.roll(tokens, order - 1).astype(np.uint64)
        hashes = mix((hashes + shifted + np.uint64(1)) * GOLDEN)
        del shifted
        place, key, n, total = grams(hashes, tokens, files, packages, order)
        p = n / total
        if lower is None:
            p_lower = np.full(len(p), 1e-3)
        else:
            key_lower = mix(
                (lower[2][place] + tokens[place + 1].astype(np.uint64) + np.uint64(1)) * GOLDEN
            ) >> np.uint64(POSITION_BITS)
            at = np.minimum(np.searchsorted(lower[0], key_lower), len(lower[0]) - 1)
            p_lower = np.where(lower[0][at] == key_lower, lower[1][at], 1e-3)
        lower = (key, p, hashes)
        context, token = hashes[place], tokens[place + 1]
        by_context = np.lexsort((-n, context))
        context, token, n, total, p, p_lower = (
            x[by_context] for x in (context, token, n, total, p, p_lower)
        )
        first = np.flatnonzero(changes(context))
        rank = np.arange(len(context)) - np.repeat(first, np.diff(np.append(first, len(context))))
        good = (rank < MOST_FOLLOWERS[order - 1]) & (p >= LEAST_PROBABILITY)
        context, token, n, total, p, p_lower = (
            x[good] for x in (context, token, n, total, p, p_lower)
        )
        first = np.flatnonzero(changes(context))
        gain = (
            np.add.reduceat((n - 0.75) * np.maximum(0, np.log(p / p_lower)), first)
            if len(first)
            else np.zeros(0)
        )
        size = np.diff(np.append(first, len(context)))
        kept.append((context, token, total, p, np.repeat(gain / (size + 1), size)))
        print(f"  order {order}: {len(first)} contexts, {len(context)} followers", flush=True)
    context, token, total, p, worth = (np.concatenate(x) for x in zip(*kept, strict=False))
    first = np.flatnonzero(changes(context))
    size = np.diff(np.append(first, len(context)))
    best = np.argsort(-worth[first], kind="stable")
    enough = best[np.cumsum(size[best] + 1) <= most]
    chosen = np.zeros(len(first), bool)
    chosen[enough] = True
    of_context = np.repeat(chosen, size)
    code_total = np.clip(np.rint(np.log(total[first[chosen]] / LEAST_FILES) / np.log(1.5)), 0, 31)
    code_p = np.clip(np.rint(-4 * np.log2(p[of_context])), 0, 31)
    print(
        f"  {len(enough)} contexts kept, {of_context.sum()} followers, the least gain {worth[first[best[len(enough) - 1]]]:.1f} nats an entry"
    )
    return (
        np.concatenate([context[first[chosen]], context[of_context]]),
        np.concatenate([np.full(len(enough), TOTAL, np.uint16), token[of_context]]),
        np.concatenate([code_total, code_p]).astype(np.uint32),
    )


def vocabulary_hash(path: str) -> int:
    """FNV-1a over the bytes of every text token, in the order of their ids, each with a byte 255
    behind it."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    to_byte = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
    with open(path) as file:
        whole = json.load(file)
    special = {t["id"] for t in whole["added_tokens"]}
    value = 0xCBF29CE484222325
    for piece, number in sorted(whole["model"]["vocab"].items(), key=lambda it: it[1]):
        if number not in special:
            for byte in (*(to_byte[c] for c in piece), 255):
                value = (value ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return value


def pack(context, token, code, vocabulary: int) -> bytes:
    """The file."""
    n_log2 = max(1, int(np.log2(max(2, len(context) / BUCKET_ENTRIES))))
    bucket = (context >> np.uint64(64 - n_log2)).astype(np.int64)
    low = (context & np.uint64(0x3FFF)).astype(np.uint32)
    # A context's total first, then its followers, the likeliest first.
    order = np.lexsort((code, token != TOTAL, context, low, bucket))
    starts = np.searchsorted(bucket[order], np.arange((1 << n_log2) + 1)).astype("<u4")
    words = (
        low[order] << np.uint32(18) | token[order].astype(np.uint32) << np.uint32(5) | code[order]
    ).astype("<u4")
    return (
        b"KSCOUNT1"
        + struct.pack("<QII", vocabulary, n_log2, len(words))
        + starts.tobytes()
        + words.tobytes()
    )


def main() -> None:
    """The command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--text", required=True, help="the folder with LANGUAGE.train.jsonl")
    p.add_argument("--tokenizer", default=os.path.join(HERE, "..", "tokenizer.json"))
    p.add_argument("--out", required=True)
    p.add_argument("--megabytes", type=float, default=8.0, help="the most that the file may have")
    a = p.parse_args()
    tokenizer = Tokenizer.from_file(a.tokenizer)
    most = int(a.megabytes * 1e6 / (4 + 4 / BUCKET_ENTRIES * 2))
    parts = []
    for number, group in enumerate(NGRAM_GROUPS):
        read = stream(a.text, group.languages, tokenizer)
        if read is not None:
            print(f"{'+'.join(group.languages)}: {len(read[0]) / 1e6:.1f}M tokens", flush=True)
            parts.append(entries_of(*read, number, int(most * group.share)))
    packed = pack(
        *(np.concatenate(x) for x in zip(*parts, strict=False)), vocabulary_hash(a.tokenizer)
    )
    with open(a.out, "wb") as file:
        file.write(packed)
    print(f"{a.out}: {len(packed) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
