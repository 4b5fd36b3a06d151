#!/usr/bin/env bash
# From a floor to a number one can publish: known positives measure the graders, people, simulated ones here, read what the
# design draws for them, and gold that is hidden among it measures the people. Runs after `run.sh`; the cache answers for everything that was asked there.
set -euo pipefail
cd "$(dirname "$0")"
assize="${CARGO_TARGET_DIR:-../../target}/release/assize"
[ -f known.jsonl ] || "$assize" rehearse corpus --out . --seed 7 --conversations 3600 --known 80
[ -d labels/sensitivity ] || "$assize" sensitivity import known.jsonl
[ -d labels/gold ] || "$assize" rehearse gold
"$assize" run audit.toml > /dev/null
"$assize" rehearse review
"$assize" review status
"$assize" report
