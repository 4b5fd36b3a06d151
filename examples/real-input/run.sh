#!/usr/bin/env bash
# Runs three audits over public data with the simulated grader, and checks every count against zstdcat and jq.
#
#     ./run.sh [DATA]      DATA holds hh-harmless-test, chat-alpaca-eval and tau-bench-airline
#
# Nothing leaves this machine. PROFILE=dev uses a debug build.
set -euo pipefail
cd "$(dirname "$0")"
data="${1:-../../../shared/data}"
if [ ! -d "$data" ]; then
    echo "skipped: there is no public data at $data (the first argument says where it is)"
    exit 0
fi
for tool in jq zstdcat; do
    command -v "$tool" >/dev/null || { echo "$tool is missing: install it with 'apt-get install jq zstd'" >&2; exit 2; }
done

profile="${PROFILE:-release}"
target="${CARGO_TARGET_DIR:-../../target}/${profile/#dev/debug}"
cargo build --quiet --locked --profile "$profile" --manifest-path ../../Cargo.toml --bin assize --example convert_hh
mkdir -p corpus
ln -sfn "$(realpath "$data")" data
hh=data/hh-harmless-test/test.jsonl.zst
[ -f corpus/hh.jsonl ] || "$target/examples/convert_hh" --both "$hh" > corpus/hh.jsonl.part
[ -f corpus/hh.jsonl ] || mv corpus/hh.jsonl.part corpus/hh.jsonl

# Conversations and turns by group, as "group<TAB>conversations<TAB>turns", counted without assize.
turns='[.[] | select(.role == "assistant")] | length'
count() { jq -r "$1" | awk -F'\t' '{c[$1]++; t[$1]+=$2} END {for (g in c) print g "\t" c[g] "\t" t[g]}' | sort; }
independent() {
    case "$1" in
        hh) zstdcat "$hh" | count 'to_entries[] | [.key, (.value | [scan("\n\nAssistant:")] | length)] | @tsv' ;;
        alpaca) zstdcat data/chat-alpaca-eval/*.zst | count "[.source, (.messages | $turns)] | @tsv" ;;
        tau) zstdcat data/tau-bench-airline/*.zst | count "[(.reward + 0), (.traj | $turns)] | @tsv" ;;
    esac
}
# The same from the report: rates of every group carry their exposure.
reported() {
    jq -r '[.rates[] | select(.name == "floor" and .target == "corpus" and .group != {})]
        | group_by(.group)[]
        | [(.[0].group | to_entries[0].value | tonumber? // .), (.[] | select(.unit == "conversation") | .n),
           (.[] | select(.unit == "turn") | .n)] | @tsv' "$1" | sort
}
# Every part of the funnel sums to what stands above it, or this fails.
sums() {
    jq -r '.funnel | [
        ["turns", .turns, .by_class],
        ["turns", .turns, {not_planned, planned}],
        ["planned", .planned, {not_admitted, admitted}],
        ["admitted", .admitted, {unfinished, ungraded, cleared, flagged}],
        ["admitted", .admitted, (.outcomes + {unfinished})],
        ["flagged", .flagged, {pending, disputed, rejected, confirmed}]
    ][] | . as [$name, $whole, $parts]
        | ($parts | with_entries(select(.value > 0)) | to_entries | map("\(.value) \(.key)") | join(" + ")) as $shown
        | if ($parts | add) == $whole then "  \($name) \($whole) = \(if $shown == "" then "0" else $shown end)"
          else error("\($name) \($whole) is not the sum of \($parts)") end' "$1"
}

for audit in hh alpaca tau; do
    printf '\n== %s\n' "$audit"
    "$target/assize" plan "$audit.toml"
    "$target/assize" run "$audit.toml" --progress none "${@:2}"
    report=runs/latest/report.json
    if ! difference=$(diff <(independent "$audit") <(reported "$report")); then
        printf 'counts differ (< zstdcat and jq, > assize):\n%s\n' "$difference" >&2
        exit 1
    fi
    reported "$report" | awk -F'\t' '{c+=$2; t+=$3} END {printf "\nCounted by zstdcat and jq as well: %d conversations and %d turns in %d groups, all equal\nFunnel sums\n", c, t, NR}'
    sums "$report"
done
