"""The languages of the corpus: how often each is drawn, and how they share the n-gram table."""

import dataclasses

# How often a language is drawn, for training samples and for the tokenizer's sample. TypeScript and
# JavaScript have less text; what is missing there is simply not in the tokenizer's sample.
LANGUAGE_SHARE = {"rust": 0.38, "python": 0.32, "ts": 0.16, "js": 0.14}


@dataclasses.dataclass(frozen=True)
class NgramGroup:
    """Languages that share their n-grams, as `NgramGroup` in src/text/language.rs."""

    languages: tuple[str, ...]
    # Of the table's entries.
    share: float


NGRAM_GROUPS = (
    NgramGroup(("rust",), 0.40),
    NgramGroup(("python",), 0.34),
    NgramGroup(("ts", "js"), 0.26),
)
