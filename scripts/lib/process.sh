# shellcheck shell=bash
# A process that outlives the script that started it, and can be told apart from a later one with the same number.
# Needs as_root of install.sh.

# When a process started, in ticks since the machine did. The name in brackets may hold spaces: cut it off first.
process_started_at() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086 # the fields are to be split
    set -- ${stat##*) }
    [ "$1" != Z ] && printf '%s' "${20}"
}

# remember_process FILE PID
remember_process() {
    printf '%s %s\n' "$2" "$(process_started_at "$2")" >"$1"
}

# Prints the pid in FILE if that very process still runs.
remembered_process() {
    local pid started_at
    [ -s "$1" ] && read -r pid started_at <"$1" || return 1
    [ -n "$started_at" ] && [ "$(process_started_at "$pid")" = "$started_at" ] && printf '%s' "$pid"
}

signal_process() {
    if kill -0 "$2" 2>/dev/null; then kill -s "$1" "$2"; else as_root kill -s "$1" "$2"; fi
}

# stop_process FILE: TERM, and KILL after 20 seconds. One that has gone already is no error.
stop_process() {
    local pid tries=200
    if pid=$(remembered_process "$1"); then
        signal_process TERM "$pid" || true
        while remembered_process "$1" >/dev/null; do
            [ $((tries -= 1)) -gt 0 ] || { signal_process KILL "$pid" || true; break; }
            sleep 0.1
        done
    fi
    rm -f "$1"
}
