"""Makes held-out text of languages that the network was not trained on: Go, C, C++ and Java.

    python3 -m pipeline.other_languages --work .work/other

Fetches the packages of corpus/other-languages.tsv from the Debian mirrors that this machine uses, checks
them, and writes WORK/text/LANGUAGE.heldout.jsonl for `keyside eval --text`. It needs Debian 12's apt
and dpkg-deb, and changes nothing on the machine.
"""

import argparse
import collections
import csv
import glob
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator

HERE = os.path.dirname(os.path.abspath(__file__))
PINNED = f"{HERE}/../corpus/other-languages.tsv"
LANGUAGE_OF_ENDING = {
    ".go": "go",
    ".c": "c",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".hpp": "cpp",
    ".java": "java",
}
# Code of others, and data.
LEFT_OUT_FOLDERS = {"vendor", "deps", "third_party", "extras", "testdata"}
CHARACTERS = range(600, 60_000)
LONGEST_LINE = 300


def apt(work: str, *arguments: str, folder: str) -> None:
    """Runs apt-get with lists of its own, for sources as well."""
    private = [
        f"Dir::Etc::sourcelist={work}/apt/list.sources",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::lists={work}/apt/lists",
        f"Dir::Cache={work}/apt/cache",
    ]
    options = [word for it in private for word in ("-o", it)]
    done = subprocess.run(
        ["apt-get", "-qq", *options, *arguments], cwd=folder, capture_output=True, text=True
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:]
        raise SystemExit(f"apt-get {' '.join(arguments)} failed: {' '.join(last)}")


def prepare(work: str) -> None:
    """The lists of the mirrors."""
    os.makedirs(f"{work}/apt/lists/partial", exist_ok=True)
    os.makedirs(f"{work}/apt/cache/archives/partial", exist_ok=True)
    found = glob.glob("/etc/apt/sources.list.d/debian.sources")
    if not found:
        raise SystemExit("this machine has no debian.sources; run it on Debian 12")
    with open(found[0], encoding="utf-8") as file:
        both = re.sub("^Types: .*$", "Types: deb deb-src", file.read(), flags=re.MULTILINE)
    with open(f"{work}/apt/list.sources", "w", encoding="utf-8") as file:
        file.write(both)
    apt(work, "update", folder=work)


def fetch(work: str, row: dict[str, str]) -> str:
    """The folder with a package's files."""
    package, pinned = row["package"], f"{row['package']}={row['version']}"
    folder, unpacked = f"{work}/downloads/{package}", f"{work}/unpacked/{package}"
    is_binary = row["kind"] == "binary"
    pattern = f"{folder}/*.deb" if is_binary else f"{folder}/*.orig.tar.*z"
    if not glob.glob(pattern):
        os.makedirs(folder, exist_ok=True)
        command = ["download"] if is_binary else ["source", "--download-only"]
        apt(work, *command, pinned, folder=folder)
    (archive,) = glob.glob(pattern)
    with open(archive, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != row["sha256"]:
            raise SystemExit(f"{os.path.basename(archive)} is another file than was pinned")
    os.makedirs(unpacked, exist_ok=True)
    unpack = ["dpkg-deb", "-x", archive, unpacked]
    subprocess.run(unpack if is_binary else ["tar", "xf", archive, "-C", unpacked], check=True)
    return unpacked


def files(folder: str) -> Iterator[tuple[str, str, str]]:
    """Language, path and text of the files that are of use, in the paths' order."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(set(folders) - LEFT_OUT_FOLDERS)
        for name in sorted(names):
            language = LANGUAGE_OF_ENDING.get(os.path.splitext(name)[1])
            path = os.path.join(parent, name)
            if language is None or os.path.islink(path):
                continue
            try:
                with open(path, encoding="utf-8") as file:
                    text = file.read()
            except UnicodeDecodeError:
                continue
            is_made = "DO NOT EDIT" in text[:800] or "generated" in text[:400].lower()
            is_wide = max(map(len, text.split("\n"))) > LONGEST_LINE
            if len(text) in CHARACTERS and not is_made and not is_wide:
                yield language, os.path.relpath(path, folder), text


def main() -> None:
    """The command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--work", required=True, help="where downloads and text/ go")
    work = os.path.abspath(p.parse_args().work)
    prepare(work)
    os.makedirs(f"{work}/text", exist_ok=True)
    records, seen = collections.defaultdict(list), set()
    with open(PINNED, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            package = row["package"]
            for language, path, text in files(fetch(work, row)):
                if text not in seen:
                    seen.add(text)
                    record = {"lang": language, "pkg": package, "path": f"{package}/{path}"}
                    records[language].append(record | {"text": text})
    for language, of_language in records.items():
        with open(f"{work}/text/{language}.heldout.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(record) + "\n" for record in of_language)
        packages = {record["pkg"] for record in of_language}
        print(f"{language}: {len(of_language)} files of {len(packages)} packages", flush=True)


if __name__ == "__main__":
    main()
