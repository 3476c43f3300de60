#!/usr/bin/env bash
# test-lints.sh: each lint refuses what it is for. In a small tree of its own, one bad file after
# the other: the lint must fail and must name the file and the reason.
set -euo pipefail
cd "$(dirname "$0")/../.."

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{common/{base,wire,record,runtime},stages/{ingest,metrics},monitor,launcher,tests}
mkdir -p "$tree"/{conf,scripts}
cp scripts/lint-*.sh "$tree/scripts/"
cp .clang-format "$tree/"

failures=0
count=0

# expect LINT PATH TEXT: with the bytes of stdin as PATH, LINT fails and prints PATH and TEXT.
expect() {
    local lint=$1 path=$2 text=$3 output
    count=$((count + 1))
    cat >"$tree/$path"
    if output=$("$tree/scripts/lint-$lint.sh" 2>&1); then
        echo "lint-$lint.sh let $path pass ($text)"
        failures=$((failures + 1))
    elif [[ $output != *"$path"* || $output != *"$text"* ]]; then
        echo "lint-$lint.sh refused $path without saying '$text':"
        echo "$output"
        failures=$((failures + 1))
    fi
    rm "$tree/$path"
}

# The tree is clean to begin with, so that what fails below fails for its own reason.
echo 'int mr_x;' >"$tree/common/base/x.c"
for lint in includes size words format shell python docs; do
    "$tree/scripts/lint-$lint.sh" >"$tree/output" 2>&1 || {
        cat "$tree/output"
        echo "lint-$lint.sh fails on a clean tree"
        exit 1
    }
done

printf '#ifndef MR_COMMON_WIRE_W_H\n#define MR_COMMON_WIRE_W_H\nint mr_w;\n#endif\n' \
    >"$tree/common/wire/w.h"
printf '#ifndef MR_STAGES_METRICS_M_H\n#define MR_STAGES_METRICS_M_H\nint mr_m;\n#endif\n' \
    >"$tree/stages/metrics/m.h"

expect includes common/base/bad.c 'may not include "common/wire/w.h"' \
    <<<'#include "common/wire/w.h"'
expect includes stages/ingest/bad.c 'programs share bytes' <<<'#include "stages/metrics/m.h"'
expect includes common/wire/bad.c 'may not include "stages/metrics/m.h"' \
    <<<'#include "stages/metrics/m.h"'
expect includes common/wire/bad.c 'has its place' <<<'#include <zmq.h>'
expect includes stages/metrics/bad.c 'has its place' <<<'#include <czmq.h>'
expect includes launcher/bad.c 'has its place' <<<'#include <ini.h>'
expect includes common/record/bad.c 'has its place' <<<'#include <simdjson.h>'
expect includes common/base/bad.c 'has its place' <<<'#include <jansson.h>'
expect includes common/base/bad.c 'neither libc nor' <<<'#include <glib.h>'
expect includes common/wire/bad.c 'not a path from the top' <<<'#include "w.h"'
expect includes common/wire/w.c 'own header first' <<<'#include <stdio.h>'
expect includes common/wire/bad.h 'include guard' <<<'#ifndef BAD_H'
expect includes monitor/bad.h 'umbrella header' <<'END'
#ifndef MR_MONITOR_BAD_H
#include "common/wire/w.h"
#include <stdio.h>
#endif
END
expect size common/base/bad.c 'function has 61 lines' < <(
    printf 'void\nf (void)\n{\n'
    seq -f '    f (%g);' 61
    printf '}\n'
)
expect size common/base/bad.c 'file has 501 lines' < <(seq -f 'int f%g;' 501)
expect size common/base/bad.h 'file has 201 lines' < <(seq -f 'int f%g;' 201)
expect size common/base/bad.c 'line has 101 columns' < <(printf '%0101d\n' 0)
expect words common/base/bad.c 'later' <<<'/* TO''DO: later */'
expect words common/wire/errortype.h 'nobody reports MR_ERR_UNUSED' \
    <<<'enum { MR_ERR_NONE, MR_ERR_UNUSED, MR_ERR_COUNT };'
expect format common/base/bad.c 'clang-format' <<<'int   mr_y;'
expect shell scripts/bad.sh 'SC2086' <<<$'#!/bin/bash\nset -e\necho $1'
expect shell scripts/bad.sh 'not executable' <<<$'#!/bin/bash\nset -e'
expect python tests/bad.py 'bad.py:1' <<<'def'
expect python tests/bad.py "undefined name 'os'" <<<'os.getpid()'
expect python tests/bad.py '#!/usr/bin/python3' <<<'#!/usr/bin/env python3'
expect docs conf/bad.md 'leads nowhere: ../no.md' <<<'See [this](../no.md).'
expect docs conf/bad.md 'no such heading: #nine' <<<$'# Ten\n\n[nine](#nine)'
expect docs conf/bad.1 'WARNING: missing' <<<$'.TH\n.SH NAME'
mkdir -p "$tree/tests/integration"
echo 'def test_a (): pass' >"$tree/tests/integration/test_x.py"
head=$'| promise | test |\n|---|---|'
expect docs tests/README.md 'no such test in tests/integration/test_x.py: test_b' \
    <<<"$head"$'\n| p | x: test_a, test_b |'
expect docs tests/README.md 'no such file: tests/unit/test_y.c' <<<"$head"$'\n| p | unit y |'
expect docs tests/README.md 'no such test: y' <<<"$head"$'\n| p | x (all of it); y |'
mkdir -p "$tree/tests/bench/results"
cp ARCHITECTURE.md "$tree/"
cp tests/bench/*.py "$tree/tests/bench/"
cp tests/bench/results/{results.json,report.md} "$tree/tests/bench/results/"
expect docs README.md 'its figures are not those of' \
    < <(sed '/bench-table:begin/,/bench-table:end/s/| [0-9.]* M |/| 9.99 M |/' README.md)

echo "lints: $count bad files tried, $failures failures"
[ "$failures" -eq 0 ]
