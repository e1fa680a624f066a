"""Training samples: fill-in-the-middle over source files, in exactly the order in which the product
asks (src/prompt/assemble.rs).

    [<file_sep> PATH of a neighbour \\n a chunk of it]… <file_sep> PATH \\n <fim_prefix> whole lines before the caret's line
    <fim_suffix> what follows the caret <fim_middle> the caret's line from its start, and what was left out <endoftext>

The caret may stand anywhere in its line: the product heals partial words
(src/prompt/healing.rs), so that the model always reads and writes a line in its natural tokens.
Each sample is cut to a budget of tokens, so that no middle loses its context by packing.
"""

import bisect
import itertools
import json
import os
import random
import re

import numpy as np

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer

from .languages import LANGUAGE_SHARE

MARKERS = ["<|endoftext|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>"]
# Within a language a file is drawn by its length, up to so many characters.
MOST_WEIGHED = 30_000
PATH_CHARACTERS = 60
MOST_MIDDLE_TOKENS = 200
# What a token's loss counts for. What is left out is a tenth of all tokens and what the model is
# there for.
WEIGHT_PATH, WEIGHT_CONTEXT, WEIGHT_MIDDLE, WEIGHT_END = 0.25, 1.0, 2.0, 5.0
# Shares of the kinds of sample; the rest are spans of any characters.
SHARE_PLAIN, SHARE_REST_OF_LINE, SHARE_INSIDE_LINE, SHARE_BLOCK = 0.08, 0.60, 0.12, 0.15
CLOSERS = re.compile(r"[)\]}>,;:\"'`]")


class Documents:
    """The files of one split, by language, with every package's files together. Of `parts` readers
    each keeps its own share."""

    def __init__(self, folder: str, split: str, part: int = 0, parts: int = 1):
        self.by_language, self.cumulative, self.neighbours = {}, {}, {}
        for language in LANGUAGE_SHARE:
            files = []
            path = f"{folder}/{language}.{split}.jsonl"
            if os.path.exists(path):
                with open(path) as lines:
                    for line in itertools.islice(lines, part, None, parts):
                        d = json.loads(line)
                        files.append((d["pkg"], d["path"], d["text"]))
            if files:
                self.by_language[language] = files
                self.cumulative[language] = list(
                    itertools.accumulate(min(len(f[2]), MOST_WEIGHED) for f in files)
                )
                for i, file in enumerate(files):
                    self.neighbours.setdefault((language, file[0]), []).append(i)
        if not self.by_language:
            raise SystemExit(f"{folder} has no *.{split}.jsonl; make the corpus first")

    def draw(self, r: random.Random):
        """A random file: (language, index)."""
        languages = list(self.by_language)
        language = r.choices(languages, [LANGUAGE_SHARE[name] for name in languages])[0]
        sums = self.cumulative[language]
        return language, bisect.bisect_right(sums, r.random() * sums[-1])


class Sampler:
    """Draws samples as (tokens, weights of the loss)."""

    def __init__(
        self, documents: Documents, tokenizer_path: str, seed: int, neighbour_share: float = 0.2
    ):
        self.documents, self.r, self.neighbour_share = (
            documents,
            random.Random(seed),
            neighbour_share,
        )
        tokenizer = Tokenizer.from_file(tokenizer_path)
        self.encode = lambda text: tokenizer.encode(text).ids if text else []
        self.end, self.prefix, self.suffix, self.middle, self.separator = (
            tokenizer.token_to_id(m) for m in MARKERS
        )

    def header(self, path: str) -> list[int]:
        """The file's line at the start of its part of the prompt."""
        return [self.separator, *self.encode(path[-PATH_CHARACTERS:] + "\n")]

    def neighbour_chunk(self, language: str, index: int, most: int, near: str) -> list[int]:
        """A chunk of another file of the package, the one of three that shares most names with the
        text at the caret."""
        files = self.documents.by_language[language]
        others = self.documents.neighbours[language, files[index][0]]
        if len(others) < 2 or most < 40:
            return []
        names = set(re.findall(r"[A-Za-z_]\w{3,}", near))
        best, best_shared = None, -1
        for _ in range(3):
            other = self.r.choice(others)
            if other == index:
                continue
            text = files[other][2]
            at = text.rfind("\n", 0, self.r.randrange(len(text))) + 1
            chunk = text[at : at + most * 4]
            shared = len(names & set(re.findall(r"[A-Za-z_]\w{3,}", chunk)))
            if shared > best_shared:
                best, best_shared = (files[other][1], chunk), shared
        if not best:
            return []
        return (self.header(best[0]) + self.encode(best[1]))[:most]

    def left_out(self, text: str) -> tuple[int, int]:
        """Which characters are left out: from the start of the caret's line (which the model is
        given in part) to the end."""
        r, u = self.r, self.r.random() * (1 - SHARE_PLAIN)
        at = r.randrange(len(text))
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if u < SHARE_REST_OF_LINE:
            return start, end
        u -= SHARE_REST_OF_LINE
        if (
            u < SHARE_INSIDE_LINE
        ):  # the caret between brackets or quotes, the rest of its line behind it
            closers = [c.start() for c in CLOSERS.finditer(text, start, end) if c.start() > start]
            return start, r.choice(closers) if closers else end
        u -= SHARE_INSIDE_LINE
        if (
            u < SHARE_BLOCK
        ):  # lines that are indented as far or further, as the product's block ends
            indentation = (end - start) - len(text[start:end].lstrip())
            for _ in range(r.choice((1, 1, 2, 2, 3, 4, 5, 7, 9))):
                if end >= len(text):
                    break
                next_end = text.find("\n", end + 1)
                next_end = len(text) if next_end < 0 else next_end
                line = text[end + 1 : next_end]
                if line.strip() and len(line) - len(line.lstrip()) < indentation:
                    break
                end = next_end
            return start, end
        return start, min(len(text), at + int(10 ** (0.5 + 1.6 * r.random())))

    def sample(self, budget: int) -> tuple[list[int], list[float]]:
        """One sample of at most `budget` tokens, and each token's weight in the loss."""
        r = self.r
        language, index = self.documents.draw(r)
        _, path, text = self.documents.by_language[language][index]
        # A path of 60 characters can take 60 tokens; a small rest of a row goes without.
        header = self.header(path) if budget >= 160 and r.random() < 0.9 else []
        if r.random() < SHARE_PLAIN:
            at = text.rfind("\n", 0, r.randrange(len(text))) + 1
            body = self.encode(text[at : at + budget * 5])
            whole = at + budget * 5 >= len(text) and len(body) < budget - len(header)
            tokens = header + body[: budget - len(header) - whole] + [self.end] * whole
            return tokens, [WEIGHT_PATH] * len(header) + [WEIGHT_CONTEXT] * (
                len(tokens) - len(header)
            )
        start, end = self.left_out(text)
        middle = self.encode(text[start:end])
        complete = len(middle) <= min(MOST_MIDDLE_TOKENS, budget // 3)
        middle = middle[: min(MOST_MIDDLE_TOKENS, budget // 3)]
        left = budget - len(header) - len(middle) - 4
        n_after = int(left * (0.05 + 0.35 * r.random())) if r.random() < 0.9 else 0
        after = self.encode(text[end : end + n_after * 5])[:n_after]
        left -= len(after)
        neighbours = []
        if budget >= 512 and r.random() < self.neighbour_share:
            neighbours = self.neighbour_chunk(
                language,
                index,
                int(left * (0.2 + 0.3 * r.random())),
                text[max(0, start - 600) : end],
            )
            left -= len(neighbours)
        n_before = left if r.random() < 0.8 else int(left * r.random())
        from_ = max(0, start - n_before * 5)
        if from_:
            from_ = text.find("\n", from_, start) + 1 or start
        before = self.encode(text[from_:start])
        before = before[max(0, len(before) - n_before) :]
        tokens = (
            neighbours
            + header
            + [self.prefix]
            + before
            + [self.suffix]
            + after
            + [self.middle]
            + middle
            + [self.end] * complete
        )
        weights = (
            [WEIGHT_CONTEXT] * len(neighbours) + [WEIGHT_PATH] * len(header) + [0.0] + [WEIGHT_CONTEXT] * len(before) + [0.0]
            + [WEIGHT_CONTEXT] * len(after) + [0.0] + [WEIGHT_MIDDLE] * len(middle) + [WEIGHT_END] * complete
        )  # fmt: skip
        return tokens, weights

    def rows(self, n_tokens: int):
        """Rows of n_tokens + 1 tokens, each one sample or two, filled to the end with another that
        fits."""
        while True:
            tokens, weights = self.sample(
                n_tokens + 1 if self.r.random() < 0.6 else (n_tokens + 1) // 2
            )
            while (rest := n_tokens + 1 - len(tokens)) >= 48:
                more_tokens, more_weights = self.sample(rest)
                tokens += more_tokens
                weights += more_weights
            tokens += [self.end] * (n_tokens + 1 - len(tokens))
            weights += [0.0] * (n_tokens + 1 - len(weights))
            yield np.array(tokens, np.int32), np.array(weights, np.float32)


def batches(
    folder, split, tokenizer_path, seed, n_tokens, n_rows, part=0, parts=1, neighbour_share=0.2
):
    """Endless batches: tokens [n_rows, n_tokens + 1] and the weights of the targets [n_rows,
    n_tokens]."""
    rows = Sampler(
        Documents(folder, split, part, parts), tokenizer_path, seed, neighbour_share
    ).rows(n_tokens)
    while True:
        drawn = list(itertools.islice(rows, n_rows))
        yield np.stack([t for t, _ in drawn]), np.stack([w for _, w in drawn])[:, 1:]
