#!/usr/bin/env bash
# The afternoon loop with a clock: grade some 10,000 turns once, edit the rubric while `assize try --watch` looks on, then
# grade all of them with the edited rubric and read what flipped. Everything lies in `work/`, which is made anew.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --release --locked --manifest-path ../../Cargo.toml
assize="$(realpath "${CARGO_TARGET_DIR:-../../target}/release/assize")"
rm -rf work && mkdir work && cp audit.toml rehearsal.toml work/ && cd work && touch .assize
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{ printf "%.1f s", $1 - $2 }'; }
title() { printf '\n== %s\n' "$1"; }
# Waits until a file has so many lines like this, for at most two minutes.
until_lines() {
    for _ in $(seq 1200); do
        [ "$(grep -c -- "$2" "$1" || true)" -ge "$3" ] && return
        sleep 0.1
    done
    echo "no answer within two minutes:"; cat "$1"; exit 1
}

"$assize" rehearse corpus --out . --seed 11 --conversations 4000 > /dev/null
"$assize" rehearse gold --positive 20 --near-miss 13 > /dev/null
began=$(now)
"$assize" run --progress none > first.txt
title "the first version: every turn graded once, $(since "$began")"
grep -E 'requests sent|spent|simulated' first.txt | head -3

"$assize" prompts draft metagaming --from screen@1 > /dev/null
sed -i 's/^prompt = "screen@1"/prompt = "screen@draft"/' audit.toml
"$assize" try --watch --show 3 > recording.txt 2> watch.err &
watch=$!
trap 'kill -TERM $watch 2> /dev/null || true' EXIT
until_lines recording.txt '^ *took' 1
title "try --watch, before an edit"
cat recording.txt

lines=$(wc -l < recording.txt)
began=$(now)
sed -i 's/Several may apply\./More than one may apply./' prompts/metagaming/screen.draft.md
until_lines recording.txt '^ *took' 2
title "one sentence of the rubric edited: $(since "$began") from the save to the answer"
tail -n +"$((lines + 1))" recording.txt
kill -TERM $watch && wait $watch || true
trap - EXIT

began=$(now)
"$assize" run --progress none > second.txt
title "the edited rubric on every turn: $(since "$began")"
grep -E 'DRAFT|requests sent' second.txt | head -3

# Runs by age, without the pointer to the newest.
read -r before after <<< "$(find runs -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort | tail -n 2 | tr '\n' ' ')"
began=$(now)
"$assize" diff "$before" "$after" --show 3 --html flips.html > diff.txt
title "diff: $(since "$began"); the page is work/flips.html"
cat diff.txt
