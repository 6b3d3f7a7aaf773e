# shellcheck shell=bash
# Where engines may listen, and which of them answers. Starts nothing.

ENGINE_STATE=${PITCHEY_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/pitchey}/engine
# shellcheck disable=SC2034 # for those who start and stop
ENGINE_ROOT=${PITCHEY_ENGINE_ROOT:-$ENGINE_STATE}

# A Unix socket's path has at most 107 bytes, for those who connect too, and Podman takes a run root of at most 50. Where
# the state directory lies too deep, what runs lives in a short directory of its own that $ENGINE_STATE/run points to.
# Nothing is made here.
short_run_dir() {
    local run_root=$ENGINE_STATE/run/podman/run
    if [ ${#run_root} -le 50 ]; then
        printf '%s' "$ENGINE_STATE/run"
    else
        local id
        id=$(printf '%s' "$ENGINE_STATE" | sha256sum | cut -c1-10)
        printf '%s' "${XDG_RUNTIME_DIR:-/tmp}/pitchey-$(id -u)-$id"
    fi
}

RUN_DIR=$(short_run_dir)

private_url() {
    printf 'unix://%s/%s.sock' "$RUN_DIR" "$1"
}

# Prints who listens at a URL: docker or podman. Podman answers Docker's questions, and says so in a header.
who_answers() {
    python3 - "$1" <<'PYTHON'
import http.client, socket, sys
from urllib.parse import urlsplit

url = urlsplit(sys.argv[1])
connection = http.client.HTTPConnection("localhost", timeout=3)
try:
    if url.scheme == "unix":
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(3)
        connection.sock.connect(url.path)
    elif url.scheme in ("tcp", "http"):
        connection = http.client.HTTPConnection(url.hostname, url.port or 2375, timeout=3)
    else:
        sys.exit(1)
    connection.request("GET", "/_ping")
    response = connection.getresponse()
except OSError:
    sys.exit(1)
if response.status != 200:
    sys.exit(1)
print("podman" if response.getheader("Libpod-API-Version") else "docker")
PYTHON
}

# Prints the URL at which an engine (docker or podman) answers: the one that the environment names comes first.
find_engine() {
    local kind=$1 url candidates=()
    case $kind in
    docker)
        candidates=("${DOCKER_HOST:-}" "$(private_url docker)" unix:///var/run/docker.sock
            "unix://${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/docker.sock" "unix://$HOME/.docker/run/docker.sock")
        ;;
    podman)
        candidates=("${CONTAINER_HOST:-}" "$(private_url podman)" unix:///run/podman/podman.sock
            "unix://${XDG_RUNTIME_DIR:-/run/user/$(id -u)}/podman/podman.sock")
        ;;
    esac
    for url in "${candidates[@]}"; do
        [ -n "$url" ] || continue
        # Python takes its time to start; most of these sockets are not there.
        case $url in unix://*) [ -S "${url#unix://}" ] || continue ;; esac
        if [ "$(who_answers "$url")" = "$kind" ]; then
            printf '%s' "$url"
            return 0
        fi
    done
    return 1
}
