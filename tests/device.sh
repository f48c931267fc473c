#!/usr/bin/env bash
# The device rig with everything that it needs: builds the program for this computer and the package for aarch64, makes
# parts, boots the device in an emulated computer, and checks it from outside. Options go to the rig:
# `tests/device.sh --parts 20 --cycles 4`.
# Needs qemu-system-arm, gcc-aarch64-linux-gnu, the Rust target aarch64-unknown-linux-gnu, cargo-deb, Python 3, and Debian's arm64
# packages (`sudo dpkg --add-architecture arm64 && sudo apt-get update`).
set -euo pipefail
cd "$(dirname "$0")/.."
folder="${CARGO_TARGET_DIR:-target}"
parts="$folder/device-rig/parts"
cargo build --release --workspace
tests/cross-build.sh
board/package/notices.py target/THIRD-PARTY.md
package="$folder/device-rig/beltwatch_arm64.deb"
CARGO_TARGET_DIR="$folder/cross" cargo deb --no-build --profile device --target aarch64-unknown-linux-gnu --output "$package"
if [ ! -e "$parts" ]; then
    "$folder/release/beltwatch-train" synth "$parts" --seed 771 --train 1 --test-good 150 --test-defects 10
fi
exec "$folder/release/beltwatch-device-rig" \
    --package "$package" --host-beltwatch "$folder/release/beltwatch" \
    --pictures "$parts/test" --out "$folder/device-rig" --cache "$folder/device-rig/cache" "$@"
