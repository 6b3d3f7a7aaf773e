"""How the processes of an instance stand behind the daemon and the API when processors are short.

Linux weighs processes by their niceness; where it gives each session a share of its own (the autogroup of sched(7)),
the session has a niceness as well, and that of a process only counts inside. Anybody may lower what is their own.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from pathlib import Path

#: What nice(1) adds by itself: a weight of 110 beside 1024 (sched_prio_to_weight in the kernel), about a ninth of what
#: the daemon has.
STEP = 10

_LEAST = 19  # the last niceness there is
# One change in so long is let through of all who may not administer the machine, whoever they are and whichever session
# they change (proc_sched_autogroup_set_nice in the kernel). Many instances that are started at once take their turns.
_AGAIN_SECONDS = 0.1
_GIVE_UP_SECONDS = 60.0


def stand_behind(leader: int) -> None:
    """Put a session that has just begun, with all that it starts, behind this process.

    The session's own share follows a moment later where others have just changed theirs; nobody waits for that.

    Args:
        leader: its first process, which leads its group as well. One that has ended is no error.
    """
    with contextlib.suppress(ProcessLookupError):
        os.setpriority(os.PRIO_PGRP, leader, min(_LEAST, os.getpriority(os.PRIO_PROCESS, 0) + STEP))
    with contextlib.suppress(OSError):  # a kernel without sessions' shares, or it has ended
        said = Path("/proc/self/autogroup").read_text().split()  # nothing in a session that has no share of its own
        # One that has been lowered itself is followed, and not left behind: further back hardly anything runs.
        niceness = max(STEP, int(said[-1]) if said else 0)
        session = os.open(f"/proc/{leader}/autogroup", os.O_WRONLY)  # this one's, even if its number is used again
        threading.Thread(target=_lower, args=(session, niceness), daemon=True).start()


def _lower(session: int, niceness: int) -> None:
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    try:
        while True:
            try:
                os.write(session, str(niceness).encode())
                return
            except OSError as error:
                if error.errno != errno.EAGAIN or time.monotonic() > deadline:
                    return  # it has ended, or goes on with the share that it has
            time.sleep(_AGAIN_SECONDS)
    finally:
        os.close(session)
