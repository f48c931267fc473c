#!/usr/bin/env bash
# Times the device's network beside ONNX Runtime, OpenVINO, ncnn and tract, in all forms of the same function, on this computer.
#     benches/peers/run.sh [--recipe FOLDER] [--rounds N] [--json FILE]
# Needs python3 with venv; installs pinned packages into the target folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
recipe=models/demo
options=()
while [ $# -gt 0 ]; do
    case $1 in
        --recipe) recipe=$2; shift 2 ;;
        *) options+=("$1"); shift ;;
    esac
done
folder="${CARGO_TARGET_DIR:-target}"
cargo build --release --workspace --bin beltwatch
# tract at its fastest: neither the release build nor the device's optimises it for speed
cargo build --profile stock -p beltwatch-vision --example tract
if ! cmp --quiet <(cat benches/peers/requirements*.txt) "$folder/peers/ready"; then
    python3 -m venv --clear "$folder/peers"
    "$folder/peers/bin/pip" install --quiet --requirement benches/peers/requirements.txt
    # only the program in it is used: PyTorch, which its module asks for, is not
    "$folder/peers/bin/pip" install --quiet --no-deps --requirement benches/peers/requirements-alone.txt
    cat benches/peers/requirements*.txt > "$folder/peers/ready"
fi
forms="$folder/peers/forms"
rm -rf "$forms"
"$folder/peers/bin/python" benches/peers/forms.py "$recipe/model.onnx" "$forms"
exec "$folder/peers/bin/python" benches/peers/peers.py --recipe "$recipe" --beltwatch "$folder/release/beltwatch" \
    --tract "$folder/stock/examples/tract" --forms "$forms" "${options[@]}"
