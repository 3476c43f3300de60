#!/usr/bin/env bash
# lint-format.sh [--fix]: clang-format decides the layout of C and C++; --fix applies it.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"
need clang-format

mapfile -t files < <(code_files)
if [ "${1:-}" = --fix ]; then
    exec clang-format -i "${files[@]}"
fi
if ! clang-format --dry-run --Werror "${files[@]}"; then
    echo "format: run scripts/lint-format.sh --fix" >&2
    exit 1
fi
echo "format: ${#files[@]} files, 0 failures"
