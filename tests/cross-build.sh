#!/usr/bin/env bash
# Builds the program for aarch64 as it is shipped (profile `device`), or with a name one of the examples, and says on
# standard output where it is. Needs gcc-aarch64-linux-gnu, and the target's standard library: `rustup target add
# aarch64-unknown-linux-gnu`, or Debian's own compiler with libstd-rust-*:arm64.
set -euo pipefail
cd "$(dirname "$0")/.."
target=aarch64-unknown-linux-gnu
folder="${CARGO_TARGET_DIR:-target}/cross"
for compiler in rustc /usr/bin/rustc none; do
    libraries="$("$compiler" --print target-libdir --target "$target" 2>/dev/null || true)"
    if [ -n "$libraries" ] && [ -d "$libraries" ]; then break; fi
done
[ "$compiler" != none ] || { echo "no standard library for $target: rustup target add $target" >&2; exit 1; }
RUSTC="$compiler" cargo build --profile device --target "$target" --target-dir "$folder" -p beltwatch "${@:+--example=$1}" >&2
echo "$folder/$target/device/${1:+examples/}${1:-beltwatch}"
