# shellcheck shell=bash
# lint-lib.sh: sourced by scripts/lint-*.sh. Goes to the top of the tree and names its files.
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

code_folders=(common stages monitor launcher tests)
# shellcheck disable=SC2034  # for the scripts that source this one
all_folders=("${code_folders[@]}" conf scripts .ci)

# find_files FOLDER... -- NAME...: files under those folders with one of these names, sorted.
# Not `git ls-files`: a file is checked before it is added, and a release archive has no git.
find_files() {
    local folders=() tests=()
    while [ "$1" != -- ]; do
        [ ! -d "$1" ] || folders+=("$1")
        shift
    done
    shift
    for name in "$@"; do
        tests+=(-o -name "$name")
    done
    find "${folders[@]}" -type d \( -name __pycache__ -o -name corpus \) -prune \
        -o -type f \( "${tests[@]:1}" \) -print | sort
}

code_files() {
    find_files "${code_folders[@]}" -- '*.c' '*.h' '*.cc' '*.cpp' '*.hpp'
}

# need TOOL: a lint never passes because its tool is absent.
need() {
    command -v "$1" >/dev/null || {
        echo "$1 is not installed: run scripts/deps.sh test" >&2
        exit 1
    }
}
