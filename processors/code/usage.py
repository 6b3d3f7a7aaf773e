"""What the slot as a whole uses and what its limits have refused, from its own control group; version 1 and 2.

The files stay open and are read again and again, because this is done at every tick. A number that the kernel does not
say is a zero here: `version` says beforehand whether there is anything to be read.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Mapping

ROOT = "/sys/fs/cgroup"
MEMBERSHIP = "/proc/self/cgroup"

_READ_BYTES = 16384

#: what a program cannot give back by itself: page cache is the kernel's, and goes when memory is wanted
_MEMORY_V1 = ("total_rss", "total_shmem")
_MEMORY_V2 = ("anon", "shmem", "kernel_stack", "pagetables")


class Usage:
    """The counters of this control group."""

    def __init__(self, root: str = ROOT, membership: str = MEMBERSHIP) -> None:
        paths = _memberships(membership)
        if _exists(f"{root}/cgroup.controllers"):
            own = _directory(root, paths.get("", ""))
            self.version = 2
            memory = cpu = pids = own
        elif _exists(f"{root}/memory/memory.stat"):
            self.version = 1
            memory, cpu, pids = (
                _directory(f"{root}/{name}", paths.get(name, "")) for name in ("memory", "cpuacct", "pids")
            )
        else:
            self.version = 0
            memory = cpu = pids = ""
        self._memory = _open(f"{memory}/memory.stat")
        self._oom = _open(f"{memory}/{'memory.events' if self.version == 2 else 'memory.oom_control'}")
        self._cpu = _open(f"{cpu}/{'cpu.stat' if self.version == 2 else 'cpuacct.usage'}")
        self._pids = _open(f"{pids}/pids.events")
        self._own_bytes = 0

    def cpu_seconds(self) -> float:
        """Processor time of everything that runs or ran in here, orphans included."""
        if self._cpu is None:  # better than nothing: of those that were waited for
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return used.ru_utime + used.ru_stime
        if self.version == 2:
            return _fields(self._cpu).get("usage_usec", 0) / 1e6
        text = _read(self._cpu).strip()
        return int(text) / 1e9 if text.isdigit() else 0.0

    def leave_out_what_is_held_now(self) -> None:
        """The first process is not the job: what it holds before there is one does not count."""
        self._own_bytes = 0
        self._own_bytes = self.memory_bytes()

    def memory_bytes(self) -> int:
        """Memory that the job holds: that of its programs, and its files, which are on a tmpfs."""
        fields = _fields(self._memory)
        held = sum(fields.get(name, 0) for name in (_MEMORY_V2 if self.version == 2 else _MEMORY_V1))
        return max(0, held - self._own_bytes)

    def oom_kills(self) -> int:
        """Processes that were killed because the group had no more memory."""
        return _fields(self._oom).get("oom_kill", 0)

    def process_limit_hits(self) -> int:
        """Forks and threads that were refused."""
        return _fields(self._pids).get("max", 0)


def _memberships(file: str) -> dict[str, str]:
    """In which group this process is, by controller of version 1; the key of version 2 is the empty text."""
    groups: dict[str, str] = {}
    for line in _read(_open(file)).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        groups.update(dict.fromkeys(controllers.split(","), path))
    return groups


def _directory(mount: str, path: str) -> str:
    """A container sees its own group where the mount is, unless its engine shows it the host's."""
    own = mount + path.rstrip("/")
    return own if ".." not in path and _exists(own) else mount


def _exists(path: str) -> bool:
    return os.access(path, os.F_OK)


def _open(path: str) -> int | None:
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    return None


def _read(fd: int | None) -> str:
    if fd is None:
        return ""
    with contextlib.suppress(OSError):
        return os.pread(fd, _READ_BYTES, 0).decode("ascii", "replace")
    return ""


def _fields(fd: int | None) -> Mapping[str, int]:
    """Parse lines of `name number`."""
    pairs = (line.split() for line in _read(fd).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}
