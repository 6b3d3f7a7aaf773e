"""A process beside the attempts that has LibreOffice loaded, and forks for each document.

To load LibreOffice takes ten times as long as to convert a small document. So it is loaded once, and each document gets
a fork of that process: what a document does to it is gone with the fork, and two documents never meet. That process in
its turn is forked, when the first document comes, by one that waits and has nothing loaded; it ends when it was idle
for a while, or when it fails, and the next document begins anew.

    worker -- guard (waits; no LibreOffice) -- office (LibreOffice) -- one fork for each document
    attempt -- a connection for each document: what is to be done, then what came of it; if it is closed, the fork dies
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from processors.document.office import profile
from processors.document.office.kit import Kit
from processors.worker import processes

_SOCKET = "office"
_IDLE_SECONDS = 120.0
_WAITING = 32  # connections
_REQUEST_BYTES = 64 * 1024
_REQUEST_SECONDS = 5.0
_ENDED = select.POLLIN | select.POLLHUP | select.POLLERR | select.POLLRDHUP


def start() -> tuple[int, Path]:
    """Start the guard; give its process, and the directory with the socket that it listens on.

    It ends when the process that calls this does.
    """
    directory = Path(tempfile.mkdtemp(prefix="office-"))
    pid = os.fork()
    if pid == 0:
        _Guard(directory, os.getppid()).run()
    return pid, directory


def connect(directory: Path) -> socket.socket:
    """Connect to a server.

    Raises:
        OSError: it does not listen, or not any more.
    """
    connection = socket.socket(socket.AF_UNIX)
    fd = os.open(directory, os.O_PATH)  # a socket's path may have 107 bytes only
    try:
        connection.connect(f"/proc/self/fd/{fd}/{_SOCKET}")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(fd)
    return connection


class _Guard:
    """Waits for the first document, and for the end of the worker."""

    def __init__(self, directory: Path, worker: int) -> None:
        self._directory = directory
        self._worker = worker

    def run(self) -> NoReturn:
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # an attempt may still need it while the worker ends
            os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
            gc.freeze()
            self._wait()
        finally:
            shutil.rmtree(self._directory, ignore_errors=True)
            os._exit(0)

    def _wait(self) -> None:
        with contextlib.suppress(ProcessLookupError), socket.socket(socket.AF_UNIX) as listening:
            os.chdir(self._directory)
            listening.bind(_SOCKET)
            listening.listen(_WAITING)
            worker = os.pidfd_open(self._worker)
            while os.getppid() == self._worker:
                poll = select.poll()
                poll.register(worker, select.POLLIN)
                poll.register(listening, select.POLLIN)
                if any(fd == worker for fd, _ in poll.poll()):
                    return
                self._have_an_office(listening, worker)

    def _have_an_office(self, listening: socket.socket, worker: int) -> None:
        pid = os.fork()
        if pid == 0:
            _office(listening, self._directory)
        office = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(worker, select.POLLIN)
        poll.register(office, select.POLLIN)
        ended = [fd for fd, _ in poll.poll()]
        if office not in ended:
            os.kill(pid, signal.SIGKILL)
        os.close(office)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            _refuse(listening, os.waitstatus_to_exitcode(status))


def _refuse(listening: socket.socket, status: int) -> None:
    """Tell who waits that there is no office, instead of trying for ever."""
    listening.setblocking(False)
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            with connection:
                _answer(connection, {"status": status, "words": "LibreOffice does not start"})
    listening.setblocking(True)


def _office(listening: socket.socket, directory: Path) -> NoReturn:
    """Load LibreOffice, and serve until nothing has come for a while."""
    status = 1
    try:
        processes.die_with_parent()
        home = directory / f"office-{os.getpid()}"
        profile.write(home)
        os.environ["HOME"] = str(home)
        kit = Kit(home)
        kit.loop(_Office(listening, kit, home).serve)
    except BaseException as error:
        sys.stderr.write(f"LibreOffice: {error!r}\n")
    finally:
        os._exit(status)


class _Office:
    """Serves connections, each with a fork for its document."""

    def __init__(self, listening: socket.socket, kit: Kit, home: Path) -> None:
        self._listening = listening
        self._kit = kit
        self._home = home
        self._poll = select.poll()
        self._jobs: dict[int, tuple[int, int, socket.socket]] = {}  # by both descriptors: process, its own, connection

    def serve(self) -> NoReturn:
        status = 1
        try:
            self._poll.register(self._listening, select.POLLIN)
            while (ready := self._poll.poll(_IDLE_SECONDS * 1000)) or self._jobs:
                for fd, _ in ready:
                    if fd == self._listening.fileno():
                        self._begin(self._listening.accept()[0])
                    elif fd in self._jobs:
                        self._end(*self._jobs[fd])
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
        pid = os.fork()
        if pid == 0:
            self._forget()
            _convert(self._kit, request)
        with contextlib.suppress(OSError):  # it has ended, or done so itself
            os.setpgid(pid, pid)
        pidfd = os.pidfd_open(pid)
        job = (pid, pidfd, connection)
        self._jobs[pidfd] = self._jobs[connection.fileno()] = job
        self._poll.register(pidfd, select.POLLIN)
        self._poll.register(connection, _ENDED)

    def _forget(self) -> None:
        """In a fork: let go of what it must not reach."""
        self._listening.close()
        for _, pidfd, connection in set(self._jobs.values()):
            os.close(pidfd)
            connection.close()

    def _end(self, pid: int, pidfd: int, connection: socket.socket) -> None:
        """The fork has ended, or nobody waits for it any more."""
        for fd in (pidfd, connection.fileno()):
            self._poll.unregister(fd)
            del self._jobs[fd]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # a fork that has ended is still there, and alone in its group
        _, status, usage = os.wait4(pid, 0)
        os.close(pidfd)
        code = os.waitstatus_to_exitcode(status)
        _answer(connection, {"status": code, "peakBytes": usage.ru_maxrss * 1024})
        connection.close()


def _answer(connection: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _convert(kit: Kit, request: Mapping[str, Any]) -> NoReturn:
    """Be the fork of one document, to its end."""
    status = 1
    try:
        os.setpgid(0, 0)
        processes.die_with_parent()
        processes.prefer_for_oom_kill()
        quiet = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(quiet, fd)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _limit(resource.RLIMIT_AS, _address_space() + request["memoryBytes"])
        _limit(resource.RLIMIT_FSIZE, request["fileBytes"])
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.environ.update(request["environment"])
        status = 2 if kit.run(profile.MACRO) else 0
    finally:
        os._exit(status)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _address_space() -> int:
    """What this process has mapped, in bytes."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
