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
# Each test that the table of promises names stands in the file that it names.
if [ -f tests/README.md ]; then
    /usr/bin/python3 - <<'PYTHON' || failures=1
import os
import re
import sys

# What is no file, and where the files of the others are.
KNOWN = {"bench", "by hand", "chaos.power", "chaos.short", "compiler", "guard"}
FOLDERS = {"unit": "tests/unit/test_{}.c", "model": "tests/model/{}.pml",
           "lint": "scripts/lint-{}.sh", "conf": "conf/{}.ini", "sh": "tests/integration/{}.sh"}


def fault_of(entry):
    """What is wrong with one entry: "FILE", "FILE: TEST, ...", "unit FILE, ...", "lint FILE"."""
    kind, _, names = entry.partition(" ")
    if entry in KNOWN:
        return None
    if kind in FOLDERS:
        paths = [FOLDERS[kind].format(name) for name in names.split(", ")]
        return next((f"no such file: {path}" for path in paths if not os.path.exists(path)), None)
    name, _, tests = entry.partition(": ")
    path = f"tests/integration/test_{name}.py"
    if not os.path.exists(path):
        return f"no such test: {entry}"
    with open(path, encoding="utf-8") as source:
        there = set(re.findall(r"^def (test_\w+)", source.read(), re.MULTILINE))
    return next((f"no such test in {path}: {test}" for test in tests.split(", ")
                 if test and test not in there), None)


failures = 0
rows = 0
with open("tests/README.md", encoding="utf-8") as document:
    for number, line in enumerate(document, 1):
        rows = rows + 1 if line.startswith("| promise | test |") or rows else 0
        if rows < 3 or not line.startswith("|"):
            continue
        said = re.sub(r" \([^()]*(?:\([^()]*\)[^()]*)*\)", "", line.rsplit(" | ", 1)[1])
        for entry in said.strip().rstrip("|").strip().split("; "):
            if (fault := fault_of(entry)) is not None:
                print(f"tests/README.md:{number}: {fault}")
                failures += 1
sys.exit(1 if failures else 0)
PYTHON
fi
# Style remarks are left out: lines follow this tree's width.
[ "${#pages[@]}" -eq 0 ] || mandoc -Tlint -Wwarning "${pages[@]}" || failures=1

[ "$failures" -eq 0 ] || exit 1
echo "docs: ${#documents[@]} documents, ${#pages[@]} man pages, 0 failures"
