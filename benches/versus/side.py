"""What the two sides of versus_llama_server.py have in common.

A side opens a text with a caret in it, takes one key after another, and gives to each what would be shown.
"""

import os
import subprocess
import time
from dataclasses import dataclass


@dataclass
class Answer:
    """What came of a key."""

    # From the key to the answer.
    ms: float
    # What would be shown after the caret; empty: nothing.
    text: str
    # The model was asked.
    is_asked: bool


@dataclass
class Work:
    """What the model did since the start."""

    evaluated_tokens: int = 0
    generated_tokens: int = 0
    prompt_ms: float = 0.0
    generate_ms: float = 0.0


@dataclass
class Place:
    """A text with a caret in it."""

    path: str
    before: str
    after: str

    @property
    def line_before(self) -> str:
        """The caret's line up to the caret."""
        return self.before.rpartition("\n")[2]


def ms_since(started: float) -> float:
    """Milliseconds since a value of the clock that all latencies are taken from."""
    return (time.perf_counter() - started) * 1e3


class Side:
    """A process that answers keys."""

    name: str

    def __init__(self, command: list[str], environment: dict[str, str], log: str):
        self.log = log
        self.work = Work()
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=os.environ | environment
            )

    def cpu_seconds(self) -> float:
        """The processor time that the process has taken, all threads together."""
        with open(f"/proc/{self.process.pid}/stat") as file:
            # After the name in brackets, which may hold blanks, user and system time are the 12th and the 13th.
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read_line(self) -> bytes:
        """A line of the process's output."""
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} has ended; what it said is in {self.log}")
        return line

    def end(self) -> None:
        """Ends the process: both end with their input."""
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
