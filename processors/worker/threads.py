"""How many threads an instance has use for: as many as it was granted processors, and not as the machine has."""

from __future__ import annotations

import math
import os

from processors.worker.cgroup import read_cpu_quota


def granted_threads() -> int:
    """The processors that this process may use, rounded up; the quota of its control group counts."""
    cpus = len(os.sched_getaffinity(0))
    quota = read_cpu_quota()
    return cpus if quota is None else max(1, min(cpus, math.ceil(quota)))


def shared_threads(beside: int) -> int:
    """Those of one attempt, where so many others run beside it."""
    return math.ceil(granted_threads() / (beside + 1))
