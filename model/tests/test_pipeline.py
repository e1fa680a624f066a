"""Tests of the pipeline that need no network, and most of them only numpy: `python3 -m unittest
discover tests`.

They ask the built program (`KEYSIDE`, or target/release) what a secret is. Without the package
tokenizers those of the samples are skipped, without torch those that train."""

import contextlib
import csv
import hashlib
import importlib.util
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))

import run  # noqa: E402
from pipeline import copies, corpus, filters, near_duplicates  # noqa: E402

try:
    import numpy as np

    from pipeline import counts, samples
except ImportError:  # the tokenizers package; numpy is enough for all other tests
    counts = samples = None

KEYSIDE = os.path.abspath(
    os.environ.get("KEYSIDE", os.path.join(HERE, "..", "..", "target", "release", "keyside"))
)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
NAMES = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "width",
    "height",
    "offset",
    "cursor",
    "buffer",
    "reader",
    "writer",
    "token",
    "parser",
    "index",
    "range",
    "count",
    "total",
    "limit",
    "entry",
    "state",
]


def noise(n: int, alphabet: str = LETTERS, seed: int = 5) -> str:
    """Random characters, always the same ones."""
    r = random.Random(seed)
    return "".join(r.choice(alphabet) for _ in range(n))


def planted_secrets() -> dict[str, str]:
    """Made-up secrets, put together from parts, so that no scanner takes this file for a leak."""
    upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return {
        "private-key": "-----BEGIN " + "RSA PRIVATE" + " KEY-----\n" + noise(80),
        "aws-access-key-id": "AK" + "IA" + noise(16, upper + "234567"),
        "github-token": "gh" + "p_" + noise(36),
        "gitlab-token": "gl" + "pat-" + noise(20),
        "slack-token": "xo" + "xb-" + noise(10, "0123456789") + "-" + noise(20),
        "slack-webhook": "hooks.slack"
        + ".com/services/T"
        + noise(9, upper)
        + "/B"
        + noise(9, upper)
        + "/"
        + noise(24),
        "google-api-key": "AI" + "za" + noise(35),
        "stripe-key": "sk" + "_live_" + noise(24),
        "model-provider-key": "sk" + "-proj-" + noise(48),
        "hub-token": "h" + "f_" + noise(34, LETTERS[:52]),
        "npm-token": "np" + "m_" + noise(36),
        "pypi-token": "pyp" + "i-AgEIcHlwaS5vcmc" + noise(60),
        "mail-service-key": "S" + "G." + noise(22) + "." + noise(43),
        "json-web-token": "ey" + "J" + noise(30) + ".ey" + "J" + noise(40) + "." + noise(43),
        "url-with-password": "postgres" + "://service:" + noise(20) + "@db.example.org",
        "assigned-secret": "api_" + 'key = "' + noise(40) + '"',
    }


def made_up_rust(seed: int, n_functions: int = 30) -> str:
    """A file of Rust that looks written by hand."""
    r = random.Random(seed)
    name = lambda: "_".join(r.sample(NAMES, 2))  # noqa: E731
    functions = [
        f"/// Moves the {r.choice(NAMES)} past the {r.choice(NAMES)}.\n"
        f"pub fn {name()}({r.choice(NAMES)}: &str, {r.choice(NAMES)}: usize) -> Option<usize> {{\n"
        f"    let {name()} = {r.choice(NAMES)}.{name()}({r.choice(NAMES)})?;\n"
        f"    if {r.choice(NAMES)} > {r.choice(NAMES)} {{\n        return {r.choice(NAMES)}.{name()}();\n    }}\n"
        f"    Some({name()})\n}}\n"
        for _ in range(n_functions)
    ]
    return "\n".join(functions)


def name_that_is(held_out: bool, stem: str) -> str:
    """A package name that the rule holds out, or does not."""
    return next(
        n for n in (f"{stem}-{i}x" for i in range(5000)) if filters.held_out("rust", n) == held_out
    )


class Licences(unittest.TestCase):
    """Which licence expressions are allowed."""

    def test_allowed(self):
        """Some alternative names only licences on the list."""
        for expression in (
            "MIT",
            "MIT/Apache-2.0",
            "MIT OR Apache-2.0",
            "MIT OR GPL-3.0",
            "(MIT OR GPL-3.0-or-later)",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
            "MIT License",
            "BSD License",
            "The MIT License (MIT)",
        ):
            self.assertTrue(filters.licence_allowed(expression), expression)

    def test_refused(self):
        """No alternative does, or there is no licence."""
        for expression in (
            "",
            "GPL-3.0",
            "MIT AND GPL-2.0",
            "GPL-2.0 AND (MIT OR Apache-2.0)",
            "LGPL",
            "LGPL-3.0-or-later",
            "MPL-2.0",
            "AGPL-3.0",
            "Proprietary",
            "see LICENSE",
            "UNLICENSED",
            "x" * 300,
        ):
            self.assertFalse(filters.licence_allowed(expression), expression)

    def test_manifest(self):
        """Every package that was trained on has an allowed licence, and lies in the split that the
        rule says."""
        with open(os.path.join(HERE, "..", "corpus", "manifest.tsv")) as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        self.assertGreater(len(rows), 1000)
        language = {"crates": "rust", "pypi": "python", "npm": "ts"}
        for row in rows:
            self.assertTrue(filters.licence_allowed(row["licence"]), row)
            self.assertEqual(
                filters.held_out(language[row["registry"]], row["package"]),
                row["split"] == "heldout",
                row,
            )
            self.assertRegex(row["sha256"], r"^[0-9a-f]{64}$")


class Secrets(unittest.TestCase):
    """Files with secrets are told by the program itself, the one that was built last."""

    def setUp(self):
        """The program's redaction."""
        self.secrets = filters.Secrets(KEYSIDE)
        self.addCleanup(self.secrets.__exit__)

    def test_secrets_are_found_in_files(self):
        """Of many kinds, in code."""
        for name, secret in planted_secrets().items():
            text = made_up_rust(1) + f"    // {secret}\n" + made_up_rust(2)
            self.assertIsNotNone(self.secrets.rule_of("a/src/lib.rs", text), name)

    def test_ordinary_code_has_none(self):
        """Neither made-up code, nor this project's pipeline, nor what looks like a secret and is a
        placeholder."""
        ordinary = [made_up_rust(seed) for seed in range(20)]
        ordinary += [
            'password = "' + "x" * 30 + '"',
            'let api_key = std::env::var("API_KEY")?;',
            "postgres" + "://user:password@localhost/db",
            'token = "' + "your-token-here" + '"',
        ]
        for name in sorted(os.listdir(os.path.join(HERE, "..", "pipeline"))):
            if name.endswith(".py"):
                with open(os.path.join(HERE, "..", "pipeline", name)) as file:
                    ordinary.append(file.read())
        for text in ordinary:
            self.assertIsNone(self.secrets.rule_of("a/b.py", text), text[:200])

    def test_a_program_that_has_ended_ends_the_step(self):
        """Nothing is taken for clean that was not looked at."""
        with filters.Secrets("false") as secrets, self.assertRaises(SystemExit):
            secrets.rule_of("a.py", "text")


class NearDuplicates(unittest.TestCase):
    """MinHash finds copies."""

    def test_changed_copy(self):
        """A copy with a few lines changed is found; another file of the same kind is not."""
        text = made_up_rust(1)
        lines = text.split("\n")
        for i in (10, 60, 130):
            lines[i] = "    // changed here"
        seen = near_duplicates.NearDuplicates()
        self.assertTrue(seen.add(near_duplicates.signature(text)))
        self.assertFalse(seen.add(near_duplicates.signature("\n".join(lines))))
        self.assertTrue(seen.add(near_duplicates.signature(made_up_rust(2))))


class Corpus(unittest.TestCase):
    """The corpus step from end to end, on made-up crates."""

    def crate(self, name: str, licence: str, files: dict[str, str]) -> None:
        """A crate as `cargo vendor --versioned-dirs` lays it out."""
        folder = f"{self.downloads}/crates/{name}-1.0.0"
        os.makedirs(f"{folder}/src")
        with open(f"{folder}/Cargo.toml", "w") as file:
            file.write(f'[package]\nname = "{name}"\nversion = "1.0.0"\nlicense = "{licence}"\n')
        with open(f"{folder}/.cargo-checksum.json", "w") as file:
            json.dump({"files": {}, "package": hashlib.sha256(name.encode()).hexdigest()}, file)
        for path, text in files.items():
            with open(f"{folder}/src/{path}", "w") as file:
                file.write(text)

    def test_only_good_files_come_out(self):
        """A secret, a copy of a held-out file, a generated file and a crate under the GPL stay out;
        a licence header is cut."""
        held, good, copied, gpl, odd = (
            name_that_is(h, s)
            for h, s in (
                (True, "held"),
                (False, "good"),
                (False, "copy"),
                (False, "gpl"),
                (False, "odd"),
            )
        )
        original = made_up_rust(10)
        copy = original.replace("\n", "\n\n", 3).replace("Moves", "Takes", 1)
        with tempfile.TemporaryDirectory() as work:
            self.downloads = f"{work}/downloads"
            self.crate(held, "MIT", {"lib.rs": original})
            self.crate(
                good,
                "MIT OR GPL-3.0",
                {
                    "lib.rs": "// Copyright somebody\n" + made_up_rust(11),
                    "more.rs": made_up_rust(12),
                },
            )
            self.crate(copied, "Apache-2.0", {"lib.rs": copy, "own.rs": made_up_rust(13)})
            self.crate(gpl, "GPL-3.0-only", {"lib.rs": made_up_rust(14)})
            self.crate(
                odd,
                "MIT",
                {
                    "key.rs": made_up_rust(15) + "// " + planted_secrets()["github-token"] + "\n",
                    "made.rs": "// @" + "generated\n" + made_up_rust(16),
                    "table.rs": "0,1,2,3,\n" * 200,
                },
            )
            with contextlib.redirect_stdout(io.StringIO()):
                corpus.build(f"{work}/no-packages", self.downloads, work, KEYSIDE, 2)
            with (
                open(f"{work}/text/rust.train.jsonl") as train,
                open(f"{work}/text/rust.heldout.jsonl") as heldout,
            ):
                train, heldout = (
                    [json.loads(line) for line in train],
                    [json.loads(line) for line in heldout],
                )
            self.assertEqual([d["path"] for d in heldout], [f"{held}/src/lib.rs"])
            self.assertEqual(
                sorted(d["path"] for d in train),
                sorted([f"{good}/src/lib.rs", f"{good}/src/more.rs", f"{copied}/src/own.rs"]),
            )
            self.assertTrue(
                all(
                    set(d) == {"lang", "pkg", "path", "text"} and "Copyright" not in d["text"]
                    for d in train
                )
            )
            self.assertEqual(heldout[0]["text"], original)
            with open(f"{work}/manifest.tsv") as file:
                rows = list(csv.DictReader(file, delimiter="\t"))
            self.assertEqual(
                {r["package"]: (r["split"], r["files"]) for r in rows},
                {held: ("heldout", "1"), good: ("train", "2"), copied: ("train", "1")},
            )
            self.assertEqual(
                {r["package"]: r["sha256"] for r in rows}[good],
                hashlib.sha256(good.encode()).hexdigest(),
            )

    def test_an_npm_package_gives_its_own_sources(self):
        """Sources by language; not what was built from them, not declarations, not other files."""
        files = {
            "package/package.json": json.dumps({"name": "@some/thing", "license": "MIT"}),
            "package/src/a.ts": "export const a = 1;",
            "package/lib/b.js": "exports.b = 2;",
            "package/dist/index.js": "built",
            "package/lib/b.d.ts": "declared",
            "package/README.md": "read",
            "package/dist/index.js.map": json.dumps(
                {
                    "sources": [
                        "../src/a.ts",
                        "../src/deep/c.tsx",
                        "webpack:///./src/d.ts",
                        "../src/e.d.ts",
                        "../node_modules/other/f.ts",
                        "../../sibling/src/g.ts",
                        "../src/h.ts",
                    ],
                    "sourcesContent": [
                        "another a",
                        "export const c = 3;",
                        "export const d = 4;",
                        "declared",
                        "other",
                        "sibling",
                        None,
                    ],
                }
            ),
            "package/dist/broken.js.map": "{",
        }
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/{corpus.npm_file('@some/thing@1.2.3')}"
            with tarfile.open(path, "w:gz") as archive:
                for name, text in files.items():
                    member = tarfile.TarInfo(name)
                    member.size = len(text)
                    archive.addfile(member, io.BytesIO(text.encode()))
            registry, name, version, licence, _, found = corpus.read_npm(
                (path, "@some/thing@1.2.3")
            )
        self.assertEqual((registry, name, version, licence), ("npm", "@some/thing", "1.2.3", "MIT"))
        wanted = [
            ("js", "@some/thing/lib/b.js", b"exports.b = 2;"),
            ("ts", "@some/thing/src/a.ts", b"export const a = 1;"),
            ("ts", "@some/thing/src/d.ts", b"export const d = 4;"),
            ("ts", "@some/thing/src/deep/c.tsx", b"export const c = 3;"),
        ]
        self.assertEqual(found, wanted)


@unittest.skipUnless(samples, "needs the package tokenizers")
class Samples(unittest.TestCase):
    """Training samples."""

    def setUp(self):
        """A folder of made-up files, and a sampler without neighbour files."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.files = {f"some/src/file{i}.rs": made_up_rust(i, 5 + 10 * i) for i in range(6)}
        with open(f"{folder.name}/rust.train.jsonl", "w") as file:
            for path, text in self.files.items():
                file.write(
                    json.dumps({"lang": "rust", "pkg": "some", "path": path, "text": text}) + "\n"
                )
        self.folder, self.tokenizer = folder.name, os.path.join(HERE, "..", "tokenizer.json")
        self.decoder = samples.Tokenizer.from_file(self.tokenizer)

    def sampler(self, neighbour_share: float):
        """A sampler that is always the same."""
        return samples.Sampler(
            samples.Documents(self.folder, "train"), self.tokenizer, 3, neighbour_share
        )

    def text(self, tokens) -> str:
        """What the tokens say."""
        return self.decoder.decode(tokens, skip_special_tokens=False)

    def test_budget_order_and_end(self):
        """A sample fits its budget, its parts come in the product's order, and a middle ends with
        the end token unless it was cut."""
        sampler = self.sampler(0.5)
        whole = cut = 0
        for i in range(600):
            budget = (64, 200, 512, 1025)[i % 4]
            tokens, weights = sampler.sample(budget)
            self.assertLessEqual(len(tokens), budget)
            self.assertEqual(len(tokens), len(weights))
            if sampler.middle not in tokens:
                continue
            prefix, suffix, middle = (
                tokens.index(t) for t in (sampler.prefix, sampler.suffix, sampler.middle)
            )
            self.assertTrue(prefix < suffix < middle)
            self.assertEqual(
                [tokens.count(t) for t in (sampler.prefix, sampler.suffix, sampler.middle)],
                [1, 1, 1],
            )
            self.assertTrue(
                all(at < prefix for at, t in enumerate(tokens) if t == sampler.separator)
            )
            self.assertTrue(prefix == 0 or tokens[0] == sampler.separator)
            n_middle = len(tokens) - middle - 1
            if tokens[-1] == sampler.end:
                whole += 1
                self.assertEqual(weights[-1], samples.WEIGHT_END)
                self.assertLessEqual(n_middle - 1, min(samples.MOST_MIDDLE_TOKENS, budget // 3))
                self.assertEqual(tokens.count(sampler.end), 1)
            else:  # cut to the most that a middle may have
                cut += 1
                self.assertEqual(n_middle, min(samples.MOST_MIDDLE_TOKENS, budget // 3))
                self.assertNotIn(sampler.end, tokens)
        self.assertGreater(whole, 300)
        self.assertGreater(whole, 5 * cut)

    def test_parts_join_to_the_file(self):
        """Prefix, middle and suffix are a contiguous stretch of the file that the header names; the
        prefix has whole lines."""
        sampler, seen = self.sampler(0.0), 0
        for _ in range(300):
            tokens, _ = sampler.sample(512)
            if sampler.middle not in tokens or tokens[-1] != sampler.end:
                continue
            prefix, suffix, middle = (
                tokens.index(t) for t in (sampler.prefix, sampler.suffix, sampler.middle)
            )
            before, after, left_out = (
                self.text(tokens[prefix + 1 : suffix]),
                self.text(tokens[suffix + 1 : middle]),
                self.text(tokens[middle + 1 : -1]),
            )
            joined = before + left_out + after
            if prefix:
                path = self.text(tokens[1:prefix])
                self.assertTrue(path.endswith("\n"))
                self.assertIn(joined, self.files[path[:-1]])
            else:
                self.assertTrue(any(joined in text for text in self.files.values()))
            self.assertTrue(not before or before.endswith("\n"))
            seen += 1
        self.assertGreater(seen, 150)

    def test_rows_are_full(self):
        """Rows have exactly the tokens asked for."""
        tokens, weights = next(samples.batches(self.folder, "train", self.tokenizer, 1, 256, 3))
        self.assertEqual((tokens.shape, weights.shape), ((3, 257), (3, 256)))


class Copies(unittest.TestCase):
    """The check that no suggestion copies training text."""

    def test_a_long_copy_is_found_and_a_short_one_is_not(self):
        """Runs of LEAST_TOKENS tokens are found whatever the space between them."""
        with tempfile.TemporaryDirectory() as folder:
            text, zeros = made_up_rust(1), "0, " * 200
            with open(f"{folder}/rust.train.jsonl", "w") as file:
                file.write(
                    json.dumps(
                        {"lang": "rust", "pkg": "some", "path": "some/lib.rs", "text": text + zeros}
                    )
                    + "\n"
                )
            words = copies.TOKEN.findall(text)
            long, short = (
                words[40 : 40 + copies.LEAST_TOKENS],
                words[40 : 40 + copies.LEAST_TOKENS - 1],
            )
            suggestions = [
                "let fresh = " + "  ".join(long) + " end",
                "let fresh = " + " ".join(short) + " end",
                made_up_rust(2),
                "",
                zeros,
            ]
            found = copies.find(suggestions, folder)
            self.assertEqual([(f["suggestion"], f["path"]) for f in found], [(0, "some/lib.rs")])
            self.assertEqual(copies.TOKEN.findall(found[0]["copied"]), long)


@unittest.skipUnless(counts, "needs the package tokenizers")
class Counts(unittest.TestCase):
    """The n-gram table."""

    def test_what_one_package_says_alone_is_not_counted(self):
        shared, own = [10, 11, 12, 13, 14], [20, 21, 22, 23, 24]
        tokens, files, packages = [], [], []
        for number in range(6):  # files 0 to 2 in package 0, the others in a package each
            text = shared + [counts.END] + (own if number < 3 else [30 + number]) * 4 + [counts.END]
            tokens += text
            files += [number] * len(text)
            packages += [max(0, number - 2)] * len(text)
        stream = (
            np.array(tokens, np.uint16),
            np.array(files, np.int32),
            np.array(packages, np.int32),
        )
        with contextlib.redirect_stdout(io.StringIO()):
            context, token, code = counts.entries_of(*stream, 0, 1000)
        followers = set(token[token != counts.TOTAL].tolist())
        self.assertTrue({11, 12, 13, 14, counts.END} <= followers, followers)
        self.assertFalse(followers & set(own), followers)
        packed = counts.pack(context, token, code, 7)
        self.assertEqual(packed[:16], b"KSCOUNT1" + (7).to_bytes(8, "little"))
        n_log2, n_entries = (int.from_bytes(packed[at : at + 4], "little") for at in (16, 20))
        self.assertEqual(len(packed), 24 + 4 * ((1 << n_log2) + 1 + n_entries))
        self.assertEqual(n_entries, len(token))


HAS_TORCH = importlib.util.find_spec("torch") and importlib.util.find_spec("gguf")


@unittest.skipUnless(HAS_TORCH, "needs the packages torch and gguf")
class Settings(unittest.TestCase):
    """Every setting of `run.py`, with its own sizes, for two steps of training on a made-up corpus,
    through all steps but the download. The largest one leaves out `mixture` and `evaluate`, which
    are the same for all and take it minutes."""

    def setting_runs(self, setting: str, n_layers: int, left_out: tuple[str, ...] = ()) -> dict:
        """Runs a setting's steps; the first line of its training's log."""
        with tempfile.TemporaryDirectory() as work:
            os.makedirs(f"{work}/text")
            for part, seeds in (("train", range(6)), ("heldout", range(6, 9))):
                with open(f"{work}/text/rust.{part}.jsonl", "w") as file:
                    for seed in seeds:
                        row = {
                            "lang": "rust",
                            "pkg": f"package{seed}",
                            "path": f"package{seed}/src/lib.rs",
                            "text": made_up_rust(seed, 40),
                        }
                        file.write(json.dumps(row) + "\n")
            with open(f"{work}/manifest.tsv", "w") as file:
                file.write("made up\n")
            os.symlink(sys.prefix, f"{work}/venv")
            for step in (it for it in run.STEPS[1:] if it not in left_out):
                command = [
                    sys.executable,
                    run.__file__,
                    "--setting",
                    setting,
                    "--keyside",
                    KEYSIDE,
                    "--work",
                    work,
                    "--only",
                    step,
                ]
                # Compiling takes a minute, and the small setting's training, which comes before
                # these tests, does it.
                env = os.environ | {"TORCHDYNAMO_DISABLE": "1", "KEYSIDE_HOME": f"{work}/home"}
                done = subprocess.run(
                    [*command, "--steps", "2", "--cases", "4"],
                    env=env,
                    capture_output=True,
                    text=True,
                )
                self.assertEqual(
                    done.returncode, 0, f"{setting}, {step}:\n{done.stdout}\n{done.stderr}"
                )
            import gguf

            fields = gguf.GGUFReader(f"{work}/model.gguf").fields
            self.assertEqual(int(fields["llama.block_count"].contents()), n_layers)
            with open(f"{work}/run/log.jsonl") as file:
                losses = [json.loads(line) for line in file]
            self.assertEqual([row["step"] for row in losses], [0, 2])
            return losses[0]

    def test_small(self):
        self.setting_runs("small", 2)

    def test_cpu_begins_as_good_as_the_model_that_it_grows_from(self):
        """Random weights are at 9 nats, the logarithm of the vocabulary's size."""
        self.assertLess(self.setting_runs("cpu", 6)["nats"], 5)

    def test_gpu(self):
        self.setting_runs("gpu", 10, left_out=("mixture", "evaluate"))


if __name__ == "__main__":
    unittest.main()
