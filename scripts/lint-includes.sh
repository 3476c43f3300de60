#!/usr/bin/env bash
# lint-includes.sh: dependencies point one way, base <- wire <- record <- runtime <- programs, and
# programs never include one another; each third-party header has its place; includes are
# root-relative, a source's own header comes first, guards follow the path, and no header is only a
# list of others.
set -euo pipefail
# shellcheck source=scripts/lint-lib.sh
. "$(dirname "$0")/lint-lib.sh"

mapfile -t files < <(code_files)
exec awk '
BEGIN {
    # What a folder may include from this tree, as a prefix match; tests may include anything.
    allowed["common/base/"] = "^common/base/"
    allowed["common/wire/"] = "^common/(base|wire)/"
    allowed["common/record/"] = "^common/(base|wire|record)/"
    allowed["common/delivery/"] = "^common/(base|wire|delivery)/"
    allowed["common/runtime/"] = "^common/(base|wire|record|runtime)/"

    # Where a third-party header may be used. One that is not listed, nor in libc, is refused.
    zmq = "^(common/runtime|stages/ingest|monitor|launcher|tests)/"
    place["zmq.h"] = zmq
    place["czmq.h"] = zmq
    place["ini.h"] = "^(common/runtime|tests)/"
    place["simdjson.h"] = "^common/record/.*[.]cc$|^tests/"
    place["xxhash.h"] = "^(common/base|tests)/"
    place["xxh_x86dispatch.h"] = "^common/base/hash[.]c$"
    place["jansson.h"] = "^(common/(wire|record|runtime)|stages|monitor|launcher|tests)/"
    place["microhttpd.h"] = "^(monitor|tests)/"
    place["check.h"] = "^tests/"

    libc = "^(sys|net|netinet|arpa|linux|asm)/|^(" \
        "aio|assert|complex|ctype|dirent|dlfcn|endian|err|errno|execinfo|fcntl|fenv|float|" \
        "fnmatch|ftw|getopt|glob|grp|ifaddrs|inttypes|langinfo|libgen|limits|locale|" \
        "malloc|math|mqueue|netdb|poll|printf|pthread|pty|pwd|regex|sched|search|" \
        "semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|" \
        "stdio|stdlib|stdnoreturn|string|strings|syslog|termios|threads|time|ucontext|" \
        "uchar|unistd|utime|wchar|wctype|immintrin|x86intrin|cpuid|sanitizer/[a-z_]+)[.]h$"
    cxx = "^[a-z_]+$"
}

function fail(message) {
    printf "%s:%d: %s\n", FILENAME, FNR, message
    failures++
}

function exists(path,    line, status) {
    if (!(path in known)) {
        status = (getline line < path)
        if (status >= 0) {
            close(path)
        }
        known[path] = status >= 0
    }
    return known[path]
}

function finish_file() {
    if (file ~ /[.]h$/ && code_lines == 0 && includes > 1) {
        printf "%s:1: umbrella header: include what is needed where it is needed\n", file
        failures++
    }
}

FNR == 1 {
    finish_file()
    file = FILENAME
    code_lines = includes = in_comment = 0
    folder = file
    sub(/[^\/]*$/, "", folder)
    layer = ""
    for (prefix in allowed) {
        if (index(file, prefix) == 1) {
            layer = prefix
        }
    }
    program = ""
    if (match(file, /^(stages\/[^\/]*|monitor|launcher)\//)) {
        program = substr(file, 1, RLENGTH)
    }
    own = file
    own = sub(/[.](c|cc|cpp)$/, ".h", own) && exists(own) ? own : ""
    guard = ""
    if (file ~ /[.]h$/) {
        guard = "MR_" toupper(file)
        gsub(/[^A-Z0-9]/, "_", guard)
    }
}

/^[ \t]*\/\*/ { in_comment = 1 }
in_comment {
    if (/\*\//) {
        in_comment = 0
    }
    next
}
/^[ \t]*(\/\/.*)?$/ { next }

guard != "" && /^#[ \t]*(ifndef|pragma)/ {
    if ($0 != "#ifndef " guard) {
        fail("the include guard of this header is " guard)
    }
    guard = ""
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    target = part[2]
    includes++
    if (!exists(target) || target ~ /^[.]/) {
        fail("\"" target "\" is not a path from the top of the tree")
        next
    }
    if (own != "" && includes == 1 && target != own) {
        fail("own header first: \"" own "\" comes before \"" target "\"")
    }
    if (layer != "" && target !~ allowed[layer]) {
        fail(layer " may not include \"" target "\": base <- wire <- record <- runtime <- programs")
    }
    if (program != "" && target !~ /^common\// && index(target, program) != 1) {
        fail("programs share bytes, not code: " program " may not include \"" target "\"")
    }
    next
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/)
    target = part[2]
    includes++
    if (own != "" && includes == 1) {
        fail("own header first: \"" own "\" comes before <" target ">")
    }
    if (target in place) {
        if (file !~ place[target]) {
            fail("<" target "> has its place in " place[target] ", not here")
        }
    } else if (target !~ libc && !(target ~ cxx && file ~ /[.](cc|cpp|hpp)$/)) {
        fail("<" target "> is neither libc nor in the table of scripts/lint-includes.sh")
    }
    next
}

!/^[ \t]*#/ { code_lines++ }

END {
    finish_file()
    printf "includes: %d files, %d failures\n", ARGC - 1, failures
    exit failures > 0
}' "${files[@]}"
