"""Packs text for a machine that takes files only in small parts, and brings weights back from it
the same way (GPU.md).

    python3 -m pipeline.pack text --text .work/full/text --out .work/gpu
    python3 -m pipeline.pack weights --checkpoint .work/run/checkpoint.pt --out back
    python3 -m pipeline.pack join back/weights.pt --out .work/gpu/weights.pt

A file NAME becomes NAME.000, NAME.001, … and NAME.sha256, which has the checksum of the whole and
of each part; `sha256sum -c` reads it.
"""

import argparse
import glob
import hashlib
import io
import os
import tarfile
import tempfile

MEBIBYTE = 1 << 20


def split(source: str, target: str, part_size: int) -> None:
    """Cuts the file `source` into `target`.000 and so on, with their checksums."""
    for old in parts_of(target):
        os.remove(old)
    whole, lines = hashlib.sha256(), []
    with open(source, "rb") as file:
        while data := file.read(part_size):
            whole.update(data)
            name = f"{target}.{len(lines):03}"
            with open(name, "wb") as part:
                part.write(data)
            lines.append(f"{hashlib.sha256(data).hexdigest()}  {os.path.basename(name)}\n")
    with open(f"{target}.sha256", "w") as file:
        file.write(f"{whole.hexdigest()}  {os.path.basename(target)}\n" + "".join(lines))
    print(f"{target}: {os.path.getsize(source) / MEBIBYTE:.1f} MiB in {len(lines)} parts")


def parts_of(target: str) -> list[str]:
    """The parts of a file that are there, in order."""
    return sorted(glob.glob(glob.escape(target) + ".[0-9][0-9][0-9]"))


def join(target: str, out: str) -> None:
    """Puts the parts of `target` together as `out`; a part that is missing or damaged ends it with
    one sentence."""
    with open(f"{target}.sha256") as file:
        (expected, _), *listed = (line.split() for line in file)
    whole = hashlib.sha256()
    with open(out + ".part", "wb") as file:
        for checksum, name in listed:
            path = os.path.join(os.path.dirname(target), name)
            if not os.path.exists(path):
                raise SystemExit(f"{path} is missing")
            with open(path, "rb") as part:
                data = part.read()
            if hashlib.sha256(data).hexdigest() != checksum:
                raise SystemExit(f"{path} is damaged; bring it over again")
            whole.update(data)
            file.write(data)
    if whole.hexdigest() != expected:
        raise SystemExit(f"{target}.sha256 contradicts itself")
    os.replace(out + ".part", out)
    print(f"{out}: {len(listed)} parts joined")


def pack_text(folder: str, out: str, part_size: int, preset: int) -> None:
    """The text of both splits as one xz-compressed tar file in parts; the same text gives the same
    bytes."""
    files = sorted(glob.glob(f"{folder}/*.jsonl"))
    if not files:
        raise SystemExit(f"{folder} has no text; make the corpus first")
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        with tarfile.open(
            f"{scratch}/text.tar.xz", "w:xz", preset=preset, format=tarfile.USTAR_FORMAT
        ) as archive:
            for path in files:
                entry = tarfile.TarInfo(f"text/{os.path.basename(path)}")
                entry.size = os.path.getsize(path)
                with open(path, "rb") as file:
                    archive.addfile(entry, file)
        split(f"{scratch}/text.tar.xz", f"{out}/text.tar.xz", part_size)


def pack_weights(checkpoint: str, out: str, part_size: int) -> None:
    """A checkpoint without the optimizer's state, its weights as F16, in parts; export.py reads it
    like a checkpoint."""
    import torch

    kept = torch.load(checkpoint, weights_only=True, map_location="cpu")
    buffer = io.BytesIO()
    torch.save(
        {"weights": kept["weights"].half(), "shape": kept["shape"], "progress": kept["progress"]},
        buffer,
    )
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        with open(f"{scratch}/weights.pt", "wb") as file:
            file.write(buffer.getbuffer())
        split(f"{scratch}/weights.pt", f"{out}/weights.pt", part_size)


def main() -> None:
    """Runs the step."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = p.add_subparsers(dest="way", required=True)
    text = ways.add_parser("text", help="pack the text for the way there")
    text.add_argument(
        "--text",
        required=True,
        help="the folder with LANGUAGE.train.jsonl and LANGUAGE.heldout.jsonl",
    )
    text.add_argument("--out", required=True)
    text.add_argument("--part", type=float, default=48.0, help="MiB a part")
    text.add_argument("--preset", type=int, default=6, help="xz's, 0 to 9")
    weights = ways.add_parser("weights", help="pack a checkpoint's weights for the way back")
    weights.add_argument("--checkpoint", required=True)
    weights.add_argument("--out", required=True)
    weights.add_argument("--part", type=float, default=14.3, help="MiB a part; 14.3 are 15 MB")
    joined = ways.add_parser("join", help="put parts together, and check them")
    joined.add_argument("target", help="the parts' name without .000")
    joined.add_argument("--out", required=True, help="the file to write")
    a = p.parse_args()
    if a.way == "text":
        pack_text(a.text, a.out, int(a.part * MEBIBYTE), a.preset)
    elif a.way == "weights":
        pack_weights(a.checkpoint, a.out, int(a.part * MEBIBYTE))
    else:
        join(a.target, a.out)


if __name__ == "__main__":
    main()
