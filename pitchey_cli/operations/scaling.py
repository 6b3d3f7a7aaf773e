"""What the verbs about pools ask: the decisions, the changes, how long things took, and what is to be kept warm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pitchey_cli.domain.budget import Standing, capping, caps
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.held import held_because
from pitchey_cli.domain.observation import LastDecision, Measure, WarmRequest
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION, PoolKey, is_shared
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.timings import Timing, lately
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import budgets, naming
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

Measured = dict[Service, dict[Measure, Timing]]


def measured(store: Store) -> Measured:
    """How long what takes time took lately, by service; what has not happened is left out."""
    found: Measured = {}
    for service in Service:
        timings = {measure: lately(store.measurements(service, measure)) for measure in Measure}
        if by_measure := {measure: timing for measure, timing in timings.items() if timing is not None}:
            found[service] = by_measure
    return found


def last_decisions(store: Store, service: Service | None) -> list[LastDecision]:
    """The last decisions about each pool, or about those of one service: of each node that is up, else the newest."""
    found = [each for each in store.last_decisions() if service is None or each.service is service]
    newest = {each.pool: each for each in found}
    up = {each.id for each in store.nodes() if each.is_up}
    decided = {each.pool for each in found if each.node in up}
    return [each for each in found if each.node in up or (each.pool not in decided and each is newest[each.pool])]


def held(
    store: Store, service: Service | None, capped: Sequence[Standing], policy: QueuePolicy, *, now: datetime
) -> list[str]:
    """Which jobs in the queue are not counted as waiting, because no instance would help them: a sentence for each."""
    policy = replace(policy, capped=caps(capped))
    found: list[str] = []
    for each in Service if service is None else (service,):
        by_budgets, by_reason = Counter[tuple[Standing, ...]](), Counter[str]()
        for pool in store.waiting_pools(each):
            queue = store.queue(pool)
            for flow in queue.flows:
                if standings := capping(capped, Scope(flow.organisation, each)):
                    by_budgets[tuple(standings)] += flow.queued
            by_reason.update(held_because(queue, policy, now=now))
        found += [budgets.sentence(standings, jobs=_held(each, jobs)) for standings, jobs in by_budgets.items()]
        found += [f"{_held(each, jobs).capitalize()} for {reason}." for reason, jobs in by_reason.items()]
    return found


def _held(service: Service, jobs: int) -> str:
    return f"{jobs:,} {service} job waits" if jobs == 1 else f"{jobs:,} {service} jobs wait"


def pool_to_warm(service: Service, organisation: str | None) -> PoolKey:
    """The pool in which instances of a service are kept warm.

    Args:
        organisation: for whom; None where nobody was named.

    Raises:
        UsageError: the service's instances work for everybody, and one was named.
    """
    if organisation is None:
        return PoolKey.of(service)
    if is_shared(service):
        text = f"--organisation: the instances of {service} work for everybody."
        raise UsageError(text, hint="Leave it out: what is warm is warm for all.")
    return PoolKey.of(service, organisation=naming.name(organisation, "--organisation") or DEFAULT_ORGANISATION)


def check_available(service: Service, available: Sequence[Service]) -> None:
    """Refuse a service that this version cannot run.

    Raises:
        UsageError: there is no image for it.
    """
    if service not in available:
        raise UsageError(f"This version runs no {service} jobs.", hint=f"It runs {', '.join(available)}.")


def keep_warm(
    store: Store, pool: PoolKey, instances: int, *, lasting: timedelta, most: int, now: datetime
) -> WarmRequest:
    """Want instances of a pool ready for a while.

    Args:
        most: instances that the pool may have.
    """
    service = pool.service
    if instances < 1:
        raise UsageError(f"{instances} instances cannot be warm.", hint=f"`pitchey instances cool {service}` ends it.")
    if instances > most:
        raise UsageError(
            f"{instances} instances are more than {service} may have, which is {most}.",
            hint=f"services.{service}.max_instances sets it.",
        )
    if lasting <= timedelta(0):
        raise UsageError("--for: it has to last for some time.", hint="--for 30m, --for 8h.")
    request = WarmRequest(pool, instances, now + lasting)
    store.keep_warm(request)
    return request
