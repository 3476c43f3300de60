#!/usr/bin/env bash
# lint.sh [NAME…]: run every lint, or the named ones (includes, size, format, …), and sum up.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
    set -- includes size words format shell python docs cppcheck tidy
fi
failed=()
for name in "$@"; do
    "scripts/lint-$name.sh" || failed+=("$name")
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "lint: failed: ${failed[*]}" >&2
    exit 1
fi
echo "lint: all passed"
