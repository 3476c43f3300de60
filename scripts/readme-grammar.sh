#!/usr/bin/env bash
# readme-grammar.sh: print README.md with common/record/GRAMMAR.md in its place, between
# <!-- grammar:begin --> and <!-- grammar:end -->; titles go one level down, the first one goes.
set -euo pipefail
cd "$(dirname "$0")/.."
awk '
    FNR == NR { if (FNR > 2) grammar = grammar (/^#/ ? "#" : "") $0 "\n"; next }
    /^<!-- grammar:end -->$/ { inside = 0 }
    !inside { print }
    /^<!-- grammar:begin -->$/ { inside = 1; printf "%s", grammar }
' common/record/GRAMMAR.md README.md
