#!/bin/sh
# The slow suite: a million random scenarios of the line, with progress on standard error. About ten minutes on one core
# of a desktop.
#   tests/slow.sh [SCENARIOS]
set -eu
cd "$(dirname "$0")/.."
BELTWATCH_SCENARIOS="${1:-1000000}" exec cargo test --release -p beltwatch-belt --test properties any_scenario -- --nocapture
