#!/usr/bin/env bash
# bench.sh [--yes] [KIND…] [--OPTION…]: measure the reference work here, other programs at
# the same work, and what the machine allows; see --help. Installs what is missing (asks first on a
# terminal), builds what users run (release) and the load programs, and leaves tables, plots and
# raw results in build/bench/<time>.
#   scripts/bench.sh                            everything, about 10 minutes on two cores
#   scripts/bench.sh throughput peers           the table against other programs
#   scripts/bench.sh latency --rates 1,100000
#   scripts/bench.sh --readme --from A/results.json --from B/results.json
#                                               their figures into tests/bench/results and documents
# Wall-clock figures depend on what else the machine does; the load of others stands beside each
# run. Peers that are not installed are named and left out. No test looks at figures.
set -euo pipefail
cd "$(dirname "$0")/.."

yes=()
if [ "${1:-}" = --yes ]; then
    yes=(--yes)
    shift
fi
case " $* " in
*' --help '* | *' -h '* | *' --readme '* | *' --check '*) ;; # nothing is measured
*)
    scripts/deps.sh "${yes[@]}" run
    scripts/deps.sh "${yes[@]}" bench || echo "bench.sh: what is not installed is left out" >&2
    mkdir -p build
    log=build/bench.log
    if ! { cmake --preset release -DMR_BENCH=ON && cmake --build build/release; } >"$log" 2>&1; then
        tail -40 "$log"
        echo "bench.sh: the build failed; all of its output is in $log" >&2
        exit 1
    fi
    ;;
esac
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 tests/bench/bench.py "$@"
