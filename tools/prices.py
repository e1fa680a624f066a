"""Makes src/remote/pricing/prices.json from LiteLLM's map of prices, as its wheel on PyPI carries it (MIT
licence).

    python3 -m pip download --no-deps litellm==1.109.1
    python3 tools/prices.py litellm-1.109.1-*.whl YYYY-MM-DD > src/remote/pricing/prices.json

The date is the day of that download. Of the map, the models of Anthropic, OpenAI and Google that
answer chat or Responses requests are kept, and of each the prices of text at the usual service.
Prices become whole trillionths of a US dollar for a token. Where the map is silent, a cache's
reading and writing cost what input costs; an hour in the cache costs what five minutes do. Nothing
is rounded: the script stops at a price that is no whole number.
"""

import json
import re
import sys
import zipfile
from decimal import Decimal

MAP = "litellm/model_prices_and_context_window_backup.json"
VENDORS = ("anthropic", "openai", "gemini")
FIELDS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
}
SIZE = re.compile(r"_above_(\d+)k_tokens$")


def pico(price):
    """Trillionths of a dollar."""
    exact = Decimal(price) * 10**12
    if exact != int(exact) or exact < 0:
        sys.exit(f"{price} is no whole number of trillionths")
    return int(exact)


def rates_of(entry, suffix, below):
    """The prices for a size of the prompt; `below` are those of the size before, and nothing gets
    cheaper with size."""
    told = {
        name: pico(entry[field + suffix])
        for name, field in FIELDS.items()
        if field + suffix in entry
    }
    rates = {name: told.get(name, below.get(name)) for name in FIELDS}
    for name, like in (
        ("cache_read", "input"),
        ("cache_write_5m", "input"),
        ("cache_write_1h", "cache_write_5m"),
    ):
        if name in told:
            continue
        if FIELDS[name] not in entry:
            rates[name] = rates[like]
        elif name != "cache_read":
            rates[name] = max(rates[name], rates[like])
    return rates


def main(wheel, date):
    """Prints the table."""
    version = wheel.rsplit("/", 1)[-1].split("-")[1]
    with zipfile.ZipFile(wheel) as archive:
        entries = json.loads(archive.read(MAP), parse_float=str, parse_int=str)
    models = {}
    for name, entry in sorted(entries.items()):
        if entry.get("litellm_provider") not in VENDORS or entry.get("mode") not in (
            "chat",
            "responses",
        ):
            continue
        if "input_cost_per_token" not in entry or "output_cost_per_token" not in entry:
            continue
        base = rates_of(entry, "", {})
        sizes = {
            int(match[1]) * 1000
            for field in entry
            if (match := SIZE.search(field)) and field[: match.start()] in FIELDS.values()
        }
        tiers = [base]
        for size in sorted(sizes):
            tiers.append(
                {"above_tokens": size}
                | rates_of(entry, f"_above_{size // 1000}k_tokens", tiers[-1])
            )
        # Google's are listed with the vendor before them.
        short = name.lower().rsplit("/", 1)[-1]
        if models.setdefault(short, tiers) != tiers:
            # Under one name two prices: the dearer.
            models[short] = max(
                models[short], tiers, key=lambda it: (it[-1]["output"], it[-1]["input"])
            )
            print(f"{short} has two prices", file=sys.stderr)
    head = {
        "source": f"litellm {version}, {MAP}",
        "license": "MIT, copyright (c) 2023 Berri AI",
        "date": date,
        "unit": "trillionths of a US dollar for a token",
    }
    lines = ",\n".join(
        f'    "{name}": {json.dumps(tiers)}' for name, tiers in sorted(models.items())
    )
    print(json.dumps(head, indent=2)[:-2] + ',\n  "models": {\n' + lines + "\n  }\n}")


if __name__ == "__main__":
    main(*sys.argv[1:])
