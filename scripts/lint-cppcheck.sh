#!/usr/bin/env bash
# lint-cppcheck.sh: cppcheck over the sources of the programs; scripts/cppcheck.supp lists what it
# is wrong about. Tests are left to clang-tidy and to the sanitizers that they run under.
# Its results are kept in build/lint/cppcheck, so that a second run looks at changed files only.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"
need cppcheck

mapfile -t files < <(find_files common stages monitor launcher -- '*.c' '*.cc')
mkdir -p build/lint/cppcheck
# Findings across files leave the exit code at 0: whatever is said is a fault.
said=$(cppcheck --quiet --std=c17 --std=c++17 --enable=warning,performance,portability \
    --inline-suppr --error-exitcode=1 -j 2 --cppcheck-build-dir=build/lint/cppcheck \
    --suppressions-list=scripts/cppcheck.supp --template='{file}:{line}: {id}: {message}' \
    -D_GNU_SOURCE -D__x86_64__ '-DMR_VERSION="0"' -I . "${files[@]}" 2>&1) ||
    said=${said:-cppcheck failed}
if [ -n "$said" ]; then
    echo "$said"
    exit 1
fi
echo "cppcheck: ${#files[@]} files, 0 failures"
