"""What a model costs: milliseconds a prompt token and a generated token, one thread, side by side.

    target/versus/venv/bin/python benches/decode_time.py MODEL.gguf MODEL.gguf …

Each model has a llama-server of its own (a wheel; `versus_llama_server.py` installs it). They are asked in turn, so that what else the
machine does meets all of them: 512 tokens nobody has seen, then 48 tokens behind them whatever they are. The first model is the baseline.
"""

import json
import os
import random
import statistics
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROUNDS, N_PROMPT, N_GENERATED = 24, 512, 48


def start(model: str) -> tuple[subprocess.Popen, str]:
    """A llama-server with one thread, and its address."""
    command = [sys.executable, f"{HERE}/versus/llama_server.py", model, "1", "1024", "512"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in process.stdout:
        if line.startswith(b"{"):
            return process, json.loads(line)["address"]
    raise SystemExit(f"{model}: llama-server did not start")


def ask(address: str, tokens: list[int]) -> tuple[float, float]:
    """Milliseconds a token of the prompt, and a generated one."""
    body = {"prompt": tokens, "n_predict": N_GENERATED, "ignore_eos": True, "cache_prompt": False, "temperature": 0}
    request = urllib.request.Request(f"http://{address}/completion", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        timings = json.load(answer)["timings"]
    return timings["prompt_per_token_ms"], timings["predicted_per_token_ms"]


def main() -> None:
    """The command."""
    models = sys.argv[1:]
    if not models:
        raise SystemExit(__doc__)
    servers = [start(model) for model in models]
    timings = [[] for _ in models]
    r = random.Random(1)
    for _ in range(ROUNDS):
        # The first tokens of every vocabulary are bytes and short words.
        tokens = [r.randrange(300, 8000) for _ in range(N_PROMPT)]
        for (_, address), mine in zip(servers, timings):
            mine.append(ask(address, tokens))
    base = None
    for model, mine, (process, _) in zip(models, timings, servers):
        prompt, generated = (statistics.median(t[i] for t in mine) for i in range(2))
        base = base or (prompt, generated)
        megabytes = os.path.getsize(model) / 1e6
        print(f"{os.path.basename(model)}: {megabytes:.2f} MB, {prompt:.3f} ms a prompt token ({prompt / base[0]:.2f}), {generated:.3f} ms a generated one ({generated / base[1]:.2f})", flush=True)
        process.stdin.close()
        process.wait()


if __name__ == "__main__":
    main()
