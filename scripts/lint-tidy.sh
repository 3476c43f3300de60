#!/usr/bin/env bash
# lint-tidy.sh [FILE…]: clang-tidy with .clang-tidy over the sources of build/dev, two at a time.
# A file that passed is not looked at again until it, a header of ours that it includes, its flags
# or .clang-tidy change: build/lint/tidy holds one empty file for each hash that passed.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"
need clang-tidy

database=build/dev
[ -f "$database/compile_commands.json" ] || {
    echo "tidy: no $database/compile_commands.json: run cmake --preset dev" >&2
    exit 1
}
mkdir -p build/lint/tidy
exec /usr/bin/python3 scripts/lint-tidy.py "$database" build/lint/tidy "$@"
