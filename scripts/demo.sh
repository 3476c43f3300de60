#!/usr/bin/env bash
# demo.sh: called by launch.sh --demo with everything built and $MILLRACE_CONF set. Starts the
# chain, feeds it, prints one live line, and on Ctrl-C drains and prints the audit.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
PATH=$top/build/release/bin:$PATH
folder=${MILLRACE_DEMO_DIR:-$top/build/demo}
shown=${folder#"$top/"}
lines_per_second=${MILLRACE_DEMO_RATE:-200}

# number JSON KEY: the first integer of that name, or 0.
number() {
    if [[ $1 =~ \"$2\":\ *([0-9]+) ]]; then
        echo "${BASH_REMATCH[1]}"
    else
        echo 0
    fi
}

# Until what was taken in has left: the figures of the audit then stand still.
settle() {
    local report tries
    for tries in {1..50}; do
        report=$(millrace audit --json 2>/dev/null || true)
        if [[ $report == *'"in_flight":'* ]] && [ "$(number "$report" in_flight)" -eq 0 ]; then
            return 0
        fi
        sleep 0.2
    done
    echo "some records are still in flight after $((tries / 5)) s"
}

# Whoever reads our lines (a tee, say) may die of the same Ctrl-C: no print may end this before the
# chain is down.
finish() {
    local status=$?
    trap '' INT TERM HUP PIPE
    trap - EXIT
    set +e
    jobs -p | xargs -r kill -TERM 2>/dev/null
    wait
    if [ "$up" = yes ]; then
        printf '\ndraining\n'
        settle
        millrace audit || status=1
        millrace down || status=1
        echo "the records stay in $shown/out; run it again and they go on from there"
    else
        millrace down >/dev/null || status=1
    fi
    exit "$status"
}

# One line that stays one line, whatever the terminal's width.
show_line() {
    local columns
    if [ ! -t 1 ]; then
        echo "$1"
        return 0
    fi
    columns=$({ stty size </dev/tty | cut -d ' ' -f 2; } 2>/dev/null || true)
    [[ $columns =~ ^[1-9][0-9]*$ ]] || columns=80
    printf '\r\033[K%.*s' "$((columns - 1))" "$1"
}

show_status() {
    local report received last now before line
    last=$(number "$(millrace audit --json 2>/dev/null || true)" received)
    before=$(date +%s%N)
    while kill -0 "$feeder" 2>/dev/null; do
        sleep 1
        report=$(millrace audit --json 2>/dev/null || true)
        received=$(number "$report" received)
        now=$(date +%s%N)
        line="$(((received - last) * 1000000000 / (now - before)))/s  received $received ="
        line+=" exported $(number "$report" exported) + filtered $(number "$report" filtered)"
        line+=" + dead $(number "$report" dead) + in flight $(number "$report" in_flight)"
        last=$received
        before=$now
        show_line "$line"
    done
    printf '\n'
    echo "the feeder has ended; its last words are in $shown/feeder.log:"
    tail -3 "$folder/feeder.log"
    return 1
}

mkdir -p "$folder"
up=no
trap finish EXIT
trap 'exit 0' INT TERM HUP PIPE
{ said=$(millrace up --detach | tee /dev/fd/3); } 3>&1 || {
    echo "the demo does not start; without what it left here before, it may: rm -r $shown" >&2
    exit 1
}
up=yes
cat <<END

A web server's log runs through the chain, $lines_per_second lines a second.
  records    $shown/out/access.jsonl  (status 500 and above: errors.jsonl)
  metrics    $shown/out/metrics.jsonl
  monitor    $(sed -n 's/^monitor: \(http.*\)/\1/p' <<<"$said")  (/metrics for Prometheus)
  try        scripts/launch.sh --demo status
             scripts/launch.sh --demo scale processor=4
             scripts/launch.sh --demo restart exporter
Ctrl-C drains and prints the audit.

END
millrace send --rate "$lines_per_second" --loop "$top/tests/data/access.log" \
    >"$folder/feeder.log" 2>&1 &
feeder=$!
show_status
