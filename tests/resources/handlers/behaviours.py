"""A handler that does what the spec's `code` names. It stands in for the `code` service in the worker's own tests."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from processors.protocol import Result
from processors.specs import CodeSpec
from processors.worker.context import Context, HandlerError, Rejected

Behaviour = Callable[[Context[CodeSpec]], Result]


def handle(context: Context[CodeSpec]) -> Result:
    behaviours: dict[str, Behaviour] = {
        name: behaviour for name, behaviour in globals().items() if not name.startswith("_") and callable(behaviour)
    }
    return behaviours[context.spec.code](context)


def succeed(context: Context[CodeSpec]) -> Result:
    """Say some things, and leave a file."""
    (context.out / "greeting.txt").write_text("hello")
    for step in range(3):
        context.log(f"step {step}")
    context.progress("greeting", 1.0)
    return Result(outputs=[context.output("greeting.txt", media_type="text/plain", role="greeting")])


def wait_for_file(context: Context[CodeSpec]) -> Result:
    """Tell when it waits, and go on when the test has made the file that `inputs` names."""
    context.log("waiting")
    (gate,) = context.spec.inputs or ()
    while not Path(gate).exists():
        time.sleep(0.005)
    context.log("going on")
    return Result(details={"beside": context.beside})


def sleep(context: Context[CodeSpec]) -> Result:
    context.log("sleeping")
    time.sleep(600)
    return Result()


def ignore_term(context: Context[CodeSpec]) -> Result:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return sleep(context)


def raise_a_family(context: Context[CodeSpec]) -> Result:
    """Start a child, and a grandchild that leaves the process group; name them in the log, and sleep."""
    child = subprocess.Popen(["sleep", "600"])
    _daemonise_a_sleeper(context)
    context.log(f"pid {child.pid}")
    return sleep(context)


def leave_a_daemon(context: Context[CodeSpec]) -> Result:
    """Succeed, and leave a process behind."""
    _daemonise_a_sleeper(context)
    return Result()


def _daemonise_a_sleeper(context: Context[CodeSpec]) -> None:
    script = "import os, time\nif os.fork() == 0:\n os.setsid()\n print(os.getpid(), flush=True)\n time.sleep(600)\n"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        context.log(f"pid {int(parent.stdout.readline())}")


def run_a_program_that_ends_well_on_term(context: Context[CodeSpec]) -> Result:
    context.run(["sh", "-c", "trap 'echo cleaned up >&2; exit 0' TERM; echo ready >&2; while :; do sleep 0.01; done"])
    return Result()


def crash(context: Context[CodeSpec]) -> Result:
    ctypes.string_at(0)
    return Result()


def be_killed(context: Context[CodeSpec]) -> Result:
    os.kill(os.getpid(), signal.SIGKILL)
    return Result()


def exit_silently(context: Context[CodeSpec]) -> Result:
    os._exit(7)


def raise_a_bug(context: Context[CodeSpec]) -> Result:
    raise ZeroDivisionError("by nought")


def fail(context: Context[CodeSpec]) -> Result:
    raise HandlerError("no_luck", "There was no luck.", "Try again.")


def reject(context: Context[CodeSpec]) -> Result:
    raise Rejected("never", "This can never work.")


def run_a_failing_program(context: Context[CodeSpec]) -> Result:
    context.run(["sh", "-c", "echo some words; echo last words >&2; exit 3"])
    return Result()


def shout(context: Context[CodeSpec]) -> Result:
    """Write 12 MiB in long lines, more than a log may have, and one line without an end."""
    line = "x" * 20_000 + "\n"
    for _ in range(2000):
        sys.stdout.write(line)
    sys.stdout.write("y" * 100_000)
    return Result()


def hurry(context: Context[CodeSpec]) -> Result:
    """Report progress far too often."""
    for step in range(1001):
        context.progress("hurrying", step / 1000)
    return Result()


def mumble(context: Context[CodeSpec]) -> Result:
    """Report progress, and then some that nobody understands, too soon after to be passed on at once."""
    context.progress("speaking", 0.5)
    context.emit({"type": "progress", "stage": None, "fraction": 2})
    return Result()


def hog(context: Context[CodeSpec]) -> Result:
    """Use some CPU and memory in a child."""
    script = "block = bytearray(80_000_000)\nimport time\nwhile time.process_time() < 0.3: pass"
    context.run([sys.executable, "-c", script])
    return Result()


def fill_the_disk(context: Context[CodeSpec]) -> Result:
    with (context.out / "large").open("wb") as file:
        while True:
            file.write(bytes(64 * 1024))
            file.flush()


def fill_the_disk_then_talk(context: Context[CodeSpec]) -> Result:
    """Leave no room for what is said next."""
    try:
        fill_the_disk(context)
    except OSError:
        for number in range(5000):
            context.log(f"line {number} of what has no room any more")
    time.sleep(600)
    return Result()


def take_all_memory(context: Context[CodeSpec]) -> Result:
    held = []
    while True:
        held.append(b"x" * 10_000_000)


def let_a_program_take_all_memory(context: Context[CodeSpec]) -> Result:
    context.run([sys.executable, "-c", "held = []\nwhile True: held.append(b'x' * 10_000_000)"])
    return Result()
