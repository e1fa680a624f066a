"""Makes ghost-text.svg, the README's picture, from a real run: `keyside try` types the end of inventory.rs.

    python3 docs/picture/make.py target/release/keyside

Latencies are left out: they are the machine's, and docs/measurements.md has them.
"""

import html
import os
import pty
import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FROM_LINE, N_LINES = 16, 9
FONT_SIZE, CHAR_WIDTH, LINE_HEIGHT, MARGIN = 14, 8.43, 19, 12
COLOURS = {"plain": "#e0e2ea", "dim": "#7a7d85", "accepted": "#8fd694"}
KEY_S, GHOST_S, END_S = 0.09, 0.45, 4.0

Run = list[tuple[str, str]]  # texts, each with its style


def record(program: str) -> str:
    """What the program draws on a terminal."""
    chunks: list[bytes] = []

    def read(fd: int) -> bytes:
        chunks.append(os.read(fd, 65_536))
        return chunks[-1]

    output = os.dup(1)
    with tempfile.TemporaryDirectory() as home, open(os.devnull, "w") as nothing:
        os.environ.update(KEYSIDE_HOME=home, TERM="xterm-256color")
        os.environ.pop("NO_COLOR", None)
        os.dup2(nothing.fileno(), 1)
        where = ["--from", str(FROM_LINE), "--lines", str(N_LINES)]
        status = pty.spawn([program, "try", "inventory.rs", *where], read)
    os.dup2(output, 1)
    if status != 0:
        sys.exit(f"{program} try failed")
    return b"".join(chunks).decode()


def runs(row: str) -> Run:
    """A drawn row as texts with styles, without the latency at its end."""
    style, found = "plain", []
    for part in re.split(r"(\x1b\[\d+m)", row):
        if part.startswith("\x1b"):
            style = {"\x1b[2m": "dim", "\x1b[32m": "accepted"}.get(part, "plain")
        elif part:
            found.append((re.sub(r"   [\d.]+ ms$", "", part) if style == "dim" else part, style))
    return [it for it in found if it[0]]


def frames(drawn: str) -> list[list[Run]]:
    """The rows on the screen, frame by frame."""
    rows: list[Run] = []
    result: list[list[Run]] = []
    body = drawn.split("\r\n\r\n", 1)[1].rsplit("\r\n\r\n", 1)[0]
    for draw in body.split("\r\x1b[K")[1:]:
        is_done = draw.endswith("\r\n")
        row = runs(draw.strip("\r\n"))
        number = int(re.match(r" *(\d+)", row[0][0])[1]) - FROM_LINE
        rows = rows[:number] + [row]
        if not is_done:
            result.append(list(rows))
    return result


def text(row: Run, y: float) -> str:
    spans, x = [], MARGIN
    for words, style in row:
        length = len(words) * CHAR_WIDTH
        spans.append(
            f'<tspan x="{x:.1f}" fill="{COLOURS[style]}" textLength="{length:.1f}">{html.escape(words)}</tspan>'
        )
        x += length
    return f'<text y="{y}" xml:space="preserve">{"".join(spans)}'


def svg(all_frames: list[list[Run]]) -> str:
    before = (HERE / "inventory.rs").read_text().splitlines()[8 : FROM_LINE - 1]
    n_rows = len(before) + N_LINES
    width = MARGIN * 2 + 88 * CHAR_WIDTH
    times, now = [], 0.0
    for rows in all_frames:
        times.append(now)
        has_ghost = len(rows[-1]) > 1 and rows[-1][-1][1] == "dim"
        now += GHOST_S if has_ghost else KEY_S
    total = now + END_S
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {MARGIN * 2 + n_rows * LINE_HEIGHT}"'
        f' font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="{FONT_SIZE}">'
        "<title>keyside try: a function is typed; ghost text is grey, what was accepted of it is green</title>"
        '<rect width="100%" height="100%" rx="8" fill="#14161b"/>'
    ]
    for at, line in enumerate(before):
        row = [(f"{at + 9:>5} │", "dim"), (" " + line, "plain")]
        parts.append(text(row, MARGIN + 14 + at * LINE_HEIGHT) + "</text>")
    for number in range(N_LINES):
        y = MARGIN + 14 + (len(before) + number) * LINE_HEIGHT
        start = 0
        while start < len(all_frames):
            row = all_frames[start][number] if number < len(all_frames[start]) else None
            end = start + 1
            while end < len(all_frames) and (
                all_frames[end][number] if number < len(all_frames[end]) else None
            ) == row:
                end += 1
            if row is not None:
                begin, until = times[start] / total, times[end] / total if end < len(times) else 1.0
                steps = [("hidden", 0.0), ("visible", begin), ("hidden", until)]
                steps = [it for it in steps if it[1] < 1.0]
                steps = steps[1:] if begin == 0.0 else steps
                values = ";".join(it[0] for it in steps)
                key_times = ";".join(f"{it[1]:.4f}" for it in steps)
                visibility = "visible" if end == len(all_frames) else "hidden"
                parts.append(
                    text(row, y).replace("<text ", f'<text visibility="{visibility}" ', 1)
                    + f'<animate attributeName="visibility" calcMode="discrete" dur="{total:.1f}s"'
                    f' repeatCount="indefinite" values="{values}" keyTimes="{key_times}"/></text>'
                )
            start = end
    return "\n".join(parts) + "\n</svg>\n"


if __name__ == "__main__":
    program = str(Path(sys.argv[1]).resolve())
    os.chdir(HERE)
    (HERE / "ghost-text.svg").write_text(svg(frames(record(program))))
