#!/usr/bin/env bash
# The aarch64 build decides as this machine does: a record of a run here is replayed by it under qemu-user and gives the
# same bytes, and it inspects pictures to the same verdicts and scores. Needs gcc-aarch64-linux-gnu, qemu-user-static and
# the Rust target aarch64-unknown-linux-gnu.
set -euo pipefail
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu
folder="${CARGO_TARGET_DIR:-target}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# the toolchain's own standard library for the target, or that of Debian's compiler
for compiler in rustc /usr/bin/rustc; do
    libraries="$("$compiler" --print target-libdir --target "$target" 2>/dev/null || true)"
    [ -n "$libraries" ] && [ -d "$libraries" ] && break
    compiler=
done
[ -n "$compiler" ] || { echo "no standard library for $target: rustup target add $target" >&2; exit 1; }
cargo build --release --workspace
RUSTC="$compiler" cargo build --release --target "$target" --target-dir "$folder/cross" -p beltwatch
here="$folder/release/beltwatch"
there() { qemu-aarch64-static -cpu "$cpu" -L /usr/aarch64-linux-gnu "$folder/cross/$target/release/beltwatch" "$@"; }

"$folder/release/beltwatch-train" synth "$work/parts" --seed 55221 --train 1 --test-good 20 --test-defects 2
"$here" inspect --json --recipe models/demo "$work/parts/test" > "$work/verdicts.jsonl"
for scenario in constant operator camera-drops ramps-encoder; do
    "$here" run --quiet --scenario "tests/scenarios/$scenario.toml" --record "$work/$scenario.jsonl" \
        --sheet "$work/rejects.png" > /dev/null &
done
wait
# SDOT, and a core without it
for cpu in cortex-a76 cortex-a72; do
    for record in constant operator camera-drops ramps-encoder; do
        there replay "$work/$record.jsonl" --out "$work/again.jsonl"
        cmp "$work/$record.jsonl" "$work/again.jsonl"
    done
    there inspect --json --recipe models/demo "$work/parts/test" > "$work/there.jsonl"
    cmp "$work/verdicts.jsonl" "$work/there.jsonl"
    echo "$cpu: $(wc -l < "$work/verdicts.jsonl") pictures and 4 records, the same bytes"
done
