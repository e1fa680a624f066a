"""Fetches the named packages with their ordinary clients, and filters them into training and
held-out files.

    python3 -m pipeline.corpus --packages corpus --work .work/full --keyside ../target/release/keyside

Writes WORK/text/{rust,python,ts,js}.{train,heldout}.jsonl, one file of source a line as
{"lang","pkg","path","text"}, and WORK/manifest.tsv: registry, package, version, licence, SHA-256 of
what was downloaded, languages, split, files and characters kept.
"""

import argparse
import base64
import collections
import hashlib
import io
import json
import multiprocessing
import multiprocessing.pool
import os
import posixpath
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile

from . import filters, near_duplicates

LANGUAGES = ("rust", "python", "ts", "js")
MOST_CHARACTERS_A_PACKAGE = {
    "rust": 4_000_000,
    "python": 8_000_000,
    "ts": 5_000_000,
    "js": 5_000_000,
}
BUILT_JAVASCRIPT = re.compile(
    r"\.min\.|\.d\.[mc]?ts$|/dist/|/umd/|/cjs/|/esm\d*/|_cjs|_esm|/locales?/|/i18n/|/node_modules/|bundle"
)
MOST_CHARACTERS_A_FILE_OF_NPM = 120_000
WHEEL_PLATFORMS = ["any", "manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_17_x86_64"]


def pinned_npm_packages(packages: str) -> list[list[str]]:
    """The lines of npm.txt that name a package: its name with its version, then its checksum."""
    with open(f"{packages}/npm.txt") as file:
        return [line.split() for line in file if line.strip() and line[0] != "#"]


def fetch(packages: str, downloads: str) -> None:
    """Downloads what is pinned under `packages` and not there yet; every client checks the pinned
    checksum (npm's we check here)."""
    os.makedirs(downloads, exist_ok=True)
    crates = os.path.join(packages, "crates")
    if os.path.exists(crates) and not os.path.exists(f"{downloads}/crates.done"):
        project = f"{downloads}/crates-project"
        os.makedirs(project + "/src", exist_ok=True)
        open(project + "/src/lib.rs", "w").close()
        for name in ("Cargo.toml", "Cargo.lock"):
            with open(f"{crates}/{name}") as source, open(f"{project}/{name}", "w") as target:
                target.write(source.read() + ("\n[workspace]\n" if name == "Cargo.toml" else ""))
        run(
            [
                "cargo",
                "vendor",
                "--quiet",
                "--locked",
                "--versioned-dirs",
                os.path.abspath(f"{downloads}/crates"),
            ],
            cwd=project,
        )
        open(f"{downloads}/crates.done", "w").close()
    if os.path.exists(f"{packages}/pypi.txt") and not os.path.exists(f"{downloads}/wheels.done"):
        platforms = [x for p in WHEEL_PLATFORMS for x in ("--platform", p)]
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version", "3.12", *platforms,
             "--require-hashes", "-d", f"{downloads}/wheels", "-r", f"{packages}/pypi.txt"])  # fmt: skip
        open(f"{downloads}/wheels.done", "w").close()
    if os.path.exists(f"{packages}/npm.txt"):
        os.makedirs(f"{downloads}/npm", exist_ok=True)
        wanted = pinned_npm_packages(packages)
        with multiprocessing.pool.ThreadPool(4) as pool:
            for problem in pool.imap(lambda w: fetch_npm(f"{downloads}/npm", *w), wanted):
                if problem:
                    raise SystemExit(problem)


def fetch_npm(folder: str, package: str, integrity: str) -> str | None:
    """Downloads one npm package unless it is there; a sentence if its checksum is not the pinned
    one."""
    path = f"{folder}/{npm_file(package)}"
    if not os.path.exists(path):
        run(["npm", "pack", "--silent", package], cwd=folder, stdout=subprocess.DEVNULL)
    with open(path, "rb") as file:
        got = "sha512-" + base64.b64encode(hashlib.sha512(file.read()).digest()).decode()
    return (
        None
        if got == integrity
        else f"{package} has the checksum {got}, not the pinned {integrity}; remove {path} and look into it"
    )


def npm_file(package: str) -> str:
    """The name under which `npm pack` saves `@scope/name@1.2.3`."""
    name, version = package.rsplit("@", 1)
    return name.lstrip("@").replace("/", "-") + f"-{version}.tgz"


def run(command, **how) -> None:
    """Runs a client; its failure ends the step with one sentence."""
    if (code := subprocess.run(command, **how).returncode) != 0:
        raise SystemExit(
            f"{' '.join(command[:3])} … ended with {code}; run this step again, it goes on where it stopped"
        )


def crate_folders(downloads: str):
    """The newest version of each crate: (name, version, folder)."""
    newest = {}
    root = f"{downloads}/crates"
    for folder in sorted(os.listdir(root)) if os.path.exists(root) else ():
        found = re.match(r"^(.+?)-(\d+\.\d+.*)$", folder)
        if found:
            name, version = found.groups()
            order = tuple(int(x) for x in re.findall(r"\d+", version)[:3])
            if name not in newest or order > newest[name][0]:
                newest[name] = (order, version, f"{root}/{folder}")
    return [(name, version, folder) for name, (_, version, folder) in sorted(newest.items())]


def read_crate(job):
    """A crate's Rust files: (registry, name, version, licence, checksum, [(language, path, text)])."""
    name, version, folder = job
    with open(f"{folder}/Cargo.toml", "rb") as file:
        licence = str(tomllib.load(file)["package"].get("license", ""))
    with open(f"{folder}/.cargo-checksum.json") as file:
        checksum = json.load(file)["package"]
    files = []
    for root, folders, names in os.walk(folder):
        folders.sort()
        for path in (f"{root}/{n}" for n in sorted(names) if n.endswith(".rs")):
            with open(path, "rb") as file:
                files.append(("rust", f"{name}/{path[len(folder) + 1 :]}", file.read()))
    return "crates", name, version, licence, checksum, files


def read_wheel(path):
    """A wheel's Python files, as `read_crate`; the licence as its metadata states it."""
    name, version = os.path.basename(path).split("-")[:2]
    name = name.lower().replace("_", "-")
    with open(path, "rb") as file:
        data = file.read()
    wheel = zipfile.ZipFile(io.BytesIO(data))
    meta = next(
        (
            wheel.read(n).decode("utf-8", "replace")
            for n in wheel.namelist()
            if n.endswith(".dist-info/METADATA")
        ),
        "",
    )
    fields = collections.defaultdict(list)
    for line in meta.split("\n\n")[0].split("\n"):
        key, _, value = line.partition(": ")
        fields[key.lower()].append(value.strip())
    classifiers = [
        c.split("::")[-1].strip()
        for c in fields["classifier"]
        if c.startswith("License ::") and not c.endswith("OSI Approved")
    ]
    stated = [*fields["license-expression"], " AND ".join(classifiers), *fields["license"]]
    licence = next((s for s in stated if s and s.lower() != "unknown"), "")
    files = [("python", n, wheel.read(n)) for n in sorted(wheel.namelist()) if n.endswith(".py")]
    return "pypi", name, version, licence, hashlib.sha256(data).hexdigest(), files


def mapped_sources(member: str, data: bytes) -> list[tuple[str, str]]:
    """The TypeScript that a source map holds in `sourcesContent`, as (path in the package, text).

    What was built of the package is left out of the corpus, and what it was built from is often
    nowhere else in it. Sources of other packages (node_modules, paths that lead outside) are not
    taken, nor are declarations.
    """
    try:
        source_map = json.loads(data)
        named = list(zip(source_map["sources"], source_map["sourcesContent"], strict=False))
        root = str(source_map.get("sourceRoot") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
    found = []
    for source, text in named:
        if not isinstance(source, str) or not isinstance(text, str):
            continue
        source = re.sub(r"^[a-z-]+:/+(\./)?", "/package/", root + source)
        path = posixpath.normpath(posixpath.join("/", posixpath.dirname(member), source))
        is_own = path.startswith("/package/") and "node_modules" not in path
        if is_own and re.search(r"(?<!\.d)\.[mc]?tsx?$", path):
            found.append((path.removeprefix("/package/"), text))
    return found


def read_npm(job):
    """An npm package's own sources, also those in its source maps (not what it built from them),
    as `read_crate`."""
    path, package = job
    name, version = package.rsplit("@", 1)
    with open(path, "rb") as file:
        data = file.read()
    files, mapped, licence = [], {}, ""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in sorted((m for m in archive if m.isfile()), key=lambda m: m.name):
            if member.name.count("/") == 1 and member.name.endswith("/package.json"):
                stated = json.loads(archive.extractfile(member).read()).get("license", "")
                licence = stated.get("type", "") if isinstance(stated, dict) else str(stated)
            if member.name.endswith(".map"):
                inner = posixpath.join("package", member.name.split("/", 1)[-1])
                for path, text in mapped_sources(inner, archive.extractfile(member).read()):
                    mapped.setdefault(path, text)
            kind = re.search(r"\.([mc]?[jt]s)x?$", member.name)
            if (
                kind
                and not BUILT_JAVASCRIPT.search(member.name)
                and member.size < MOST_CHARACTERS_A_FILE_OF_NPM
            ):
                inner = member.name.split("/", 1)[-1]
                files.append(
                    (
                        "ts" if "t" in kind[1] else "js",
                        f"{name}/{inner}",
                        archive.extractfile(member).read(),
                    )
                )
    in_files = {path for _, path, _ in files}
    for path, text in sorted(mapped.items()):
        if f"{name}/{path}" not in in_files and len(text) < MOST_CHARACTERS_A_FILE_OF_NPM:
            files.append(("ts", f"{name}/{path}", text.encode()))
    return "npm", name, version, licence, hashlib.sha256(data).hexdigest(), files


SECRETS: filters.Secrets  # of each process that reads packages


def begin_reading(keyside: str) -> None:
    """What a process that reads packages needs first."""
    global SECRETS
    SECRETS = filters.Secrets(keyside)


def read_package(job):
    """One package read and filtered: its manifest fields, the files kept with their signatures, and
    why the others were not."""
    reader, argument = job
    registry, name, version, licence, checksum, files = READERS[reader](argument)
    why, kept = collections.Counter(), []
    if not filters.licence_allowed(licence):
        why["licence"] = len(files)
        files = []
    elif registry == "crates" and filters.GENERATED_PACKAGES.match(name):
        why["generated package"] = len(files)
        files = []
    size = collections.Counter()
    for language, path, data in files:
        try:
            text = data.decode("utf-8").replace("\r\n", "\n")
        except UnicodeDecodeError:
            why["not UTF-8"] += 1
            continue
        text = filters.without_licence_header(text)
        if not filters.written_by_hand(text):
            why["generated, data, or too short or long"] += 1
        elif rule := SECRETS.rule_of(path, text):
            why[f"secret: {rule}"] += 1
        elif size[language] + len(text) > MOST_CHARACTERS_A_PACKAGE[language]:
            why["package too large"] += 1
        else:
            size[language] += len(text)
            kept.append((language, path, text, near_duplicates.signature(text)))
    return (registry, name, version, licence, checksum), kept, why


READERS = {"crate": read_crate, "wheel": read_wheel, "npm": read_npm}


def jobs(packages: str, downloads: str):
    """All packages to read, in an order that is always the same."""
    wheels = f"{downloads}/wheels"
    yield from (("crate", c) for c in crate_folders(downloads))
    yield from (
        (("wheel", f"{wheels}/{w}") for w in sorted(os.listdir(wheels)) if w.endswith(".whl"))
        if os.path.exists(wheels)
        else ()
    )
    if os.path.exists(f"{packages}/npm.txt"):
        for name, *_ in pinned_npm_packages(packages):
            yield "npm", (f"{downloads}/npm/{npm_file(name)}", name)


def build(packages: str, downloads: str, work: str, keyside: str, processes: int) -> None:
    """Filters what was fetched. Held-out packages go first: of near-duplicates, the held-out one
    stays and the others are left out."""
    os.makedirs(f"{work}/text", exist_ok=True)
    listed = list(jobs(packages, downloads))
    package_of = {
        "crate": lambda a: a[0],
        "wheel": lambda a: os.path.basename(a).split("-")[0].lower().replace("_", "-"),
        "npm": lambda a: a[1].rsplit("@", 1)[0],
    }
    language_of = {"crate": "rust", "wheel": "python", "npm": "ts"}
    is_held_out = [
        filters.held_out(language_of[kind], package_of[kind](argument)) for kind, argument in listed
    ]
    outputs = {
        (name, split): open(f"{work}/text/{name}.{split}.jsonl", "w")  # noqa: SIM115
        for name in LANGUAGES
        for split in ("train", "heldout")
    }
    seen, why, rows = near_duplicates.NearDuplicates(), collections.Counter(), []
    with multiprocessing.Pool(processes, begin_reading, (keyside,)) as pool:
        for split in ("heldout", "train"):
            mine = [
                job for job, h in zip(listed, is_held_out, strict=True) if h == (split == "heldout")
            ]
            for (registry, name, version, licence, checksum), kept, reasons in pool.imap(
                read_package, mine, chunksize=4
            ):
                why.update(reasons)
                count, characters = collections.Counter(), 0
                for language, path, text, sig in kept:
                    if not seen.add(sig):
                        why["near-duplicate"] += 1
                        continue
                    outputs[language, split].write(
                        json.dumps({"lang": language, "pkg": name, "path": path, "text": text})
                        + "\n"
                    )
                    count[language] += 1
                    characters += len(text)
                if count:
                    rows.append(
                        (
                            registry,
                            name,
                            version,
                            licence.replace("\t", " "),
                            checksum,
                            "+".join(sorted(count)),
                            split,
                            sum(count.values()),
                            characters,
                        )
                    )
    for file in outputs.values():
        file.close()
    with open(f"{work}/manifest.tsv", "w") as file:
        file.write(
            "registry\tpackage\tversion\tlicence\tsha256\tlanguages\tsplit\tfiles\tcharacters\n"
        )
        file.writelines("\t".join(map(str, row)) + "\n" for row in sorted(rows))
    for language in LANGUAGES:
        for split in ("train", "heldout"):
            mine = [r for r in rows if language in r[5].split("+") and r[6] == split]
            size = os.path.getsize(f"{work}/text/{language}.{split}.jsonl")
            print(f"{language} {split}: {len(mine)} packages, {size / 1e6:.1f} MB", flush=True)
    print("left out:", dict(why.most_common()), flush=True)


def main() -> None:
    """The command: fetch, then build."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--packages", default="corpus", help="the folder with the pinned packages"
    )
    arguments.add_argument("--work", required=True, help="where text/ and manifest.tsv go")
    arguments.add_argument(
        "--keyside", required=True, help="the program, whose rules say what a secret is"
    )
    arguments.add_argument("--downloads", help="where downloads are kept (default: WORK/downloads)")
    arguments.add_argument("--processes", type=int, default=os.cpu_count())
    a = arguments.parse_args()
    downloads = a.downloads or f"{a.work}/downloads"
    fetch(a.packages, downloads)
    build(a.packages, downloads, a.work, a.keyside, a.processes)


if __name__ == "__main__":
    main()
