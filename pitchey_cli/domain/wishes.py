"""How many instances each rule of the load asks for, and why. What is kept whatever the load comes from elsewhere.

The average of the demand over a stable and a panic window, and the panic that starts at a multiple of the capacity, are
those of Knative's autoscaler (https://knative.dev/docs/serving/autoscaling/kpa-specific/). Wishes in proportion to the
use of CPU and memory are those of the Horizontal Pod Autoscaler of Kubernetes
(https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details).
"""

from __future__ import annotations

import math

from pitchey_cli.domain.decision import Metrics, PoolSettings, PoolView, Rule, ScalerState, Wish


def wishes_of(
    pool: PoolView, metrics: Metrics, settings: PoolSettings, state: ScalerState, panic_until: float | None
) -> list[Wish]:
    """What the load asks for."""
    wishes: list[Wish] = []
    per_instance = settings.target * pool.jobs_at_once
    if pool.waiting and not pool.active:
        wishes.append(Wish(Rule.FIRST_JOB, 1, f"{pool.waiting} waiting, and no instance"))
    if pool.is_head_refused and pool.waiting:
        # While one starts it may be the one that fits.
        wished = pool.active + (not pool.starting)
        wishes.append(Wish(Rule.NO_FIT, wished, "the job whose turn it is fits on no instance as they are"))
    if panic_until is not None and metrics.panic_demand is not None:
        wished = _ceil(metrics.panic_demand / per_instance)
        words = f"{metrics.panic_demand:.1f} jobs at once over the last {settings.panic_seconds:g} s"
        wishes.append(Wish(Rule.PANIC, wished, f"{words}, {per_instance:g} for each instance"))
    if metrics.stable_demand is not None:
        wished = _ceil(metrics.stable_demand / per_instance)
        words = f"{metrics.stable_demand:.1f} jobs at once over the last {settings.window_seconds:g} s"
        wishes.append(Wish(Rule.CONCURRENCY, wished, f"{words}, {per_instance:g} for each instance"))
    wishes += _queue_wishes(pool, metrics, settings, state)
    if pool.running:  # the memory that an idle instance keeps is no reason to keep it
        for rule, used, limit in (
            (Rule.CPU, metrics.cpu, settings.cpu_up),
            (Rule.MEMORY, metrics.memory, settings.memory_up),
        ):
            if used is not None:
                words = f"{used:.0%} of {rule.upper() if rule is Rule.CPU else rule}, the limit is {limit:.0%}"
                wishes.append(Wish(rule, _ceil(pool.ready * used / limit), words))
    return wishes


def _queue_wishes(pool: PoolView, metrics: Metrics, settings: PoolSettings, state: ScalerState) -> list[Wish]:
    wishes: list[Wish] = []
    # One that starts has not yet shown what it does to the queue.
    one_more = pool.active + (not pool.starting)
    if pool.waiting > settings.queue_up:
        wishes.append(Wish(Rule.QUEUE_DEPTH, one_more, f"{pool.waiting} waiting, more than {settings.queue_up}"))
    elif pool.waiting >= settings.queue_down:
        keep = min(state.wanted, pool.active)
        wishes.append(Wish(Rule.QUEUE_DEPTH, keep, f"{pool.waiting} waiting, not below {settings.queue_down}"))
    if pool.waiting and metrics.wait_seconds is not None and metrics.wait_seconds > settings.wait_up_seconds:
        words = f"{metrics.wait_seconds:.0f} s in the queue on average, more than {settings.wait_up_seconds:g} s"
        wishes.append(Wish(Rule.QUEUE_WAIT, one_more, words))
    return wishes


def min_instances(settings: PoolSettings) -> list[Wish]:
    """What is always to be there."""
    least = settings.min_instances
    return [Wish(Rule.MIN_INSTANCES, least, f"min_instances is {least}")] if least else []


def panicking_until(
    pool: PoolView, metrics: Metrics, settings: PoolSettings, state: ScalerState, now: float
) -> float | None:
    """A panic lasts for a stable window after the last moment at which there was reason for it."""
    capacity = max(1, pool.active) * pool.jobs_at_once
    if metrics.panic_demand is not None and metrics.panic_demand >= settings.panic_factor * capacity:
        return now + settings.window_seconds
    return state.panic_until if state.panic_until is not None and now < state.panic_until else None


def _ceil(instances: float) -> int:
    """Rounded up; a mean that is above a whole number by no more than the error of sums of floats is that number."""
    return math.ceil(instances - 1e-6)
