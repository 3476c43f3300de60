#!/usr/bin/env bash
# bare-machine.sh [demo] [test]: check, as root, that a fresh clone of HEAD works where there is
# nothing but Debian's base: `demo` runs scripts/launch.sh --demo until records flow, and Ctrl-C;
# `test` runs scripts/test.sh. Default: both. Takes debootstrap, apt's own sources, 3 GB under
# /var/tmp and a quarter of an hour; says how long each step took. Not part of ctest.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
[ "$(id -u)" -eq 0 ] || {
    echo "bare-machine.sh: only root may make the chroot" >&2
    exit 1
}
[ $# -gt 0 ] || set -- demo test

# In mount and process namespaces of its own, whatever happens inside leaves nothing behind.
if [ -z "${BARE_ROOT:-}" ]; then
    command -v debootstrap >/dev/null || apt-get install -y -qq debootstrap
    BARE_ROOT=$(mktemp -d /var/tmp/millrace-bare.XXXXXX)
    chmod 755 "$BARE_ROOT" # apt downloads as a user of its own
    export BARE_ROOT
    trap 'rm -rf --one-file-system "$BARE_ROOT"' EXIT
    unshare --mount --pid --fork --kill-child "$0" "$@"
    exit
fi

step() {
    local name=$1 begin=$SECONDS
    shift
    echo "== $name"
    "$@" || {
        echo "== $name FAILED after $((SECONDS - begin)) s"
        exit 1
    }
    echo "== $name: $((SECONDS - begin)) s"
}

make_root() {
    local release mirror
    release=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016  # a format of apt-get's
    mirror=$(apt-get indextargets --format '$(SITE)|$(CODENAME)' |
        awk -F '|' -v release="$release" '$2 == release { print $1; exit }')
    debootstrap --variant=minbase "$release" "$BARE_ROOT" "$mirror" >"$BARE_ROOT.log" 2>&1 || {
        tail -20 "$BARE_ROOT.log"
        return 1
    }
    rm "$BARE_ROOT.log"
    rm "$BARE_ROOT/etc/apt/sources.list"
    cp -a /etc/apt/. "$BARE_ROOT/etc/apt/"
    cp -L /etc/resolv.conf /etc/hosts "$BARE_ROOT/etc/"
    mount -t proc proc "$BARE_ROOT/proc"
    mount --rbind /dev "$BARE_ROOT/dev"
    git clone --quiet --no-hardlinks "$top" "$BARE_ROOT/root/millrace"
}

# inside [--alone] COMMANDS: --alone has no network but a loopback of its own, so that what else
# runs on this machine has no part in it, and nothing can be fetched.
inside() {
    local enter=()
    if [ "$1" = --alone ]; then
        # shellcheck disable=SC2016  # expanded inside
        enter=(unshare --net sh -c 'ip link set lo up && exec "$@"' sh)
        shift
    fi
    "${enter[@]}" chroot "$BARE_ROOT" env -i HOME=/root TERM=dumb CI=true \
        PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        bash -ec "cd /root/millrace
$1" </dev/null
}

# From nothing to 200 records in the file, then Ctrl-C: it ends with 0 and a balanced audit.
run_demo() {
    # shellcheck disable=SC2016  # expanded inside
    inside 'mkdir -p build
        scripts/launch.sh --yes --demo >build/demo.log 2>&1 &
        demo=$!
        for ((i = 0; i < 600; i++)); do
            [ "$(cat build/demo/out/access.jsonl 2>/dev/null | wc -l)" -lt 200 ] || break
            kill -0 $demo || break
            sleep 0.5
        done
        echo "$(wc -l <build/demo/out/access.jsonl) records after $((i / 2)) s"
        kill -TERM $demo
        wait $demo || { tail -50 build/demo.log && exit 1; }
        grep "balanced" build/demo.log'
    # shellcheck disable=SC2016
    inside 'begin=$(date +%s%N)
        scripts/launch.sh --demo >build/second.log 2>&1 &
        demo=$!
        until grep -qs "^monitor: http" build/second.log; do
            sleep 0.02
        done
        echo "a second start: $((($(date +%s%N) - begin) / 1000000)) ms"
        kill -TERM $demo
        wait $demo'
}

step "a bare Debian" make_root
for what in "$@"; do
    case $what in
    demo) step "launch.sh --demo" run_demo ;;
    test)
        step "deps.sh test" inside 'scripts/deps.sh --yes test'
        step "test.sh" inside --alone scripts/test.sh
        ;;
    *)
        echo "usage: tests/integration/bare-machine.sh [demo] [test]" >&2
        exit 64
        ;;
    esac
done
echo "bare machine: passed"
