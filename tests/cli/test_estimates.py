"""`--estimate`, as a person uses it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.job import JobId, JobInput, JobState, NewJob, Outcome
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import Transition
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.conftest import Pitchey
from tests.resources.books import INSTANCE


@pytest.fixture
def experienced(pitchey: Pitchey) -> Pitchey:
    """Eight videos have been transcoded: a second for each thousand bytes, and one more."""
    pitchey.ok("jobs")
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    now = datetime.now(UTC) - timedelta(hours=1)
    for number in range(1, 9):
        job_id, size = JobId(f"j{number}"), number * 1000
        given = (JobInput("input_url", "in.mp4", sha256="ab" * 32, size=size),)
        spec = {"outputFormat": "mp4", "quality": "medium"}
        store.enqueue([NewJob(job_id, Service.VIDEO, spec, given, kind="mp4")], now=now)
        places, lease = Places([Candidate("i-1", 1, 1)]), now + timedelta(minutes=1)
        (claimed,) = store.claim(
            PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=lease, tick=0
        )
        assert claimed.job.token is not None
        done = Transition(JobState.SUCCEEDED, 1, 0)
        store.finish(job_id, claimed.job.token, Outcome(Reason.COMPLETED), done, now=now, tick=100 + number * 100)
    store.close()
    return pitchey


def _file(pitchey: Pitchey, name: str, size: int) -> Path:
    file = pitchey.cwd / name
    file.write_bytes(b"x" * size)
    return file


def _jobs(pitchey: Pitchey) -> int:
    return len(pitchey.ok("jobs", "--json").lines)


def test_an_input_is_estimated_by_its_size_and_nothing_is_submitted(experienced: Pitchey) -> None:
    before = _jobs(experienced)
    _file(experienced, "a.mp4", 5000)
    document = experienced.ok("submit", "video", "a.mp4", "--estimate", "--json").json
    (one,) = document["inputs"]
    assert (one["name"], one["inputBytes"], one["seconds"]["expected"]) == ("a", 5000, 6.0)
    assert one["basis"] == {
        "jobs": 8, "alike": ["mp4", "medium", "own resolution"], "bySize": True, "medianError": 0.0, "isFar": False,
    }  # fmt: skip
    # $0.144 an hour for three slots, of which it takes one
    assert one["costNanodollars"]["expected"] == round(6 * 0.144e9 / 3600 / 3)
    assert _jobs(experienced) == before


def test_several_inputs_have_a_row_each_and_a_sum(experienced: Pitchey) -> None:
    for name, size in (("a.mp4", 1000), ("b.mp4", 3000), ("c.mp4", 100_000)):
        _file(experienced, name, size)
    out = experienced.ok("run", "video", "a.mp4", "b.mp4", "c.mp4", "--estimate", "-o", "out").out
    words = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("a 1000 B 2.00 s 1.80 s to 2.00 s $0.000027") for line in words)
    assert any(line.startswith("all 3 101.6 KiB 1 min 47 s") for line in words)
    assert "From the last 8 video jobs like it (mp4, medium, own resolution), by the size of the input" in out
    assert "1 of 3 inputs are far larger than any that has completed: a guess." in out
    assert words[-1] == "Nothing was submitted."
    assert not (experienced.cwd / "out").exists()


def test_a_manifest_and_a_batch_are_estimated_as_a_whole(experienced: Pitchey) -> None:
    for number in range(30):
        _file(experienced, f"{number}.mp4", 2000)
    lines = "".join(f'{{"inputUrl": "{number}.mp4"}}\n' for number in range(30))
    (experienced.cwd / "m.jsonl").write_text(lines)
    options = ("submit", "video", "--manifest", "m.jsonl", "--batch", "night", "--slots", "3", "--estimate")
    document = experienced.ok(*options, "--json").json
    assert (document["jobs"], document["estimated"], document["total"]["seconds"]["expected"]) == (30, 30, 90.0)
    assert document["total"]["costNanodollars"]["expected"] == pytest.approx(90 * 0.144e9 / 3600, abs=30)
    said = experienced.ok(*options).out
    assert "all 30" in said and "29" not in said  # too many for a row each
    assert "night" not in experienced.ok("batch", "list").out


def test_where_too_few_have_completed_it_says_so(experienced: Pitchey) -> None:
    _file(experienced, "a.mp4", 1000)
    options = ("submit", "video", "a.mp4", "--output-format", "webm", "--estimate")
    said = experienced.ok(*options).out
    assert "fewer than 5 video jobs of its kind have completed" in said and "unknown" in said
    document = experienced.ok(*options, "--json").json
    assert (document["estimated"], document["total"]["seconds"], document["inputs"][0]["basis"]) == (0, None, None)


def test_what_could_not_be_submitted_is_not_estimated(experienced: Pitchey) -> None:
    assert experienced("submit", "video", "nowhere.mp4", "--estimate").code == 3
    (experienced.cwd / "m.jsonl").write_text('{"inputUrl": "nowhere.mp4"}\n')
    answer = experienced("submit", "video", "--manifest", "m.jsonl", "--estimate")
    assert answer.code == 3 and "m.jsonl, line 1: inputUrl: There is no file at 'nowhere.mp4'." in answer.err
    _file(experienced, "a.mp4", 1000)
    assert experienced("submit", "video", "a.mp4", "--slots", "9", "--estimate").code == 2


SPOT = {"PITCHEY_NODE_IS_SPOT": "true"}


def test_on_a_spot_node_interruptions_are_in_time_and_cost_and_said(experienced: Pitchey) -> None:
    _file(experienced, "a.mp4", 1000)
    options = ("submit", "video", "a.mp4", "--estimate")
    price = SPOT | {"PITCHEY_COST_SPOT": "0.35@72/h"}  # 0.02 a second: 0.04 in the two seconds that it takes
    document = experienced.ok(*options, "--json", **price).json
    (one,) = document["inputs"]
    assert one["seconds"]["expected"] == pytest.approx(2.0405, abs=1e-3)
    assert one["costNanodollars"]["expected"] == pytest.approx(2.0405 * 0.35 * 0.144e9 / 3600 / 3, rel=1e-3)
    assert document["spot"] == {
        "priceFactor": 0.35, "interruptionsPerHour": 72.0, "overhead": pytest.approx(0.0203, abs=1e-4),
        "undisturbedSeconds": 2.0, "dearerThanUsual": 0,
    }  # fmt: skip
    said = " ".join(experienced.ok(*options, **price).out.split())
    assert "interruptions are expected to add 2.0 %" in said and "cost more" not in said


def test_where_interruptions_eat_up_the_lower_price_it_says_so(experienced: Pitchey) -> None:
    for name, size in (("a.mp4", 1000), ("b.mp4", 8000)):
        _file(experienced, name, size)
    options = ("submit", "video", "a.mp4", "b.mp4", "--estimate")
    price = SPOT | {"PITCHEY_COST_SPOT": "0.5@900/h"}  # one in four seconds: of 9 s that is 3.8 times as long
    said = " ".join(experienced.ok(*options, **price).out.split())
    assert "1 of 2 are expected to cost more here, at 0.5 of the usual price, than at the usual price" in said
    assert experienced.ok(*options, "--json", **price).json["spot"]["dearerThanUsual"] == 1
    endless = " ".join(experienced.ok(*options, **SPOT | {"PITCHEY_COST_SPOT": "0.5@1000000/h"}).out.split())
    assert "expected to make it more than 10 times as long" in endless


def test_without_a_spot_price_or_on_another_node_nothing_is_said_of_interruptions(experienced: Pitchey) -> None:
    _file(experienced, "a.mp4", 1000)
    for environment in (SPOT, {"PITCHEY_COST_SPOT": "0.35@72/h"}):
        document = experienced.ok("submit", "video", "a.mp4", "--estimate", "--json", **environment).json
        assert (document["spot"], document["total"]["seconds"]["expected"]) == (None, 2.0)
        assert document["total"]["costNanodollars"]["expected"] == round(2 * 0.144e9 / 3600 / 3)


def test_a_budget_that_would_hold_the_jobs_or_is_too_small_for_them_is_named(experienced: Pitchey) -> None:
    store = SqliteStore.open(experienced.state_dir / "pitchey.db")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    store.add_instance(replace(INSTANCE, id="i-2", created_at=now))  # of four slots, for a dollar an hour
    store.enqueue([NewJob(JobId("acme1"), Service.VIDEO, {}, organisation="acme")], now=now)
    places = Places([Candidate("i-2", 4, 4)])
    (claimed,) = store.claim(
        PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=now, tick=0
    )
    assert claimed.job.token is not None
    done, end = Transition(JobState.SUCCEEDED, 1, 0), 4 * TICKS_PER_HOUR
    store.finish(claimed.job.id, claimed.job.token, Outcome(Reason.COMPLETED), done, now=now, tick=end)
    store.close()
    _file(experienced, "a.mp4", 5000)
    estimate = ("submit", "video", "a.mp4", "--estimate")
    experienced.ok("budget", "set", "--organisation", "acme", "10")
    assert "budget" not in experienced.ok(*estimate, "--organisation", "acme").out
    experienced.ok("budget", "set", "--organisation", "acme", "1.20")
    said = experienced.ok(*estimate, "--organisation", "acme").out
    assert "The budget of acme for the month has $0.20 left of $1.20." in said
    experienced.ok("budget", "set", "--organisation", "acme", "1")
    said = experienced.ok(*estimate, "--organisation", "acme").out
    assert "The budget of acme for the month is used up ($1.00 of $1.00): the jobs would wait until" in " ".join(
        said.split()
    )
    (told,) = experienced.ok(*estimate, "--organisation", "acme", "--json").json["budgets"]
    assert (told["organisation"], told["isCapped"], told["leftUsd"]) == ("acme", True, 0.0)
    assert experienced.ok(*estimate, "--json").json["budgets"] == []
    experienced.ok("budget", "set", "--organisation", "new", "0.000001")  # less than it may cost
    said = experienced.ok(*estimate, "--organisation", "new").out
    assert "The budget of new for the month has $0.000001 left of $0.000001." in said


def test_of_one_job_it_says_that_nothing_can_be_said_and_of_several_of_how_many(pitchey: Pitchey) -> None:
    _file(pitchey, "a.mp4", 1000)
    _file(pitchey, "b.mp4", 2000)
    one = pitchey.ok("submit", "video", "a.mp4", "--estimate").out
    assert "Nothing can be said: fewer than 5 video jobs of its kind have completed." in one
    assert "Nothing can be said: fewer than" in pitchey.ok("submit", "video", "a.mp4", "b.mp4", "--estimate").out


def test_the_last_call_of_a_job_counts_the_interruptions_that_its_estimate_counts(experienced: Pitchey) -> None:
    """Of 10 s at one interruption in ten seconds: e - 1 times as long."""
    deadline = datetime.now(UTC) + timedelta(hours=20)
    off_peak = f"{deadline:%H}:00-{deadline:%H}:30"  # they come in time
    _file(experienced, "ten.mp4", 9000)
    options = ("submit", "video", "ten.mp4", "--off-peak", "--spot-ok", "--deadline", deadline.isoformat(), "--json")
    environment = SPOT | {"TZ": "UTC", "PITCHEY_QUEUE_OFF_PEAK": off_peak, "PITCHEY_COST_SPOT": "0.35@360/h"}

    def last_call(**more: str) -> datetime:
        (job,) = experienced.ok(*options, **environment | more).json
        return datetime.fromisoformat(job["lastCallAt"])

    sooner = last_call(PITCHEY_NODE_IS_SPOT="false") - last_call()
    assert sooner.total_seconds() == pytest.approx(7.18, abs=1.1)  # the moments are in whole seconds
