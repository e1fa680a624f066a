"""What a rule for showing suggestions would have gained, on keys that `keyside eval --keys` wrote.

    keyside eval --text TEXT --part fit --workspace --cases 0 --blocks 0 --typed 8000 \\
        --min-confidence 0.25 --keys .work/keys.jsonl
    python3 -m pipeline.when_to_speak --keys .work/keys.jsonl

At each key the beginnings of the suggestion that end with a whole word are candidates, each with its
probability. The rule shows one or none (src/completion/when_to_speak.rs); what is shown stays while
it is typed along, and is taken where it is right. Time is counted at 0.18 s a key, 0.5 s an
acceptance and 0.3 s a wrong text looked at.
"""

import argparse
import bisect
import collections
import dataclasses
import json
from collections.abc import Callable, Iterable

SECONDS_A_KEY, SECONDS_AN_ACCEPTANCE, SECONDS_A_WRONG_TEXT = 0.18, 0.5, 0.3
# Other reasons than these for showing nothing hold whatever the rule is.
OF_THE_RULE = (None, "unsure", "too short")


@dataclasses.dataclass
class Key:
    """A key: how the text goes on, and what could be shown, with the probability that it is right."""

    goal: str
    candidates: list[tuple[str, float]]


Stretch = dict[int, Key]
Rule = Callable[[Key], str]


def is_word(character: str) -> bool:
    """As the program has it, nearly."""
    return character.isalnum() or character == "_"


def leaves_open(text: str) -> bool:
    """Whether it opens a bracket that it does not close."""
    depth = 0
    for character in text:
        depth = depth + 1 if character in "([{" else max(0, depth - (character in ")]}"))
    return depth > 0


def candidates(suggested: dict) -> list[tuple[str, float]]:
    """The beginnings of a suggestion that end with a whole word."""
    if suggested["replaced_after"] or suggested["dropped"] not in OF_THE_RULE:
        return []
    raw, ends = suggested["raw"], dict(suggested["token_ends"])
    found = []
    for end, confidence in sorted(ends.items()):
        text = raw.encode()[:end].decode(errors="ignore")
        following = raw[len(text) : len(text) + 1]
        is_within_word = following and is_word(text[-1:] or " ") and is_word(following)
        is_open = following not in ("", "\n") and leaves_open(text)
        if text.strip() and not is_within_word and not is_open:
            found.append((text if following else text.rstrip(), confidence))
    return found


def read(paths: Iterable[str]) -> list[Stretch]:
    """The stretches, each a key by the number of characters that stand before it."""
    stretches: dict[tuple, Stretch] = collections.defaultdict(dict)
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for record in map(json.loads, file):
                key = Key(record["goal"], candidates(record["suggested"]))
                stretches[record["language"], record["stretch"]][record["at"]] = key
    return list(stretches.values())


def rule(min_confidence: float, min_characters: int) -> Rule:
    """The program's rule: the longest candidate that is likely and long enough."""

    def shown(key: Key) -> str:
        likely = [text for text, probability in key.candidates if probability >= min_confidence]
        return max((it for it in likely if len(it.strip()) >= min_characters), key=len, default="")

    return shown


def weighed_rule(min_confidence: float, min_characters: int, wrong_text_seconds: float) -> Rule:
    """The program's rule at the levels: the candidate that is expected to gain most time, if any is."""

    def seconds(text: str, probability: float) -> float:
        right = SECONDS_A_KEY * len(text.strip()) - SECONDS_AN_ACCEPTANCE
        return probability * right - (1 - probability) * wrong_text_seconds

    def shown(key: Key) -> str:
        best, most = "", 0.0
        for text, probability in key.candidates:
            is_allowed = probability >= min_confidence and len(text.strip()) >= min_characters
            if is_allowed and seconds(text, probability) > most:
                best, most = text, seconds(text, probability)
        return best

    return shown


@dataclasses.dataclass
class Figures:
    """Of typing the stretches with one rule."""

    n_keys_by_hand: int = 0
    n_keys: int = 0
    n_shown: int = 0
    n_right: int = 0
    n_spared: int = 0

    def row(self) -> str:
        """For the table: time gained, keystroke savings, precision, texts a hundred keys."""
        seconds = SECONDS_A_KEY * (self.n_keys - self.n_right)
        seconds += SECONDS_AN_ACCEPTANCE * self.n_right
        seconds += SECONDS_A_WRONG_TEXT * (self.n_shown - self.n_right)
        gained = 1 - seconds / max(SECONDS_A_KEY * self.n_keys_by_hand, 1e-9)
        spared = self.n_spared / max(self.n_keys_by_hand, 1)
        precision = self.n_right / max(self.n_shown, 1)
        often = 100 * self.n_shown / max(self.n_keys, 1)
        return f"{gained:.1%} | {spared:.1%} | {precision:.1%} | {often:.1f}"


def typed(stretches: Iterable[Stretch], shown_at: Rule) -> Figures:
    """Types the stretches, and takes what is right."""
    figures = Figures()
    for stretch in stretches:
        order = sorted(stretch)
        figures.n_keys_by_hand += len(order)
        index, on_screen = 0, ""
        while index < len(order):
            at = order[index]
            key = stretch[at]
            shown = on_screen or shown_at(key)
            figures.n_keys += 1
            figures.n_shown += bool(shown) and not on_screen
            if shown and key.goal.startswith(shown):
                figures.n_right += 1
                figures.n_spared += len(shown) - 1
                # The next key that a person presses; indentation is the editor's doing.
                index, on_screen = bisect.bisect_left(order, at + len(shown)), ""
            else:
                follows = shown[:1] == key.goal[:1] and shown[:1] != "\n"
                index, on_screen = index + 1, shown[1:] if follows else ""
    return figures


def main() -> None:
    """The command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--keys", nargs="+", required=True)
    a = p.parse_args()
    stretches = read(a.keys)
    print(f"{sum(map(len, stretches))} keys in {len(stretches)} stretches")
    print("| rule | time gained | keystroke savings | right of shown | texts a 100 keys |")
    print("|---|---|---|---|---|")
    for min_confidence in (0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85):
        for min_characters in (2, 4, 5):
            figures = typed(stretches, rule(min_confidence, min_characters))
            print(f"| {min_confidence}, {min_characters} characters | {figures.row()} |")
    for min_confidence, min_characters in ((0.55, 3), (0.6, 3), (0.6, 4), (0.65, 3)):
        for wrong_text_seconds in (0.4, 0.7, 1.2):
            weighed = weighed_rule(min_confidence, min_characters, wrong_text_seconds)
            name = f"{min_confidence}, {min_characters} characters, w = {wrong_text_seconds}"
            print(f"| {name} | {typed(stretches, weighed).row()} |")


if __name__ == "__main__":
    main()
