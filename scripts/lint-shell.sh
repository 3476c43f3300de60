#!/usr/bin/env bash
# lint-shell.sh: shellcheck over every script; each is executable and stops at its first error.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"
need shellcheck

mapfile -t files < <(
    find_files "${all_folders[@]}" -- '*.sh' '*.bash'
    [ ! -f .ci/run ] || echo .ci/run
)
failures=0
shellcheck -x "${files[@]}" || failures=1
for file in "${files[@]}"; do
    # A file without a #! line is sourced: neither rule is for it.
    [[ $(head -c 2 "$file") == '#!' ]] || continue
    [ -x "$file" ] || {
        echo "$file:1: not executable: chmod +x"
        failures=1
    }
    grep -qE '^set -euo? ?' "$file" || {
        echo "$file:1: no 'set -euo pipefail'"
        failures=1
    }
done
[ "$failures" -eq 0 ] || exit 1
echo "shell: ${#files[@]} files, 0 failures"
