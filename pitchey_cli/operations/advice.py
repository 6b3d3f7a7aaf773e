"""Try other settings on the jobs that came, one at a time and each service alone: which would have been better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from pitchey_cli.domain import advice as rules
from pitchey_cli.domain.advice import Advised, Setting, TooLittle
from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.loads import RecordedLoad
from pitchey_cli.domain.simulation import PoolResult
from pitchey_cli.domain.spending import Span
from pitchey_cli.operations.simulate import HISTORY, OnProgress, Setup, simulate
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass

_SEED = 1


@dataclass(frozen=True)
class Present:
    """What is set for a service."""

    sleep_after: float
    min_instances: int
    max_instances: int


def history_of(span: Span, now: datetime) -> Span:
    """The part of a period that is replayed: no more than the last days of it."""
    until = min(span.until, now)
    return Span(max(span.since, until - HISTORY), until)


def advise(
    store: Store,
    span: Span,
    present: Callable[[str], Present],
    setup: Callable[[Mapping[str, float]], Setup],
    *,
    service: str | None = None,
    on_progress: OnProgress | None = None,
) -> Advised:
    """Replay a span with every alternative.

    Args:
        present: of a service.
        setup: the pools with some settings changed.
    """
    by_service: dict[str, list[Arrival]] = {}
    begin, end = span.since.timestamp(), span.until.timestamp()
    for each in store.arrivals(since=span.since):
        if begin <= each.at < end and service in (None, each.service):
            by_service.setdefault(each.service, []).append(each)
    too_little = [
        TooLittle(name, len(found), end - found[0].at)
        for name, found in sorted(by_service.items())
        if len(found) < rules.LEAST_JOBS or end - found[0].at < rules.LEAST_SECONDS
    ]
    for short in too_little:
        del by_service[short.service]

    plans = [(name, *each) for name in sorted(by_service) for each in _plan(name, present(name))]
    report = on_progress or (lambda share: None)
    results: list[PoolResult] = []
    for done, (name, setting, _) in enumerate(plans):

        def progress(share: float, done: int = done) -> None:
            report((done + share) / len(plans))

        load = RecordedLoad.of(by_service[name], end=end)
        changes = {} if setting is None else {setting.key: setting.value}
        results.append(simulate(setup(changes), load, nodes=1, seed=_SEED, on_progress=progress).total)

    advice = []
    for name in sorted(by_service):
        its = [(each, result) for each, result in zip(plans, results, strict=True) if each[0] == name]
        was = its[0][1]
        advice += rules.choose(was, [(setting, now, found) for (_, setting, now), found in its[1:] if setting])
    return Advised(span.since, span.until, {name: len(by_service[name]) for name in sorted(by_service)},
                   sorted(advice, key=lambda each: -each.saved), too_little)  # fmt: skip


def _plan(service: str, present: Present) -> list[tuple[Setting | None, float]]:
    """What is simulated: as it is, and then each alternative with what it is now."""
    others = rules.alternatives(
        service, sleep_after=present.sleep_after, least=present.min_instances, most=present.max_instances
    )
    return [(None, 0.0), *others]
