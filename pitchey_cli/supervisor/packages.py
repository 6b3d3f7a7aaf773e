"""Packages that a job asks for: found in the store, or fetched in a slot, once for all who ask for the same."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pitchey_cli.domain.errors import InputRejected, StoreError
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.domain.surroundings import Surroundings
from pitchey_cli.engines.port import Mount
from pitchey_cli.packages.store import PackageStore
from pitchey_cli.proxy.server import Visit
from pitchey_cli.supervisor.network import ENVIRONMENT, Network
from pitchey_cli.supervisor.shelf import Shelf, SlotClass
from pitchey_cli.supervisor.slot import Answer, SlotLost
from processors.code.packages import LIMITS, Registry, answered, configured, failure, prepare_packages, question
from processors.code.prepared import CannotPrepare, Prepared
from processors.code.slot_protocol import COMPILE, RUN, JobFile
from processors.code.verdict import Verdict
from processors.code.wanted import Wanted

#: What clients say of packages that are not there, or are not what they should be: asking again would not help.
_FINAL = (
    "No matching distribution found",
    "DO NOT MATCH THE HASHES",
    "ResolutionImpossible",
    "E404",
    "ETARGET",
    "EINTEGRITY",
    "404 Not Found",
    "checksum mismatch",
    "is refused",
)


class CannotFetch(Exception):
    """There are no packages for the job; says why."""

    def __init__(self, why: str, *, is_final: bool) -> None:
        super().__init__(why)
        self.is_final = is_final  #: asking again would not help


@dataclass
class Packages:
    """The packages of an organisation, for the slots of one supervisor."""

    surroundings: Surroundings
    network: Network
    image: str
    organisation: str
    shelf: Shelf
    memory: Callable[[int], AbstractAsyncContextManager[None]]
    _registries: dict[str, Registry] = field(default_factory=dict)
    _fetching: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def of(self, wanted: Wanted, *, log: Callable[[str], None]) -> Path:
        """The directory with what a job asks for.

        Args:
            log: is told what is done, when it takes long.

        Raises:
            CannotFetch: there is none.
            EngineError: the engine makes no slot for fetching them.
            OSError: the disk is full.
        """
        registry = await self._registry(wanted.language)
        store = PackageStore(Path(self.surroundings.packages_dir))
        secret = await asyncio.to_thread(store.secret)
        organisation = self.organisation or DEFAULT_ORGANISATION
        key = wanted.key(secret, organisation=organisation, image=self.image, registry=registry.url)
        lock = self._fetching.setdefault(key, asyncio.Lock())
        try:
            async with lock:  # whoever comes second finds what the first has fetched
                found = await asyncio.to_thread(store.find, key, datetime.now(UTC))
                return found or await self._fetch(store, key, wanted, registry, log)
        finally:
            if not lock.locked():
                self._fetching.pop(key, None)

    async def _registry(self, language: str) -> Registry:
        outward = self.surroundings.outward
        checksums = outward.go_checksums if language == "go" else ""
        if url := outward.registry(language):
            try:
                return configured(url, checksums=checksums)
            except CannotPrepare as error:
                raise CannotFetch(str(error), is_final=True) from error
        if language not in self._registries:
            answer = await self._run(question(language), lambda file, data: None)
            try:
                self._registries[language] = answered(answer.streams.get((RUN, "stdout"), b""))
            except CannotPrepare as error:
                raise CannotFetch(str(error), is_final=False) from error
        return replace(self._registries[language], checksums=checksums)

    async def _fetch(
        self, store: PackageStore, key: str, wanted: Wanted, registry: Registry, log: Callable[[str], None]
    ) -> Path:
        prepared = prepare_packages(wanted, registry, has_ca_bundle=self.network.has_ca_bundle)
        log("packages: they are fetched, for this job and all that ask for the same")

        def visited(visit: Visit) -> None:
            log(f"packages: {visit.line()}")

        egress = self.surroundings.outward.of_packages(registry.hosts)
        with tempfile.TemporaryFile() as archive:
            async with self.network.way_out(egress, visited) as way_out:
                answer = await self._run(prepared, lambda file, data: archive.write(data), way_out)
            if answer.report.verdict is not Verdict.OK or not answer.is_complete:
                why = failure(answer.report, answer.streams.get((COMPILE, "stderr"), b""))
                raise CannotFetch(why.replace("\n", "; "), is_final=any(text in why for text in _FINAL))
            archive.seek(0)
            try:
                path = await asyncio.to_thread(store.publish, key, archive, datetime.now(UTC))
            except InputRejected as error:
                raise CannotFetch(str(error), is_final=True) from error
            except StoreError as error:
                raise CannotFetch(str(error), is_final=False) from error
        chosen = self.surroundings
        await asyncio.to_thread(
            store.prune,
            datetime.now(UTC),
            limit_bytes=chosen.packages_bytes,
            older_than=timedelta(days=chosen.packages_days),
        )
        return path

    async def _run(
        self, prepared: Prepared, take: Callable[[JobFile, bytes], object], way_out: Mount | None = None
    ) -> Answer:
        """Run something of our own in a slot."""
        wanted = SlotClass(prepared.memory_bytes)
        if way_out is not None:
            wanted = SlotClass(prepared.memory_bytes, (way_out,), ENVIRONMENT, LIMITS.disk_bytes, LIMITS.files)
        async with self.memory(prepared.memory_bytes):
            slot = await self.shelf.take_apart(wanted)
            try:
                return await slot.give(prepared, take=take, begins=lambda phase: None)
            except SlotLost as lost:
                raise CannotFetch(f"The slot that fetched the packages was lost: {lost}.", is_final=False) from lost
            finally:
                self.shelf.discard(slot)
