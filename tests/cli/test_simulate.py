"""`pitchey scaling simulate`, as a person uses it."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain.job import JobId, JobState, NewJob, Outcome
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import Transition
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.conftest import Pitchey
from tests.resources.waiting import DEADLINE_SECONDS

HOST = ("--cpus", "8", "--memory", "16")
SIMULATE = ("scaling", "simulate", *HOST)
POISSON = (*SIMULATE, "--load", "poisson", "--service", "video", "--rate", "60/h", "--seconds", "20", "--for", "6h")
SWEEP = "services.video.sleep_after_seconds=30,300,900"


def test_a_made_up_load_gives_a_table_and_the_same_seed_the_same(pitchey: Pitchey) -> None:
    first = pitchey.ok(*POISSON).out
    assert first.splitlines()[0].split()[:5] == ["pool", "jobs", "wait", "p50", "p95"]
    assert first.splitlines()[2].startswith("video")
    assert "poisson load, 6 h 00 min on 1 node, seed 1" in first
    assert pitchey.ok(*POISSON).out == first
    assert pitchey.ok(*POISSON, "--seed", "2").out != first


def test_other_settings_are_set_by_their_real_keys(pitchey: Pitchey) -> None:
    def total(*more: str) -> dict[str, Any]:
        document: dict[str, Any] = pitchey.ok(*POISSON, "--json", *more).json
        return document["total"]

    assert total()["peakInstances"] == 1
    warm = total("--set", "services.video.min_instances=1")
    assert warm["instanceHours"] == pytest.approx(6.0, abs=0.01)
    assert warm["costNanodollars"] == pytest.approx(6 * 0.144e9, rel=0.01)


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--set", "services.video.max_instance=8", "Did you mean 'services.video.max_instances'?"),
        ("--set", "services.video.max_instances=many", "takes a whole number, not 'many'"),
        ("--set", "services.video.max_instances=0", "is at least 1"),
        ("--set", "services.video.min_instances=9", "min_instances is larger than max_instances"),
        ("--set", "services.video.max_instances", "is not KEY=VALUE"),
        ("--sweep", "services.video.max_instances", "is not KEY=VALUE,VALUE"),
        ("--sweep", "services.video.max_instances=3", "is one value, and a sweep compares several"),
        ("--sweep", "services.vidoe.max_instances=3", "Did you mean 'services.video.max_instances'?"),
        ("--sweep", "services.code.slots=1,2", "no code job comes in this load"),
        ("--sweep", "services.video.timeout_seconds=10,20", "the simulation does not model it"),
        ("--rate", "1e9/s", "That is 21,600,000,000,000 jobs; a simulation takes at most 50,000,000"),
        ("--for", "10000d", "That is 10,000 days; a simulation takes at most 366"),
        ("--rate", "many", "--rate: 'many' is no rate"),
        ("--for", "0s", "nothing can come in no time"),
        ("--seconds", "0", "jobs take more than no time"),
        ("--seconds", "nan", "jobs take more than no time"),
        ("--nodes", "0", "--nodes is at least 1"),
        ("--cpus", "0", "--cpus is more than nothing"),
        ("--spread", "even", "--spread is one of fixed, exponential, lognormal"),
        ("--service", "vidoe", "There is no service 'vidoe'"),
    ],
)
def test_what_cannot_be_simulated_is_said_in_a_sentence(pitchey: Pitchey, option: str, value: str, says: str) -> None:
    answer = pitchey(*POISSON, option, value)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err


def test_without_history_and_without_a_load_it_says_how_to_give_one(pitchey: Pitchey) -> None:
    answer = pitchey(*SIMULATE)
    assert answer.code == 3
    assert "There is no history of jobs" in answer.err and "--load poisson" in answer.err
    unknown = pitchey(*SIMULATE, "--load", "poisson", "--service", "video", "--rate", "5/h")
    assert unknown.code == 2 and "--seconds says it" in unknown.err


def test_a_sweep_marks_the_frontier_and_draws_it(pitchey: Pitchey) -> None:
    out = pitchey.ok(*POISSON, "--sweep", SWEEP).out
    assert [line.split()[0] for line in out.splitlines()[2:5]] == ["30", "300", "900"]
    assert "frontier" in out and "cost and p95 wait by services.video.sleep_after_seconds" in out
    assert not re.search(r"^ *-\d", out, re.MULTILINE)  # neither waits nor costs are below nothing
    document = pitchey.ok(*POISSON, "--sweep", SWEEP, "--json").json
    assert document["setting"] == "services.video.sleep_after_seconds"
    runs = document["runs"]
    assert [run["value"] for run in runs] == ["30", "300", "900"]
    points = [(run["total"]["costNanodollars"], run["total"]["waitSeconds"]["p95"]) for run in runs]
    for run, point in zip(runs, points, strict=True):
        is_beaten = any(other != point and other[0] <= point[0] and other[1] <= point[1] for other in points)
        assert run["isOnFrontier"] is not is_beaten


def test_a_trace_is_replayed_and_a_wrong_line_of_it_is_named(pitchey: Pitchey) -> None:
    trace = pitchey.cwd / "trace.csv"
    trace.write_text("at,service,seconds,size\n0,video,10,\n5,video,20,standard-4\n700,video,10,\n")
    document = pitchey.ok(*SIMULATE, "--load", trace, "--json").json
    assert [(pool["name"], pool["jobs"]) for pool in document["pools"]] == [("video", 2), ("video (standard-4)", 1)]
    lines = pitchey.cwd / "trace.jsonl"
    lines.write_text(
        '{"at": "2026-01-01T00:00:00Z", "service": "video", "seconds": 10}\n{"at": 5, "service": "video"}\n'
    )
    answer = pitchey(*SIMULATE, "--load", lines)
    assert answer.code == 2 and "trace.jsonl, line 2: seconds is missing" in answer.err
    assert pitchey(*SIMULATE, "--load", "nowhere.csv").code == 3
    clipped = pitchey(*SIMULATE, "--load", trace, "--for", "1m")
    assert clipped.code == 2 and "--for is for other loads" in clipped.err


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("noise.bin", bytes(range(256)), "is no text"),
        ("noise.csv", bytes(range(256)), "is no text"),
        ("words.txt", b"not a trace\nat all\n", "words.txt, line 1, is not JSON."),
        ("other.csv", b"name,size\nann,3\n", "line 2: there is no field 'name'"),
        ("empty.csv", b"", "there is no job in it"),
        ("deep.json", b"[" * 100_000, "is no trace"),
        ("large.jsonl", b'{"at": 1' + b"0" * 400 + b', "service": "video", "seconds": 1}', "at is a number"),
        ("long.jsonl", b'{"at": 0, "service": "video", "seconds": 1e12}', "a simulation takes at most 366"),
    ],
)
def test_what_is_no_trace_is_one_clear_error(pitchey: Pitchey, name: str, content: bytes, says: str) -> None:
    path = pitchey.cwd / name
    path.write_bytes(content)
    answer = pitchey(*SIMULATE, "--load", path)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert not {"codec", "Errno", "Traceback"} & set(answer.err.replace(":", " ").split())


def test_a_folder_is_no_trace_and_the_help_says_what_one_is(pitchey: Pitchey) -> None:
    answer = pitchey(*SIMULATE, "--load", pitchey.cwd)
    assert answer.code == 2 and "is a folder" in answer.err and "service, seconds" in answer.err
    said = " ".join(pitchey.ok(*SIMULATE[:2], "--help").out.split())
    assert all(
        field in said for field in ("at (when it comes", "service, seconds (how long", "size (an instance type)")
    )


def test_a_setting_that_changes_nothing_is_named(pitchey: Pitchey) -> None:
    answer = pitchey.ok(*POISSON, "--set", "services.video.timeout_seconds=10", "--set", "services.code.slots=2")
    assert "timeout_seconds changes nothing, because the simulation does not model it" in answer.err
    assert "services.code.slots changes nothing, because no code job comes" in answer.err
    sweep = pitchey.ok(*POISSON, "--sweep", "services.video.max_instances=7,8,9")
    same = sweep.out
    assert sweep.err == "" and "plotext" not in same
    assert same.count("frontier") == 2  # in the row of the first, and in the sentence below
    assert "services.video.max_instances makes no difference to this load." in same


def test_it_is_said_when_the_host_is_what_keeps_a_pool_small(pitchey: Pitchey) -> None:
    busy = (*SIMULATE, "--load", "poisson", "--service", "video", "--rate", "2/s", "--seconds", "20", "--for", "10m")
    many = pitchey.ok(*busy, "--set", "services.video.max_instances=1000").out
    assert "video: the host has room for 6 instances, and jobs waited for more." in many
    assert "the host has room" not in pitchey.ok(*busy, "--set", "services.video.max_instances=2").out


def test_prices_are_those_that_the_daemon_pays(pitchey: Pitchey) -> None:
    def cost(*more: str) -> int:
        return int(pitchey.ok(*POISSON, "--json", *more).json["total"]["costNanodollars"])

    region = ("--set", "cost.regions=eu=3", "--set", "node.region=eu")
    warm = ("--set", "services.video.min_instances=1", "--set", "services.video.max_instances=1")
    assert cost(*warm, *region) == pytest.approx(3 * cost(*warm), rel=1e-6)


def _work_off(pitchey: Pitchey, jobs: int) -> None:
    """A history: jobs that came together an hour ago and took ten seconds each, one after the other."""
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    now = datetime.now(UTC) - timedelta(hours=1)
    store.enqueue(
        [NewJob(JobId(f"j{n}"), Service.VIDEO, {"inputUrl": "/in.mp4"}, name="in") for n in range(jobs)], now=now
    )
    for _ in range(jobs):
        places, lease = Places([Candidate("i-1", 1, 1)]), now + timedelta(seconds=30)
        (claimed,) = store.claim(
            PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=now, lease_until=lease, tick=0
        )
        now += timedelta(seconds=10)
        assert claimed.job.token is not None
        done = Transition(JobState.SUCCEEDED, 1, 0)
        store.finish(claimed.job.id, claimed.job.token, Outcome(Reason.COMPLETED), done, now=now, tick=1000)
    store.close()


def test_what_came_here_is_replayed_and_how_long_jobs_took_is_learnt(pitchey: Pitchey) -> None:
    pitchey.ok("status")
    _work_off(pitchey, 7)
    one_at_a_time = ("--set", "services.video.slots=1", "--set", "services.video.max_instances=1")
    document = pitchey.ok(*SIMULATE, *one_at_a_time, "--json").json
    assert (document["load"], document["total"]["jobs"]) == ("recorded", 7)
    assert document["total"]["waitSeconds"]["longest"] == pytest.approx(61.5, abs=1)  # one after the other
    learnt = pitchey.ok(
        *SIMULATE, "--load", "poisson", "--service", "video", "--rate", "60/h", "--for", "10h", "--json"
    )
    total = learnt.json["total"]
    assert total["meanRunning"] == pytest.approx(10 / 60, rel=0.2)


def test_ctrl_c_ends_it_cleanly(pitchey: Pitchey) -> None:
    endless = pitchey.start(
        *SIMULATE, "--load", "poisson", "--service", "video", "--rate", "2000/s", "--seconds", "1", "--nodes", "1000",
        "--for", "30d",
    )  # fmt: skip
    maps = Path(f"/proc/{endless.pid}/maps")
    while "_multiarray_umath" not in maps.read_text():  # numpy is loaded: it has begun
        assert endless.poll() is None
    endless.send_signal(signal.SIGINT)
    out, err = endless.communicate(timeout=DEADLINE_SECONDS)
    assert (endless.returncode, out) == (130, "")
    assert "Traceback" not in err
