"""What an instance may do: limits and isolation as arguments for docker-py and podman-py.

Pure: an InstanceSpec in, keyword arguments out, tested by equality. Nothing of docker or podman is imported. Every
instance gets all of this; a service that must have more is to be listed here, with its reason. So far none is.
"""

from __future__ import annotations

from typing import Any

from pitchey_cli.engines.port import LABEL_INSTANCE, InstanceSpec

NAME_PREFIX = "pitchey-"
TMP = "/tmp"

_LOG_BYTES = 1 << 20  # what the worker itself prints; an attempt's output goes to its spool
_CPU_PERIOD_MICROSECONDS = 100_000  # the kernel's default
# Of one user on the whole host, so it is not what stops a fork bomb: that is the pids limit. Podman as root asks for
# 1048576 where it is told nothing, and a host with a lower hard limit then refuses to start the container.
_PODMAN_PROCESSES_OF_USER = 8192


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
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": {TMP: f"rw,nosuid,nodev,mode=1777,size={limits.tmp_bytes}"},
        "nano_cpus": round(limits.cpus * 1e9),
        "ulimits": _ulimits(nofile=limits.open_files, core=0),
        "log_config": {"type": "local", "config": {"max-size": str(_LOG_BYTES), "max-file": "2", "compress": "false"}},
        "mounts": [
            {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.is_read_only}
            for mount in spec.mounts
        ],
    }


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
    }


def _user(spec: InstanceSpec) -> str:
    return "{}:{}".format(*spec.user)


def _ulimits(**limits: int) -> list[dict[str, Any]]:
    return [{"Name": name, "Soft": value, "Hard": value} for name, value in limits.items()]
