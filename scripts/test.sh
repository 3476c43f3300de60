#!/usr/bin/env bash
# test.sh [--yes]: install what is missing, build with sanitizers and run every test.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh "$@" test
cmake --preset dev >/dev/null
cmake --build build/dev
exec ctest --test-dir build/dev --output-on-failure
