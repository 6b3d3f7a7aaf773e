"""Jobs that a node which may be taken away gives no turn: with one node nobody else does."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.job import TERMINAL, JobId
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

WAY_OUT = "Cancel them and submit them with --spot-ok, or set node.is_spot to false."


def unreachable(store: Store) -> int:
    """How many jobs stand in line that may not run on such a node."""
    flows = (flow for service in Service for pool in store.waiting_pools(service) for flow in store.queue(pool).flows)
    return sum(flow.queued for flow in flows if not flow.is_spot_ok)


def kept_waiting(store: Store, job_ids: Sequence[JobId]) -> int:
    """How many of these jobs will wait for a node that is not taken away."""
    jobs = (store.job(job_id) for job_id in job_ids)
    return sum(not job.is_spot_ok and job.state not in TERMINAL for job in jobs)


def sentence(jobs: int, of: int) -> str:
    """What whoever has submitted them is to know."""
    which = "The job waits" if of == 1 else f"{jobs:,} of {of:,} jobs wait"
    return (
        f"{which} for a node that is not taken away, and this one may be (node.is_spot): --spot-ok lets them run here."
    )
