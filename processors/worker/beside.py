"""The companion's side of what it has with the worker: it says what is loaded, and does the attempts that are shared.

Those are done in threads here, beside the attempts that are forks (shared.py).
"""

from __future__ import annotations

import errno
import json
import os
import resource
import socket
import threading
import time
import traceback
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from processors.protocol import AttemptRequest
from processors.worker.child import Handle, Work, failed, perform
from processors.worker.context import HandlerError, Terminated

PACKET_BYTES = 128 * 1024  # of one message; a socket's buffer takes more
QUIET_SECONDS = 0.25  # from the beginning: what is over by then needs to tell no progress
_MOST_THREADS = 128  # of the 64 slots that an instance may have, and as many that were left behind (companion.py)
_PART_CHARS = 60 * 1024  # of an ending in one packet, where a quote becomes two characters
_ENDING_CHARS = 4 * 1024 * 1024  # of an ending; that of a fork is no longer either (attempt.py)
_TOO_LONG = failed(
    HandlerError(
        "result_too_long",
        f"What the attempt says of its result takes more than {_ENDING_CHARS} characters.",
        "Ask for less, or for a format that goes into a file.",
        retryable=False,
    )
)


class Host:
    """The worker, as the companion sees it."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._running: dict[str, threading.Event] = {}  # set: it is to end

    def say(self, loaded: list[str]) -> None:
        """Tell what is loaded, each time anew."""
        self._send({"loaded": loaded})

    def serve(self, handle: Handle) -> None:
        """Do the attempts that may be shared, from now on, in other threads."""
        threading.Thread(target=self._serve, args=(handle,), daemon=True).start()

    def _serve(self, handle: Handle) -> None:
        threads = ThreadPoolExecutor(_MOST_THREADS)
        while packet := self._link.recv(PACKET_BYTES):
            message = json.loads(packet)
            if (ended := self._running.get(message.get("end", ""))) is not None:
                ended.set()
            elif "request" in message:
                request = AttemptRequest.model_validate(message["request"])
                ended = self._running[request.token] = threading.Event()
                try:
                    threads.submit(self._perform, handle, request, Path(message["inputs"]), Path(message["out"]))
                except RuntimeError:  # no more threads: it waits for one, but the worker need not
                    ended.set()
                    self._send({"token": request.token, "isOver": True, "isRefused": True})

    def _perform(self, handle: Handle, request: AttemptRequest, inputs: Path, out: Path) -> None:
        token = request.token
        ended = self._running[token]
        loud_at, cpu_seconds = time.monotonic() + QUIET_SECONDS, time.thread_time()

        def emit(event: Mapping[str, Any]) -> None:
            if ended.is_set():
                raise Terminated
            if event["type"] != "progress" or time.monotonic() > loud_at:
                self._send({"token": token, "event": event, "isOver": False})

        ending: Mapping[str, Any] | None = None
        try:
            if ended.is_set():  # while it waited for a thread
                raise Terminated
            ending = perform(Work(handle, request, inputs, out), emit)
        except BaseException as error:
            if not isinstance(error, Terminated):
                traceback.print_exc()
        finally:
            del self._running[token]
        used = {
            "cpuSeconds": time.thread_time() - cpu_seconds,
            "peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,  # of all that are done here
        }
        self._end(token, ending, used)

    def _end(self, token: str, ending: Mapping[str, Any] | None, used: Mapping[str, Any]) -> None:
        """Tell an ending in as many packets as it takes, and that it is over in the last."""
        text = json.dumps(ending)
        if len(text) > _ENDING_CHARS:
            text = json.dumps(_TOO_LONG)
        starts = range(0, len(text), _PART_CHARS)
        for start in starts:
            part = {"token": token, "part": text[start : start + _PART_CHARS]}
            is_last = start == starts[-1]
            self._send({**part, "isOver": True, **used} if is_last else {**part, "isOver": False})

    def _send(self, message: Mapping[str, Any]) -> None:
        """Send a message whole, whichever thread sends it.

        Raises:
            OSError: it is longer than a packet.
        """
        packet = json.dumps(message).encode()
        if len(packet) > PACKET_BYTES:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        self._link.send(packet)
