#!/bin/sh
# The slow suites: a million random scenarios of the line, with progress on standard error (about ten minutes on one core
# of a desktop); then every way for the daemon to go, twenty times each, with the times until all outputs are safe.
#   tests/slow.sh [SCENARIOS] [KILLS]
set -eu
cd "$(dirname "$0")/.."
BELTWATCH_SCENARIOS="${1:-1000000}" cargo test --release -p beltwatch-belt --test properties any_scenario -- --nocapture
BELTWATCH_KILLS="${2:-20}" cargo test --release -p beltwatch --test kills -- --nocapture --test-threads=1
