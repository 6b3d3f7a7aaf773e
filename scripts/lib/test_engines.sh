# shellcheck shell=bash
# A Docker and a Podman for tests and benchmarks, private ones always: tests kill containers and fill disks, and that
# must never meet somebody's own. Their images are kept between runs. Needs console.sh and install.sh.

TEST_ROOT=

# Takes the place that is kept between runs, or a fresh one while another run holds it.
take_test_root() {
    local kept=${PITCHEY_TEST_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/pitchey/test-engines}
    mkdir -p "$kept"
    exec 9>"$kept/lock"
    if flock -n 9; then
        TEST_ROOT=$kept
    else
        TEST_ROOT=$(mktemp -d "${TMPDIR:-/var/tmp}/pitchey-test-XXXXXX")
        say "Another run holds $kept: this one builds its images anew, in $TEST_ROOT."
    fi
}

test_engine() {
    # Without the lock's descriptor: an engine that outlives a killed run would hold it for good.
    PITCHEY_STATE_DIR=$TEST_ROOT PITCHEY_ENGINE_ROOT=$TEST_ROOT/engine "$PITCHEY_SCRIPTS/engine" "$@" 9>&-
}

# start_test_engines: exports PITCHEY_TEST_DOCKER and PITCHEY_TEST_PODMAN. Without one of them its tests cannot run,
# which is a failure where CI is set.
start_test_engines() {
    local kind answer variable
    take_test_root
    trap stop_test_engines EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    test_engine stop # what a killed run has left behind
    for kind in docker podman; do
        if answer=$(test_engine start "$kind"); then
            variable=PITCHEY_TEST_${kind^^}
            export "$variable=${answer#* }"
        elif [ -n "${CI:-}" ]; then
            die "There is no $kind here, and in CI no engine's tests may be left out."
        else
            say "There is no $kind here: its tests are left out."
        fi
    done
}

# What the faults need on this machine: a clock that can be shifted, networks that can be cut.
CHAOS_PACKAGES=(faketime iproute2)

# Those, and a decoder for the verdict.
install_chaos_packages() {
    install_packages "The chaos suite" "${CHAOS_PACKAGES[@]}" ffmpeg && return 0
    [ -z "${CI:-}" ] || die "The chaos suite lacks a package, and in CI no fault may be left out."
}

stop_test_engines() {
    test_engine stop 2>/dev/null || true # quietly: the last line is the sum of the tests
    case $TEST_ROOT in
    */pitchey-test-??????) as_root rm -rf "$TEST_ROOT" ;;
    esac
}
