"""Slots on Docker and Podman: containers for one job each, which are spoken to over their attached streams.

Both engines serve Docker's HTTP interface, so docker-py serves both; what differs is in hardening.py. Calls block.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from pitchey_cli.domain.errors import EngineError, ImageMissing, InstanceGone
from pitchey_cli.engines.containers import instance_usage
from pitchey_cli.engines.failures import unreachable
from pitchey_cli.engines.hardening import container_name, slot_configuration
from pitchey_cli.engines.port import EngineKind, InstanceUsage, SlotSpec

# No two slots of a host may have the same user at a time, whoever started them: by chance, because nobody knows all of
# them, and with this many numbers that is sure enough. Those that a rootless engine has end at 65,535.
_FIRST_UID = 20_000
_UIDS = 40_000

_CALL_SECONDS = 60
_REMOVAL_SECONDS = 20.0
_REMOVAL_POLL_SECONDS = 0.05


def random_uid() -> int:
    """Whom the job of a slot is to be."""
    return _FIRST_UID + secrets.randbelow(_UIDS)


@dataclass(frozen=True, slots=True)
class SlotEnd:
    """What the engine says of a slot that has ended."""

    exit_code: int
    is_oom_killed: bool


class SlotEngine:
    """Makes slots, and removes them."""

    def __init__(self, kind: EngineKind, endpoint: str) -> None:
        """Ask the engine which version of its interface it speaks.

        Raises:
            EngineUnavailable: it does not answer.
        """
        self.kind = kind
        self.endpoint = endpoint
        with self._ours():
            self._api = docker.APIClient(endpoint, version="auto", timeout=_CALL_SECONDS)

    def start(self, spec: SlotSpec) -> socket.socket:
        """Create a container, attach to it, and start it.

        Returns:
            The connection: what is written is the slot's stdin, and what is read is its stdout and stderr in pieces,
            each behind a header; see Pieces.
        """
        name = container_name(spec.slot_id)
        with self._ours(spec.slot_id, spec.image):
            configuration = slot_configuration(self.kind, spec)
            self._api.create_container_from_config(configuration, name)  # type: ignore[no-untyped-call]  # in its stubs
        try:
            with self._ours(spec.slot_id):
                attached: Any = self._api.attach_socket(name, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
                raw: socket.socket = getattr(attached, "_sock", attached)
                connection = raw.dup()  # the library closes its own when it forgets it
                self._api.start(name)
        except EngineError:
            with contextlib.suppress(EngineError):
                self.remove(spec.slot_id)
            raise
        return connection

    def end_of(self, slot_id: str) -> SlotEnd | None:
        """How a slot has ended; None while it runs."""
        with self._ours(slot_id):
            state = self._api.inspect_container(container_name(slot_id))["State"]
        if state["Running"] or state["Status"] == "created":
            return None
        return SlotEnd(int(state["ExitCode"]), bool(state["OOMKilled"]))

    def usage(self, slot_id: str) -> InstanceUsage:
        """What a slot uses."""
        with self._ours(slot_id):
            return instance_usage(self._api.stats(container_name(slot_id), stream=False, one_shot=True))

    def find(self, labels: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
        """The slots that carry all of these labels, running or not, with all their labels."""
        return {_slot_id(item): item["Labels"] for item in self._listed(labels)}

    def remove_forgotten(self, labels: Mapping[str, str], *, older_than_seconds: float) -> None:
        """Remove those that carry these labels and do not run: made and never started, because their maker died."""
        for item in self._listed(labels):
            if item["State"] != "running" and time.time() - item["Created"] > older_than_seconds:
                self.remove(_slot_id(item))

    def _listed(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Containers with these labels; Docker also lists some that are nearly gone, whose names are gone already."""
        with self._ours():
            listed = self._api.containers(all=True, filters={"label": [f"{key}={labels[key]}" for key in labels]})
        return [item for item in listed if item["Names"]]

    def remove(self, slot_id: str) -> None:
        """Kill it if it runs, and forget it. One that does not exist is no error."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while True:
            try:
                with self._ours(slot_id):
                    return self._api.remove_container(container_name(slot_id), force=True, v=True)
            except InstanceGone:
                return None
            except EngineError as error:
                # Both refuse while somebody else removes it; Podman 4.3 also answers 500 when it has just ended.
                is_race = isinstance(error.__cause__, APIError) and error.__cause__.status_code in (409, 500)
                if not is_race or time.monotonic() > deadline:
                    raise
                time.sleep(_REMOVAL_POLL_SECONDS)

    def close(self) -> None:
        """Let go of connections."""
        self._api.close()

    @contextlib.contextmanager
    def _ours(self, slot_id: str = "", image: str = "") -> Iterator[None]:
        """Turn what docker-py raises into Pitchey's errors."""
        try:
            yield
        except ImageNotFound as error:
            raise ImageMissing(f"{self.kind.title()} holds no image {image}.") from error
        except NotFound as error:
            if image and "image" in str(error.explanation):
                raise ImageMissing(f"{self.kind.title()} holds no image {image}.") from error
            raise InstanceGone(f"The slot {slot_id} does not exist.") from error
        except APIError as error:
            said = str(error.explanation or error).rstrip(".")
            raise EngineError(f"{self.kind.title()} says: {said}.") from error
        except (DockerException, requests.RequestException, OSError) as error:
            raise unreachable(self.kind, self.endpoint, error) from error


def _slot_id(item: Mapping[str, Any]) -> str:
    name: str = item["Names"][0]
    return name.removeprefix("/").removeprefix(container_name(""))
