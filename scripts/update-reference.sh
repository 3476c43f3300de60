#!/usr/bin/env bash
# update-reference.sh: write the configuration reference and the error types into README.md, between
# <!-- reference:begin --> and <!-- reference:end -->, and <!-- errors:begin --> and
# <!-- errors:end -->. Needs the dev build (scripts/test.sh makes it).
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset dev >/dev/null
cmake --build build/dev --target test_reference >/dev/null
# Not forked, so that a file is written by one process from start to end.
MR_UPDATE_REFERENCE=1 CK_FORK=no build/dev/tests/test_reference
git diff --stat -- README.md
