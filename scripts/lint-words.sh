#!/usr/bin/env bash
# lint-words.sh: what is unfinished is an issue, not a word in the source; every error type of
# common/wire/errortype.h is one that some program reports.
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
if [ -f common/wire/errortype.h ]; then
    failures=0
    while read -r name; do
        grep -rqw --include='*.c' --exclude=errortype.c "$name" common stages monitor launcher || {
            echo "common/wire/errortype.h:1: nobody reports $name"
            failures=1
        }
    done < <(grep -oE '\bMR_ERR_[A-Z0-9_]+' common/wire/errortype.h |
        grep -vE '^MR_ERR_(NONE|COUNT)$' | sort -u)
    [ "$failures" -eq 0 ] || exit 1
fi
echo "words: ${#files[@]} files, 0 failures"
