#!/usr/bin/env bash
# The aarch64 build decides as this machine does: a record of a run here is replayed by it under qemu-user and gives the
# same bytes, and it inspects pictures to the same verdicts and scores.
# The kernels for cores with dot products are really in it. Needs qemu-user-static, and what tests/cross-build.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${CARGO_TARGET_DIR:-target}"
work="$(mktemp -d)"
scenarios="constant operator camera-drops ramps-encoder"
trap 'rm -rf "$work"' EXIT
cargo build --release --workspace
there="$(tests/cross-build.sh)"
here="$folder/release/beltwatch"
dot_products="$(aarch64-linux-gnu-objdump -d "$there" | grep -cw sdot || true)"
[ "$dot_products" -gt 0 ] || { echo "no SDOT instruction in $there" >&2; exit 1; }
on_arm() { qemu-aarch64-static -cpu "$cpu" -L /usr/aarch64-linux-gnu "$there" "$@"; }

"$folder/release/beltwatch-train" synth "$work/parts" --seed 55221 --train 1 --test-good 20 --test-defects 2
"$here" inspect --json --recipe models/demo "$work/parts/test" > "$work/verdicts.jsonl"
for scenario in $scenarios; do
    RUST_LOG=error "$here" run --quiet --scenario "tests/scenarios/$scenario.toml" --record "$work/$scenario.jsonl" \
        --sheet "$work/rejects.png" > /dev/null &
done
wait
# SDOT, and a core without it
for cpu in cortex-a76 cortex-a72; do
    for record in $scenarios; do
        rm -f "$work/again.jsonl"
        on_arm replay "$work/$record.jsonl" --out "$work/again.jsonl"
        cmp "$work/$record.jsonl" "$work/again.jsonl"
    done
    on_arm inspect --json --recipe models/demo "$work/parts/test" > "$work/there.jsonl"
    cmp "$work/verdicts.jsonl" "$work/there.jsonl"
    echo "$cpu: $(wc -l < "$work/verdicts.jsonl") pictures and 4 records, the same bytes"
done
