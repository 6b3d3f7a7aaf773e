"""A thread that looks, all through a storm, whether two attempts of one job are at work at the same moment."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.chaos.ground import ffmpegs

_LOOK_SECONDS = 0.25
_TOKEN = re.compile(r"/([0-9a-z]{12})\.(\d+)/")


class Watch:
    """Looks at the ffmpeg programs of this machine, those inside containers too."""

    def __init__(self, is_ours: Callable[[str], bool], place_of: Callable[[str], str] = lambda line: "") -> None:
        """Look at nothing yet.

        Args:
            is_ours: whether a job is of this storm.
            place_of: of a program's command line: the node that it runs on. What a node runs for another attempt of the
                same job, when it was taken for dead and does not know yet, is fenced off, and no fault.
        """
        self.seen: list[str] = []
        self.looks = 0
        self._is_ours, self._place_of = is_ours, place_of
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            self.looks += 1
            self.seen += [problem for problem in self._look() if problem not in self.seen]

    def _look(self) -> list[str]:
        at_work: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
        for pid, line in ffmpegs():
            match = _TOKEN.search(line)
            if match is None or not self._is_ours(match[1]):
                continue
            with contextlib.suppress(OSError):
                if _is_alive(pid):
                    # One attempt may run several programs at once; an instance tells two lives of one token apart.
                    at_work[self._place_of(line), match[1]].add((match[2], str(Path(f"/proc/{pid}/ns/pid").readlink())))
        return [
            f"{job_id}: attempts {', '.join(sorted(number for number, _ in attempts))} were at work at the same moment"
            for (_, job_id), attempts in at_work.items()
            if len(attempts) > 1
        ]


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
