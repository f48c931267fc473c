#!/usr/bin/env bash
# Each parser against whatever a fuzzer can think of, for so many seconds each; starts from the repository's own files.
# What was found interesting is kept in fuzz/corpus, what made a parser fail in fuzz/artifacts.
#   tests/fuzz.sh [SECONDS] [TARGET...]
# Needs a nightly compiler and cargo-fuzz (`cargo install cargo-fuzz`).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(board scenario record recipe model camera control)
seeds="$(mktemp -d)"
trap 'rm -rf "$seeds"' EXIT
mkdir -p "$seeds"/{board,scenario,record,recipe,model,camera,control}
cp board/*.toml "$seeds/board"
cp tests/scenarios/*.toml "$seeds/scenario"
cp models/demo/recipe.toml "$seeds/recipe"
printf 'recipe models/demo' > "$seeds/control/recipe"
cargo build --release --workspace
bin="${CARGO_TARGET_DIR:-target}/release"
"$bin/beltwatch" run --quiet --parts 3 --record "$seeds/record/run.jsonl" --sheet "$seeds/rejects.png"
"$bin/beltwatch-train" synth "$seeds/parts" --train 12 --test-good 1 --test-defects 1 --size 32
"$bin/beltwatch-train" teach "$seeds/parts" --out "$seeds/taught" --size 32 --steps 2
cp "$seeds/taught/model.onnx" "$seeds/model"
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target"
    cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "$seeds/$target" -- -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096
done
