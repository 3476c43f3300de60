#!/usr/bin/env bash
# update-reference.sh: write what the code goes by into the documents: the configuration reference
# and the error types (README.md, conf/millrace.ini.5; between markers), the grammar (README.md).
# Needs what scripts/test.sh installs.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake --preset dev >/dev/null
cmake --build build/dev --target test_reference >/dev/null
# Not forked, so that a file is written by one process from start to end.
MR_UPDATE_REFERENCE=1 CK_FORK=no build/dev/tests/test_reference
scripts/readme-grammar.sh >README.md.new
mv README.md.new README.md
git diff --stat -- README.md conf/millrace.ini.5
