"""What jobs will take and cost, before they are submitted, from those like them that have completed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.domain.errors import Denied, InputNotFound
from pitchey_cli.domain.estimate import Expectation, Experience, experience, features_of
from pitchey_cli.domain.spot import Spot
from pitchey_cli.operations.submit import Draft
from pitchey_cli.store.port import Store

_HISTORY = 1000  # of the newest jobs of the service; among them those that are alike are picked


@dataclass(frozen=True)
class Rate:
    """What a service's instance costs now."""

    nanodollars_per_hour: int
    slots: int
    spot: Spot | None = None  #: what is set of the node, where it may be taken away


def expectations(store: Store, drafts: Sequence[Draft], slots: Sequence[int], rate: Rate) -> list[Expectation]:
    """Say what each job of one service will take. Reads sizes, and nothing of the files.

    Args:
        slots: that each takes of an instance.

    Raises:
        InputNotFound, Denied: a file is not there, or may not be looked at.
    """
    past = store.completed(drafts[0].service, limit=_HISTORY) if drafts else []
    found = []
    known: dict[tuple[tuple[str, ...], bool], Experience | None] = {}
    for draft, taken in zip(drafts, slots, strict=True):
        with draft.blamed():
            size = _bytes_of(draft)
        alike = features_of(draft.service, draft.kind, draft.spec), size is not None
        if alike not in known:
            known[alike] = experience(past, alike[0], is_sized=alike[1])
        its = known[alike]
        per_second = rate.nanodollars_per_hour / 3600 * taken / rate.slots
        estimate = None if its is None else its.estimate(size)
        found.append(Expectation(draft.name, size, estimate, per_second, rate.spot))
    return found


def _bytes_of(draft: Draft) -> int | None:
    if any(source.is_url for _, source in draft.sources):
        return None
    return sum(_size(source.location) for _, source in draft.sources)


def _size(location: str) -> int:
    try:
        return Path(location).stat().st_size
    except PermissionError as error:
        raise Denied(f"{location} may not be looked at.", hint="Check the modes of its folders.") from error
    except OSError as error:
        raise InputNotFound(f"There is no file at {location}.") from error
