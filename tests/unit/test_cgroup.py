"""What an instance says of its own use, for every shape of control groups it may meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.protocol import CgroupUsage
from processors.worker.cgroup import read_cpu_quota, read_usage


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


V2 = {
    "memory.current": "500\n",
    "memory.max": "1000\n",
    "memory.stat": "anon 300\ninactive_file 120\nactive_file 80\n",
    "memory.events": "low 0\nmax 4\noom 1\noom_kill 2\n",
    "cpu.stat": "usage_usec 2500000\nuser_usec 2000000\n",
}
V1 = {
    "memory/memory.usage_in_bytes": "500\n",
    "memory/memory.limit_in_bytes": "1000\n",
    "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 120\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "cpuacct/cpuacct.usage": "2500000000\n",
}
NUMBERS = {"memory_bytes": 380, "memory_limit_bytes": 1000, "cpu_seconds": 2.5, "oom_kills": 2}


def test_a_container_with_a_namespace_of_its_own_sees_its_group_at_the_root(tmp_path: Path) -> None:
    root = tree(tmp_path / "cgroup", {"cgroup.controllers": "cpu memory", **V2})
    membership = tree(tmp_path, {"self": "0::/\n"}) / "self"
    assert read_usage(root, membership) == CgroupUsage(version=2, **NUMBERS)


def test_a_process_on_the_host_finds_its_group_below_the_root(tmp_path: Path) -> None:
    files = {f"user.slice/mine/{name}": text for name, text in V2.items()}
    root = tree(tmp_path / "cgroup", {"cgroup.controllers": "cpu memory", **files})
    membership = tree(tmp_path, {"self": "0::/user.slice/mine\n"}) / "self"
    assert read_usage(root, membership) == CgroupUsage(version=2, **NUMBERS)


def test_version_1_in_a_container_whose_path_exists_on_the_host_only(tmp_path: Path) -> None:
    root = tree(tmp_path / "cgroup", V1)
    membership = tree(tmp_path, {"self": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n"}) / "self"
    assert read_usage(root, membership) == CgroupUsage(version=1, **NUMBERS)


def test_no_limit_is_none_and_not_a_large_number(tmp_path: Path) -> None:
    membership = tree(tmp_path, {"self": "0::/\n"}) / "self"
    v2 = tree(tmp_path / "2", {"cgroup.controllers": "", **V2, "memory.max": "max\n"})
    v1 = tree(tmp_path / "1", {**V1, "memory/memory.limit_in_bytes": "9223372036854771712\n"})
    assert read_usage(v2, membership).memory_limit_bytes is None
    assert read_usage(v1, membership).memory_limit_bytes is None


def test_what_the_kernel_does_not_say_is_none_and_not_zero(tmp_path: Path) -> None:
    membership = tree(tmp_path, {"self": "0::/\n"}) / "self"
    bare = tree(tmp_path / "bare", {"cgroup.controllers": ""})
    assert read_usage(bare, membership) == CgroupUsage(version=2)
    assert read_usage(tmp_path / "nothing", tmp_path / "nothing") == CgroupUsage()


def test_the_machine_that_runs_this_test_says_something() -> None:
    usage = read_usage()
    assert usage.version in (1, 2)
    assert usage.memory_bytes is None or usage.memory_bytes > 0


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({"cgroup.controllers": "cpu", "cpu.max": "150000 100000\n"}, 1.5),
        ({"cgroup.controllers": "cpu", "cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({}, None),
    ],
)
def test_the_processors_of_a_quota(tmp_path: Path, files: dict[str, str], cpus: float | None) -> None:
    membership = tree(tmp_path, {"self": "0::/\n"}) / "self"
    assert read_cpu_quota(tree(tmp_path / "cgroup", files), membership) == cpus
