#!/usr/bin/env bash
# Builds assize, generates a corpus of about 9,000 turns with planted truth, and audits it offline.
# Run it a second time: nothing is asked twice.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --release --locked --manifest-path ../../Cargo.toml
assize="${CARGO_TARGET_DIR:-../../target}/release/assize"
[ -d corpus ] || "$assize" rehearse corpus --out . --seed 7 --conversations 3600
"$assize" run audit.toml "$@"
