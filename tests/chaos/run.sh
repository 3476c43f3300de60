#!/usr/bin/env bash
# run.sh [MINUTES [SEED [KILLS]]]: long chaos at full load against the release build, two minutes a
# seed; KILLS: one run, until so many processes were killed, whatever it takes.
set -euo pipefail
cd "$(dirname "$0")/../.."

minutes=${1:-15}
seed=${2:-$RANDOM}
kills=${3:-0}
cmake --preset release >/dev/null
cmake --build build/release >/dev/null
export MILLRACE_BIN=$PWD/build/release/bin PYTHONDONTWRITEBYTECODE=1

if [ "$kills" -gt 0 ]; then
    exec tests/chaos/chaos.py --kills "$kills" --seed "$seed"
fi
end=$((SECONDS + minutes * 60))
while [ "$SECONDS" -lt "$end" ]; do
    tests/chaos/chaos.py --seconds 120 --seed "$seed"
    seed=$((seed + 1))
done
