# shellcheck shell=bash
# What a script says to the person in front of it. Everything goes to stderr: stdout is for data.

say() {
    printf '%s\n' "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

now_ms() {
    local micros=${EPOCHREALTIME/[.,]/} # the locale may put a comma there
    printf '%s' $((micros / 1000))
}

seconds_since() {
    local ms=$(($(now_ms) - $1))
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# timed LABEL COMMAND...: one line with the time it took; the end of the command's output only when it fails.
timed() {
    local label=$1 began log
    shift
    began=$(now_ms)
    log=$(mktemp)
    [ -t 2 ] && printf '%s ...' "$label" >&2
    if "$@" >"$log" 2>&1; then
        [ -t 2 ] && printf '\r\033[K' >&2
        say "$label: $(seconds_since "$began")"
        rm -f "$log"
        return 0
    fi
    [ -t 2 ] && printf '\r\033[K' >&2
    say "$label: failed after $(seconds_since "$began"). Its last lines:"
    tail -n "${TIMED_LINES:-20}" "$log" | sed 's/^/  /' >&2
    rm -f "$log"
    return 1
}

# confirm QUESTION WITHOUT_A_TERMINAL: asks a person; YES=1 answers yes, and without a terminal the second
# argument (yes or no) is the answer.
confirm() {
    local answer
    [ "${YES:-}" = 1 ] && return 0
    if [ ! -t 0 ] || [ ! -t 2 ]; then
        [ "$2" = yes ]
        return
    fi
    printf '%s [Y/n] ' "$1" >&2
    read -r answer
    case $answer in
    "" | y | Y | yes) return 0 ;;
    *) return 1 ;;
    esac
}
