#!/usr/bin/env bash
# Builds assize, generates the corpus (about 9,000 turns), and runs the audit offline. Run it again: nothing is asked twice.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --release --locked --quiet --manifest-path ../../Cargo.toml
assize="${CARGO_TARGET_DIR:-../../target}/release/assize"
if [ ! -d corpus ]; then
    "$assize" rehearse corpus --out corpus --seed 7 --conversations 1200 \
        --group checkpoint=rl-early:0.001 --group checkpoint=rl-late:0.006 --group checkpoint=production:0.003
fi
"$assize" run audit.toml "$@"
