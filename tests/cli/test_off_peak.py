"""`--off-peak` and `--spot-ok`, as a person asks for them and is told of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.moments import worded
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import why
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service
from tests.conftest import Pitchey

THUMBNAIL = ("--output-format", "thumbnail")
NOW = datetime.now(UTC).replace(second=0, microsecond=0)


def after(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def clock(hours: float) -> str:
    return worded(after(hours), now=datetime.now(UTC))


def hours(begin: float, end: float) -> str:
    return f"{after(begin):%H:%M}-{after(end):%H:%M}"


@pytest.fixture
def utc(pitchey: Pitchey) -> Pitchey:
    """A machine whose clock is UTC."""
    pitchey.environment["TZ"] = "UTC"
    return pitchey


@pytest.fixture
def nightly(utc: Pitchey) -> Pitchey:
    """Its off-peak hours begin in five hours."""
    utc.environment["PITCHEY_QUEUE_OFF_PEAK"] = hours(5, 6)
    return utc


def submitted(pitchey: Pitchey, clip: Path, *options: str) -> str:
    (job_id,) = pitchey.ok("submit", "video", clip, *THUMBNAIL, *options).lines
    return job_id


def test_a_job_says_when_its_hours_begin_and_from_when_on_it_runs_at_any_price(nightly: Pitchey, clip: Path) -> None:
    job_id = submitted(nightly, clip, "--off-peak", "--deadline", after(20).isoformat(), "--timeout", "2h")
    expected = f"It waits for off-peak hours, which begin at {clock(5)}; from {clock(18)} it runs at any price, "
    assert f"{expected}to meet its deadline." in nightly.ok("why", job_id).lines
    job = nightly.job(job_id)
    assert (job["state"], job["isOffPeak"], job["lastCallAt"]) == ("queued", True, f"{after(18):%Y-%m-%dT%H:%M:%SZ}")
    without = submitted(nightly, clip, "--off-peak")
    assert f"It waits for off-peak hours, which begin at {clock(5)}." in nightly.ok("why", without).lines


def test_one_that_is_due_before_its_hours_starts_when_it_is_cheapest(utc: Pitchey, clip: Path) -> None:
    utc.environment["PITCHEY_COST_HOURS"] = f"{hours(5, 6)}=0.5,{hours(2, 3)}=0.7"
    job_id = submitted(utc, clip, "--off-peak", "--deadline", after(4).isoformat())
    assert utc.ok("why", job_id).lines == [
        f"Its deadline comes before off-peak hours: it is to start at {clock(2)}, the cheapest time before."
    ]
    assert utc.job(job_id)["state"] == "scheduled"
    (exported,) = [json.loads(line) for line in utc.ok("db", "export", "container_jobs").lines]
    assert exported["last_call_at"] == f"{after(2):%Y-%m-%dT%H:%M:%SZ}"


def test_one_that_is_due_before_its_hours_runs_at_once_where_all_times_cost_the_same(
    nightly: Pitchey, clip: Path
) -> None:
    job_id = submitted(nightly, clip, "--off-peak", "--deadline", "2h")
    said = nightly.ok("why", job_id).lines[0]
    assert said.startswith("It does not wait for off-peak hours, to meet its deadline: since ")
    assert said.endswith(" it runs at any price.")
    nightly.start_daemon()
    assert nightly("wait", job_id).code == 0


def test_what_jobs_before_took_decides_how_long_one_may_wait(nightly: Pitchey, clip: Path) -> None:
    for number in range(5):
        nightly.ok("run", "video", clip, *THUMBNAIL, "--no-cache", "-o", f"out{number}")
    job_id = submitted(nightly, clip, "--off-peak", "--no-cache", "--deadline", after(5.5).isoformat())
    job = nightly.job(job_id)
    # By its timeout of an hour it would have had to start before its hours.
    assert (job["state"], job["isOffPeak"]) == ("queued", True)
    assert timedelta(minutes=1) < after(5.5) - datetime.fromisoformat(job["lastCallAt"]) < timedelta(minutes=2)


def test_hours_that_make_no_sense_are_named(utc: Pitchey, clip: Path) -> None:
    answer = utc("submit", "video", clip, "--off-peak", PITCHEY_QUEUE_OFF_PEAK="22:00-06:00,noon")
    assert answer.code == 2 and "queue.off_peak: 'noon' are no hours" in answer.err


def test_a_job_may_be_submitted_for_a_node_that_may_be_taken_away_and_one_that_is_waited_for_always_is(
    pitchey: Pitchey, clip: Path
) -> None:
    lines = json.dumps({"inputUrl": str(clip), "outputFormat": "thumbnail", "spot-ok": True})
    ids = [submitted(pitchey, clip), submitted(pitchey, clip, "--spot-ok")]
    ids += pitchey.ok("submit", "video", "-", stdin=lines).lines
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    assert [pitchey.job(each)["isSpotOk"] for each in (*ids, "@last")] == [False, True, True, True]


def test_a_step_of_a_pipeline_and_a_schedule_may_ask_for_both(pitchey: Pitchey, clip: Path) -> None:
    (pitchey.cwd / "p.toml").write_text(
        f'[steps.small]\nservice = "video"\ninput = "{clip}"\noff_peak = true\nspot_ok = true\ndeadline = "9h"\n'
        '[steps.poster]\nservice = "video"\ninput = "@small/video.mp4"\noutputFormat = "thumbnail"\n'
        'off-peak = "yes"\ndeadline = "9h"\n'
    )
    pitchey.ok("pipeline", "submit", "p.toml")
    jobs = {job["name"]: job for job in map(json.loads, pitchey.ok("jobs", "--json").lines)}
    small, poster = jobs["p-small"], jobs["p-poster"]
    assert (small["isSpotOk"], poster["isSpotOk"]) == (True, False)
    assert None not in (small["lastCallAt"], poster["lastCallAt"])
    options = ("--name", "night", "--cron", "@daily", "--off-peak", "--spot-ok", "--deadline", "6h")
    pitchey.ok("schedule", "add", "video", clip, *THUMBNAIL, *options)
    (job_id,) = pitchey.ok("schedule", "run", "night").lines
    job = pitchey.job(job_id)
    assert (job["isOffPeak"], job["isSpotOk"]) == (True, True) and job["lastCallAt"] is not None


def test_why_tells_of_a_node_that_may_be_taken_away(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    store.enqueue(
        [NewJob(JobId(each), Service.VIDEO, {}, is_spot_ok=each == "spot") for each in ("on", "spot")], now=NOW
    )
    said = "This node may be taken away (node.is_spot), and the job was not submitted with --spot-ok."
    for job_id, is_spot, is_told in (("on", True, True), ("on", False, False), ("spot", True, False)):
        sentences = why.reasons(
            store,
            store.job(JobId(job_id)),
            now=NOW,
            is_daemon_running=True,
            has_image=lambda: True,
            policy=QueuePolicy(is_spot=is_spot),
        )
        assert (said in sentences) is is_told
    store.close()


def test_a_job_that_would_be_given_up_before_its_hours_does_not_wait_for_them(nightly: Pitchey, clip: Path) -> None:
    for options, environment in (
        (("--ttl", "2h"), {}),
        ((), {"PITCHEY_SERVICES_VIDEO_TTL_SECONDS": "7200"}),  # nobody has named one
    ):
        (job_id,) = nightly.ok("submit", "video", clip, *THUMBNAIL, "--off-peak", *options, **environment).lines
        job = nightly.job(job_id)
        assert (job["state"], job["isOffPeak"]) == ("queued", False)
        assert "to meet its time to live: since" in nightly.ok("why", job_id).out


def test_a_job_whose_hours_come_within_its_time_to_live_waits_for_them_until_its_last_call(
    nightly: Pitchey, clip: Path
) -> None:
    job_id = submitted(nightly, clip, "--off-peak", "--ttl", "8h")
    job = nightly.job(job_id)
    last_call_after = datetime.fromisoformat(job["lastCallAt"]) - datetime.fromisoformat(job["createdAt"])
    assert job["isOffPeak"] and timedelta(hours=7, minutes=58) < last_call_after < timedelta(hours=8)
    assert "it runs at any price, to meet its time to live." in nightly.ok("why", job_id).out
