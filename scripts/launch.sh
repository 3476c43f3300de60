#!/usr/bin/env bash
# launch.sh: from a fresh clone to a running pipeline.
#   scripts/launch.sh [--yes] [--demo]
#       Install what is missing (asks first on a terminal; --yes does not), build, and run the chain
#       in the foreground until Ctrl-C; --demo feeds it with a web server's log.
#   scripts/launch.sh [--demo] VERB …
#       Hand a command to millrace: status, restart processor, scale processor=4, …; with --demo
#       to the demo's chain.
# The configuration is $MILLRACE_CONF, else conf/millrace.ini. The demo has conf/demo.ini and its
# files in build/demo; with $MILLRACE_DEMO_DIR it has demo.ini and its files there.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
millrace=$top/build/release/bin/millrace

# A tool that ends well in spite of Ctrl-C must not hide it from us.
trap 'exit 130' INT TERM

deps=(run)
demo=no
while [ $# -gt 0 ]; do
    case "$1" in
    --yes) deps=(--yes run) ;;
    --demo) demo=yes ;;
    -h | --help)
        sed -n '2,10s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*)
        echo "launch.sh: unknown option $1; see scripts/launch.sh --help" >&2
        exit 64
        ;;
    *) break ;;
    esac
    shift
done

if [ "$demo" = yes ]; then
    export MILLRACE_CONF=${MILLRACE_DEMO_DIR:-$top/conf}/demo.ini
else
    export MILLRACE_CONF=${MILLRACE_CONF:-$top/conf/millrace.ini}
fi

# Ninja knows what changed: a second start takes no configuring and a fraction of a second.
build() {
    "$top/scripts/deps.sh" "${deps[@]}"
    cd "$top"
    if [ ! -x "$millrace" ]; then
        echo "building into build/release (about a minute, this once)"
        cmake --preset release >/dev/null
        cmake --build build/release
    else
        cmake --build build/release -- --quiet | { grep -v '^ninja: no work' || true; }
    fi
    cd "$OLDPWD"
}

if [ $# -gt 0 ]; then
    [ -x "$millrace" ] || build
    exec "$millrace" "$@"
fi
build
if [ "$demo" = yes ]; then
    exec "$top/scripts/demo.sh"
fi
exec "$millrace" up
