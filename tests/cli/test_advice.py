"""`pitchey cost --advice`, as a person uses it."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pitchey_cli.domain.job import JobId, JobState, NewJob, Outcome
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import Transition
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.conftest import Pitchey
from tests.resources.waiting import DEADLINE_SECONDS

LAST_WEEK = ("--since", "7d", "--advice")
SETTING = "services.video.sleep_after_seconds"


def _history(pitchey: Pitchey, jobs: int, *, every: timedelta) -> None:
    """Jobs that came one at a time, up to now, and took ten seconds each."""
    pitchey.ok("jobs")
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    now = datetime.now(UTC) - jobs * every
    for number in range(jobs):
        store.enqueue([NewJob(JobId(f"j{number}"), Service.VIDEO, {}, name="in")], now=now)
        places, lease = Places([Candidate("i-1", 1, 1)]), now + timedelta(minutes=1)
        (claimed,) = store.claim(
            PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=lease, tick=0
        )
        assert claimed.job.token is not None
        done, end = Transition(JobState.SUCCEEDED, 1, 0), now + timedelta(seconds=10)
        store.finish(claimed.job.id, claimed.job.token, Outcome(Reason.COMPLETED), done, now=end, tick=1000)
        now += every
    store.close()


def test_instances_that_wait_for_nobody_are_advised_to_sleep_sooner(pitchey: Pitchey) -> None:
    _history(pitchey, 40, every=timedelta(minutes=30))
    said = pitchey.ok("cost", *LAST_WEEK).out
    assert f"{SETTING} = 30 instead of 300 would have cost $0.43" in said and "less and no more cold starts" in said
    assert f"  pitchey config set {SETTING} 30" in said.splitlines()
    assert "in a simulation of the 40 video jobs that came from" in said
    document = pitchey.ok("cost", *LAST_WEEK, "--json").json["advised"]
    (advice,) = document["advice"]
    assert (advice["setting"], advice["value"], advice["insteadOf"]) == (SETTING, 30, 300)
    assert advice["savedNanodollars"] == advice["was"]["costNanodollars"] - advice["wouldBe"]["costNanodollars"] > 0
    assert (document["jobs"], document["tooLittleHistory"]) == ({"video": 40}, [])


def test_the_command_that_it_gives_sets_it_and_then_there_is_nothing_more_to_advise(pitchey: Pitchey) -> None:
    _history(pitchey, 40, every=timedelta(minutes=30))
    (advice,) = pitchey.ok("cost", *LAST_WEEK, "--json").json["advised"]["advice"]
    pitchey.ok(*advice["command"].split()[1:])
    assert "Nothing that was tried is clearly better than what is set" in pitchey.ok("cost", *LAST_WEEK).out


def test_too_little_history_is_no_ground_for_advice(pitchey: Pitchey) -> None:
    assert "No job has come in this period" in pitchey.ok("cost", *LAST_WEEK).out
    _history(pitchey, 19, every=timedelta(hours=1))
    said = pitchey.ok("cost", *LAST_WEEK).out
    assert "services.video: 19 jobs in 19 h 00 min: too little history to advise on" in said
    assert pitchey.ok("cost", *LAST_WEEK, "--service", "code", "--json").json["advised"]["tooLittleHistory"] == []


def test_only_the_days_that_were_asked_for_are_replayed(pitchey: Pitchey) -> None:
    _history(pitchey, 60, every=timedelta(minutes=30))
    options = ("cost", "--since", "20h", "--until", "4h", "--advice", "--json")
    assert 30 <= pitchey.ok(*options).json["advised"]["jobs"]["video"] <= 36  # whole hours


def test_csv_has_no_place_for_advice(pitchey: Pitchey) -> None:
    assert pitchey("cost", "--advice", "--csv").code == 2


def test_ctrl_c_ends_it_cleanly(pitchey: Pitchey) -> None:
    _history(pitchey, 3000, every=timedelta(minutes=3))
    long = pitchey.start("cost", *LAST_WEEK)
    maps = Path(f"/proc/{long.pid}/maps")
    while "_multiarray_umath" not in maps.read_text():  # numpy is loaded: it has begun
        assert long.poll() is None
    long.send_signal(signal.SIGINT)
    out, err = long.communicate(timeout=DEADLINE_SECONDS)
    assert (long.returncode, out) == (130, "")
    assert "Traceback" not in err
