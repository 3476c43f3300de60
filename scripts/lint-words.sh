#!/usr/bin/env bash
# lint-words.sh: what is unfinished is an issue, not a word in the source.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"

mapfile -t files < <(
    find_files "${all_folders[@]}" -- '*' | grep -vE '[.](log|jsonl)$'
    find . -maxdepth 1 -type f \( -name '*.md' -o -name CMakeLists.txt -o -name '*.json' \)
)
words='TO''DO|FIX''ME|XX''X|HA''CK'
if grep -nIwE "$words" "${files[@]}"; then
    echo "words: finish it or file an issue; no such word stays in the tree" >&2
    exit 1
fi
echo "words: ${#files[@]} files, 0 failures"
