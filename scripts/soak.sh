#!/usr/bin/env bash
# soak.sh [--yes] [MINUTES]: the tests that want time: for MINUTES (30) every fuzzer, then chaos
# (processes killed under load); then the power is cut 60 times (root), and the protocol's models in
# full, a quarter of an hour. Ends at the first failure.
set -euo pipefail
cd "$(dirname "$0")/.."

deps=(test)
if [ "${1:-}" = --yes ]; then
    deps=(--yes test)
    shift
fi
minutes=${1:-30}
[[ $minutes =~ ^[1-9][0-9]*$ ]] || {
    echo "usage: scripts/soak.sh [--yes] [MINUTES]" >&2
    exit 64
}
scripts/deps.sh "${deps[@]}"

# Half of the time is the fuzzers', two at a time and never under 60 s each; the rest is chaos's.
harnesses=$(find tests/fuzz -name 'fuzz_*.c*' | wc -l)
seconds=$((minutes * 60 / 2 * 2 / harnesses))
[ "$seconds" -ge 60 ] || seconds=60
echo "soak: $harnesses fuzzers, $seconds s each"
scripts/fuzz.sh "$seconds"

if [ -x tests/chaos/run.sh ]; then
    echo "soak: chaos for $((minutes / 2 + 1)) minutes"
    tests/chaos/run.sh "$((minutes / 2 + 1))"
    echo "soak: power loss"
    MILLRACE_BIN=$PWD/build/release/bin tests/chaos/power_loss.py --cuts 60 --seed "$RANDOM"
fi
if [ -x tests/model/run.sh ]; then
    echo "soak: models, large"
    tests/model/run.sh large
fi
echo "soak: passed"
