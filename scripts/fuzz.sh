#!/usr/bin/env bash
# fuzz.sh SECONDS [NAME…]: build the libFuzzer harnesses of tests/fuzz and run each (or the named
# ones) for SECONDS, two at a time. It starts from tests/fuzz/corpus/NAME and keeps what it finds in
# build/fuzz/corpus/NAME; a failing input is named, and ends the script with 1.
# fuzz.sh merge NAME: the smallest set of inputs with all of that coverage becomes the corpus.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    echo "usage: scripts/fuzz.sh SECONDS|merge [NAME…]" >&2
    exit 64
}
[ $# -ge 1 ] || usage
action=$1
shift
[[ $action == merge || $action =~ ^[0-9]+$ ]] || usage

mkdir -p build
cmake --preset fuzz >build/fuzz.log 2>&1 || { cat build/fuzz.log && exit 1; }
cmake --build build/fuzz --target fuzzers >build/fuzz.log 2>&1 || { cat build/fuzz.log && exit 1; }

if [ $# -eq 0 ]; then
    for source in tests/fuzz/fuzz_*.c*; do
        name=${source##*/fuzz_}
        set -- "$@" "${name%.c*}"
    done
fi

fuzz_one() {
    local name=$1 seconds=$2 found=build/fuzz/corpus/$1 seeds=tests/fuzz/corpus/$1
    local log=build/fuzz/$name.log options=()
    mkdir -p "$found" "$seeds"
    [ ! -f "tests/fuzz/$name.dict" ] || options+=("-dict=tests/fuzz/$name.dict")
    if build/fuzz/fuzz/"fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -max_len=16384 -use_value_profile=1 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/failed-$name-" "${options[@]}" "$found" "$seeds" \
        >"$log" 2>&1; then
        awk -v name="$name" '
            /cov: / { match($0, /cov: [0-9]+/); coverage = substr($0, RSTART + 5, RLENGTH - 5) }
            /number_of_executed_units/ { runs = $2 }
            END { printf "fuzz %s: %d inputs tried, %d edges covered\n", name, runs, coverage }
        ' "$log"
    else
        tail -40 "$log"
        echo "fuzz $name: FAILED; the input is build/fuzz/failed-$name-*," \
            "and belongs in $seeds once it is mended"
        return 1
    fi
}

merge_one() {
    local name=$1 seeds=tests/fuzz/corpus/$1 merged=build/fuzz/merged-$1
    rm -rf "$merged"
    mkdir -p "$merged" "$seeds" "build/fuzz/corpus/$name"
    build/fuzz/fuzz/"fuzz_$name" -merge=1 "$merged" "$seeds" "build/fuzz/corpus/$name" \
        >"build/fuzz/$name.log" 2>&1
    rm -f "$seeds"/*
    cp "$merged"/* "$seeds/"
    echo "fuzz $name: $(find "$seeds" -type f | wc -l) inputs, $(du -sh "$seeds" | cut -f 1)"
}

if [ "$action" = merge ]; then
    for name in "$@"; do
        merge_one "$name"
    done
    exit 0
fi
export -f fuzz_one
# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\n' "$@" | xargs -P 2 -I{} bash -c 'fuzz_one "$1" "$2"' fuzz {} "$action"
