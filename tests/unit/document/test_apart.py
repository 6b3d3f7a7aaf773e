"""Work apart: what a process may take, and what is left when it dies."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from processors.document import apart
from processors.worker.context import HandlerError, Rejected
from tests.resources.waiting import until
from tests.resources.workers import is_alive

SMALL = apart.Limits(memory_bytes=100 * 1024 * 1024, seconds=20)


def numbers(
    batches: Sequence[Sequence[int]], work: object, *, at_once: int = 2, limits: apart.Limits = SMALL
) -> list[int]:
    assert callable(work)
    found = apart.each_batch(batches, work, "a.pdf", at_once=at_once, allowed=limits)
    return [value["page"] for value in found]


def test_what_is_returned_and_raised_comes_back() -> None:
    assert apart.call(lambda: {"a": [1, "ü"]}, "a.pdf") == {"a": [1, "ü"]}

    def refuse() -> None:
        raise Rejected("code", "A sentence.", "A hint.")

    with pytest.raises(Rejected) as caught:
        apart.call(refuse, "a.pdf")
    assert (caught.value.code, caught.value.hint) == ("code", "A hint.")


def test_batches_are_done_in_other_processes_each_page_once() -> None:
    def work(batch: Sequence[int], say: apart.Say) -> None:
        for page in batch:
            say({"page": page, "pid": os.getpid()})

    found = list(apart.each_batch([[0, 1], [2, 3], [4]], work, "a.pdf", at_once=2))
    assert sorted(value["page"] for value in found) == [0, 1, 2, 3, 4]
    assert len({value["pid"] for value in found}) == 3
    assert os.getpid() not in {value["pid"] for value in found}


def test_a_process_that_dies_once_loses_no_page() -> None:
    """What kills a process after many pages, as memory that was not given back, does not kill it alone."""

    def work(batch: Sequence[int], say: apart.Say) -> None:
        for count, page in enumerate(batch):
            if count == 3:
                os.kill(os.getpid(), signal.SIGTRAP)
            say({"page": page})

    assert sorted(numbers([range(10)], work)) == list(range(10))


def test_a_page_that_kills_is_named() -> None:
    def work(batch: Sequence[int], say: apart.Say) -> None:
        for page in batch:
            if page == 6:
                os.kill(os.getpid(), signal.SIGTRAP)
            say({"page": page})

    with pytest.raises(
        Rejected,
        match=r"^Page 7 of a\.pdf cannot be read: its reading needs more than 100 MiB of memory, or makes it crash\.$",
    ):
        numbers([range(10)], work)


def test_what_the_kernel_kills_for_memory_may_be_tried_on_a_larger_instance() -> None:
    def work(batch: Sequence[int], say: apart.Say) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(HandlerError) as caught:
        numbers([[4]], work)
    assert (caught.value.retryable, caught.value.signal) == (True, signal.SIGKILL)


def test_memory_is_bounded() -> None:
    def work(batch: Sequence[int], say: apart.Say) -> None:
        say({"page": len(bytearray(300 * 1024 * 1024)) and batch[0]})

    with pytest.raises(Rejected, match="needs more than 100 MiB of memory"):
        numbers([[0]], work)


@pytest.mark.parametrize("end", ["die", "tarry", "another dies"])
def test_what_a_process_has_started_ends_with_it(tmp_path: Path, end: str) -> None:
    noted = tmp_path / "pid"

    def work(batch: Sequence[int], say: apart.Say) -> None:
        if batch[0] == 1:
            while not noted.exists():
                os.sched_yield()
            os.kill(os.getpid(), signal.SIGTRAP)
        started = subprocess.Popen(["sleep", "600"])
        (tmp_path / "new").write_text(str(started.pid))
        (tmp_path / "new").rename(noted)
        if end == "die":
            os.kill(os.getpid(), signal.SIGTRAP)
        started.wait()

    batches = [[0], [1]] if end == "another dies" else [[0]]
    with pytest.raises(Rejected):
        numbers(batches, work, limits=apart.Limits(seconds=1 if end == "tarry" else 30))
    pid = int(noted.read_text())
    until(lambda: not is_alive(pid), "what it started has ended")


def test_time_is_bounded() -> None:
    def work(batch: Sequence[int], say: apart.Say) -> None:
        while True:
            pass

    started = time.monotonic()
    with pytest.raises(Rejected, match=r"takes longer than 0\.2 s"):
        numbers([[0]], work, limits=apart.Limits(seconds=0.2))
    assert time.monotonic() - started < 20


def test_a_long_answer_takes_as_long_as_it_is() -> None:
    begun = time.process_time()
    assert len(apart.call(lambda: "x" * (40 << 20), "a.txt")) == 40 << 20
    assert time.process_time() - begun < 5
