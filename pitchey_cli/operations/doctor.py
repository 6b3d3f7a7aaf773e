"""What is missing on this machine, and how to get it. Each check says what it saw; none changes anything."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pitchey_cli.domain import layout, neighbours
from pitchey_cli.domain.errors import PitcheyError, RuntimeMissing
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.nodes import MOST_APART_SECONDS
from pitchey_cli.domain.notice import LONGEST_GRACE_SECONDS
from pitchey_cli.engines import runtimes
from pitchey_cli.engines.port import Engine, EngineInfo, EngineKind
from pitchey_cli.operations import spot
from pitchey_cli.store.inspect import describe
from pitchey_cli.store.port import Store

_ENOUGH_DISK_BYTES = 5 * GIB  # the video image, its base and its layers while it is built, and room for work
_ASKED_TIMES = 9
_FAR_MILLISECONDS = 20.0  # a claim takes a dozen answers
_ENGINE_PACKAGES = "apt-get install docker.io, or podman"


class Verdict(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"  #: jobs run, with something missing
    PROBLEM = "problem"  #: jobs do not run


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    subject: str
    verdict: Verdict
    saw: str
    way_out: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An image that a service needs."""

    service: str
    tag: str


@dataclass(frozen=True, slots=True)
class SpotNode:
    """How a node learns that it is taken away."""

    notifier: str  #: who is asked; empty: nobody
    ask: Callable[[], bool]  #: whether there is a notice; raises PitcheyError where nobody answers
    grace_seconds: float


def examine(
    *,
    state_dir: Path,
    open_store: Callable[[], Store],
    connect: Callable[[], Engine],
    images: list[Wanted],
    wanted_runtimes: Mapping[str, str] | None = None,
    problems: Sequence[PitcheyError] = (),
    buckets: Sequence[Asked] = (),
    spot_node: SpotNode | None = None,
    server: str = "",
    host: str = "",
    environ_path: str | None = None,
) -> Iterator[Check]:
    """Look at everything that a job needs, one check after the other.

    Args:
        wanted_runtimes: what is set, by service.
        problems: what is set and means nothing.
        buckets: what is asked of profiles of S3 and of the bucket of the artifacts.
        spot_node: where the node's cloud may take it away.
        server: the PostgreSQL database that has the queue, as it may be shown; empty: it is in the state directory.
        host: the boot of this machine, by which daemons on it are known.
    """
    for problem in problems:
        yield Check("settings", Verdict.PROBLEM, str(problem), problem.hint or "`pitchey config set` changes it.")
    if spot_node is not None:
        yield _spot(spot_node)
        yield _keeping(state_dir)
        yield from _unreachable(open_store)
    yield _state(state_dir)
    yield (store := _store(open_store, None if server else layout.database(state_dir), server))
    yield _disk(state_dir)
    yield from _answers(buckets, {store.subject} if store.verdict is Verdict.PROBLEM else set())
    try:
        engine = connect()
        info = engine.info()
    except PitcheyError as error:
        yield Check("engine", Verdict.PROBLEM, str(error), error.hint or _ENGINE_PACKAGES)
        yield _ffmpeg(environ_path, is_needed=False)
        return
    yield Check(
        "engine", Verdict.OK, f"{info.kind} {info.version} at {info.endpoint}" + (", rootless" * info.is_rootless)
    )
    yield _isolation(info)
    yield _cgroups(info)
    if server:
        yield from _neighbours(open_store, host, info.memory_bytes)
    yield from _runtimes(info, wanted_runtimes or {})
    if info.kind is EngineKind.PROCESS:
        yield _ffmpeg(environ_path, is_needed=True)
        return
    yield _landlock(landlock_version())
    for image in images:
        yield _image(engine, image)


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a provider of S3, or to the queue about one."""

    subject: str
    saw: str  #: what is said when all is well
    ask: Callable[[], None]  #: raises PitcheyError
    needs: frozenset[str] = frozenset()  #: what has to be well, else it would only say again what is wrong there


def _answers(questions: Sequence[Asked], troubled: set[str]) -> Iterator[Check]:
    for asked in questions:
        if troubled & asked.needs:
            continue
        try:
            asked.ask()
        except PitcheyError as error:
            troubled.add(asked.subject)
            yield Check(asked.subject, Verdict.PROBLEM, str(error), error.hint)
        else:
            yield Check(asked.subject, Verdict.OK, asked.saw)


def _spot(node: SpotNode) -> Check:
    if node.grace_seconds > LONGEST_GRACE_SECONDS:
        saw = f"daemon.grace_seconds is {node.grace_seconds:g}, and when it is taken away there may be no more than "
        return Check(
            "node", Verdict.WARNING, f"{saw}{LONGEST_GRACE_SECONDS:g} s of it", "Set daemon.grace_seconds to 5."
        )
    if not node.notifier:
        saw = "it may be taken away, and nobody is asked when: only TERM tells"
        return Check("node", Verdict.WARNING, saw, "Set node.spot_notice to aws, gcp, azure or a URL.")
    try:
        has_notice = node.ask()
    except PitcheyError as error:
        way_out = "Set node.spot_notice to whoever says it on this machine; until then only TERM tells."
        return Check("node", Verdict.WARNING, f"nobody says whether it is taken away: {error}", way_out)
    if has_notice:
        saw = f"{node.notifier} says that it is about to be taken away"
        way_out = "A daemon ends at once here; the jobs wait until one starts where the state directory then is."
        return Check("node", Verdict.WARNING, saw, way_out)
    return Check("node", Verdict.OK, f"it may be taken away; {node.notifier} says that it is not now")


def _keeping(state_dir: Path) -> Check:
    """Whether the queue is likely to be there still when the machine is not."""
    root, place = Path("/").stat().st_dev, next(each for each in (state_dir, *state_dir.parents) if each.exists())
    if place.stat().st_dev == root:
        saw = f"{state_dir} is on the disk of the system: terminated with it, queue, results and history are gone"
        return Check(
            "node", Verdict.WARNING, saw, "Put state_dir on a disk that stays, or have the machine stopped only."
        )
    return Check("node", Verdict.OK, f"{state_dir} is on a disk of its own, which has to stay when the machine goes")


def _unreachable(open_store: Callable[[], Store]) -> Iterator[Check]:
    """The waiting jobs that get no turn here; trouble with the store has a check of its own."""
    try:
        store = open_store()
        try:
            jobs = spot.unreachable(store)
        finally:
            store.close()
    except PitcheyError:
        return
    if jobs:
        saw = f"{jobs:,} waiting {'job' if jobs == 1 else 'jobs'} may not run here: submitted without --spot-ok"
        yield Check("node", Verdict.WARNING, saw, spot.WAY_OUT)


def _state(state_dir: Path) -> Check:
    if not state_dir.is_dir():
        return Check(
            "state", Verdict.PROBLEM, f"{state_dir} is not a directory.", "PITCHEY_STATE_DIR names another place."
        )
    if not os.access(state_dir, os.W_OK | os.X_OK):
        return Check(
            "state", Verdict.PROBLEM, f"{state_dir} may not be written.", "Change its owner, or PITCHEY_STATE_DIR."
        )
    return Check("state", Verdict.OK, str(state_dir))


def _store(open_store: Callable[[], Store], database: Path | None, server: str) -> Check:
    try:
        store = open_store()
        try:
            if database is None:
                return _on_server(store, server)
        finally:
            store.close()
        found = describe(database)
    except PitcheyError as error:
        return Check("store", Verdict.PROBLEM, str(error), error.hint)
    if found.problems:
        way_out = "Stop the daemon; `pitchey db restore BACKUP` puts a backup in its place."
        return Check("store", Verdict.PROBLEM, f"{database}: {found.problems[0]}", way_out)
    rows = sum(table.rows for table in found.tables)
    size = f"{found.size_bytes / 2**20:.1f} MiB"
    return Check("store", Verdict.OK, f"schema version {found.schema_version}, {rows:,} rows, {size}, whole")


def _on_server(store: Store, server: str) -> Check:
    version = store.database_version()
    took: list[float] = []
    for _ in range(_ASKED_TIMES):
        began = time.monotonic()
        store.data_version()
        took.append(time.monotonic() - began)
    took_milliseconds = sorted(took)[_ASKED_TIMES // 2] * 1000
    text = f"{version} at {server}, schema version {store.schema_version()}, answers in {took_milliseconds:.1f} ms"
    if (there := store.time_there()) is not None:
        apart = abs((datetime.now(UTC) - there).total_seconds())
        if apart > MOST_APART_SECONDS:
            text = f"{text}; its clock and the one here are {apart:,.0f} s apart"
            return Check("store", Verdict.WARNING, text, "Set the clock of this machine: jobs have dates.")
    if took_milliseconds > _FAR_MILLISECONDS:
        return Check("store", Verdict.WARNING, text, "Claims take many answers: put the database nearer to the nodes.")
    return Check("store", Verdict.OK, text)


def _neighbours(open_store: Callable[[], Store], host: str, memory_bytes: int) -> Iterator[Check]:
    """Daemons of this machine that promise its memory twice; nothing is said where the database cannot be asked."""
    with contextlib.suppress(PitcheyError), contextlib.closing(open_store()) as store:
        if found := neighbours.overbooked(store.nodes(), host, memory_bytes):
            saw = neighbours.sentence(found, memory_bytes)
            yield Check("neighbours", Verdict.WARNING, saw, neighbours.WAY_OUT)


def _disk(state_dir: Path) -> Check:
    free = shutil.disk_usage(state_dir).free
    text = f"{free / GIB:.1f} GiB free at {state_dir}"
    if free < _ENOUGH_DISK_BYTES:
        return Check("disk", Verdict.WARNING, text, f"Images and work want {_ENOUGH_DISK_BYTES / GIB:.0f} GiB.")
    return Check("disk", Verdict.OK, text)


def _isolation(info: EngineInfo) -> Check:
    if info.not_enforced:
        return Check(
            "isolation", Verdict.WARNING, "not enforced: " + "; ".join(info.not_enforced), "Use Docker or Podman."
        )
    return Check(
        "isolation", Verdict.OK, "no network, read-only root, no capabilities, limits on memory, CPU and processes"
    )


def _cgroups(info: EngineInfo) -> Check:
    size = f"{info.cpus:g} CPUs, {info.memory_bytes / GIB:.1f} GiB"
    if info.cgroup_version is None:
        return Check("limits", Verdict.OK, size)
    return Check("limits", Verdict.OK, f"{size}, control groups version {info.cgroup_version}")


def _runtimes(info: EngineInfo, wanted: Mapping[str, str]) -> Iterator[Check]:
    """What the engine has, and what is set and missing."""
    if info.runtimes:
        own, *others = info.runtimes
        yield Check("runtimes", Verdict.OK, ", ".join([f"{own} (the engine's own)", *others]))
    for service, runtime in wanted.items():
        try:
            runtimes.check(info, runtime)
        except RuntimeMissing as error:
            text = f"services.{service}.runtime is set: {error}"
            yield Check(f"{service} runtime", Verdict.PROBLEM, text, error.hint.replace("NAME", service))
        else:
            if runtime:
                yield Check(f"{service} runtime", Verdict.OK, runtime)


def landlock_version() -> int:
    """The version of Landlock that this kernel has; 0 for none."""
    create_ruleset, ask_version = 444, 1  # landlock(7); the same number on every architecture
    version: int = ctypes.CDLL(None, use_errno=True).syscall(create_ruleset, None, ctypes.c_size_t(0), ask_version)
    return max(0, version)


def _landlock(version: int) -> Check:
    if version:
        return Check("landlock", Verdict.OK, f"version {version}: a wall of its own around programs that nobody trusts")
    saw = "this kernel has none: programs that nobody trusts have one wall less"
    return Check("landlock", Verdict.WARNING, saw, "Linux 5.13, with `landlock` in /sys/kernel/security/lsm.")


def _image(engine: Engine, image: Wanted) -> Check:
    if engine.has_image(image.tag):
        return Check(f"{image.service} image", Verdict.OK, image.tag)
    way_out = f"`pitchey images build {image.service}`; `pitchey run` does it by itself."
    return Check(f"{image.service} image", Verdict.WARNING, f"{image.tag} is not built", way_out)


def _ffmpeg(environ_path: str | None, *, is_needed: bool) -> Check:
    found = shutil.which("ffmpeg", path=environ_path)
    if found:
        return Check("ffmpeg", Verdict.OK, f"{found}, for the process engine")
    verdict = Verdict.PROBLEM if is_needed else Verdict.WARNING
    return Check("ffmpeg", verdict, "ffmpeg is not on PATH; the process engine needs it", "apt-get install ffmpeg")
