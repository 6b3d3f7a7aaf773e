"""Instances that are groups, on real engines: a supervisor, its slots, and that nothing is left of either."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest

from pitchey_cli.daemon.line import SocketLine
from pitchey_cli.daemon.worker_client import WorkerClient
from pitchey_cli.domain.errors import EngineError, ImageMissing, InstanceGone
from pitchey_cli.domain.job import Token
from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.engines import marked
from pitchey_cli.engines.containers import ContainerEngine
from pitchey_cli.engines.discovery import connect
from pitchey_cli.engines.grouped import GroupedEngine
from pitchey_cli.engines.port import LABEL_GROUP, LABEL_STATE, InstanceSpec, InstanceStatus, Mount
from pitchey_cli.engines.process import ProcessEngine
from processors.protocol import (
    INPUTS_DIR,
    RUN_DIR,
    SOCKET_NAME,
    SPOOL_DIR,
    AttemptRequest,
    Ending,
    ErrorEvent,
    Reason,
    ResultEvent,
    Service,
)
from tests.e2e.conftest import CodeEngine

PATIENCE_SECONDS = 60.0
_numbers = itertools.count(1)


def eventually(question: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not question():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


@dataclass
class Group:
    """An instance of the code service, without a daemon."""

    engine: GroupedEngine
    api: docker.APIClient
    directory: Path
    image: str
    id: str
    limits: Limits
    labels: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.labels = {LABEL_STATE: self.id}

    def start(self) -> None:
        for name in ("run", "inputs", "spool"):
            (self.directory / name).mkdir()
        command = ("--service", "code", "--slots", "10", "--run", RUN_DIR, "--inputs", INPUTS_DIR)
        spec = InstanceSpec(
            self.id,
            self.image,
            (*command, "--spool", SPOOL_DIR, "--idle-exit", "600"),
            self.limits,
            self.labels,
            tuple(
                Mount(self.directory / name, target)
                for name, target in (("run", RUN_DIR), ("inputs", INPUTS_DIR), ("spool", SPOOL_DIR))
            ),
            is_group=True,
        )
        self.engine.start(spec)
        eventually((self.directory / "run" / SOCKET_NAME).exists)

    async def begin(self, client: WorkerClient, code: str, **fields: Any) -> Token:
        token = Token(f"job.{next(_numbers)}")
        spec = {"language": "python", "code": code, **fields}
        request = AttemptRequest(
            token=token, service=Service.CODE, spec=spec, timeout_seconds=60, output_limit_bytes=MIB
        )
        await client.start(request)
        return token

    async def ending(self, client: WorkerClient, token: Token) -> Ending:
        async for event in await client.events(token, after=0):
            if isinstance(event, ResultEvent | ErrorEvent):
                return event
        raise AssertionError("there is no last event")

    def work(self, code: str, **fields: Any) -> Ending:
        """Have one job done."""

        async def carry_out(client: WorkerClient) -> Ending:
            return await self.ending(client, await self.begin(client, code, **fields))

        return self.speak(carry_out)

    def speak(self, talk: Callable[[WorkerClient], Any]) -> Any:
        client = WorkerClient(SocketLine(self.directory / "run"))
        try:
            return asyncio.run(talk(client))
        finally:
            client.close()

    def slots(self, **filters: Any) -> list[str]:
        """The containers of its slots."""
        found = self.api.containers(filters={"label": f"{LABEL_GROUP}={self.id}", **filters}, all=not filters)
        return [item["Id"] for item in found]

    def supervisor(self) -> psutil.Process:
        (process,) = marked.members(self.id)
        return process


@pytest.fixture
def group(code_engine: CodeEngine, tmp_path: Path) -> Iterator[Group]:
    """An instance that is there, and of which nothing is left afterwards."""
    engine = connect(code_engine.kind, code_engine.url, state_dir=tmp_path)
    assert isinstance(engine, ContainerEngine)
    grouped = GroupedEngine(engine, engine.endpoint, tmp_path / "supervisors")
    api = docker.APIClient(code_engine.url, version="auto")
    group_id = f"code-{time.monotonic_ns():x}"
    group = Group(grouped, api, tmp_path, code_engine.image, group_id, Limits(cpus=1, memory_bytes=512 * MIB))
    group.start()
    yield group
    grouped.remove(group.id)
    assert group.slots() == []
    assert marked.members(group.id) == []
    assert grouped.find(group.labels) == []
    with pytest.raises(InstanceGone):
        grouped.inspect(group.id)
    api.close()
    grouped.close()


def result_of(ending: Ending) -> dict[str, Any]:
    assert isinstance(ending, ResultEvent), ending
    return ending.result.details


def test_a_job_is_done_and_its_verdict_and_value_come_back(group: Group) -> None:
    code = "import os, sys\nopen('out/a.txt', 'w').write('kept')\nprint('hi', file=sys.stderr)\n"
    ending = group.work(code + "def main(n):\n    return {'n': n}", inputs=[7])
    details = result_of(ending)
    assert (details["verdict"], details["returned"], details["stderr"]["text"]) == ("OK", {"n": 7}, "hi\n")
    assert isinstance(ending, ResultEvent)
    assert [(file.path, file.size, file.role) for file in ending.result.outputs] == [("a.txt", 4, "file")]
    assert ending.metrics.cpu_seconds > 0
    assert group.engine.inspect(group.id).status is InstanceStatus.RUNNING
    assert [info.instance_id for info in group.engine.find(group.labels)] == [group.id]


def test_a_stream_that_is_long_is_a_file_and_all_of_it(group: Group) -> None:
    ending = group.work("print('x' * 200_000)")
    assert result_of(ending)["stdout"]["file"] == "stdout.txt"
    assert isinstance(ending, ResultEvent)
    (output,) = ending.result.outputs
    assert (output.role, output.size) == ("stdout", 200_001)


def test_a_slot_waits_for_the_next_job_and_none_is_used_twice(group: Group) -> None:
    hosts = [result_of(group.work("print(open('/proc/1/cgroup').read())"))["stdout"]["text"] for _ in range(3)]
    assert len(set(hosts)) == 3
    eventually(lambda: len(group.slots(status="running")) >= 1)


def test_one_that_is_cancelled_ends_at_once_and_so_does_its_slot(group: Group) -> None:
    async def cancel(client: WorkerClient) -> Ending:
        token = await group.begin(client, "import time\ntime.sleep(50)", timeout=50)
        async for event in await client.events(token, after=0):
            if event.type == "progress":
                break
        await client.end(token, grace_seconds=30)
        return await group.ending(client, token)

    began = time.monotonic()
    ending = group.speak(cancel)
    assert isinstance(ending, ErrorEvent)
    assert ending.error.reason is Reason.CANCELLED
    assert time.monotonic() - began < 20
    eventually(lambda: len(group.slots()) == 1)  # the next one


def test_what_does_not_fit_into_the_memory_waits_until_it_does(group: Group) -> None:
    async def three(client: WorkerClient) -> list[Ending]:
        tokens = [await group.begin(client, "print(1)", memoryLimit=200) for _ in range(3)]  # of 512 MiB
        return [await group.ending(client, token) for token in tokens]

    assert [result_of(each)["verdict"] for each in group.speak(three)] == ["OK"] * 3


def test_a_program_that_takes_its_slot_along_is_told_of_with_its_cause(group: Group) -> None:
    bomb = "import os\nfor _ in range(40):\n    if os.fork() == 0:\n        break\n"
    bomb += "b = [bytearray(1 << 20) for _ in range(200)]\n"
    assert result_of(group.work(bomb, timeout=5))["verdict"] == "MEMORY_LIMIT"


def test_a_spec_that_cannot_be_is_refused_for_good(group: Group) -> None:
    ending = group.work("print(1)", files={"main.py": "no"})
    assert isinstance(ending, ErrorEvent)
    assert (ending.error.reason, ending.error.retryable) == (Reason.REJECTED, False)
    assert "main.py" in ending.error.message


def test_the_time_of_jobs_that_have_ended_counts_as_used(group: Group) -> None:
    before = group.engine.usage(group.id).cpu_seconds
    group.work("import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass", timeout=50)
    assert group.engine.usage(group.id).cpu_seconds - before > 0.45


def test_a_group_that_is_paused_answers_when_it_is_woken(group: Group) -> None:
    group.engine.pause(group.id)
    assert group.engine.inspect(group.id).status is InstanceStatus.PAUSED
    group.engine.unpause(group.id)
    assert result_of(group.work("print(1)"))["verdict"] == "OK"


def test_when_a_supervisor_is_killed_its_slots_end_and_the_instance_has_exited(group: Group) -> None:
    group.work("print(1)")
    group.supervisor().kill()
    eventually(lambda: not group.slots(status="running"))
    eventually(lambda: group.engine.inspect(group.id).status is InstanceStatus.EXITED)
    assert [info.status for info in group.engine.find(group.labels)] == [InstanceStatus.EXITED]


def test_slots_of_which_nobody_has_a_record_are_found_and_removed(group: Group) -> None:
    group.work("print(1)")
    eventually(lambda: len(group.slots(status="running")) >= 1)
    group.supervisor().kill()
    ProcessEngine(group.directory / "supervisors").remove(group.id)
    assert [(info.instance_id, info.status) for info in group.engine.find(group.labels)] == [
        (group.id, InstanceStatus.EXITED)
    ]
    group.engine.remove(group.id)
    assert group.slots() == []


def test_one_that_is_told_to_stop_takes_its_slots_along(group: Group) -> None:
    group.work("print(1)")
    group.engine.stop(group.id, grace_seconds=20)
    assert group.slots() == []
    assert group.engine.inspect(group.id).exit_code == 0


def test_without_its_image_a_group_is_not_there_to_fail_jobs(group: Group) -> None:
    wanted = InstanceSpec("code-none", "pitchey/none:0", ("--service", "code"), group.limits, is_group=True)
    with pytest.raises(ImageMissing, match="pitchey/none:0") as caught:
        group.engine.start(wanted)
    assert "images build" in caught.value.hint
    assert marked.members("code-none") == []


def test_the_process_engine_runs_no_programs_that_nobody_trusts(tmp_path: Path) -> None:
    spec = InstanceSpec("code-1", "image", ("--service", "code"), Limits(1, MIB), is_group=True)
    with pytest.raises(EngineError, match="nobody trusts"):
        ProcessEngine(tmp_path).start(spec)
