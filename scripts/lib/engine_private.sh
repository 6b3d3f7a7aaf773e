# shellcheck shell=bash
# Engines of our own, started by hand where no service manager does it: private data, private socket, private network,
# stopped by their own pid. Needs console.sh, install.sh, process.sh, engine_probe.sh and engine_network.sh.

START_DEADLINE_SECONDS=60

prepare_run_dir() {
    mkdir -p "$ENGINE_STATE"
    chmod 700 "$ENGINE_STATE"
    mkdir -p "$RUN_DIR"
    if [ ! -O "$RUN_DIR" ] || [ -L "$RUN_DIR" ]; then
        die "$RUN_DIR belongs to somebody else; name another place with XDG_RUNTIME_DIR."
    fi
    chmod 700 "$RUN_DIR"
    local kind
    [ "$RUN_DIR" = "$ENGINE_STATE/run" ] || ln -sfn "$RUN_DIR" "$ENGINE_STATE/run"
    for kind in docker podman; do
        ln -sfn "run/$kind.sock" "$ENGINE_STATE/$kind.sock"
    done
}

# wait_for_engine KIND LAUNCHER [PID_FILE]: prints the engine's pid once it answers. Fails when what launched it ends or
# the deadline comes first.
wait_for_engine() {
    local kind=$1 launcher=$2 pid_file=${3:-} url deadline=$((SECONDS + START_DEADLINE_SECONDS))
    url=$(private_url "$kind")
    while [ $SECONDS -lt $deadline ] && process_started_at "$launcher" >/dev/null; do
        if [ -S "${url#unix://}" ] && [ "$(who_answers "$url")" = "$kind" ]; then
            # Under sudo the launcher is sudo; the engine is the one who says so itself.
            if [ -n "$pid_file" ]; then cat "$pid_file"; else printf '%s' "$launcher"; fi
            return 0
        fi
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

# Another storage driver is worth a try only when the log speaks of one.
give_up_on() {
    local kind=$1 driver=$2 pid=$3
    remember_process "$ENGINE_STATE/$kind.pid" "$pid" && stop_process "$ENGINE_STATE/$kind.pid"
    say "$kind does not start with the storage driver $driver. Its log ($ENGINE_STATE/$kind.log) ends:"
    tail -n 8 "$ENGINE_STATE/$kind.log" | sed 's/^/  /' >&2
    grep -qiE 'overlay|driver|mount' "$ENGINE_STATE/$kind.log"
}

# end_old_containerd DIRECTORY: of a dockerd that was killed. It ends with its dockerd, but not at once, and the next
# dockerd waits in vain for one that was just about to: or for anybody who has its number by now.
end_old_containerd() {
    local pid tries=100
    pid=$(as_root cat "$1/containerd.pid" 2>/dev/null) || return 0
    while is_containerd_of "$1" "$pid"; do
        [ $((tries -= 1)) -ne 50 ] || signal_process TERM "$pid" || true
        [ "$tries" -gt 0 ] || { signal_process KILL "$pid" || true; break; }
        sleep 0.1
    done
    as_root rm -f "$1/containerd.pid"
}

is_containerd_of() {
    process_started_at "$2" >/dev/null && tr '\0' ' ' <"/proc/$2/cmdline" 2>/dev/null | grep -qF -- "$1/containerd.toml"
}

start_private_docker() {
    local driver pid n
    prepare_run_dir
    mkdir -p "$ENGINE_ROOT/docker" "$RUN_DIR/docker"
    # Of one that was killed: dockerd does not start while any process has the number in it.
    as_root rm -f "$RUN_DIR/dockerd.pid"
    end_old_containerd "$RUN_DIR/docker/containerd"
    echo '{}' >"$ENGINE_STATE/docker.json" # or it would read the settings of the machine's own Docker
    network_up "$ENGINE_STATE/docker.network" || return 1
    n=$(network_number "$ENGINE_STATE/docker.network")
    for driver in $(storage_drivers docker); do
        launch_docker "$driver" "$n"
        if pid=$(wait_for_engine docker $! "$RUN_DIR/dockerd.pid"); then
            remember_process "$ENGINE_STATE/docker.pid" "$pid"
            printf '%s\n' "$driver" >"$ENGINE_ROOT/docker.driver"
            return 0
        fi
        give_up_on docker "$driver" $! || break
    done
    network_down "$ENGINE_STATE/docker.network"
    return 1
}

# Its own containerd namespaces, because dockerd uses the machine's containerd when there is one. No firewall rules of
# its own: engine_network.sh has seen to that. Only its user's group may use the socket.
launch_docker() {
    local driver=$1 n=$2
    [ "$driver" = overlay ] && driver=overlay2
    (
        cd /
        exec "${AS_ROOT[@]}" setsid dockerd --data-root "$ENGINE_ROOT/docker" --exec-root "$RUN_DIR/docker" \
            --pidfile "$RUN_DIR/dockerd.pid" --config-file "$ENGINE_STATE/docker.json" \
            -H "$(private_url docker)" --group "$(id -g)" \
            --shutdown-timeout 5 --storage-driver "$driver" --bridge "pitchey$n" --iptables=false --ip-masq=false \
            --default-address-pool "base=10.$((200 + n)).128.0/17,size=24" \
            --containerd-namespace "pitchey$n" --containerd-plugins-namespace "pitchey$n-plugins"
    ) </dev/null >"$ENGINE_STATE/docker.log" 2>&1 &
}

# The lower of a limit, which may be "unlimited", and a number.
lower_of() {
    if [ "$1" = unlimited ] || [ "$1" -gt "$2" ]; then printf '%s' "$2"; else printf '%s' "$1"; fi
}

# What Podman cannot be told on its command line. Locks in files, because its default is one block of shared memory for
# all Podmans of a user, which a second one with a directory of its own takes for left over and clears. Limits no
# higher than its own, because it may not raise them, and it lowers the number of processes to the kernel's own limit.
# runc where cgroups are not purely version 2: crun refuses those.
write_podman_configuration() {
    local files processes
    files=$(lower_of "$(ulimit -Hn)" 1048576)
    processes=$(lower_of "$(ulimit -Hu)" "$(cat /proc/sys/kernel/pid_max)")
    {
        echo '[containers]'
        printf 'default_ulimits = ["nofile=%s:%s", "nproc=%s:%s"]\n' "$files" "$files" "$processes" "$processes"
        echo '[engine]'
        echo 'lock_type = "file"'
        printf 'tmp_dir = "%s/podman/tmp"\n' "$RUN_DIR"
        [ -d /run/systemd/system ] || printf 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        [ -e /sys/fs/cgroup/cgroup.controllers ] || echo 'runtime = "runc"'
        if am_root; then
            echo '[network]'
            printf 'network_config_dir = "%s/podman-networks"\n' "$ENGINE_STATE"
            printf 'default_network = "pitchey%s"\n' "$1"
            printf 'default_subnet_pools = [{"base" = "10.%s.128.0/17", "size" = 24}]\n' $((200 + $1))
        fi
    } >"$ENGINE_STATE/containers.conf"
}

# Podman's networking makes the bridge with the first container and removes it with the last, so it gets a name of its
# own; the bridge that network_up made only holds the number. The identifier may be any that no other network has.
write_podman_network() {
    local n=$1 id directory=$ENGINE_STATE/podman-networks
    id=$(printf 'pitchey%s' "$n" | sha256sum | cut -d' ' -f1)
    rm -rf "$directory"
    mkdir -p "$directory"
    cat >"$directory/pitchey$n.json" <<JSON
{
  "name": "pitchey$n", "id": "$id", "created": "2025-01-01T00:00:00Z",
  "driver": "bridge", "network_interface": "pitchey${n}p", "ipam_options": {"driver": "host-local"},
  "subnets": [{"subnet": "10.$((200 + n)).1.0/24", "gateway": "10.$((200 + n)).1.1"}],
  "ipv6_enabled": false, "internal": false, "dns_enabled": false
}
JSON
}

start_private_podman() {
    local driver pid n=0
    prepare_run_dir
    mkdir -p "$ENGINE_ROOT/podman" "$RUN_DIR/podman/tmp"
    if am_root; then # without root, slirp4netns gives each container a network, and nothing of the host's is touched
        network_up "$ENGINE_STATE/podman.network" || return 1
        n=$(network_number "$ENGINE_STATE/podman.network")
        write_podman_network "$n"
    fi
    write_podman_configuration "$n"
    for driver in $(storage_drivers podman); do
        launch_podman "$driver"
        if pid=$(wait_for_engine podman $!); then
            remember_process "$ENGINE_STATE/podman.pid" "$pid"
            printf '%s\n' "$driver" >"$ENGINE_ROOT/podman.driver"
            return 0
        fi
        give_up_on podman "$driver" $! || break
    done
    network_down "$ENGINE_STATE/podman.network"
    return 1
}

# Becomes the private Podman, with the storage driver and the command given. Were CONTAINER_HOST set, podman would talk
# to that instead of working here.
private_podman() {
    local options=(--root "$ENGINE_ROOT/podman" --runroot "$RUN_DIR/podman/run")
    case $1 in
    fuse-overlayfs) options+=(--storage-driver overlay --storage-opt overlay.mount_program=/usr/bin/fuse-overlayfs) ;;
    *) options+=(--storage-driver "$1") ;;
    esac
    shift
    exec env -u CONTAINER_HOST CONTAINERS_CONF="$ENGINE_STATE/containers.conf" setsid podman "${options[@]}" "$@"
}

launch_podman() {
    rm -f "$RUN_DIR/podman.sock"
    (
        cd /
        private_podman "$1" system service --time 0 "$(private_url podman)"
    ) </dev/null >"$ENGINE_STATE/podman.log" 2>&1 &
}

# Containers outlive the service that started them.
stop_podman_containers() {
    [ -s "$ENGINE_ROOT/podman.driver" ] && [ -s "$ENGINE_STATE/containers.conf" ] || return 0
    (private_podman "$(cat "$ENGINE_ROOT/podman.driver")" stop --all --time 3) >/dev/null 2>&1 || true
}

stop_private() {
    local kind=$1
    if remembered_process "$ENGINE_STATE/$kind.pid" >/dev/null; then
        [ "$kind" = docker ] || stop_podman_containers
        stop_process "$ENGINE_STATE/$kind.pid"
        say "Stopped the private $kind."
    fi
    network_down "$ENGINE_STATE/$kind.network"
}
