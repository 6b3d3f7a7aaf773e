"""What instances have left behind goes while the daemon runs, and nothing that is being started, or somebody else's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.artifacts.buckets import Bucket as PlainBucket
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.s3 import S3Artifacts
from pitchey_cli.daemon import recovery, strays
from pitchey_cli.daemon.loop import Loop
from pitchey_cli.daemon.tidying import Tidying
from pitchey_cli.domain.buckets import Profile
from pitchey_cli.domain.job import Instance, InstanceState, JobId, NewJob
from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.engines.port import LABEL_STATE, InstanceSpec
from pitchey_cli.engines.process import ProcessEngine
from pitchey_cli.wiring import Wiring, node
from processors.protocol import Service
from tests.servers.s3 import OWNER, Bucket

NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIMITS = Limits(cpus=0.5, memory_bytes=64 * MIB, pids=32, tmp_bytes=16 * MIB, open_files=256)


@pytest.fixture
def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    monkeypatch.setenv("PITCHEY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PITCHEY_CONFIG", str(tmp_path / "config.toml"))
    (tmp_path / "config.toml").touch()
    engine = ProcessEngine(tmp_path / "processes")
    with node.loop(Wiring.from_environment(), engine, report=print) as loop:
        yield loop
    for info in engine.find({}):
        engine.remove(info.instance_id)


def start(loop: Loop, instance_id: str, *, state_id: str = "") -> None:
    program = ("python3", "-c", "import time; time.sleep(600)")
    labels = {LABEL_STATE: state_id or loop.state_id}
    loop.node.engine.start(
        InstanceSpec(instance_id=instance_id, image="", command=program, limits=LIMITS, labels=labels)
    )


def record(loop: Loop, instance_id: str, state: InstanceState = InstanceState.STARTING) -> None:
    instance = Instance(instance_id, Service.VIDEO, "process", "", 1, InstanceState.STARTING, 1, 1, 1, 1, NOW)
    loop.node.store.add_instance(instance)
    loop.node.store.set_instance(instance_id, state, now=NOW, tick=1)


def running(loop: Loop) -> set[str]:
    return {info.instance_id for info in loop.node.engine.find({})}


def test_an_instance_in_no_record_goes_and_one_of_another_state_directory_stays(loop):
    for instance_id in ("stray", "starting", "ended"):
        start(loop, instance_id)
    start(loop, "theirs", state_id="another")
    record(loop, "starting")
    record(loop, "ended", InstanceState.STOPPED)  # its end was recorded, its removal cut short
    asyncio.run(strays.remove_containers(loop.node, loop.state_id, loop.pools.instance_ids))
    assert running(loop) == {"starting", "theirs"}


def test_a_daemon_on_a_copy_of_the_database_leaves_the_instances_of_the_first_alone(loop, tmp_path, monkeypatch):
    for instance_id in ("recorded", "stray"):
        start(loop, instance_id)
    record(loop, "recorded", InstanceState.READY)
    (tmp_path / "copy").mkdir()
    loop.node.store._db.run("VACUUM INTO ?", (str(tmp_path / "copy" / "pitchey.db"),))
    monkeypatch.setenv("PITCHEY_STATE_DIR", str(tmp_path / "copy"))

    async def take_over_copy() -> None:
        with node.loop(Wiring.from_environment(), loop.node.engine, report=print) as copy:
            await recovery.take_over(copy)
            await copy.reap()
            await copy.stop_instances(why="the daemon stops")
            assert copy.node.store.instances(node=copy.node.identity.id) == []
            await strays.remove_containers(copy.node, copy.state_id, copy.pools.instance_ids)

    asyncio.run(take_over_copy())
    assert running(loop) == {"recorded", "stray"}
    asyncio.run(strays.remove_containers(loop.node, loop.state_id, loop.pools.instance_ids))
    assert running(loop) == {"recorded"}


def test_an_instance_in_the_books_stays_whatever_the_records_say(loop):
    start(loop, "retired")
    asyncio.run(strays.remove_containers(loop.node, loop.state_id, lambda: {"retired"}))
    assert running(loop) == {"retired"}


def test_old_directories_of_no_instance_go_and_young_ones_stay(loop):
    root = loop.node.config.state_dir / "instances"
    for name in ("stray", "young", "starting", "pooled"):
        (root / name / "spool").mkdir(parents=True)
        if name != "young":  # being started: the directory comes before the record
            os.utime(root / name, (0, 0))
    record(loop, "starting")
    asyncio.run(strays.remove_directories(loop.node, lambda: {"pooled"}))
    assert {path.name for path in root.iterdir()} == {"young", "starting", "pooled"}
    asyncio.run(strays.remove_directories(loop.node, set, older_than_seconds=0))
    assert {path.name for path in root.iterdir()} == {"starting"}


@dataclass
class Hands:
    """A clock whose hands the test turns."""

    seconds: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds

    def boot(self) -> str:
        return "boot"


def test_a_daemon_looks_for_strays_every_ten_minutes(loop):
    clock = Hands()

    async def rounds() -> list[set[str]]:
        tidying = Tidying(replace(loop.node, clock=clock), loop.state_id, loop.pools.instance_ids)
        left: list[set[str]] = []
        for minutes in (0, 6, 12, 13):  # recovery has looked at the start; the fourth is too early for any round
            clock.seconds = minutes * 60
            tidying.begin_if_due()
            assert tidying._task is not None
            await tidying._task
            left.append(running(loop))
            if minutes == 12:
                start(loop, "second")
        return left

    start(loop, "first")
    assert asyncio.run(rounds()) == [{"first"}, {"first"}, set(), {"second"}]


def test_what_was_stored_for_an_attempt_that_has_ended_goes_from_the_bucket_whoever_ran_it(
    loop: Loop, tmp_path: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = bucket.server
    profile = Profile(endpoint_url=server.endpoint, access_key=OWNER.access, secret_key=OWNER.secret, path_style=True)
    plain, cache = PlainBucket(profile, bucket.name), LocalArtifacts(tmp_path / "cache")
    artifacts = S3Artifacts(plain, "kept/", cache, cache_bytes=1 << 20)
    store, node = loop.node.store, replace(loop.node, artifacts=artifacts)
    record(loop, "starting")
    store.enqueue([NewJob(JobId("one"), Service.VIDEO, {})], now=NOW)
    places = Places([Candidate("starting", 1, 1)])
    words = {"policy": QueuePolicy(), "now": NOW, "lease_until": NOW, "tick": 0}
    (claimed,) = store.claim(PoolKey(Service.VIDEO), places=places, **words)  # type: ignore[arg-type]
    for key in (f"{claimed.job.token}/0", "gone.1/0", "gone.1/1"):
        bucket.put(f"kept/put/{key}", b"an output")
    asyncio.run(strays.discard_outputs(node))
    assert len(bucket.names("kept/put/")) == 3, "they are young"
    monkeypatch.setattr(strays, "_FORGOTTEN", timedelta(0))
    asyncio.run(strays.discard_outputs(node))
    assert bucket.names("kept/put/") == [f"kept/put/{claimed.job.token}/0"]
