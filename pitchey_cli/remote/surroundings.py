"""What a server says of itself: who runs its jobs, its clocks, its settings. Asked now and then, since it changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from pitchey_cli import settings as configuration
from pitchey_cli.daemon.lock import Holder
from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.capacity import Size
from pitchey_cli.domain.errors import Denied, UsageError
from pitchey_cli.operations.zones import zone_of
from pitchey_cli.remote.client import Client
from pitchey_cli.store import views

_FRESH_SECONDS = 1.0


class Watched:
    """The surroundings of a server."""

    def __init__(self, client: Client, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._client, self._monotonic = client, monotonic
        self._said: dict[str, Any] = {}
        self._settings: configuration.Settings | None = None
        self._at = 0.0

    @property
    def settings(self) -> configuration.Settings:
        """What is set there of jobs and prices; of all else, what is usual."""
        if self._settings is None:
            self._settings = configuration.told(self._look()["settings"])
        return self._settings

    def holder(self) -> Holder | None:
        """Who runs the jobs there."""
        runner = self._look()["runner"]
        return None if runner is None else Holder(**runner)

    @property
    def organisation(self) -> str | None:
        """The one of which alone we are told; None: of everything."""
        return self._look().get("organisation")

    def at_work(self) -> list[str]:
        """The nodes that share its queue."""
        return list(self._look().get("nodes", ()))

    def size(self) -> Size:
        """Of the machine there."""
        if (said := self._look()["host"]) is None:
            text = f"How large the machine of {self._client.where} is, it tells those of the whole installation alone."
            raise Denied(text, hint="--cpus and --memory say a size.")
        return Size(float(said["cpus"]), said["memoryBytes"])

    def as_of(self) -> AsOf:
        """The moment there, on every clock that money is counted by."""
        said = self._look()
        return AsOf(datetime.fromisoformat(said["now"]), said["boot"], said["tick"], _zone(said))

    def _look(self) -> dict[str, Any]:
        if not self._said or self._monotonic() - self._at > _FRESH_SECONDS:
            answer = self._client.request("GET", "/v1/surroundings")
            said = self._client.document(answer)
            if not isinstance(said, dict) or said.get("views") != views.SCHEMA:
                raise self._client.misunderstood(answer)
            self._said, self._at = said, self._monotonic()
        return self._said


def _zone(said: dict[str, Any]) -> tzinfo:
    try:
        if said["zone"]:
            return zone_of(said["zone"])
    except UsageError:  # this machine does not know it
        pass
    return timezone(timedelta(seconds=said["zoneSeconds"]))
