"""Waiting for what comes about in another process."""

from __future__ import annotations

import time
from collections.abc import Callable

_DEADLINE_SECONDS = 60.0
_FIRST_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.002, 0.05  # what is looked at is to have the processor meanwhile


def until(is_so: Callable[[], object], what: str) -> None:
    """Look until something is so, less often the longer it takes."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    pause = _FIRST_LOOK_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"still not so: {what}"
        time.sleep(pause)
        pause = min(_LONGEST_LOOK_SECONDS, 1.5 * pause)
