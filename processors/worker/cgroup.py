"""What the instance as a whole uses, read from its own control group.

Pure parsing below a root directory, so that the tests can use a tree of their own. What the kernel does not say, or
says in a way that is not understood, is None: a missing number must never look like a zero.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from processors.protocol import CgroupUsage

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")

_UNLIMITED_V1 = 1 << 60  # v1 says "no limit" as the largest multiple of the page size


def read_usage(root: Path = ROOT, membership: Path = MEMBERSHIP) -> CgroupUsage:
    """Read what the control group of this process uses."""
    paths = _memberships(membership)
    if (root / "cgroup.controllers").exists():
        return _read_v2(_directory(root, paths.get("", "/")))
    if (root / "memory").is_dir():
        return _read_v1(
            memory=_directory(root / "memory", paths.get("memory", "/")),
            cpu=_directory(root / "cpuacct", paths.get("cpuacct", "/")),
        )
    return CgroupUsage()


def read_oom_kills(root: Path = ROOT, membership: Path = MEMBERSHIP) -> int | None:
    """Read how many processes of the control group the kernel has killed for memory: before and after every attempt."""
    return _fields(_oom_file(root, membership)).get("oom_kill")


@cache
def _oom_file(root: Path, membership: Path) -> Path:
    """Found once: a worker stays in its group."""
    paths = _memberships(membership)
    if (root / "cgroup.controllers").exists():
        return _directory(root, paths.get("", "/")) / "memory.events"
    return _directory(root / "memory", paths.get("memory", "/")) / "memory.oom_control"


def read_cpu_quota(root: Path = ROOT, membership: Path = MEMBERSHIP) -> float | None:
    """Read how many processors the control group of this process may use; None where nothing bounds it."""
    paths = _memberships(membership)
    if (root / "cgroup.controllers").exists():
        quota, _, period = _text(_directory(root, paths.get("", "/")) / "cpu.max").strip().partition(" ")
    else:
        group = _directory(root / "cpu", paths.get("cpu", "/"))
        quota, period = (_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period"))
    # Version 2 says "max" for no bound, and version 1 says -1.
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _memberships(file: Path) -> dict[str, str]:
    """Say in which group this process is, by v1 controller; the key of v2 is the empty string."""
    groups: dict[str, str] = {}
    for line in _text(file).splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _directory(mount: Path, path: str) -> Path:
    """Find the group: a container sees its own group at the mount itself, under a path that exists on the host only."""
    below = mount / path.lstrip("/")
    return below if below.is_dir() else mount


def _read_v2(group: Path) -> CgroupUsage:
    microseconds = _fields(group / "cpu.stat").get("usage_usec")
    return CgroupUsage(
        version=2,
        memory_bytes=_working_set(_number(group / "memory.current"), group / "memory.stat", "inactive_file"),
        memory_limit_bytes=_number(group / "memory.max"),
        cpu_seconds=None if microseconds is None else microseconds / 1e6,
        oom_kills=_fields(group / "memory.events").get("oom_kill"),
    )


def _read_v1(memory: Path, cpu: Path) -> CgroupUsage:
    nanoseconds = _number(cpu / "cpuacct.usage")
    limit = _number(memory / "memory.limit_in_bytes")
    return CgroupUsage(
        version=1,
        memory_bytes=_working_set(
            _number(memory / "memory.usage_in_bytes"), memory / "memory.stat", "total_inactive_file"
        ),
        memory_limit_bytes=None if limit is None or limit >= _UNLIMITED_V1 else limit,
        cpu_seconds=None if nanoseconds is None else nanoseconds / 1e9,
        oom_kills=_fields(memory / "memory.oom_control").get("oom_kill"),
    )


def _working_set(used: int | None, stat: Path, inactive: str) -> int | None:
    """Leave out the page cache that the kernel would give up at once, as `docker stats` does: reading a large video
    is not a reason to scale."""
    return None if used is None else max(0, used - _fields(stat).get(inactive, 0))


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None


def _fields(file: Path) -> dict[str, int]:
    """Parse lines of `name number`."""
    pairs = (line.split() for line in _text(file).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
