#!/usr/bin/env bash
# The aarch64 build decides as this machine does. Every kernel that this processor has, and under qemu-user every kernel of 64-bit
# ARM, makes the same of 216 rendered parts, to the last bit of what the network and the anomaly map say, SDOT and
# those of this processor also where two cores share a frame (an emulator on x86-64 says nothing about the order of their stores); a
# record of a run here is replayed there and gives the same bytes, and the program inspects pictures there to the same verdicts.
# Needs qemu-user-static, and what tests/cross-build.sh needs.
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${CARGO_TARGET_DIR:-target}"
work="$(mktemp -d)"
scenarios="constant operator camera-drops ramps-encoder"
trap 'rm -rf "$work"' EXIT
cargo build --release --workspace --bins --examples
there="$(tests/cross-build.sh)"
there_bits="$(tests/cross-build.sh fingerprint)"
here="$folder/release/beltwatch"
here_bits="$folder/release/examples/fingerprint"
for instruction in sdot smmla; do
    count="$(aarch64-linux-gnu-objdump -d "$there" | grep -cw "$instruction" || true)"
    [ "$count" -gt 0 ] || { echo "no $instruction instruction in $there" >&2; exit 1; }
done
on_arm() { qemu-aarch64-static -cpu "$cpu" -L /usr/aarch64-linux-gnu "$@"; }

"$folder/release/beltwatch-train" synth "$work/parts" --seed 55221 --train 1 --test-good 160 --test-defects 8
# bits KERNEL CORES NAME PROGRAM...
bits() { "${@:4}" models/demo "$1" "$2" "$work/parts/test" > "$work/$3.bits"; }
bits scalar 1 scalar "$here_bits"
pictures="$(wc -l < "$work/scalar.bits")"
[ "$pictures" -ge 200 ]
same() { cmp "$work/scalar.bits" "$work/$1.bits" && echo "$1: $pictures pictures, the same bits as scalar"; }
has() { grep -qw "$1" /proc/cpuinfo; }
for pair in avx2:avx2 avx_vnni:avx-vnni avx512_vnni:avx512-vnni; do
    kernel="${pair#*:}"
    if has "${pair%:*}"; then
        for cores in 1 2; do
            bits "$kernel" "$cores" "$kernel-$cores" "$here_bits"
            same "$kernel-$cores"
        done
    else
        echo "$kernel: not on this processor"
    fi
done
jobs=()
arm="cortex-a76:neon-sdot:1 cortex-a76:neon-sdot:2 cortex-a72:neon-smlal:1 max:neon-i8mm:1 cortex-a72:scalar:1"
for way in $arm; do
    IFS=: read -r cpu kernel cores <<< "$way"
    bits "$kernel" "$cores" "arm-$kernel-$cores" on_arm "$there_bits" &
    jobs+=("$!")
done
for job in "${jobs[@]}"; do wait "$job"; done
for way in $arm; do
    IFS=: read -r cpu kernel cores <<< "$way"
    same "arm-$kernel-$cores"
done

some="$(find "$work/parts/test" -mindepth 1 -type d ! -name good | sort | head -n 1)"
"$here" inspect --json --recipe models/demo "$some" > "$work/verdicts.jsonl"
for scenario in $scenarios; do
    RUST_LOG=error "$here" run --quiet --scenario "tests/scenarios/$scenario.toml" --record "$work/$scenario.jsonl" \
        --sheet "$work/rejects.png" > /dev/null &
done
wait
# SDOT, and a core without it
for cpu in cortex-a76 cortex-a72; do
    for record in $scenarios; do
        rm -f "$work/again.jsonl"
        on_arm "$there" replay "$work/$record.jsonl" --out "$work/again.jsonl"
        cmp "$work/$record.jsonl" "$work/again.jsonl"
    done
    on_arm "$there" inspect --json --recipe models/demo "$some" > "$work/there.jsonl"
    cmp "$work/verdicts.jsonl" "$work/there.jsonl"
    echo "$cpu: $(wc -l < "$work/verdicts.jsonl") verdicts and 4 records, the same bytes"
done
