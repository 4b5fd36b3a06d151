#!/usr/bin/env bash
# The six judges of LLMBar against its gold, by the verdicts that its authors published: nobody is asked anything.
#
#     ./run.sh [DATA]      DATA is the folder llmbar-judges
#
# PROFILE=dev uses a debug build.
set -euo pipefail
cd "$(dirname "$0")"
data="${1:-../../../shared/data/llmbar-judges}"
if [ ! -f "$data/verdicts_flat.jsonl.zst" ]; then
    echo "skipped: there is no public data at $data (the first argument says where it is)"
    exit 0
fi
command -v jq >/dev/null || { echo "jq is missing: install it with 'apt-get install jq'" >&2; exit 2; }

profile="${PROFILE:-release}"
target="${CARGO_TARGET_DIR:-../../target}/${profile/#dev/debug}"
cargo build --quiet --locked --profile "$profile" --manifest-path ../../Cargo.toml --bin assize --example adapt_judges
"$target/examples/adapt_judges" "$data" . > corpus.judges
trap 'rm -f corpus.judges' EXIT

printf '%-13s %7s %8s %10s %9s %9s %19s  %s\n' judge asked missing right/all accuracy balanced limits informative
while read -r judge; do
    audit="judge-$judge.toml"
    sed "s/GPT-4/$judge/g" gpt-4.toml > "$audit"
    "$target/assize" run "$audit" --progress none > /dev/null 2> runs.log || { cat runs.log >&2; exit 1; }
    "$target/assize" validate --labels truth.jsonl --format json > "runs/latest/validate.json"
    # Labels of comparisons that this judge was never asked for are not admitted.
    jq -r --arg judge "$judge" '
        .stages[0] as $screen | ([$screen.apart[] | select(.reason == "not_recorded") | .units] | add // 0) as $missing
        | ($screen.decided + $missing) as $asked | $screen.accuracy as $accuracy | $screen.balanced_accuracy as $balanced
        | [$judge, $asked, $missing, $accuracy.k / $asked, $accuracy.estimate, $balanced.estimate, $balanced.lower,
           $balanced.upper, $screen.informative] | @tsv' runs/latest/validate.json |
        awk -F'\t' '{printf "%-13s %7d %8d %10.4f %9.4f %9.4f   [%.4f, %.4f]  %s\n", $1, $2, $3, $4, $5, $6, $7, $8, $9}'
done < corpus.judges
rm -f runs.log
