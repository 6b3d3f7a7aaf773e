"""The process beside the attempts, of a service that keeps something for all of them, as models that stay loaded.

An attempt is a fork that ends with its job, so what it loads is gone after it. The companion is forked from the worker
as well, but once, and lives as long as the instance. Attempts speak to it through a socket that the worker has bound
before: one that connects while the companion is still starting, or is started anew, waits for it to accept.

Worker and companion have a socket between them as well, on which each message is one packet of JSON: what is loaded,
and the attempts that are done in the companion itself (shared.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from processors.worker import processes
from processors.worker.beside import PACKET_BYTES, Host

SOCKET_NAME = "companion.sock"
REASON_NAME = "companion.error"  #: why it could not begin; until one has begun

Beside = Callable[[socket.socket, Host], None]  #: what the companion does, until it is killed
Told = Callable[[Mapping[str, Any] | None], None]  #: what it says of an attempt; None: it is gone, or cannot do it

PATIENCE_SECONDS = 60.0  #: with attempts that are left behind
_BACKLOG = 128
_ATTEMPT_BYTES = PACKET_BYTES - 100  # of those in one packet, with the commas between them
_PACKETS_AT_ONCE = 32  # that are read before others have their turn
_FIRST_DELAY_SECONDS = 0.1  # before one that has died is started anew; doubled each time
_LONGEST_DELAY_SECONDS = 30.0
_GOOD_LIFE_SECONDS = 60.0  # after which the next death is the first one again

_worker_pid = os.getpid()


def address() -> str:
    """Where attempts reach the companion.

    The socket lies in the worker's directory, whose path may be longer than the 107 bytes that a socket's may have.
    """
    return f"/proc/{_worker_pid}/cwd/{SOCKET_NAME}"


def reason() -> str:
    """Why there is no companion, nor will there be one soon; empty where nothing keeps it from beginning.

    Who waits for the socket to be accepted would wait for ever.
    """
    try:
        return Path(f"/proc/{_worker_pid}/cwd/{REASON_NAME}").read_text(encoding="utf-8")
    except OSError:
        return ""


class Companion:
    """The companion, as the worker sees it: started, and started anew when it dies."""

    def __init__(self, beside: Beside, *, slots: int, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Bind the socket in the current directory.

        Args:
            slots: attempts that the instance does at once; it takes none while as many are left behind.
            patience_seconds: how long those may go on: what loads a model for its first attempt loads it for the next.
        """
        global _worker_pid
        _worker_pid = os.getpid()
        self._beside = beside
        self._slots = slots
        self._patience_seconds = patience_seconds
        self._loaded: dict[str, int] = {}
        self._listening = socket.socket(socket.AF_UNIX)
        Path(SOCKET_NAME).unlink(missing_ok=True)
        Path(REASON_NAME).unlink(missing_ok=True)
        self._listening.bind(SOCKET_NAME)
        Path(SOCKET_NAME).chmod(0o600)
        self._listening.listen(_BACKLOG)
        self._pid: int | None = None
        self._link: socket.socket | None = None
        self._told: dict[str, Told] = {}  # of the attempts that are done in it
        self._left: dict[str, float] = {}  # those of them that nobody waits for any more, and since when
        self._outgoing: list[tuple[str, bytes]] = []  # attempts that go over together
        self._live: set[int] = set()
        self._delay = _FIRST_DELAY_SECONDS
        self._again: asyncio.TimerHandle | None = None
        self._is_ended = False

    def start(self, live: set[int]) -> None:
        """Fork it.

        Args:
            live: the processes that no sweep after an attempt may kill; the companion is among them while it lives.

        Raises:
            OSError: there is no process or no descriptor for it; nothing is left of the attempt.
        """
        self._live = live
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            pid, pidfd = self._fork(its)
        except OSError:
            ours.close()
            raise
        finally:
            its.close()
        ours.setblocking(False)
        self._pid, self._link = pid, ours
        live.add(pid)
        loop = asyncio.get_running_loop()
        started = time.monotonic()

        def ended() -> None:
            loop.remove_reader(pidfd)
            loop.remove_reader(ours)
            while self._read(ours):  # its last words count
                pass
            os.close(pidfd)
            ours.close()
            live.discard(pid)
            status, _ = processes.reap(pid)
            self._pid = self._link = None
            self._loaded, self._outgoing = {}, []
            told, self._told, self._left = list(self._told.values()), {}, {}
            for each in told:
                each(None)
            if not self._is_ended:
                self._turn_away()
                sys.stderr.write(f"The companion ended with status {status}; it is started anew.\n")
                self._start_again(lived=time.monotonic() - started)

        loop.add_reader(ours, self._read_some, ours)
        loop.add_reader(pidfd, ended)

    def _fork(self, its: socket.socket) -> tuple[int, int]:
        """Start the process; give its number, and the descriptor that becomes readable when it ends."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                _be(self._beside, self._listening, its, parent)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            return pid, os.pidfd_open(pid)
        except OSError:  # one that nobody watches must not live
            os.kill(pid, signal.SIGKILL)
            processes.reap(pid)
            raise

    def loaded_models(self) -> dict[str, int]:
        """What it has said last that it has, and the bytes of memory of each."""
        return self._loaded

    def take(self, token: str, attempt: Mapping[str, Any], told: Told) -> bool:
        """Hand it an attempt; False: it is not there, or that is more than it may be given.

        Threads cannot be killed, and those that were left behind have the processor still. So when there are too many,
        and none of them comes to an end, it is ended once nothing else needs it, and another begins without them.

        Args:
            told: called with whatever it says of the attempt, the last time when it is over or gone.
        """
        if len(self._left) >= self._slots:
            is_patient = time.monotonic() < max(self._left.values()) + self._patience_seconds
            is_needed = self._told.keys() != self._left.keys() or self._live != {self._pid}
            if self._pid is not None and not is_patient and not is_needed:
                os.kill(self._pid, signal.SIGKILL)
            return False
        data = json.dumps(attempt).encode()
        if self._link is None or len(data) > _ATTEMPT_BYTES:
            return False
        self._told[token] = told
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._hand_over)
        self._outgoing.append((token, data))
        return True

    def _hand_over(self) -> None:
        """Send the attempts that were taken in this turn of the loop: those that are alike are done at once."""
        outgoing, self._outgoing = self._outgoing, []
        while outgoing:
            count, size = 0, 0
            while count < len(outgoing) and (size := size + len(outgoing[count][1]) + 1) <= _ATTEMPT_BYTES + 1:
                count += 1
            some, outgoing = outgoing[:count], outgoing[count:]
            if not self._send(b'{"attempts":[' + b",".join(data for _, data in some) + b"]}"):
                for token, _ in some:
                    if (told := self._told.pop(token, None)) is not None:
                        told(None)

    def give_up(self, token: str) -> None:
        """Let it end an attempt. One that it cannot be told of ends by itself."""
        self._hand_over()  # it may be among those
        self._send(json.dumps({"end": token}).encode())

    def leave(self, token: str) -> bool:
        """Wait no more for an attempt, which is told once more to end; whether its thread is left behind."""
        if token not in self._told:
            return False
        self.give_up(token)
        self._left.setdefault(token, time.monotonic())
        return True

    def _send(self, packet: bytes) -> bool:
        try:
            return self._link is not None and self._link.send(packet) > 0
        except OSError:  # it is full, or gone
            return False

    def end(self) -> None:
        """Kill it for good: nothing that it has is worth keeping."""
        self._is_ended = True
        if self._again is not None:
            self._again.cancel()
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
        self._listening.close()
        Path(SOCKET_NAME).unlink(missing_ok=True)

    def _turn_away(self) -> None:
        """Hang up on those that wait to be accepted, where they would wait in vain; they read the reason."""
        if not Path(REASON_NAME).exists():
            return
        self._listening.setblocking(False)  # which the companion would share, but there is none now
        with contextlib.suppress(BlockingIOError):
            while True:
                self._listening.accept()[0].close()
        self._listening.setblocking(True)

    def _start_again(self, *, lived: float) -> None:
        if lived > _GOOD_LIFE_SECONDS:
            self._delay = _FIRST_DELAY_SECONDS
        self._again = asyncio.get_running_loop().call_later(self._delay, self._try)
        self._delay = min(_LONGEST_DELAY_SECONDS, self._delay * 2)

    def _try(self) -> None:
        try:
            self.start(self._live)
        except OSError as error:  # no process, no descriptor: the instance is short of something
            sys.stderr.write(f"The companion did not start: {error}.\n")
            self._start_again(lived=0.0)

    def _read_some(self, link: socket.socket) -> None:
        for _ in range(_PACKETS_AT_ONCE):
            if not self._read(link):
                return

    def _read(self, link: socket.socket) -> bool:
        """Take what it has said; whether there was anything."""
        try:
            packet = link.recv(PACKET_BYTES)
        except OSError:
            return False
        if not packet:
            asyncio.get_running_loop().remove_reader(link)
            return False
        message = json.loads(packet)
        if "loaded" in message:
            Path(REASON_NAME).unlink(missing_ok=True)
            self._loaded = {str(name): int(size) for name, size in message["loaded"].items()}
            return True
        for each in message.get("over", (message,)):
            self._tell(each)
        return True

    def _tell(self, message: Mapping[str, Any]) -> None:
        if (told := self._told.get(message["token"])) is not None:
            if message["isOver"]:
                del self._told[message["token"]]
                self._left.pop(message["token"], None)
            told(None if message.get("isRefused") else message)


def _be(beside: Beside, listening: socket.socket, its: socket.socket, parent: int) -> NoReturn:
    """Be the companion, to its end."""
    try:
        gc.freeze()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _close_all_but({listening.fileno(), its.fileno()})
        processes.die_with_parent(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
        beside(listening, Host(its))
    except BaseException as error:
        traceback.print_exc()
        with contextlib.suppress(OSError):
            Path(REASON_NAME).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
    finally:
        sys.stderr.flush()
        os._exit(1)


def _close_all_but(kept: set[int]) -> None:
    """Close what belongs to the worker: an open pipe of an attempt would look like the attempt."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        if (fd := int(entry.name)) > 2 and fd not in kept:
            with contextlib.suppress(OSError):
                os.close(fd)
