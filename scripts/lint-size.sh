#!/usr/bin/env bash
# lint-size.sh: a function has at most 60 lines (tables apart), a file 500, a header 200, a line 100
# columns. Relies on clang-format: a function's braces stand alone in the first column.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"

mapfile -t code < <(code_files)
mapfile -t scripts < <(find_files "${all_folders[@]}" -- '*.sh' '*.py' CMakeLists.txt '*.cmake')
exec awk '
function fail(file, line, message) {
    printf "%s:%d: %s\n", file, line, message
    failures++
}

function finish_file(    limit) {
    limit = file ~ /[.](h|hpp)$/ ? 200 : 500
    if (lines > limit) {
        fail(file, lines, "file has " lines " lines, limit " limit ": split it by idea")
    }
}

FNR == 1 {
    finish_file()
    file = FILENAME
    is_code = file ~ /[.](c|h|cc|cpp|hpp)$/
    start = 0
}

{ lines = FNR }

length($0) > 100 && !/https?:/ {
    fail(FILENAME, FNR, "line has " length($0) " columns, limit 100")
}

is_code && $0 == "{" && previous !~ /^(namespace|extern)/ { start = FNR }

is_code && /^}/ && start {
    if (FNR - start - 1 > 60) {
        fail(FILENAME, start, "function has " FNR - start - 1 " lines, limit 60: split it")
    }
    start = 0
}

{ previous = $0 }

END {
    finish_file()
    printf "size: %d files, %d failures\n", ARGC - 1, failures
    exit failures > 0
}' "${code[@]}" "${scripts[@]}"
