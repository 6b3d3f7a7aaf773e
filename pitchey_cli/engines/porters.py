"""Porters on Docker: a container in front of each worker that shares no files with the host, and their volumes.

    host -- TLS, secret --> porter -- volumes --> worker
                              |                   (no network)
                              +-- object store

The two share volumes, which Docker keeps wherever it runs: nothing of them is a path of this host. Which of them the
worker sees, and how, is in hardening.py.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Protocol
from urllib.parse import urlsplit

import docker

from pitchey_cli.domain.errors import InstanceGone
from pitchey_cli.engines.hardening import VOLUMES, porter_arguments, porter_name, volume_name
from pitchey_cli.engines.port import GIVEN_DIR, KEPT_DIR, LABEL_INSTANCE, LABEL_PORTER, TAKEN_DIR, InstanceSpec

_LOOPBACK = "127.0.0.1"


class Ours(Protocol):
    """Turns what docker-py raises into Pitchey's errors."""

    def __call__(self, instance_id: str = "", image: str = "") -> AbstractContextManager[None]:
        """While the block runs."""


class Porters:
    """Those of one Docker."""

    def __init__(self, endpoint: str, ours: Ours) -> None:
        """Know where Docker is.

        Args:
            endpoint: its URL; a porter is reached at the same host.
        """
        parts = urlsplit(endpoint)
        is_here = parts.scheme in ("unix", "npipe") or not parts.hostname
        self._host = _LOOPBACK if is_here else str(parts.hostname)
        self._bound_to = _LOOPBACK if is_here else ""  # of a Docker elsewhere: whichever address leads to it from here
        self._ours = ours

    def start(self, client: docker.DockerClient, spec: InstanceSpec) -> None:
        """Make the volumes, and start the porter of an instance."""
        assert spec.porter is not None
        labels = {**spec.labels, LABEL_PORTER: spec.instance_id}
        labels.pop(LABEL_INSTANCE, None)  # or it would be found as an instance
        with self._ours(image=spec.image):
            for name in VOLUMES:
                client.api.create_volume(volume_name(spec.instance_id, name), labels=labels)
            arguments = porter_arguments(spec, labels=labels, bound_to=self._bound_to)
            container = client.containers.create(**arguments)
            for directory, archive in _archives(spec).items():
                container.put_archive(directory, archive)
            container.start()

    def address(self, api: docker.APIClient, instance_id: str) -> tuple[str, int]:
        """Where the porter of an instance is reached."""
        name = porter_name(instance_id)
        with self._ours(instance_id):
            said = api.inspect_container(name)
            words = b"" if said["State"]["Running"] else api.logs(name, tail=1)
        for bindings in (said["NetworkSettings"]["Ports"] or {}).values():
            for binding in bindings or ():
                return self._host, int(binding["HostPort"])
        last = f" Its last words: {words.decode(errors='replace').strip()}" if words else ""
        raise InstanceGone(f"The porter of instance {instance_id} does not run.{last}")

    def remove(self, api: docker.APIClient, instance_id: str) -> None:
        """Remove a porter and the volumes, as far as they are there. The worker that uses them is gone by now."""
        with contextlib.suppress(InstanceGone), self._ours(instance_id):
            api.remove_container(porter_name(instance_id), force=True)
        with self._ours():
            found = api.volumes(filters={"label": f"{LABEL_PORTER}={instance_id}"})["Volumes"] or ()
        for volume in found:
            with contextlib.suppress(InstanceGone), self._ours(instance_id):
                api.remove_volume(volume["Name"], force=True)

    def left(self, api: docker.APIClient, labels: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
        """The instances that have a porter, and its labels; what is left of one whose worker's container is gone."""
        wanted = [LABEL_PORTER, *(f"{key}={value}" for key, value in labels.items() if key != LABEL_INSTANCE)]
        with self._ours():
            listed = api.containers(all=True, filters={"label": wanted})
        return {item["Labels"][LABEL_PORTER]: item["Labels"] for item in listed}


def _archives(spec: InstanceSpec) -> dict[str, bytes]:
    """What lies in the volumes when the two start: volumes are root's, and directories in them the instance's own."""
    assert spec.porter is not None
    archives: dict[str, bytes] = {}
    for root in (GIVEN_DIR, TAKEN_DIR, KEPT_DIR):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for directory in spec.porter.directories:
                if directory.startswith(f"{root}/"):
                    _add(archive, directory.removeprefix(f"{root}/"), spec.user, None)
            for name, data in spec.porter.files.items():
                if name.startswith(f"{root}/"):
                    _add(archive, name.removeprefix(f"{root}/"), spec.user, data)
        archives[root] = buffer.getvalue()
    return archives


def _add(archive: tarfile.TarFile, name: str, user: tuple[int, int], data: bytes | None) -> None:
    entry = tarfile.TarInfo(name)
    entry.uid, entry.gid = user
    if data is None:
        entry.type, entry.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(entry)
        return
    entry.size, entry.mode = len(data), 0o400
    archive.addfile(entry, io.BytesIO(data))
