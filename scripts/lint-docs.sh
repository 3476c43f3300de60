#!/usr/bin/env bash
# lint-docs.sh: every relative link of the documents leads somewhere, to a heading too; README holds
# the grammar as it is and, as ARCHITECTURE does, the figures of the stored results; tests that are
# named exist; man pages are well formed.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"
need /usr/bin/python3
need mandoc

failures=0
mapfile -t documents < <(
    find . -maxdepth 1 -type f -name '*.md' -printf '%P\n' | sort
    find_files "${all_folders[@]}" -- '*.md'
)
mapfile -t pages < <(find_files "${all_folders[@]}" -- '*.[1-8]')

/usr/bin/python3 - "${documents[@]}" <<'PYTHON' || failures=1
import os
import re
import sys

LINK = re.compile(r"!?\[[^]\n]*\]\(<?([^)>\s]+)>?\)")


def prose(path):
    """The lines outside of code blocks, with their numbers."""
    fenced = False
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source, 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            elif not fenced:
                yield number, line


def headings(path):
    found = set()
    for _, line in prose(path):
        if line.startswith("#"):
            text = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            slug = text.replace(" ", "-")
            count = 0
            while (name := f"{slug}-{count}" if count else slug) in found:
                count += 1
            found.add(name)
    return found


failures = 0
for document in sys.argv[1:]:
    for number, line in prose(document):
        for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, heading = target.partition("#")
            path = os.path.join(os.path.dirname(document), name) if name else document
            if not os.path.exists(path):
                print(f"{document}:{number}: the link leads nowhere: {target}")
                failures += 1
            elif heading and heading not in headings(path):
                print(f"{document}:{number}: no such heading: {target}")
                failures += 1
sys.exit(1 if failures else 0)
PYTHON

if [ -f README.md ] && [ -f common/record/GRAMMAR.md ]; then
    scripts/readme-grammar.sh | cmp -s - README.md || {
        echo "README.md:1: the grammar differs: run scripts/update-reference.sh"
        failures=1
    }
fi
# Figures are those of the stored results.
if [ -f tests/bench/bench.py ]; then
    PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/bench/bench.py --check || failures=1
fi
# A test that a document names is there.
if [ -f tests/README.md ]; then
    while read -r name; do
        grep -rqw --include='*.py' --include='*.c' "$name" tests || {
            echo "tests/README.md:1: no such test: $name"
            failures=1
        }
    done < <(grep -oE 'test_[a-z0-9_]+' tests/README.md | sort -u)
fi
# Style remarks are left out: lines follow this tree's width.
[ "${#pages[@]}" -eq 0 ] || mandoc -Tlint -Wwarning "${pages[@]}" || failures=1

[ "$failures" -eq 0 ] || exit 1
echo "docs: ${#documents[@]} documents, ${#pages[@]} man pages, 0 failures"
