"""A Python program as the first process of a scripted instance: a thread of the test, and no process.

What a process has of its own is handed to it: arguments, environment, output, signals. It is traced instruction by
instruction, so that it can be frozen and killed anywhere. An instruction is a millisecond of its CPU time, and its
memory is what its variables hold.
"""

from __future__ import annotations

import builtins
import io
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, SimpleNamespace
from typing import Any

_FILE = "<scripted>"
_INSTRUCTION_SECONDS = 0.001
_BASE_BYTES = 2**20
_KILLED, _TERMINATED = 137, 143


class _Ended(BaseException):
    """The program has been killed, or has not minded a TERM."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class Program:
    """A program that runs; it ends by itself, by TERM or by KILL."""

    def __init__(self, source: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.exit_code: int | None = None
        self.is_oom_killed = False
        self.is_frozen = False
        self.cpu_seconds = 0.0
        self._output: list[str] = []
        self._is_killed = False
        self._is_told_to_stop = False
        self._on_term: Callable[[int, None], Any] | signal.Handlers = signal.SIG_DFL
        self._changed = threading.Condition()
        self._variables = {"__builtins__": vars(builtins) | {"__import__": self._import, "print": self._print}}
        self._modules = {
            "os": SimpleNamespace(environ=dict(environment)),
            "signal": SimpleNamespace(SIGTERM=signal.SIGTERM, SIG_IGN=signal.SIG_IGN, signal=self._handle),
            "subprocess": SimpleNamespace(Popen=lambda *_, **__: None),  # a child dies with it: one thread is both
            "sys": SimpleNamespace(argv=["-c", *arguments], exit=sys.exit, stderr=None),
            "time": SimpleNamespace(sleep=self._sleep),
        }
        self._thread = threading.Thread(target=self._run, args=(compile(source, _FILE, "exec"),), daemon=True)
        self._thread.start()

    # --- from without

    @property
    def memory_bytes(self) -> int:
        return _BASE_BYTES + sum(sys.getsizeof(value) for value in list(self._variables.values()))

    def log(self) -> str:
        return "".join(self._output)

    def freeze(self) -> None:
        self._set(is_frozen=True)

    def thaw(self) -> None:
        self._set(is_frozen=False)

    def stop(self, grace_seconds: float) -> None:
        self._set(_is_told_to_stop=True, is_frozen=False)
        self._thread.join(grace_seconds)
        self.kill()

    def kill(self) -> None:
        self._set(_is_killed=True)
        self._thread.join()

    def wait(self) -> int:
        self._thread.join()
        assert self.exit_code is not None
        return self.exit_code

    def _set(self, **changes: bool) -> None:
        with self._changed:
            for name, value in changes.items():
                setattr(self, name, value)
            self._changed.notify_all()

    # --- from within

    def _run(self, code: Any) -> None:
        sys.settrace(self._trace)
        exit_code: Any = 0
        try:
            exec(code, self._variables)
        except SystemExit as left:
            exit_code = left.code or 0
        except _Ended as ended:
            exit_code = ended.exit_code
        except Exception:
            self._output.append(traceback.format_exc())
            exit_code = 1
        sys.settrace(None)
        self.exit_code = exit_code

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != _FILE:
            return None
        frame.f_trace_opcodes = True  # `while True: pass` is one line, and is never left
        self.cpu_seconds += _INSTRUCTION_SECONDS
        with self._changed:
            self._heed()
        return self._trace

    def _heed(self) -> None:
        """Stand still while frozen, and take the signals that have come."""
        self._changed.wait_for(lambda: self._is_killed or not self.is_frozen)
        if self._is_killed:
            raise _Ended(_KILLED)
        if self._is_told_to_stop:
            self._is_told_to_stop = False
            if callable(self._on_term):
                self._on_term(signal.SIGTERM, None)
            elif self._on_term is signal.SIG_DFL:
                raise _Ended(_TERMINATED)

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while (left := deadline - time.monotonic()) > 0:
                self._heed()
                self._changed.wait(left)
            self._heed()

    def _handle(self, number: int, handler: Callable[[int, None], Any] | signal.Handlers) -> None:
        assert number == signal.SIGTERM
        self._on_term = handler

    def _print(self, *values: object, file: object = None, flush: bool = False) -> None:
        line = io.StringIO()
        print(*values, file=line)
        self._output.append(line.getvalue())

    def _import(self, name: str, *rest: Any) -> Any:
        return self._modules.get(name) or builtins.__import__(name, *rest)
