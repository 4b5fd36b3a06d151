#!/usr/bin/env python3
"""Writes src/grade/prices/<provider>.toml from the price file of the Python package litellm (MIT).

    python3 .ci/prices.py LITELLM_WHEEL_OR_JSON VERSION DATE

Only text models that a chat completions endpoint serves, at standard prices. Where a provider bills a kind of prompt or
completion token dearer than the plain one without being asked (writing its own prompt cache, reasoning), the dearer
price is taken: a cap has to hold.
"""

import json
import re
import sys
import zipfile
from pathlib import Path

PROVIDERS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "gemini",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "xai": "xai",
    "groq": "groq",
    "together": "together_ai",
}
# Explicit everywhere else: assize never asks for a cache to be written.
CACHE_WRITES_BY_THEMSELVES = {"openai"}
NOT_TEXT = re.compile(
    r"audio|realtime|search|^ft:|image|tts|transcri|computer|deep-research|codex|live|robotics|vision-preview|-pro(-\d|$)"
)
TIER = re.compile(r"^(input_cost_per_token|cache_read_input_token_cost|output_cost_per_token)_above_(\d+)k_tokens$")
HEADER = """# US dollars per million tokens. Every figure is a snapshot: check your provider's page before you rely on it, and
# state `price = {{ input = ..., cached = ..., output = ... }}` in the audit file where it differs. `long` is what a whole
# request costs whose prompt has more than `above` tokens. Written by .ci/prices.py; do not edit.
date = "{date}"
source = "{member} of the Python package litellm {version} (MIT)"

[models]
"""


def load(path):
    if path.endswith(".json"):
        return json.loads(Path(path).read_text()), Path(path).name
    with zipfile.ZipFile(path) as wheel:
        member = next(name for name in wheel.namelist() if "model_prices_and_context_window" in name)
        return json.loads(wheel.read(member)), member.split("/")[-1]


def is_chat(name, entry):
    endpoints = entry.get("supported_endpoints")
    return (
        entry.get("mode") == "chat"
        and (endpoints is None or "/v1/chat/completions" in endpoints)
        and (name.startswith("gemini") or not NOT_TEXT.search(name))
        and not (name.startswith("gemini") and re.search(r"audio|image|tts|live|robotics|computer", name))
        and entry.get("input_cost_per_token", 0) > 0
        and entry.get("output_cost_per_token", 0) > 0
        and not entry.get("input_cost_per_request")
    )


def dollars(cost):
    return round(cost * 1e6, 6)


def row(provider, entry):
    write = entry.get("cache_creation_input_token_cost") or 0 if provider in CACHE_WRITES_BY_THEMSELVES else 0
    base = {
        "input": dollars(max(entry["input_cost_per_token"], write)),
        "cached": dollars(entry.get("cache_read_input_token_cost") or entry["input_cost_per_token"]),
        "output": dollars(max(entry["output_cost_per_token"], entry.get("output_cost_per_reasoning_token") or 0)),
    }
    names = {
        "input_cost_per_token": "input",
        "cache_read_input_token_cost": "cached",
        "output_cost_per_token": "output",
    }
    tiers = [(int(match[2]), names[match[1]], dollars(cost)) for key, cost in entry.items() if (match := TIER.match(key))]
    text = ", ".join(f"{name} = {price}" for name, price in base.items())
    if not tiers:
        return f"{{ {text} }}"
    # From the lowest threshold on the dearest of all tiers: no request costs more.
    dearest = dict(base)
    for _, name, price in tiers:
        dearest[name] = max(dearest[name], price)
    if write:
        dearest["input"] = max(dearest["input"], round(dearest["input"] * base["input"] / dollars(entry["input_cost_per_token"]), 6))
    above = min(threshold for threshold, _, _ in tiers) * 1_000
    long = ", ".join(f"{name} = {price}" for name, price in dearest.items())
    return f"{{ {text}, long = {{ above = {above}, {long} }} }}"


def main():
    path, version, date = sys.argv[1:]
    table, member = load(path)
    folder = Path(__file__).resolve().parent.parent / "src/grade/prices"
    folder.mkdir(exist_ok=True)
    for provider, theirs in PROVIDERS.items():
        rows = {}
        for key, entry in table.items():
            name = key.removeprefix(f"{theirs}/")
            is_ours = entry.get("litellm_provider") == theirs
            if not is_ours or (theirs != "together_ai" and theirs != "groq" and "/" in name) or not is_chat(name, entry):
                continue
            found = row(provider, entry)
            if rows.setdefault(name, found) != found:
                sys.exit(f"{provider}: two prices for {name}")
        lines = "".join(f'"{name}" = {found}\n' for name, found in sorted(rows.items()))
        (folder / f"{provider}.toml").write_text(HEADER.format(date=date, member=member, version=version) + lines)
        print(f"{provider}: {len(rows)} models")


if __name__ == "__main__":
    main()
