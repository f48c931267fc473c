#!/usr/bin/env bash
# 100,000 parts with the real threads, the real network and a program beside that wants a core for itself: nobody is
# wrong but the network, and the gate is on time. Takes 25 minutes; needs Python 3 besides.
#   tests/soak.sh [PARTS]
set -euo pipefail
cd "$(dirname "$0")/.."
parts="${1:-100000}"
cargo build --release --workspace
bin="${CARGO_TARGET_DIR:-target}/release"
work="$(mktemp -d)"
hog=
trap 'kill $hog 2>/dev/null; rm -rf "$work"' EXIT
sed "s/^parts = .*/parts = $parts/" tests/soak.toml > "$work/soak.toml"
# not the pictures that the shipped recipe was taught with
"$bin/beltwatch-train" synth "$work/parts" --seed 55221 --train 1 --test-good 200 --test-defects 2 --size 256
(while :; do :; done) &
hog=$!
RUST_LOG=error "$bin/beltwatch" run --quiet --scenario "$work/soak.toml" --pictures "$work/parts/test" --recipe models/demo \
    --state "$work/state" --json "$work/soak.json" --sheet "$work/rejects.png"
python3 - "$work/soak.json" "$parts" <<'PY'
import json, sys
run, parts = json.load(open(sys.argv[1])), int(sys.argv[2])
c, truth, late = run["counters"], run["truth"], run["gate_error"]
print("rejected:", {k: v for k, v in run["rejected_by_cause"].items() if v}, "gate error us:", late)
assert c["triggers"] == parts == c["passed"] + run["rejected"], c
assert truth["gate_disagrees"] == 0 == truth["device_disagrees"], truth
assert c["late_verdicts"] == 0 == c["late_pulses"] and run["trace_dropped"] == 0, c
assert late["p99_us"] < 200, late
PY
