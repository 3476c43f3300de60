#!/usr/bin/env bash
# deps.sh [--yes] run|test|bench: install the Debian packages that building and running, testing, or
# comparing with other programs need.
# Does nothing, quickly, when all are there. As root or through sudo, else it says what root has to
# run; asks first on a terminal.
set -euo pipefail

run_packages=(cmake ninja-build gcc g++ libc6-dev pkg-config libzmq3-dev libczmq-dev libinih-dev
    libjansson-dev libxxhash-dev libsimdjson-dev libmicrohttpd-dev procps)
test_packages=(check clang clang-format clang-tidy cppcheck shellcheck libclang-rt-dev python3
    python3-zmq python3-pytest python3-pyflakes curl netcat-openbsd prometheus spin mandoc git
    valgrind strace e2fsprogs mount)
bench_packages=(rsyslog rsyslog-czmq jq mawk python3 python3-zmq python3-matplotlib)

yes=no
kind=run
for argument in "$@"; do
    case "$argument" in
    --yes) yes=yes ;;
    run | test | bench) kind=$argument ;;
    *)
        echo "usage: scripts/deps.sh [--yes] run|test|bench" >&2
        exit 64
        ;;
    esac
done
command -v dpkg-query >/dev/null || {
    echo "This is not Debian: install what matches these packages, then build with cmake:" >&2
    echo "${run_packages[*]}" >&2
    exit 1
}

wanted=("${run_packages[@]}")
[ "$kind" != test ] || wanted+=("${test_packages[@]}")
[ "$kind" != bench ] || wanted+=("${bench_packages[@]}")
# shellcheck disable=SC2016  # a format of dpkg-query's
installed=$(dpkg-query -W -f='|${Package}=${db:Status-Status}|' "${wanted[@]}" 2>/dev/null || true)
missing=()
for package in "${wanted[@]}"; do
    [[ $installed == *"|$package=installed|"* ]] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
if [ ${#sudo[@]} -gt 0 ] && ! command -v sudo >/dev/null; then
    echo "deps.sh: neither root nor sudo; as root run: apt-get install ${missing[*]}" >&2
    exit 1
fi
echo "Debian packages to install: ${missing[*]}"
if [ "$yes" = no ] && [ -t 0 ]; then
    read -r -p "Install them now with ${sudo[*]:+${sudo[*]} }apt-get? [Y/n] " answer
    case "$answer" in
    [nN]*)
        echo "Nothing was installed. Install them yourself and run this again." >&2
        exit 1
        ;;
    esac
fi
apt_get=("${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
"${apt_get[@]}" update
"${apt_get[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null
echo "installed ${#missing[@]} packages"
