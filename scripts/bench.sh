#!/usr/bin/env bash
# bench.sh [KIND…] [--OPTION…]: measure the reference work on this machine; see --help.
#   scripts/bench.sh                            throughput of all four ways in, 5 rounds
#   scripts/bench.sh latency idle --repeat 1
# Builds what users run (release) and the load program. Wall-clock figures depend on what else the
# machine does; the load of others stands beside each run. No test runs this at full size.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build
log=build/bench.log
if ! { cmake --preset release -DMR_BENCH=ON && cmake --build build/release; } >"$log" 2>&1; then
    tail -40 "$log"
    echo "bench.sh: the build failed; all of its output is in $log" >&2
    exit 1
fi
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 tests/bench/bench.py "$@"
