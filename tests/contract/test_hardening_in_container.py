"""What a program in an instance finds when it tries what it must not. On Docker and Podman: processes have no walls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.contract.conftest import SMALL, Laboratory

#: Tries everything once, and prints what came of it.
BURGLAR = r"""
import errno, json, os, pathlib, resource, socket

def outcome(attempt):
    try:
        return attempt() or "done"
    except OSError as error:
        return errno.errorcode[error.errno]

def write(directory):
    path = pathlib.Path(directory, "burglar")
    path.write_text("was here")
    path.unlink()

def fork_until_refused():
    children = []
    try:
        while len(children) < 1000:
            pid = os.fork()
            if pid == 0:
                os.close(writer)
                os.read(closed_at_the_end, 1)
                os._exit(0)
            children.append(pid)
    except OSError:
        pass
    os.close(writer)
    for pid in children:
        os.waitpid(pid, 0)
    return len(children)

def fill_tmp():
    written = 0
    try:
        with open("/tmp/fill", "wb", buffering=0) as file:
            while written < 2**30:
                written += file.write(b"x" * 2**20)
    except OSError as error:
        os.unlink("/tmp/fill")
        return [errno.errorcode[error.errno], written]
    return ["done", written]

def first(*paths):
    return next((pathlib.Path(path).read_text().strip() for path in paths if os.path.exists(path)), None)

status = dict(line.split(":\t", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
mounts = [line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
options = {mount[1]: mount[3].split(",") for mount in mounts}
places = ("/", "/etc", "/usr", "/opt", "/run", "/var/tmp", "/tmp")
closed_at_the_end, writer = os.pipe()
children = fork_until_refused()
print(json.dumps({
    "ids": [os.getuid(), os.getgid(), *os.getgroups()],
    "pid": os.getpid(),
    "capabilities": [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
    "no_new_privileges": status["NoNewPrivs"],
    "seccomp": status["Seccomp"],
    "interfaces": [name for _, name in socket.if_nameindex()],
    "connect": outcome(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5)),
    "chroot": outcome(lambda: os.chroot("/tmp")),
    "writes": {path: outcome(lambda: write(path)) for path in places},
    "root_options": options["/"],
    "tmp_options": options["/tmp"],
    "fill_tmp": fill_tmp(),
    "children": children,
    "open_files": resource.getrlimit(resource.RLIMIT_NOFILE),
    "core": resource.getrlimit(resource.RLIMIT_CORE),
    "memory": first("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "swap": first("/sys/fs/cgroup/memory.swap.max", "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes"),
    "processor": first("/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    "environment": sorted(os.environ),
}))
"""

Seen = dict[str, Any]


_SEEN: dict[str, Seen] = {}


@pytest.fixture
def seen(container_lab: Laboratory) -> Seen:
    """What the burglar found; sent once to each engine."""
    if container_lab.kind not in _SEEN:
        done = container_lab.engine.run(container_lab.image, ("python3", "-c", BURGLAR), SMALL)
        assert done.exit_code == 0, done.output
        _SEEN[container_lab.kind] = json.loads(done.output)
    return _SEEN[container_lab.kind]


def test_there_is_no_network(seen: Seen) -> None:
    assert seen["interfaces"] == ["lo"]
    assert seen["connect"] == "ENETUNREACH"


def test_it_is_nobody(seen: Seen) -> None:
    assert set(seen["ids"]) == {10001}


def test_it_has_no_capability_and_can_get_none(seen: Seen) -> None:
    assert seen["capabilities"] == [0, 0, 0, 0, 0]
    assert seen["no_new_privileges"] == "1"
    assert seen["chroot"] == "EPERM"


def test_system_calls_are_filtered(seen: Seen) -> None:
    assert seen["seccomp"] == "2"  # SECCOMP_MODE_FILTER


def test_only_tmp_can_be_written(seen: Seen) -> None:
    writes = seen["writes"]
    assert writes.pop("/tmp") == "done"
    assert set(writes.values()) <= {"EROFS", "EACCES"}
    assert "ro" in seen["root_options"]


def test_tmp_is_small_and_holds_no_devices(seen: Seen) -> None:
    assert {"nosuid", "nodev"} <= set(seen["tmp_options"])
    assert seen["fill_tmp"] == ["ENOSPC", SMALL.tmp_bytes]


def test_processes_are_limited(seen: Seen) -> None:
    assert 1 <= seen["children"] < SMALL.pids


def test_memory_and_processor_are_limited(seen: Seen) -> None:
    assert int(seen["memory"]) == SMALL.memory_bytes
    assert seen["swap"] in ("0", str(SMALL.memory_bytes), None)  # cgroup v2, v1, no swap accounting
    assert seen["processor"].split()[0] == "50000"  # of 100000: half a processor


def test_files_are_limited(seen: Seen) -> None:
    assert seen["open_files"] == [SMALL.open_files] * 2
    assert seen["core"] == [0, 0]


def test_the_worker_is_the_first_process(seen: Seen) -> None:
    assert seen["pid"] == 1


def test_the_environment_holds_no_secret(seen: Seen) -> None:
    known = {"HOME", "HOSTNAME", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED"}
    podmans_own = {"container", "TERM"}
    pythons_own = {"LC_CTYPE"}
    assert set(seen["environment"]) <= known | podmans_own | pythons_own
