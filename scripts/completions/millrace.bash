# shellcheck shell=bash
# Completion of `millrace` for bash: commands, options, stages and the workers that run now.
_millrace_workers() {
    timeout 1 millrace status --json "$@" 2>/dev/null |
        grep -oE '"name": ?"[a-z]+(\.[0-9]+)?"' | sed 's/.*"name": *"//; s/"$//'
}

_millrace() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local config=()
    local stages='ingest processor metrics exporter'
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -c)
            config=(-c "${COMP_WORDS[i + 1]}")
            i=$((i + 1))
            ;;
        --timeout) i=$((i + 1)) ;;
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done

    COMPREPLY=()
    case $before in
    -c)
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
        ;;
    --timeout | --rate) return ;;
    esac
    local options='-c --timeout --help' words=''
    case $command in
    '') words='up down status restart scale reopen send audit events logs check' ;;
    up) options+=' --detach' ;;
    down) options+=' --now' ;;
    status | audit | events) options+=' --json' ;;
    restart)
        options+=' --now'
        words="$stages monitor $(_millrace_workers "${config[@]}")"
        ;;
    scale)
        compopt -o nospace 2>/dev/null || true
        words=${stages// /= }=
        ;;
    logs) words="$stages monitor launcher $(_millrace_workers "${config[@]}")" ;;
    send | check)
        [ "$command" = check ] || options+=' --follow --rate --loop'
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    esac
    [[ $word != -* ]] || words=$options
    mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -W "$words" -- "$word" | sort -u)
}
complete -o filenames -F _millrace millrace
