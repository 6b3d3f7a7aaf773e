"""What an instance may do: limits and isolation as arguments for docker-py and podman-py.

Pure: an InstanceSpec in, keyword arguments out, tested by equality. Nothing of docker or podman is imported. Every
instance gets all of this; a service that must have more is to be listed here, with its reason. The only one is `code`:
the first process of a slot is root with three capabilities, so that it can be another user than the job. And a porter,
which runs nothing of anybody's, has a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pitchey_cli.domain.limits import MIB, PORTER
from pitchey_cli.engines import graphics
from pitchey_cli.engines.port import (
    GIVEN_DIR,
    KEPT_DIR,
    LABEL_INSTANCE,
    TAKEN_DIR,
    EngineKind,
    InstanceSpec,
    SlotSpec,
)

NAME_PREFIX = "pitchey-"
TMP = "/tmp"

#: those that a porter shares with its worker, and the one that it does not
VOLUMES = {"given": GIVEN_DIR, "taken": TAKEN_DIR, "kept": KEPT_DIR}

_LOG_BYTES = 1 << 20  # what the worker itself prints; an attempt's output goes to its spool
_CPU_PERIOD_MICROSECONDS = 100_000  # the kernel's default
# Of one user on the whole host, so it is not what stops a fork bomb: that is the pids limit. Podman as root asks for
# 1048576 where it is told nothing, and a host with a lower hard limit then refuses to start the container.
_PODMAN_PROCESSES_OF_USER = 8192
# Of the 1024 that others have; on cgroup v2 engines make it 3 of 100. When processors are short, the daemon and the API
# answer, and jobs have what is left. It counts where the engine puts containers beside other groups; all that stand in
# one group of its own weigh as one.
_CPU_SHARES = 64


def container_name(instance_id: str) -> str:
    """What the engine calls an instance."""
    return NAME_PREFIX + instance_id


def docker_arguments(spec: InstanceSpec, *, is_rootless: bool = False) -> dict[str, Any]:
    """Keyword arguments for docker-py's `containers.create`. The engine's default seccomp profile stays on.

    Args:
        is_rootless: the daemon belongs to a user. Then root inside is that user outside, and every other number is one
            that could not read the instance's directories.
    """
    limits = spec.limits
    return {
        **_both(spec),
        "user": "0:0" if is_rootless else _user(spec),
        "init": False,
        **({"runtime": spec.runtime} if spec.runtime else {}),
        **({"device_requests": [graphics.DOCKER_REQUEST]} if spec.has_gpu else {}),
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": {TMP: f"rw,nosuid,nodev,mode=1777,size={limits.tmp_bytes}"},
        "nano_cpus": round(limits.cpus * 1e9),
        "ulimits": _ulimits(nofile=limits.open_files, core=0),
        "log_config": {"type": "local", "config": {"max-size": str(_LOG_BYTES), "max-file": "2", "compress": "false"}},
        "mounts": [
            {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.is_read_only}
            for mount in spec.mounts
        ]
        + ([_volume(spec, GIVEN_DIR, is_read_only=True), _volume(spec, TAKEN_DIR)] if spec.porter else []),
    }


def porter_arguments(spec: InstanceSpec, *, labels: Mapping[str, str], bound_to: str) -> dict[str, Any]:
    """Keyword arguments for docker-py's `containers.create`, of the porter in front of an instance.

    Args:
        bound_to: the address of Docker's host at which it is reached; empty: all of them.
    """
    porter = spec.porter
    assert porter is not None
    own = replace(
        spec,
        command=porter.command,
        limits=PORTER,
        labels=labels,
        environment={},
        mounts=(),
        runtime="",
        has_gpu=False,
        porter=None,
    )
    arguments = docker_arguments(own)
    del arguments["labels"][LABEL_INSTANCE], arguments["cpu_shares"]  # it does no work, and has to answer
    return {
        **arguments,
        "name": porter_name(spec.instance_id),
        "entrypoint": ["python3", "-m", "processors.porter"],
        "network_mode": porter.network,
        "ports": {f"{porter.port}/tcp": (bound_to, None)},
        "mounts": [_volume(spec, directory) for directory in VOLUMES.values()],
    }


def porter_name(instance_id: str) -> str:
    """What the engine calls the porter of an instance."""
    return f"{container_name(instance_id)}-porter"


def volume_name(instance_id: str, name: str) -> str:
    """What the engine calls one of the volumes of an instance."""
    return f"{container_name(instance_id)}-{name}"


def _volume(spec: InstanceSpec, directory: str, *, is_read_only: bool = False) -> dict[str, Any]:
    name = next(name for name, each in VOLUMES.items() if each == directory)
    source = volume_name(spec.instance_id, name)
    return {"Type": "volume", "Source": source, "Target": directory, "ReadOnly": is_read_only}


def podman_arguments(spec: InstanceSpec, *, is_rootless: bool = False) -> dict[str, Any]:
    """Keyword arguments for podman-py's `containers.create`. The engine's default seccomp profile stays on.

    Args:
        is_rootless: the service belongs to a user. Then that user keeps its number inside, so that what instances write
            is its own. Podman lowers the limit of processes by itself.
    """
    limits = spec.limits
    ulimits = {"nofile": limits.open_files, "core": 0}
    if not is_rootless:
        ulimits["nproc"] = _PODMAN_PROCESSES_OF_USER
    return {
        **_both(spec),
        "user": _user(spec),
        **({"userns_mode": "keep-id"} if is_rootless else {}),
        **({"devices": [graphics.PODMAN_DEVICE]} if spec.has_gpu else {}),
        "no_new_privileges": True,
        "read_write_tmpfs": False,  # or /run, /var/tmp and a /tmp without a size would be writable
        "use_config_proxy": False,  # or the service's own http_proxy would be in the instance's environment
        "cpu_period": _CPU_PERIOD_MICROSECONDS,
        "cpu_quota": round(limits.cpus * _CPU_PERIOD_MICROSECONDS),
        "ulimits": _ulimits(**ulimits),
        "log_config": {"Type": "k8s-file", "Config": {"size": _LOG_BYTES}},
        "mounts": [
            # nosuid and nodev are Podman's default on a tmpfs, and podman-py has no way to say them.
            {"type": "tmpfs", "source": "tmpfs", "target": TMP, "size": str(limits.tmp_bytes), "mode": "1777"},
            *(
                {"type": "bind", "source": str(mount.source), "target": mount.target, "read_only": mount.is_read_only}
                for mount in spec.mounts
            ),
        ],
    }


def _both(spec: InstanceSpec) -> dict[str, Any]:
    """What docker-py and podman-py call the same."""
    limits = spec.limits
    return {
        "image": spec.image,
        "command": list(spec.command),
        "name": container_name(spec.instance_id),
        "hostname": spec.instance_id[:63],
        "labels": {**spec.labels, LABEL_INSTANCE: spec.instance_id},
        "environment": dict(spec.environment),
        "network_mode": "none",
        "ipc_mode": "private",
        "read_only": True,
        "cap_drop": ["ALL"],
        "pids_limit": limits.pids,
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,  # memory and swap together: none is left for swap
        "cpu_shares": _CPU_SHARES,
    }


def _user(spec: InstanceSpec) -> str:
    return "{}:{}".format(*spec.user)


def _ulimits(**limits: int) -> list[dict[str, Any]]:
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in limits.items()]


# --- slots

_SLOT_PIDS = 64
_SLOT_TMP_BYTES = 64 * MIB
_SLOT_TMP_FILES = 4096
# About half of what an instance gets when processors are short (2 of 100 on cgroup v2): there are several of them.
_SLOT_CPU_SHARES = 32
#: What of /proc and /sys speaks of the host: the engines' own lists, and disks, devices and boot options besides.
_SLOT_MASKED = (
    *("/proc/acpi", "/proc/asound", "/proc/cmdline", "/proc/diskstats", "/proc/interrupts", "/proc/kcore"),
    *("/proc/keys", "/proc/latency_stats", "/proc/partitions", "/proc/sched_debug", "/proc/scsi", "/proc/swaps"),
    *("/proc/timer_list", "/proc/timer_stats", "/sys/block", "/sys/bus", "/sys/class", "/sys/dev"),
    *("/sys/devices/virtual", "/sys/firmware", "/sys/hypervisor", "/sys/kernel", "/sys/module", "/sys/power"),
)


def slot_configuration(kind: EngineKind, spec: SlotSpec) -> dict[str, Any]:
    """The body of `POST /containers/create` for a slot, in Docker's words, which Podman takes as well."""
    is_docker = kind is EngineKind.DOCKER
    masks = {"MaskedPaths": list(_SLOT_MASKED)} if is_docker else {}
    options = [] if is_docker else [f"mask={':'.join(_SLOT_MASKED)}"]
    return {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "User": "0:0",
        "Hostname": "slot",
        "Labels": dict(spec.labels),
        "OpenStdin": True,
        "StdinOnce": True,  # when its supervisor is gone, stdin ends, and the slot with it
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "CapAdd": ["SETUID", "SETGID", "KILL"],
            "SecurityOpt": ["no-new-privileges", *options],
            **masks,
            "ReadonlyRootfs": True,
            "Tmpfs": {
                "/tmp": _slot_tmpfs(_SLOT_TMP_BYTES, _SLOT_TMP_FILES, is_docker=is_docker),
                "/job": _slot_tmpfs(spec.job_bytes, spec.job_files, is_docker=is_docker),
            },
            "Mounts": [
                {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.is_read_only}
                for mount in spec.mounts
            ],
            "IpcMode": "private",
            "ShmSize": MIB,
            "Memory": spec.memory_bytes,
            "MemorySwap": spec.memory_bytes,
            "NanoCpus": round(spec.cpus * 1e9),
            "CpuShares": _SLOT_CPU_SHARES,
            "PidsLimit": _SLOT_PIDS,
            "LogConfig": {"Type": "none"},  # what it says is read as it comes
            # Of one user on the whole host; no two slots have the same.
            "Ulimits": _ulimits(core=0, nofile=4096, nproc=4096),
            **({"Runtime": spec.runtime} if spec.runtime else {}),
            **({"AutoRemove": True} if spec.is_removed_at_its_end else {}),
        },
    }


def _slot_tmpfs(size: int, files: int, *, is_docker: bool) -> str:
    inodes = f",nr_inodes={files}" if is_docker else ""  # Podman 4.3 refuses the option
    return f"rw,exec,nosuid,nodev,size={size},mode=1777{inodes}"
