"""Removes what is kept no longer: ended jobs, their logs, the files that no job refers to any more.

What has to go is decided in domain/retention.py. The daemon does this now and then, and `pitchey db prune` at once; a
dry run walks the same way. Everything comes in pieces with pauses between them, so that others get their turn to write,
and it may be broken off anywhere: rows go before the files they speak of, and a file that is left over is found the
next time.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from pitchey_cli.artifacts.port import Artifacts, Kept
from pitchey_cli.domain import layout
from pitchey_cli.domain.clock import Clock
from pitchey_cli.domain.retention import FRESH, Excess, Holding, Ledger, RetentionPolicy, cutoff, too_many
from pitchey_cli.store.port import Store
from pitchey_cli.store.writer import Writer
from pitchey_cli.values import dataclass

P = ParamSpec("P")
T = TypeVar("T")

_PIECE = 500  # files that a thread handles at once
_PAUSE_SECONDS = 0.02  # after a piece that wrote: another process that waits for the database looks again meanwhile


@dataclass(frozen=True)
class Pruned:
    """What has gone, or would go."""

    jobs: int = 0
    logs: int = 0  #: jobs whose logs have gone
    artifacts: int = 0
    artifact_bytes: int = 0
    spared_for: Path | None = None  #: a database from before a restore, to which files may still belong

    @property
    def is_something(self) -> bool:
        """Whether anything has gone."""
        return bool(self.jobs or self.logs or self.artifacts)

    def summary(self) -> str:
        """For a line of a log."""
        return f"{self.jobs:,} jobs, {self.logs:,} logs, {self.artifacts:,} artifacts ({self.artifact_bytes:,} bytes)"


@dataclass(slots=True)
class Housekeeping:
    """One state directory, and the rules by which it is kept in order."""

    store: Store
    writer: Writer
    artifacts: Artifacts
    state_dir: Path
    policy: RetentionPolicy
    clock: Clock
    _gone: dict[int, str] = field(default_factory=dict)  #: in a dry run, the jobs that would not be there any more

    async def prune(self, *, with_files: bool = True, dry_run: bool = False) -> Pruned:
        """Remove what has to go.

        Args:
            with_files: also look for logs and artifacts that are left over, which reads all jobs and all names of
                files. The logs of the jobs that go are removed in any case.
        """
        room_up_to = await self._room_up_to() if with_files and self.policy.artifacts_bytes else 0
        pruned = await self._prune_jobs(room_up_to, dry_run)
        if with_files:
            # A database that a restore has put aside may be wanted back, and with it what only it refers to.
            aside = await asyncio.to_thread(_put_aside, self.state_dir, dry_run)
            pruned = replace(pruned, spared_for=aside)
            pruned = await self._prune_logs(pruned, dry_run, spare_unknown=aside is not None)
            if aside is None:
                pruned = await self._prune_artifacts(pruned, dry_run)
        return pruned

    # --- jobs

    async def _prune_jobs(self, room_up_to: int, dry_run: bool) -> Pruned:
        excess = Excess(await self._too_many(), room_up_to)
        jobs = logs = 0
        after: int | None = 0
        while after is not None:
            removed = await self._call(
                self.store.remove_ended, self.policy, excess, after_seq=after, now=self.clock.now(), dry_run=dry_run
            )
            after = removed.after_seq
            if removed.jobs:
                excess = excess.without(removed.jobs)
                jobs += len(removed.jobs)
                folders = [layout.logs(self.state_dir) / job.id for job in removed.jobs]
                logs += await asyncio.to_thread(_remove_folders, folders, dry_run)
                if dry_run:
                    self._gone.update((job.seq, job.id) for job in removed.jobs)
                else:
                    await asyncio.sleep(_PAUSE_SECONDS)
        return Pruned(jobs=jobs, logs=logs)

    async def _too_many(self) -> int:
        if not self.policy.jobs_count:
            return 0
        return too_many(self.policy, (await self._call(self.store.counts)).by_service.values())

    # --- logs

    async def _prune_logs(self, pruned: Pruned, dry_run: bool, *, spare_unknown: bool) -> Pruned:
        """Logs that are too old, and those whose job is gone: its removal was cut short, or a backup knows it not."""
        before = cutoff(self.policy.logs_days, self.clock.now())
        count = 0
        counted = set(self._gone.values())
        folders = _folders(layout.logs(self.state_dir))
        while piece := await asyncio.to_thread(_take, folders, _PIECE):
            known = await self._call(self.store.known_jobs, [folder.name for folder, _ in piece])
            chosen: list[Path] = []
            for folder, changed_at in piece:
                is_old = before is not None and changed_at < before.timestamp()
                has_to_go = is_old if folder.name in known else not spare_unknown
                if has_to_go and folder.name not in counted:
                    chosen.append(folder)
            count += await asyncio.to_thread(_remove_folders, chosen, dry_run)
        return replace(pruned, logs=pruned.logs + count)

    # --- artifacts

    async def _room_up_to(self) -> int:
        sizes = {kept.sha256: kept.size async for kept in self._kept()}
        ledger = Ledger(sizes)
        if sum(sizes.values()) <= self.policy.artifacts_bytes:
            return 0
        async for holdings in self._holdings(with_needs=True):
            for holding in holdings:
                ledger.add(holding)
        return ledger.room_up_to(self.policy.artifacts_bytes)

    async def _prune_artifacts(self, pruned: Pruned, dry_run: bool) -> Pruned:
        await asyncio.to_thread(self.artifacts.check_owner, await self._call(self.store.state_id))
        # The cutoff first, then what there is, then who refers to it: artifacts/local.py says why this order is safe.
        before = self.clock.now() - FRESH
        unheld = {kept.sha256: kept.size async for kept in self._kept() if kept.used_at < before}
        if not unheld:
            return pruned
        async for holdings in self._holdings():
            for holding in holdings:
                if holding.seq not in self._gone:
                    for name in holding.names:
                        unheld.pop(name, None)
        if not dry_run:
            unheld = await self._remove_artifacts(unheld, before)
        return replace(pruned, artifacts=len(unheld), artifact_bytes=sum(unheld.values()))

    async def _remove_artifacts(self, unheld: dict[str, int], before: datetime) -> dict[str, int]:
        def remove(names: Iterable[str]) -> list[str]:
            return [name for name in names if self.artifacts.remove(name, unless_used_since=before)]

        removed: dict[str, int] = {}
        names = iter(list(unheld))
        while piece := list(islice(names, _PIECE)):
            removed |= {name: unheld[name] for name in await asyncio.to_thread(remove, piece)}
        return removed

    async def _kept(self) -> AsyncIterator[Kept]:
        every = self.artifacts.kept()
        while piece := await asyncio.to_thread(_take, every, _PIECE):
            for kept in piece:
                yield kept

    async def _holdings(self, *, with_needs: bool = False) -> AsyncIterator[list[Holding]]:
        after = 0
        while page := await self._call(self.store.holdings, after_seq=after, with_needs=with_needs):
            after = page[-1].seq
            yield page

    async def _call(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.writer.call(method, *args, **kwargs)


def _take(items: Iterator[T], count: int) -> list[T]:
    return list(islice(items, count))


def _put_aside(state_dir: Path, dry_run: bool) -> Path | None:
    """The first database that a restore has put aside. What SQLite had beside one that is there no more goes."""
    databases: list[Path] = []
    for path in sorted(state_dir.glob(f"{layout.BEFORE_RESTORE}*")):
        suffix = next((each for each in layout.BESIDE_DATABASE if path.name.endswith(each)), "")
        if not suffix:
            databases.append(path)
        elif not dry_run and not path.with_name(path.name.removesuffix(suffix)).exists():
            path.unlink(missing_ok=True)
    return databases[0] if databases else None


def _folders(root: Path) -> Iterator[tuple[Path, float]]:
    """The folders below a folder, and when each last changed."""
    if root.is_dir():
        for entry in root.iterdir():
            try:
                yield entry, entry.stat().st_mtime
            except FileNotFoundError:  # it has gone meanwhile
                continue


def _remove_folders(folders: Sequence[Path], dry_run: bool) -> int:
    """Remove those that are there; how many there were."""
    there = [folder for folder in folders if folder.is_dir()]
    if not dry_run:
        for folder in there:
            shutil.rmtree(folder, ignore_errors=True)
    return len(there)
