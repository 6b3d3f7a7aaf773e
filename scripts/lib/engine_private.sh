# shellcheck shell=bash
# Engines of our own, started by hand where no service manager does it: private data, private socket, private network,
# stopped by their own pid. Needs console.sh, install.sh, process.sh, engine_probe.sh and engine_network.sh.

START_DEADLINE_SECONDS=60

prepare_run_dir() {
    mkdir -p "$ENGINE_STATE"
    chmod 700 "$ENGINE_STATE"
    mkdir -p -m 700 "$RUN_DIR"
    [ -O "$RUN_DIR" ] || die "$RUN_DIR belongs to somebody else; name another place with XDG_RUNTIME_DIR."
    local kind
    [ "$RUN_DIR" = "$ENGINE_STATE/run" ] || ln -sfn "$RUN_DIR" "$ENGINE_STATE/run"
    for kind in docker podman; do
        ln -sfn "run/$kind.sock" "$ENGINE_STATE/$kind.sock"
    done
}

# Prints the pid once the engine answers; fails when it dies or the deadline comes first. The first argument is the
# file that its pid can be read from.
wait_for_engine() {
    local pid_file=$1 url=$2 kind=$3 launcher=$4
    local deadline=$((SECONDS + START_DEADLINE_SECONDS))
    while [ $SECONDS -lt $deadline ]; do
        if [ -S "${url#unix://}" ] && [ "$(who_answers "$url")" = "$kind" ]; then
            cat "$pid_file" 2>/dev/null || printf '%s' "$launcher"
            return 0
        fi
        kill -0 "$launcher" 2>/dev/null || as_root kill -0 "$launcher" 2>/dev/null || return 1
        sleep 0.2
    done
    return 1
}

# The storage drivers to try, best first. Overlay does not work on an overlay, which is what a container has for a
# disk; what has worked once is kept, because images of one driver are unknown to the next.
storage_drivers() {
    if [ -s "$ENGINE_ROOT/$1.driver" ]; then
        cat "$ENGINE_ROOT/$1.driver"
    elif [ "$(stat -f -c %T "$ENGINE_ROOT")" = overlayfs ]; then
        command -v fuse-overlayfs >/dev/null && [ -c /dev/fuse ] && echo fuse-overlayfs
        echo vfs
    else
        echo overlay
        command -v fuse-overlayfs >/dev/null && [ -c /dev/fuse ] && echo fuse-overlayfs
        echo vfs
    fi
}

start_private_docker() {
    local url driver pid n tables
    url=$(private_url docker)
    prepare_run_dir
    mkdir -p "$ENGINE_ROOT/docker" "$RUN_DIR/docker"
    network_up "$ENGINE_STATE/docker.network" || return 1
    read -r n tables <"$ENGINE_STATE/docker.network"
    for driver in $(storage_drivers docker); do
        launch_docker "$driver" "$n"
        if pid=$(wait_for_engine "$RUN_DIR/dockerd.pid" "$url" docker $!); then
            remember_process "$ENGINE_STATE/docker.pid" "$pid"
            printf '%s\n' "$driver" >"$ENGINE_ROOT/docker.driver"
            return 0
        fi
        remember_process "$ENGINE_STATE/docker.pid" $! 2>/dev/null && stop_process "$ENGINE_STATE/docker.pid"
        say "dockerd does not start with the storage driver $driver. Its log ($ENGINE_STATE/docker.log) ends:"
        tail -n 8 "$ENGINE_STATE/docker.log" | sed 's/^/  /' >&2
    done
    network_down "$ENGINE_STATE/docker.network"
    return 1
}

# Its own containerd namespaces, because dockerd uses the machine's containerd when there is one. No firewall rules and
# no forwarding of its own: engine_network.sh has seen to that. Only its user's group may use the socket.
launch_docker() {
    local driver=$1 n=$2
    [ "$driver" = overlay ] && driver=overlay2
    (
        cd /
        as_root setsid dockerd --data-root "$ENGINE_ROOT/docker" --exec-root "$RUN_DIR/docker" \
            --pidfile "$RUN_DIR/dockerd.pid" -H "$(private_url docker)" --group "$(id -g)" --config-file /dev/null \
            --storage-driver "$driver" --bridge "pitchey$n" --iptables=false --ip-masq=false \
            --default-address-pool "base=10.$((200 + n)).128.0/17,size=24" \
            --containerd-namespace "pitchey$n" --containerd-plugins-namespace "pitchey$n-plugins"
    ) </dev/null >"$ENGINE_STATE/docker.log" 2>&1 &
}
