"""`pitchey scaling` and `pitchey instances`, as a person uses them without a daemon."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.domain.decision import Headroom, Metrics, PoolSettings, PoolView, ScalerState
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.observation import LastDecision, Measure, Measurement
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.scaling import decide, explain
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service
from tests.conftest import Pitchey

NOON = datetime.now(UTC) - timedelta(hours=1)
Fill = Callable[[Callable[[SqliteStore], object]], None]


@pytest.fixture
def fill(pitchey: Pitchey) -> Fill:
    """Write into the store as a daemon would have."""

    def fill(write: Callable[[SqliteStore], object]) -> None:
        pitchey.ok("jobs")
        store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
        write(store)
        store.close()

    return fill


def decided(waiting: int) -> LastDecision:
    view, metrics = PoolView(waiting=waiting, ready=0, slots=3), Metrics(0.0, 0.0)
    decision = decide(view, metrics, PoolSettings(300.0, 0, 4), ScalerState(), now=100.0)
    return LastDecision(NOON, PoolKey(Service.VIDEO), explain(view, metrics, Headroom(), decision))


def test_status_counts_what_there_is_now_and_says_how_old_the_last_decision_is(pitchey: Pitchey, fill: Fill) -> None:
    fill(lambda store: store.observe([], [], [], [decided(waiting=1)]))
    header, _, row, *_ = pitchey.ok("scaling", "status").lines
    assert header.split() == [
        *("pool", "ready", "starting", "paused", "waiting", "running", "last", "wanted", "by", "when", "why"),
    ]  # fmt: skip
    assert row.split()[:8] == ["video", "0", "0", "0", "0", "0", "1", "first_job"]
    assert "1 h" in row or "60 min" in row
    document = json.loads(pitchey.ok("scaling", "status", "--json").lines[0])
    assert (document["service"], document["waiting"]) == ("video", 0)
    assert document["lastDecision"]["pool"]["waiting"] == 1


def test_status_and_metrics_say_the_same_of_starts(pitchey: Pitchey, fill: Fill) -> None:
    seconds = (0.19, 0.79, 0.77, 0.76)
    rows = [Measurement(NOON, PoolKey(Service.VIDEO), Measure.START, each) for each in seconds]
    fill(lambda store: store.observe([], rows, [], []))
    (line,) = [line for line in pitchey.ok("scaling", "status").lines if line.startswith("video") and "ms" in line]
    assert "765.0 ms" in line and "790.0 ms" in line
    assert 'pitchey_duration_median_seconds{measure="start",service="video"} 0.765' in pitchey.ok("metrics").out


def test_explain_says_how_many_jobs_a_budget_holds_and_until_when(pitchey: Pitchey, clip: Path, fill: Fill) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "first", "--organisation", "acme")
    pitchey.ok("budget", "set", "--organisation", "acme", "0.000000001")
    jobs = [NewJob(JobId(f"j{n}"), Service.VIDEO, {}, organisation="acme" if n < 3 else "b") for n in range(5)]
    fill(lambda store: store.enqueue(jobs, now=datetime.now(UTC)))
    out = pitchey.ok("scaling", "explain", "video").out
    assert "The budget of acme for the month is used up" in out and "3 video jobs wait until" in out
    assert "budget of acme" not in pitchey("scaling", "explain", "code").out


def test_explain_says_how_many_jobs_wait_for_off_peak_hours(pitchey: Pitchey, fill: Fill) -> None:
    now = datetime.now(UTC)
    hours = f"{now + timedelta(hours=3):%H:%M}-{now + timedelta(hours=4):%H:%M}"
    fill(lambda store: store.enqueue([NewJob(JobId("j1"), Service.VIDEO, {}, is_off_peak=True)], now=now))
    out = pitchey.ok("scaling", "explain", PITCHEY_QUEUE_OFF_PEAK=hours).out
    assert "1 video job waits for off-peak hours." in out


@pytest.mark.parametrize("verb", ["warm", "cool"])
def test_a_service_that_there_is_not_is_not_kept_warm(pitchey: Pitchey, verb: str) -> None:
    assert pitchey("instances", verb, "vidoe").code == 2
