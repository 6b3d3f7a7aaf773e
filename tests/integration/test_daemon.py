"""The daemon as an operator meets it: started, watched, drained, killed, started again. On the process engine."""

from __future__ import annotations

import getpass
import signal
from pathlib import Path

from pitchey_cli.daemon import lock
from tests.conftest import Pitchey
from tests.resources.programs import held
from tests.resources.waiting import DEADLINE_SECONDS, stand_still


def _submit(pitchey: Pitchey, clip: Path, *options: str) -> str:
    (job_id,) = pitchey.ok("submit", "video", clip, *options).lines
    return job_id


def test_the_daemon_runs_what_is_submitted(pitchey: Pitchey, clip: Path) -> None:
    pitchey.start_daemon()
    job_id = _submit(pitchey, clip, "--output-format", "thumbnail", "--thumbnail-times", "1,2")
    waited = pitchey.ok("wait", job_id)
    assert f"{job_id} succeeded" in waited.err
    paths = pitchey.ok("result", job_id, "-o", "out").lines
    assert [Path(path).name for path in paths] == ["sample_10s-thumbnail-001.jpg", "sample_10s-thumbnail-002.jpg"]
    assert all((pitchey.cwd / path).read_bytes()[:2] == b"\xff\xd8" for path in paths)
    types = [event["type"] for event in map(_json, pitchey.ok("events", job_id, "--json").lines)]
    assert types[0] == "submitted" and types[-1] == "succeeded" and "accepted" in types


def test_a_running_job_can_be_cancelled(pitchey: Pitchey, clip: Path, slow_options: list[str]) -> None:
    pitchey.start_daemon()
    job_id = _submit(pitchey, clip, *slow_options)
    pitchey.until_working(job_id)
    assert "is being stopped" in pitchey.ok("cancel", job_id[:8], "--reason", "not needed").out
    assert pitchey("wait", job_id).code == 6
    assert pitchey.job(job_id)["reason"] == "cancelled"
    assert pitchey.ok("cancel", job_id).out == f"{job_id} was cancelled already\n"
    assert "It is cancelled: not needed" in pitchey.ok("why", job_id).out


def test_cancelling_what_has_succeeded_changes_nothing_and_is_no_error(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    assert pitchey.ok("cancel", "@last").out.endswith(" had ended already: succeeded\n")
    assert pitchey.job("@last")["state"] == "succeeded"


def test_why_says_that_all_slots_are_taken(pitchey: Pitchey, clip: Path, slow_options: list[str]) -> None:
    daemon = pitchey.start_daemon(PITCHEY_SERVICES_VIDEO_SLOTS="2", PITCHEY_SERVICES_VIDEO_MAX_INSTANCES="1")
    first, second = (_submit(pitchey, clip, *slow_options, "--no-cache") for _ in range(2))
    with held(daemon.pid, first), held(daemon.pid, second):
        assert "All 2 slots are taken." in pitchey.ok("why", _submit(pitchey, clip)).out


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(pitchey: Pitchey, clip: Path) -> None:
    job_id = _submit(pitchey, clip)
    assert "No daemon runs" in pitchey.ok("why", job_id).out
    assert pitchey.ok("cancel", job_id, "--reason", "a wrong clip").out == f"{job_id} cancelled\n"
    assert pitchey.job(job_id)["attempt"] == 0
    assert pitchey.ok("why", job_id).lines[0] == "It is cancelled: a wrong clip."
    result = pitchey("result", job_id)
    assert result.code == 3 and "has no result: it was cancelled" in result.err


def test_term_hands_back_what_does_not_end_in_time_without_using_up_an_attempt(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    daemon = pitchey.start_daemon(PITCHEY_DAEMON_DRAIN_SECONDS="0.1")
    job_id = _submit(pitchey, clip, *slow_options)
    pitchey.until_working(job_id)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(DEADLINE_SECONDS) == 0
    job = pitchey.job(job_id)
    assert (job["state"], job["attempt"], job["attemptsUsed"], job["reason"]) == ("queued", 1, 0, "interrupted")


def test_a_second_term_hands_back_at_once(pitchey: Pitchey, clip: Path, slow_options: list[str]) -> None:
    daemon = pitchey.start_daemon(PITCHEY_DAEMON_DRAIN_SECONDS="3600")
    job_id = _submit(pitchey, clip, *slow_options)
    pitchey.until_working(job_id)
    assert pitchey.ok("daemon", "stop", "--now").err == "The daemon has stopped. 1 job waits for the next one.\n"
    assert daemon.wait(DEADLINE_SECONDS) == 0
    assert pitchey.job(job_id)["state"] == "queued"


def test_stop_now_is_heard_by_a_daemon_that_has_not_taken_the_first_signal_yet(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    """Of two signals that wait, one is left: it would drain for an hour."""
    daemon = pitchey.start_daemon(PITCHEY_DAEMON_DRAIN_SECONDS="3600")
    job_id = _submit(pitchey, clip, *slow_options)
    pitchey.until_working(job_id)
    stand_still(daemon.pid)
    daemon.send_signal(signal.SIGTERM)
    answer = pitchey("daemon", "stop", "--now", "--timeout", "0")
    assert answer.code == 5 and "still drains" in answer.err
    daemon.send_signal(signal.SIGCONT)
    assert daemon.wait(DEADLINE_SECONDS) == 0
    job = pitchey.job(job_id)
    assert (job["state"], job["attemptsUsed"], job["reason"]) == ("queued", 0, "interrupted")


def test_drain_is_heard_by_a_daemon_that_is_behind_with_what_it_was_told(pitchey: Pitchey) -> None:
    daemon = pitchey.start_daemon()
    stand_still(daemon.pid)
    while lock.poke(pitchey.state_dir):
        pass  # until no more go in
    answer = pitchey("daemon", "drain", "--timeout", "0")
    assert answer.code == 5 and "`pitchey daemon stop --now` hands its jobs back." in answer.err
    draining = pitchey.start("daemon", "drain")
    daemon.send_signal(signal.SIGCONT)
    assert (draining.wait(DEADLINE_SECONDS), daemon.wait(DEADLINE_SECONDS)) == (0, 0)


def test_drain_lets_running_work_end_and_takes_nothing_new(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    daemon = pitchey.start_daemon(PITCHEY_DAEMON_DRAIN_SECONDS="0")
    first = _submit(pitchey, clip, *lasting_options)
    with held(daemon.pid, first):  # or it ends before the second job is there, on a machine that is slow to submit that
        draining = pitchey.start("daemon", "drain")
        assert daemon.stderr is not None
        for line in daemon.stderr:
            if "draining" in line:
                break
        second = _submit(pitchey, clip)
    _, said = draining.communicate(timeout=DEADLINE_SECONDS)
    assert (draining.returncode, said) == (0, "The daemon has stopped. 1 job waits for the next one.\n")
    assert daemon.wait(DEADLINE_SECONDS) == 0
    assert pitchey.job(first)["state"] == "succeeded"
    assert pitchey.job(second)["state"] == "queued"


def test_an_unknown_engine_is_called_that_also_while_a_daemon_runs(pitchey: Pitchey, clip: Path) -> None:
    pitchey.start_daemon()
    answer = pitchey("run", "video", clip, "--engine", "dokcer")
    assert answer.code == 2 and "There is no engine 'dokcer'" in answer.err


def test_there_is_one_daemon_for_a_state_directory(pitchey: Pitchey) -> None:
    pitchey.start_daemon()
    second = pitchey("daemon", "run")
    assert second.code == 8
    assert "A daemon runs already" in second.err and "pitchey daemon stop" in second.err


def test_start_status_and_stop_as_an_operator_types_them(pitchey: Pitchey) -> None:
    assert pitchey("daemon", "status").code == 8
    assert pitchey("daemon", "stop").code == 8
    pitchey.ok("daemon", "start")
    try:
        status = pitchey.ok("daemon", "status", "--json").json
        assert status["running"] and status["engine"] == "process"
        assert "daemon: process" in pitchey.ok("status").out
    finally:
        pitchey.ok("daemon", "stop")
    assert pitchey("daemon", "status").out == "not running\n"


def test_a_daemon_that_cannot_start_says_why(pitchey: Pitchey) -> None:
    answer = pitchey("daemon", "start", PITCHEY_ENGINE_KIND="docker", PITCHEY_ENGINE_URL="unix:///nowhere/docker.sock")
    assert answer.code == 8
    assert "The daemon did not start" in answer.err and "/nowhere/docker.sock" in answer.err


def test_run_hands_over_to_the_daemon_and_leaves_it_running(pitchey: Pitchey, clip: Path) -> None:
    daemon = pitchey.start_daemon()
    answer = pitchey.ok("run", "video", clip, "-o", "out", "--output-format", "thumbnail", "--json")
    assert answer.json["attempts"][0]["instance"].startswith("video-")
    assert daemon.poll() is None
    instances = pitchey.ok("status", "--json").json["instances"]
    assert [item["state"] for item in instances] == ["ready"]


def test_an_idle_instance_is_stopped_after_its_sleep_time(pitchey: Pitchey, clip: Path) -> None:
    daemon = pitchey.start_daemon(PITCHEY_SERVICES_VIDEO_SLEEP_AFTER_SECONDS="0.2")
    job_id = _submit(pitchey, clip, "--output-format", "thumbnail")
    pitchey.ok("wait", job_id)
    assert daemon.stderr is not None
    for line in daemon.stderr:
        if "stopped: idle for" in line:
            break
    assert pitchey.ok("status", "--json").json["instances"] == []
    assert list((pitchey.state_dir / "instances").iterdir()) == []


def test_unit_prints_a_systemd_unit_with_this_python_and_state(pitchey: Pitchey) -> None:
    for options in ((), ("--system",)):
        unit = pitchey.ok("daemon", "unit", *options).out
        assert f'Environment="PITCHEY_STATE_DIR={pitchey.state_dir}"' in unit
        assert "-m pitchey_cli daemon run" in unit


def test_a_unit_of_a_user_says_what_it_cannot_do_and_one_of_the_system_can(pitchey: Pitchey) -> None:
    of_user, of_system = pitchey.ok("daemon", "unit"), pitchey.ok("daemon", "unit", "--system")
    assert "User=" not in of_user.out and "WantedBy=default.target" in of_user.out
    assert "only a rootless Docker" in of_user.err and "--system" in of_user.err
    assert f"\nUser={getpass.getuser()}\n" in of_system.out and "WantedBy=multi-user.target" in of_system.out
    assert "After=network-online.target docker.service" in of_system.out and not of_system.err


def test_a_daemon_whose_log_has_no_room_goes_on(pitchey: Pitchey, clip: Path) -> None:
    with Path("/dev/full").open("w") as full:  # every write to it finds the disk full
        daemon = pitchey.start("daemon", "run", stderr=full)
        while pitchey("daemon", "status").code:
            assert daemon.poll() is None
        (job_id,) = pitchey.ok("submit", "video", clip, "--output-format", "thumbnail").lines
        pitchey.ok("wait", job_id)
        assert daemon.poll() is None


def _json(line: str) -> dict[str, str]:
    import json

    document: dict[str, str] = json.loads(line)
    return document
