"""Finds files that are nearly the same: MinHash over word 5-grams with locality-sensitive hashing,
as The Stack was cleaned (arXiv:2211.15533)."""

import re
import zlib

import numpy as np

PERMUTATIONS, BANDS = 128, 16
WORD = re.compile(r"\w+")
_random = np.random.default_rng(20_240_501)
MULTIPLIERS = _random.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
OFFSETS = _random.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)


def signature(text: str) -> np.ndarray:
    """The MinHash of a file: PERMUTATIONS values of 32 bits; equal values in two files estimate
    their Jaccard similarity."""
    words = np.fromiter((zlib.crc32(w.encode()) for w in WORD.findall(text)), np.uint64)
    if len(words) < 5:
        words = np.concatenate([words, np.zeros(5 - len(words), np.uint64)])
    grams = np.zeros(len(words) - 4, np.uint64)
    for k in range(5):
        grams = (grams + words[k : len(words) - 4 + k]) * np.uint64(0x9E3779B97F4A7C15)
        grams ^= grams >> np.uint64(29)
    grams = np.unique(grams)
    least = np.full(PERMUTATIONS, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(grams), 4096):  # in pieces, so that a large file does not need 100 MB
        hashed = grams[start : start + 4096, None] * MULTIPLIERS + OFFSETS
        least = np.minimum(least, hashed.min(0))
    return (least >> np.uint64(32)).astype(np.uint32)


class NearDuplicates:
    """Files seen so far; `add` says whether a file is new."""

    def __init__(self, threshold: float = 0.85):
        self.threshold, self.signatures = threshold, []
        self.buckets = [{} for _ in range(BANDS)]

    def add(self, sig: np.ndarray) -> bool:
        """True, and remembered, if no file seen before has an estimated Jaccard similarity of
        `threshold` or more."""
        keys = [band.tobytes() for band in sig.reshape(BANDS, -1)]
        candidates = {
            i for bucket, key in zip(self.buckets, keys, strict=False) for i in bucket.get(key, ())
        }
        if any((self.signatures[i] == sig).mean() >= self.threshold for i in candidates):
            return False
        for bucket, key in zip(self.buckets, keys, strict=False):
            bucket.setdefault(key, []).append(len(self.signatures))
        self.signatures.append(sig)
        return True
