"""For a process under libfaketime, which answers EINVAL to a sleep until a moment (0.9.10).

time.sleep() asks for such a sleep since Python 3.11.
"""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep
