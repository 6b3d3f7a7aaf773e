"""What the verbs about pools ask: the decisions, the changes, how long things took, and what is to be kept warm."""

from __future__ import annotations

from datetime import datetime, timedelta

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.observation import LastDecision, Measure, Measurement, WarmRequest
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

Measured = dict[str, dict[Measure, list[Measurement]]]


def measured(store: Store) -> Measured:
    """How long what takes time took lately, by service; what has not happened is left out."""
    found: Measured = {}
    for service in Service:
        by_measure = {measure: rows for measure in Measure if (rows := store.measurements(service, measure))}
        if by_measure:
            found[service] = by_measure
    return found


def last_decisions(store: Store, service: Service | None) -> list[LastDecision]:
    """The last decision about each pool, or about those of one service."""
    return [each for each in store.last_decisions() if service is None or each.service is service]


def keep_warm(
    store: Store, service: Service, instances: int, *, lasting: timedelta, most: int, now: datetime
) -> WarmRequest:
    """Want instances of a service ready for a while.

    Args:
        most: instances that the service may have.
    """
    if instances < 1:
        raise UsageError(f"{instances} instances cannot be warm.", hint=f"`pitchey instances cool {service}` ends it.")
    if instances > most:
        raise UsageError(
            f"{instances} instances are more than {service} may have, which is {most}.",
            hint=f"services.{service}.max_instances sets it.",
        )
    if lasting <= timedelta(0):
        raise UsageError("--for: it has to last for some time.", hint="--for 30m, --for 8h.")
    request = WarmRequest(service, instances, now + lasting)
    store.keep_warm(request)
    return request
