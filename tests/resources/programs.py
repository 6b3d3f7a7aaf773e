"""The programs that work for jobs: found, and held in their work for as long as a test looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

from tests.resources.waiting import until


def working(pid: int, word: str) -> list[psutil.Process]:
    """The processes below one in whose command line there is a word. Any of them may end at any time."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended since it was listed
            if any(word in each for each in process.cmdline()):
                found.append(process)
    return found


@contextmanager
def held(pid: int, job_id: str) -> Iterator[None]:
    """Let the program of a job that is about to begin, or has begun, stand still for as long as the context lasts.

    Args:
        pid: of who runs jobs, a daemon or a `run`.
    """
    suspended: set[psutil.Process] = set()

    def stands_still() -> bool:
        for each in working(pid, f"{job_id}."):
            with suppress(psutil.NoSuchProcess):  # it has ended since it was listed
                each.suspend()
                suspended.add(each)
                if each.status() == psutil.STATUS_STOPPED:
                    return True
        return False

    try:
        until(stands_still, f"a program works for {job_id}, and stands still")
        yield
    finally:
        for each in suspended:
            with suppress(psutil.NoSuchProcess):  # it has been killed
                each.resume()
