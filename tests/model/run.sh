#!/usr/bin/env bash
# run.sh [small|large] [MODEL [MACRO...]] | show MODEL [MACRO...]: search the delivery models with
# spin and compare with runs.txt.
#
# small  every rule and every mutation, under a minute of CPU: what ctest runs.
# large  the rows marked large: a quarter of an hour, and up to MODEL_MEMORY_MB (8000) each.
# MODEL  only the rows of this model (safety, recovery, ...); with MACROs only the row that has
#        these and no others ("-": none).
# show   MODEL [MACRO...]: the shortest failure of one model, step by step.
#
# A mutation breaks one rule on purpose: its row names the violation that spin must find. Exit 1 if
# a row finds something else, or if a search of the small set was cut short (not exhaustive); a cut
# search of the large set is shown as "cut" and proves nothing. MODEL_SECONDS bounds one search.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
size=${1:-small}
only=${2:-}
row_macros=("${@:3}")
[ "$size" != show ] || [ -n "$only" ] || size=usage
case "$size" in
small) optimise_ok=-O0 seconds=${MODEL_SECONDS:-120} memory=${MODEL_MEMORY_MB:-2000} ;;
show) optimise_ok=-O1 seconds=${MODEL_SECONDS:-600} memory=${MODEL_MEMORY_MB:-4000} ;;
large) optimise_ok=-O2 seconds=${MODEL_SECONDS:-3600} memory=${MODEL_MEMORY_MB:-8000} ;;
*)
    echo "usage: tests/model/run.sh [small|large] [MODEL [MACRO...]] | show MODEL [MACRO...]" >&2
    exit 64
    ;;
esac
collapse=(-DCOLLAPSE) # states take less memory, and more time
hash_ok=24 # 2^24 slots
if [ "$size" = small ]; then
    collapse=()
    hash_ok=22
fi
for tool in spin gcc; do
    command -v "$tool" >/dev/null || {
        echo "run.sh: $tool is not installed; scripts/deps.sh test installs it" >&2
        exit 1
    }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# search MODEL EXPECTED MACRO...: leaves pan's report in $work/report. A search that should end
# early, or is small, is not worth an optimised verifier: compiling it takes longer.
search() {
    local model=$1 optimise=-O0 hash=20 # 2^20 slots: zeroing more takes longer than such a search
    [ "$2" != ok ] || optimise=$optimise_ok hash=$hash_ok
    shift 2
    rm -f "$work"/*
    (
        cd "$work"
        spin -a "${@/#/-D}" "$here/$model.pml" >spin.out 2>&1 || {
            cat spin.out >&2
            exit 1
        }
        gcc "$optimise" -w -DSAFETY "${collapse[@]}" -DVECTORSZ=2048 "-DMEMLIM=$memory" -o pan pan.c
        timeout "$seconds" ./pan -m1000000 "-w$hash" >report 2>&1 || true
    )
}

# verdict: ok, the name of the violation, or cut.
verdict() {
    local report=$work/report name
    if grep -q '^pan:1: invalid end state' "$report"; then
        echo stuck
    elif name=$(grep -m1 -o '^pan:1: assertion violated .*(at depth' "$report"); then
        name=${name#*violated }
        tr -d '!() ' <<<"${name%(at depth}"
    elif grep -q 'errors: 0' "$report" &&
        ! grep -q 'Search not completed\|max search depth too small' "$report"; then
        echo ok
    else
        echo cut
    fi
}

# show MODEL MACRO...: breadth first, which finds a shortest failure; spin refuses hidden variables
# there, so they are made plain ones.
show() {
    local model=$1 file
    shift
    [ -f "$here/$model.pml" ] || {
        echo "run.sh: no model $model in tests/model" >&2
        exit 64
    }
    for file in "$here"/*.pml "$here"/*.inc; do
        sed 's/^hidden //' "$file" >"$work/${file##*/}"
    done
    cd "$work"
    spin -a "${@/#/-D}" "$model.pml"
    gcc "$optimise_ok" -w -DSAFETY -DCOLLAPSE -DBFS -DVECTORSZ=2048 "-DMEMLIM=$memory" -o pan pan.c
    timeout "$seconds" ./pan >report 2>&1 || true
    grep '^pan:1\|errors:' report
    [ ! -f "$model.pml.trail" ] || spin -t -p -k "$model.pml.trail" "${@/#/-D}" "$model.pml"
}

if [ "$size" = show ]; then
    shift
    show "$@"
    exit 0
fi

mismatches=0 runs=0
row='%-9s %-76s %-20s %-20s %10s %8s\n'
# shellcheck disable=SC2059
printf "$row" model macros expected found states seconds
while read -r row_size model expected macros; do
    [ "$row_size" = "$size" ] || continue
    [ -z "$only" ] || [ "$only" = "$model" ] || continue
    [ ${#row_macros[@]} -eq 0 ] || [ "${row_macros[*]}" = "${macros:--}" ] || continue
    runs=$((runs + 1))
    read -r -a words <<<"$macros"
    search "$model" "$expected" "${words[@]}"
    found=$(verdict)
    states=$(awk '/states, stored/ {print $1; exit}' "$work/report")
    elapsed=$(awk '/elapsed time/ {print $4; exit}' "$work/report")
    mark=
    if [ "$found" != "$expected" ] && ! { [ "$size" = large ] && [ "$found" = cut ]; }; then
        mark='  <-- MISMATCH'
        mismatches=$((mismatches + 1))
    fi
    # shellcheck disable=SC2059
    printf "${row%\\n}%s\n" "$model" "${macros:--}" "$expected" "$found" "${states:--}" \
        "${elapsed:--}" "$mark"
done < <(sed -e 's/#.*//' -e '/^ *$/d' "$here/runs.txt")

if [ "$runs" -eq 0 ]; then
    echo "run.sh: no row of runs.txt is $size${only:+ and $only ${row_macros[*]}}" >&2
    exit 64
fi
echo "$runs searches, $mismatches mismatches"
[ "$mismatches" -eq 0 ]
