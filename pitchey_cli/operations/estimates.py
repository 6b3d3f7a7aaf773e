"""What jobs will take and cost, before they are submitted, from those like them that have completed here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pitchey_cli.domain.errors import Denied, InputNotFound
from pitchey_cli.domain.estimate import Estimate, Expectation, Experience, Past, experience, features_of
from pitchey_cli.domain.spot import Spot
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass
from processors.specs import SPECS
from processors.vocabulary import Service

_HISTORY = 1000  # of the newest jobs of the service; among them those that are alike are picked


@dataclass(frozen=True)
class Rate:
    """What a job's instance costs now, and how much of it the job takes."""

    nanodollars_per_hour: int
    taken: int  #: slots
    slots: int  #: that the instance has
    spot: Spot | None = None  #: what is set of the node, where it may be taken away


class History:
    """The jobs of one service that have completed. They are read once, and only when somebody asks."""

    def __init__(self, store: Store, service: Service) -> None:
        self._store = store
        self._service = service
        self._past: Sequence[Past] | None = None
        self._known: dict[tuple[tuple[str, ...], bool], Experience | None] = {}

    def estimate(self, draft: Draft) -> Estimate | None:
        """What a job will take; None when too few like it have completed. A file that cannot be looked at has no size:
        whoever takes it in will say so.
        """
        try:
            size = _bytes_of(draft)
        except (InputNotFound, Denied):
            size = None
        return self.estimate_of(draft, size)

    def estimate_of(self, draft: Draft, input_bytes: int | None) -> Estimate | None:
        """The same for an input of so many bytes; None where nobody knows."""
        if self._past is None:
            self._past = self._store.completed(self._service, limit=_HISTORY)
        alike = features_of(draft.service, draft.kind, draft.spec), input_bytes is not None
        if alike not in self._known:
            self._known[alike] = experience(self._past, alike[0], is_sized=alike[1])
        its = self._known[alike]
        return None if its is None else its.estimate(input_bytes)


def expectations(store: Store, drafts: Sequence[Draft], rates: Sequence[Rate]) -> list[Expectation]:
    """Say what each job of one service will take. Reads sizes, and nothing of the files.

    Args:
        rates: of each.

    Raises:
        InputNotFound, Denied: a file is not there, or may not be looked at.
    """
    found: list[Expectation] = []
    if not drafts:
        return found
    history = History(store, drafts[0].service)
    for draft, rate in zip(drafts, rates, strict=True):
        with draft.blamed():
            size = _bytes_of(draft)
        per_second = rate.nanodollars_per_hour / 3600 * rate.taken / rate.slots
        found.append(Expectation(draft.name, size, history.estimate_of(draft, size), per_second, rate.spot))
    return found


def _bytes_of(draft: Draft) -> int | None:
    if any(source.is_url for _, source in draft.sources):
        return None
    main = SPECS[draft.service].input_fields[:1]
    if main and main[0] not in {field for field, _ in draft.sources}:
        return None  # what an earlier step of a pipeline is still to give
    return sum(_size(source.location) for _, source in draft.sources)


def _size(location: str) -> int:
    try:
        return Path(location).stat().st_size
    except PermissionError as error:
        raise Denied(f"{location} may not be looked at.", hint="Check the modes of its folders.") from error
    except OSError as error:
        raise InputNotFound(f"There is no file at {location}.") from error
