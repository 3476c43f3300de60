#!/usr/bin/env bash
# test.sh [--yes] [CTEST-ARGUMENT…]: install what is missing, build, and run every test.
#   dev      sanitizers, warnings as errors: what unit, integration and lint tests run
#   release  what users run: builds without a warning, and is what launch.sh and its tests use
#   fuzz     each libFuzzer harness for 5 s, beside the replay of its corpus by ctest
# Arguments that ctest knows choose among the tests, and leave release and fuzz out:
# scripts/test.sh -R unit
set -euo pipefail
cd "$(dirname "$0")/.."

deps=(test)
if [ "${1:-}" = --yes ]; then
    deps=(--yes test)
    shift
fi
scripts/deps.sh "${deps[@]}"

# build PRESET: quiet while it goes well.
build() {
    local log=build/$1.log
    mkdir -p build
    echo "building $1"
    if ! { cmake --preset "$@" && cmake --build "build/$1"; } >"$log" 2>&1; then
        tail -60 "$log"
        echo "the build of $1 failed; all of its output is in $log" >&2
        exit 1
    fi
}

build dev
if [ $# -eq 0 ]; then
    build release -DMR_WERROR=ON
    echo "fuzzing, 5 s each"
    scripts/fuzz.sh 5
fi
# The tests start hundreds of processes with deadlines. On a CI machine that others keep busy a test
# gets a second try; the output says so. A person's run repeats nothing. What was once found lost,
# doubled or out of balance stays so: tests that judge write it down, no second try mends it.
repeat=()
[ "${CI:-}" = true ] && repeat=(--repeat until-pass:2)
export MILLRACE_VERDICTS="$PWD/build/verdicts"
rm -f "$MILLRACE_VERDICTS"
ctest --test-dir build/dev --output-on-failure --no-tests=error --parallel 2 --timeout 300 \
    ${repeat[@]+"${repeat[@]}"} "$@"
if [ -s "$MILLRACE_VERDICTS" ]; then
    cat "$MILLRACE_VERDICTS"
    echo "records were lost or doubled, or the books did not balance: see above" >&2
    exit 1
fi
