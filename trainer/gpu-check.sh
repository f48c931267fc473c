#!/usr/bin/env bash
# What has to be seen on a GPU, with a program that was built beforehand (--features cuda), as a small report:
#   devices, whether CPU and GPU train alike, milliseconds a step beside PyTorch on the same network, time and peak memory
#   of a whole `teach` with the standard preset.
#     trainer/gpu-check.sh PROGRAM OUT [DATA]
# PROGRAM: beltwatch-train; OUT: a folder that does not exist; DATA: good pictures (rendered ones otherwise).
# DEVICE=cpu tries the script itself where there is no GPU; TEACH_STEPS shortens the last part.
# PyTorch is left out, and said to be, where `python3 -c "import torch"` fails.
set -euo pipefail
program="$(realpath "$1")"
out="$2"
device="${DEVICE:-cuda}"
# Both sum floats in another order; twenty averaged steps stay together this closely.
tolerance=0.02
here="$(dirname "$(realpath "$0")")"
mkdir "$out"
report="$out/report.md"
say() { printf '%s\n' "$*" | tee -a "$report"; }
key() { sed -n "s/^$2 = //p" "$1/recipe.toml"; }

say "# GPU check, $device"
say
say '```'
say "$("$program" --version)"
say "$("$program" devices)"
say '```'

data="${3:-}"
if [ -z "$data" ]; then
    data="$out/parts"
    "$program" synth "$data" --train 120 --test-good 0 --test-defects 0
fi

say
say "## The same seed on CPU and $device"
for where in cpu "$device"; do
    "$program" teach "$data" --out "$out/alike-$where" --preset quick --steps 60 --device "$where" --force --no-float-model \
        2> "$out/alike-$where.log"
done
cpu="$(key "$out/alike-cpu" final_loss)"
gpu="$(key "$out/alike-$device" final_loss)"
awk -v a="$cpu" -v b="$gpu" -v most="$tolerance" 'BEGIN {
    apart = (a > b ? a - b : b - a) / a
    printf "loss after 60 steps: CPU %s, '"$device"' %s, apart %.2f %% (at most %.0f %%): %s\n", a, b, 100 * apart, 100 * most,
        apart <= most ? "alike" : "NOT ALIKE"
    exit apart > most
}' | tee -a "$report"

say
say "## Standard preset"
peak=0
steps=()
[ -z "${TEACH_STEPS:-}" ] || steps=(--steps "$TEACH_STEPS")
SECONDS=0
"$program" teach "$data" --out "$out/standard" --device "$device" "${steps[@]}" 2> "$out/standard.log" &
while kill -0 $! 2> /dev/null; do
    if [ "$device" = cuda ]; then
        used="$(nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits 2> /dev/null | head -1 || true)"
        [ "${used:-0}" -le "$peak" ] || peak="$used"
    fi
    sleep 1
done
wait $!
say "teach: $SECONDS s in all"
[ "$device" != cuda ] || say "most GPU memory in use: $peak MiB"
taught="$(sed -n 's/^taught \([0-9]*\) steps in \([0-9]*\) s.*/\1 \2/p' "$out/standard.log")"
say "ours: $(awk '{ printf "%.1f", 1000 * $2 / $1 }' <<< "$taught") ms a step, data, augmentation and procedural defects included"
if python3 -c "import torch" 2> /dev/null; then
    say "$(python3 "$here/scripts/torch_speed.py" "$out/standard.run/teach.toml" --device "$device"), on random pictures"
else
    say "PyTorch is not installed: nothing to compare with"
fi
if [ "$device" = cuda ]; then
    say
    say "## Memory that is short"
    sed 's/^batch = .*/batch = 1024/' "$out/standard.run/teach.toml" > "$out/large.toml"
    "$program" teach "$data" --out "$out/large" --device cuda --config "$out/large.toml" --steps 2 2> "$out/large.log"
    say "$(grep 'pictures a step in place of' "$out/large.log")"
fi
printf '\nreport: %s\n' "$report"
