"""What a slot uses, read from a control group of each version."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.code.usage import Usage

V1 = {
    "memory/memory.stat": "rss 1\ntotal_cache 99\ntotal_rss 1000\ntotal_shmem 24\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "cpuacct/cpuacct.usage": "1500000000\n",
    "pids/pids.events": "max 5\n",
}
V2 = {
    "cgroup.controllers": "cpu memory pids\n",
    "memory.stat": "anon 1000\nfile 99\nshmem 20\nkernel_stack 3\npagetables 1\n",
    "memory.events": "low 0\nmax 7\noom 3\noom_kill 2\n",
    "cpu.stat": "usage_usec 1500000\nuser_usec 1\n",
    "pids.events": "max 5\n",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


@pytest.mark.parametrize(("version", "files"), [(1, V1), (2, V2)])
def test_both_versions_say_the_same(version: int, files: dict[str, str], tmp_path: Path) -> None:
    usage = Usage(str(tree(tmp_path, files)), str(tmp_path / "none"))
    assert usage.version == version
    assert (usage.memory_bytes(), usage.oom_kills()) == (1024, 2)
    assert (usage.cpu_seconds(), usage.process_limit_hits()) == (1.5, 5)


def test_a_number_that_changes_is_read_anew(tmp_path: Path) -> None:
    usage = Usage(str(tree(tmp_path, V2)), str(tmp_path / "none"))
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\n")
    assert usage.cpu_seconds() == 2.5


def test_what_the_first_process_holds_is_not_the_jobs(tmp_path: Path) -> None:
    usage = Usage(str(tree(tmp_path, V2)), str(tmp_path / "none"))
    usage.leave_out_what_is_held_now()
    assert usage.memory_bytes() == 0
    (tmp_path / "memory.stat").write_text("anon 1500\nshmem 20\nkernel_stack 3\npagetables 1\n")
    assert usage.memory_bytes() == 500


def test_a_group_that_is_shown_below_the_hosts_is_found(tmp_path: Path) -> None:
    tree(tmp_path / "fs", {"cgroup.controllers": "", "cpu.stat": "usage_usec 9\n"})
    tree(tmp_path / "fs" / "own", V2)
    membership = tmp_path / "cgroup"
    membership.write_text("0::/own\n")
    assert Usage(str(tmp_path / "fs"), str(membership)).cpu_seconds() == 1.5


def test_without_a_control_group_nothing_is_claimed(tmp_path: Path) -> None:
    usage = Usage(str(tmp_path), str(tmp_path / "none"))
    assert usage.version == 0
    assert (usage.memory_bytes(), usage.oom_kills(), usage.process_limit_hits()) == (0, 0, 0)


def test_what_is_not_understood_is_no_number(tmp_path: Path) -> None:
    usage = Usage(str(tree(tmp_path, V2 | {"memory.stat": "anon many\nshmem\n\xff 1 2\n"})), str(tmp_path / "none"))
    assert usage.memory_bytes() == 0
