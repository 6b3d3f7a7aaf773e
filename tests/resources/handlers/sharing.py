"""A handler whose attempts are done in its companion, but for those that say that they will not be."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from processors.protocol import AttemptRequest, Result
from processors.specs import CodeSpec
from processors.worker.beside import QUIET_SECONDS, Host, Together
from processors.worker.context import Context, Rejected

_companion: list[int] = []  # its process, once this is in it


def beside(listening: socket.socket, worker: Host) -> None:
    """Do attempts for ever."""
    _companion.append(os.getpid())
    worker.serve(handle, Together(first_word, gains, size, handle_together))
    while True:
        listening.accept()


def first_word(request: AttemptRequest) -> str:
    """What those have in common that may be done at once."""
    return str(request.spec["code"].split()[0])


def gains(request: AttemptRequest) -> bool:
    """Those that begin with `together`."""
    return first_word(request) == "together"


def size(request: AttemptRequest) -> int:
    """The length of what is asked; of `unsized` there is none."""
    if "unsized" in request.spec["code"]:
        raise ValueError("a bug of the size")
    return len(request.spec["code"])


def handle_together(contexts: Sequence[Context[CodeSpec]]) -> list[Result] | None:
    """All, unless one among them is bad, or brings out a bug."""
    codes = [context.spec.code for context in contexts]
    if not codes[0].startswith("together"):
        raise ValueError("these gain nothing at once")
    if "together bad" in codes:
        raise Rejected("bad", "One of them is bad.")
    if "together broken" in codes:
        raise ValueError("a bug of those that are done at once")
    results = []
    for context in contexts:
        said = context.write("said", context.spec.code, media_type="text/plain", role="answer", details={})
        results.append(Result(outputs=[said], details={"count": len(codes), "sizes": sorted({*map(len, codes)})}))
    return results


def may_share(request: AttemptRequest) -> bool:
    """Those that do not say `apart`."""
    return "apart" not in request.spec["code"]


def handle(context: Context[CodeSpec]) -> Result:
    """Do what the code says."""
    match context.spec.code:
        case "die" if _companion:
            os._exit(3)
        case "say and die" if _companion:
            context.log("so far")
            os._exit(3)
        case "turn and die" if _companion:
            turning_until = time.monotonic() + 2 * QUIET_SECONDS
            while time.monotonic() < turning_until:
                context.progress("turning")
            os._exit(3)
        case "together slowly":
            turning_until = time.monotonic() + 2 * QUIET_SECONDS
            while time.monotonic() < turning_until:
                context.progress("turning")
            return Result()
        case "for ever":
            while True:
                context.progress("turning")
        case "deaf":
            context.log("it has begun")
            threading.Event().wait()
        case "together bad":
            raise Rejected("bad", "It is bad.")
        case code if code.startswith(("short", "together")):
            if "logged" in code:
                context.log(code)
            said = context.write("said", code, media_type="text/plain", role="answer", details={})
            return Result(outputs=[said], details={"pid": os.getpid(), "isShared": bool(_companion)})
        case "much":
            return Result(details={"much": '"\u00e9' * 100_000, "isShared": bool(_companion)})
        case "too much" | "too much, apart":
            return Result(details={"much": "x" * 5_000_000})
        case "no":
            raise Rejected("no", "It will not do.", "Ask for something else.")
        case code if "wait for " in code:
            if code.startswith("take all threads"):
                threading.stack_size(1 << 46)  # no other can be started
            context.log("it has begun")
            told = Path(code.partition("wait for ")[2])
            told.read_bytes()  # of a pipe: until somebody writes to it
            try:
                (context.out / "late").write_text("late")
            finally:
                told.unlink()
        case code:
            context.log(code)
    (context.out / "said").write_text(context.spec.code)
    output = context.output("said", media_type="text/plain", role="answer")
    return Result(outputs=[output], details={"pid": os.getpid(), "isShared": bool(_companion)})
