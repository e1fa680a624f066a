"""Makes the tasks that `keyside classify` is measured with, from crates whose licences allow it.

    python3 -m pipeline.classification_tasks --crates .work/downloads/crates --out .work/classify

CRATES is what `pipeline.corpus` fetched (`cargo vendor` of corpus/crates/Cargo.lock does the same).
Writes OUT/{changelog,comments}.{train,dev,test}.jsonl, an item a line as {"text","label","package"},
OUT/prose.txt (texts of the training part, for the weights of the static table), and OUT/sources.tsv:
crate, version, licence, checksum, part and items.

* changelog: the items of CHANGELOG.md below a heading Added, Changed, Deprecated, Removed, Fixed or
  Security.
* comments: what follows the marker of a comment (TODO, FIXME, SAFETY, HACK, NOTE), without the
  marker, and paragraphs of doc comments.

Crates of one repository share authors and habits, so that parts are of repositories: `test` is for
the table alone, `dev` for choices between methods, `train` for examples.
"""

import argparse
import collections
import hashlib
import json
import os
import re
import tomllib

from . import filters
from .corpus import crate_folders

CHANGELOG_LABELS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
MARKERS = ("TODO", "FIXME", "SAFETY", "HACK", "NOTE")
# Items of one crate and label; a crate with thousands would be most of the figure.
MOST_ITEMS = {"doc": 6}
MOST_ITEMS_OTHERWISE = 40
SHORTEST_CHARACTERS, LONGEST_CHARACTERS = 8, 300
# Of 256, by the hash of the repository's name.
TEST_BELOW, DEV_BELOW = 72, 104


def part_of(repository: str) -> str:
    """The part of a repository, the same on every machine."""
    first = hashlib.sha256(("classify" + repository).encode()).digest()[0]
    if first < TEST_BELOW:
        return "test"
    return "dev" if first < DEV_BELOW else "train"


def cleaned(text: str) -> str:
    """A text on one line, without links, numbers of issues and names of people."""
    text = re.sub(r"\(?\[[^\]]*#\d+[^\]]*\](\([^)]*\)|\[[^\]]*\])?\)?", " ", text)
    text = re.sub(r"\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])", r"\1", text)
    text = re.sub(r"https?://\S+|\(?[\w/-]*#\d+\)?|\(?(by|thanks to)? ?@[\w-]+\)?", " ", text)
    text = re.sub(r"\s+", " ", text.replace("**", ""))
    return text.strip(" -\u2013\u2014:;,.*")[:LONGEST_CHARACTERS]


def changelog_items(text: str):
    """The items below headings of the six kinds: (label, text)."""
    label, item = None, None
    for line in [*text.splitlines(), "# end"]:
        heading = re.match(r"^\s{0,3}#{1,5}\s*(.*?)[\s:#]*$", line)
        bullet = re.match(r"^\s?[-*+]\s+(.*)$", line)
        if heading or bullet or not line.strip():
            if label and item:
                yield label, item
            item = None
        if heading:
            label = heading[1] if heading[1] in CHANGELOG_LABELS else None
        elif bullet and label:
            item = bullet[1]
        elif item is not None and re.match(r"^\s+\S", line) and not re.match(r"^\s+[-*+] ", line):
            item += " " + line.strip()


def comment_items(text: str):
    """Comments of the kinds that are told apart: (label, text). Lines that follow belong to it."""
    kind, words, is_code = None, [], False
    for line in [*text.splitlines(), ""]:
        comment = re.match(r"^\s*(///?)(?!/)\s?(.*)$", line)
        marker = comment and re.match(
            rf"^({'|'.join(MARKERS)})\b(\([^)]*\))?[:\s-]*(.*)$", comment[2]
        )
        is_doc = bool(comment) and comment[1] == "///"
        is_fence = is_doc and comment[2].lstrip().startswith("```")
        is_code = is_doc and is_code != is_fence
        if comment and marker and not is_doc:
            if kind:
                yield kind, " ".join(words)
            kind, words = marker[1], [marker[3]]
        elif comment and kind and is_doc == (kind == "doc") and comment[2].strip() and not is_fence:
            words.append(comment[2])
        else:
            if kind:
                yield kind, " ".join(words)
            is_prose = is_doc and not is_code and re.match(r"^[A-Za-z`\[]", comment[2])
            is_prose = is_prose and not is_fence
            kind, words = ("doc", [comment[2]]) if is_prose else (None, [])


def read_crate(folder: str):
    """All items of a crate: (task, label, text)."""
    for root, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            is_changelog = root == folder and name.lower() == "changelog.md"
            if not is_changelog and not name.endswith(".rs"):
                continue
            with open(f"{root}/{name}", encoding="utf-8", errors="replace") as file:
                text = file.read()
            items = changelog_items(text) if is_changelog else comment_items(text)
            task = "changelog" if is_changelog else "comments"
            yield from ((task, label, cleaned(item)) for label, item in items)


def main() -> None:
    """Reads the crates and writes the tasks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crates", required=True)
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    crates = []
    for name, version, folder in crate_folders(os.path.dirname(os.path.abspath(arguments.crates))):
        with open(f"{folder}/Cargo.toml", "rb") as file:
            package = tomllib.load(file)["package"]
        licence = str(package.get("license", ""))
        if not filters.licence_allowed(licence):
            continue
        repository = str(package.get("repository") or name).lower().removesuffix(".git")
        repository = "/".join(re.sub(r"^https?://(www\.)?", "", repository).split("/")[:3])
        with open(f"{folder}/.cargo-checksum.json") as file:
            checksum = json.load(file)["package"]
        crates.append((part_of(repository), name, version, licence, checksum, folder))
    # The same text twice counts once, and for the part that must not have been seen.
    crates.sort(key=lambda it: (["test", "dev", "train"].index(it[0]), it[1]))
    seen, items, prose, sources = set(), collections.defaultdict(list), [], []
    for part, name, version, licence, checksum, folder in crates:
        counts = collections.Counter()
        for task, label, text in read_crate(folder):
            most = MOST_ITEMS.get(label, MOST_ITEMS_OTHERWISE)
            key = (task, re.sub(r"\W+", " ", text.lower()).strip())
            if len(text) < SHORTEST_CHARACTERS or key in seen or counts[task, label] >= most:
                continue
            seen.add(key)
            counts[task, label] += 1
            items[task, part].append({"text": text, "label": label, "package": name})
            if part == "train":
                prose.append(text)
        if counts:
            n_items = sum(counts.values())
            sources.append(f"{name}\t{version}\t{licence}\t{checksum}\t{part}\t{n_items}\n")
    for (task, part), lines in sorted(items.items()):
        # An order by chance, the same on every machine: so many of the first are a fair sample.
        lines.sort(key=lambda it: hashlib.sha256(it["text"].encode()).digest())
        with open(f"{arguments.out}/{task}.{part}.jsonl", "w") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        labels = collections.Counter(line["label"] for line in lines)
        n_packages = len({line["package"] for line in lines})
        print(f"{task} {part}: {len(lines)} items of {n_packages} crates: {dict(labels)}")
    with open(f"{arguments.out}/prose.txt", "w") as file:
        file.writelines(text + "\n" for text in prose)
    with open(f"{arguments.out}/sources.tsv", "w") as file:
        file.write("crate\tversion\tlicence\tchecksum\tpart\titems\n")
        file.writelines(sorted(sources))


if __name__ == "__main__":
    main()
