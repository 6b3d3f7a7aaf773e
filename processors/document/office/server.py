"""A process beside the attempts that has LibreOffice loaded, and forks for each document.

To load LibreOffice takes ten times as long as to convert a small document. So it is loaded once, and each document gets
a fork of that process: what a document does to it is gone with the fork, and two documents never meet. That process in
its turn is forked by the companion, which waits and has nothing loaded, when the first document comes; it ends when it
was idle for a while, or when it fails, and the next document begins anew.

    worker -- companion (waits; no LibreOffice) -- office (LibreOffice) -- one fork for each document
    attempt -- a connection for each document: what is to be done, then what came of it; if it is closed, the fork dies
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from processors.document.office import profile
from processors.document.office.kit import Kit
from processors.worker import processes

_HOME = "office"  # the profile's directory, in the worker's own
_IDLE_SECONDS = 120.0
_LOAD_SECONDS = 60  # a hundred times what it takes
_LOOK_SECONDS = 1.0
_STUCK_SECONDS = 6.0  # without a hundredth of a second of work: it waits for what never comes
_REQUEST_BYTES = 64 * 1024
_REQUEST_SECONDS = 5.0
_ENDED = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLRDHUP


def serve(listening: socket.socket) -> NoReturn:
    """Be the companion: have an office whenever somebody asks."""
    while True:
        select.select([listening], [], [])
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _office(listening, Path.cwd() / _HOME, parent)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            _refuse(listening, os.waitstatus_to_exitcode(status))


def _refuse(listening: socket.socket, status: int) -> None:
    """Tell who waits that there is no office, instead of trying for ever."""
    while select.select([listening], [], [], 0)[0]:
        connection, _ = listening.accept()
        with connection:
            _answer(connection, {"status": status, "trouble": "LibreOffice does not start"})


def _office(listening: socket.socket, home: Path, parent: int) -> NoReturn:
    """Load LibreOffice, and serve until nothing has come for a while."""
    status = 1
    try:
        processes.die_with_parent(parent)
        shutil.rmtree(home, ignore_errors=True)  # of one that was killed
        profile.write(home)
        os.environ["HOME"] = os.environ["TMPDIR"] = str(home)  # each load leaves folders where temporary files go
        signal.alarm(_LOAD_SECONDS)  # ends it
        kit = Kit(home)
        kit.loop(_Office(listening, kit, home).serve)
    except BaseException as error:
        sys.stderr.write(f"LibreOffice: {error!r}\n")
    finally:
        os._exit(status)


@dataclass(slots=True)
class _Job:
    pid: int
    pidfd: int
    connection: socket.socket
    room: Path  #: for its temporary files
    worked: int = 0  #: ticks of the processor, when it was last seen to work
    seen: float = 0.0  #: when that was


class _Office:
    """Serves connections, each with a fork for its document."""

    def __init__(self, listening: socket.socket, kit: Kit, home: Path) -> None:
        self._listening = listening
        self._kit = kit
        self._home = home
        self._poll = select.poll()
        self._jobs: dict[int, _Job] = {}  # by both descriptors
        self._had_stuck = False

    def serve(self) -> NoReturn:
        status = 1
        try:
            signal.alarm(0)
            self._poll.register(self._listening, select.POLLIN)
            while self._jobs or not self._had_stuck:  # what comes after one that was stuck has a new office
                ready = self._poll.poll((_LOOK_SECONDS if self._jobs else _IDLE_SECONDS) * 1000)
                if not ready and not self._jobs:
                    break
                for fd, _ in ready:
                    if fd == self._listening.fileno():
                        self._begin(self._listening.accept()[0])
                    elif fd in self._jobs:
                        self._end(self._jobs[fd])
                self._look()
            shutil.rmtree(self._home, ignore_errors=True)
            status = 0
        except BaseException as error:
            sys.stderr.write(f"LibreOffice: {error!r}\n")
        finally:
            os._exit(status)

    def _begin(self, connection: socket.socket) -> None:
        connection.settimeout(_REQUEST_SECONDS)
        try:
            request = json.loads(connection.recv(_REQUEST_BYTES))
        except (OSError, ValueError):
            connection.close()
            return
        room = Path(tempfile.mkdtemp(prefix="fork-", dir=self._home))
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._forget()
            _convert(self._kit, request, room, parent)
        with contextlib.suppress(OSError):  # it has ended, or done so itself
            os.setpgid(pid, pid)
        pidfd = os.pidfd_open(pid)
        job = _Job(pid, pidfd, connection, room, seen=time.monotonic())
        self._jobs[pidfd] = self._jobs[connection.fileno()] = job
        self._poll.register(pidfd, select.POLLIN)
        self._poll.register(connection, _ENDED)

    def _forget(self) -> None:
        """In a fork: let go of what it must not reach."""
        self._listening.close()
        for fd in self._jobs:
            os.close(fd)

    def _look(self) -> None:
        """End the forks that hang. What works, or waits for a processor or a disk, does not."""
        now = time.monotonic()
        for fd in list(self._jobs):
            if (job := self._jobs.get(fd)) is None:
                continue
            worked, is_still = _work_of(job.pid)
            if worked != job.worked or not is_still:
                job.worked, job.seen = worked, now
            elif now - job.seen > _STUCK_SECONDS:
                self._had_stuck = True
                self._end(job, trouble="LibreOffice hangs")

    def _end(self, job: _Job, *, trouble: str = "") -> None:
        """The fork has ended, or hangs, or nobody waits for it any more."""
        pid, pidfd, connection = job.pid, job.pidfd, job.connection
        for fd in (pidfd, connection.fileno()):
            self._poll.unregister(fd)
            del self._jobs[fd]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # a fork that has ended is still there, and alone in its group
        _, status, usage = os.wait4(pid, 0)
        os.close(pidfd)
        code = os.waitstatus_to_exitcode(status)
        shutil.rmtree(job.room, ignore_errors=True)
        _answer(connection, {"status": code, "peakBytes": usage.ru_maxrss * 1024, "trouble": trouble})
        connection.close()


def _work_of(pid: int) -> tuple[int, bool]:
    """What a process that was not reaped has worked, in ticks of the processor; and whether none of it has work."""
    tasks = [_stat(path) for path in Path(f"/proc/{pid}/task").iterdir()]
    whole = _stat(Path(f"/proc/{pid}"))
    return int(whole[11]) + int(whole[12]), not any(task[0] in "RD" for task in tasks if task)


def _stat(directory: Path) -> list[str]:
    """The fields of a process or thread from its state on; none of a thread that has ended meanwhile."""
    try:
        return (directory / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def _answer(connection: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _convert(kit: Kit, request: Mapping[str, Any], room: Path, parent: int) -> NoReturn:
    """Be the fork of one document, to its end."""
    status = 1
    try:
        os.setpgid(0, 0)
        processes.die_with_parent(parent)
        processes.prefer_for_oom_kill()
        quiet = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(quiet, fd)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _limit(resource.RLIMIT_AS, _address_space() + request["memoryBytes"])
        _limit(resource.RLIMIT_FSIZE, request["fileBytes"])
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.environ.update(request["environment"])
        kit.move(room)
        status = 2 if kit.run(profile.MACRO) else 0
    finally:
        os._exit(status)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _address_space() -> int:
    """What this process has mapped, in bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
