"""Budgets as a person meets them: set, listed, and in the way of jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Pitchey
from tests.resources.waiting import until

THUMBNAIL = ("--output-format", "thumbnail")
LEAST = "0.000000001"  # used up by anything


@pytest.fixture
def used_up(pitchey: Pitchey, clip: Path) -> Pitchey:
    """The budget of video is used up."""
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "first")
    pitchey.ok("budget", "set", "--service", "video", LEAST)
    return pitchey


def test_budgets_are_set_changed_listed_and_removed(pitchey: Pitchey) -> None:
    assert (
        "acme: $25.00 for each week; $0.00 spent since"
        in pitchey.ok("budget", "set", "--organisation", "acme", "--period", "week", "25").err
    )
    pitchey.ok("budget", "set", "--organisation", "acme", "--period", "week", "30.50")
    pitchey.ok("budget", "set", "--service", "video", "7")
    found = [json.loads(line) for line in pitchey.ok("budget", "list", "--json").lines]
    assert [(each["organisation"], each["service"], each["period"], each["amountUsd"]) for each in found] == [
        (None, "video", "month", 7.0), ("acme", None, "week", 30.5),
    ]  # fmt: skip
    assert {(each["spentUsd"], each["isCapped"], each["schema"]) for each in found} == {(0.0, False, 1)}
    table = pitchey.ok("budget", "list").lines
    assert table[0].split() == ["organisation", "service", "period", "budget", "spent", "left", "projected", "ends"]
    assert table[3].split()[:6] == ["acme", "all", "week", "$30.50", "$0.00", "$30.50"]
    pitchey.ok("budget", "remove", "--organisation", "acme", "--period", "week")
    again = pitchey("budget", "remove", "--organisation", "acme", "--period", "week")
    assert again.code == 3 and "There is no budget of acme for the week." in again.err
    pitchey.ok("budget", "remove", "--service", "video")
    assert pitchey.ok("budget", "list").out.startswith("No budgets.")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["0"], "more than nothing"),
        (["--", "-5"], "'-5' is no amount of dollars"),
        (["lots"], "'lots' is no amount of dollars"),
        (["1.00000000001"], "is no amount of dollars"),
        (["99999999999"], "at most $1,000,000,000"),
        (["--period", "year", "5"], "--period: there is no 'year'"),
        (["--service", "vidoe", "5"], "There is no service 'vidoe'"),
        (["--organisation", "", "5"], "--organisation is empty"),
        (["--organisation", "a\nb", "5"], "is no name"),
    ],
)
def test_what_can_be_no_budget_is_said_and_none_is_set(pitchey: Pitchey, arguments: list[str], says: str) -> None:
    answer = pitchey("budget", "set", *arguments)
    assert answer.code == 2 and says in answer.err
    assert pitchey.ok("budget", "list", "--json").out == ""


def test_a_budget_that_is_used_up_is_an_exit_code_and_says_so_everywhere(used_up: Pitchey, clip: Path) -> None:
    assert used_up("budget", "list").code == 7
    assert "used up: jobs wait" in used_up("budget", "list").out
    submitted = used_up.ok("submit", "video", clip, "--batch", "night")
    (job_id,) = submitted.lines
    said = "The budget of video for the month is used up"
    assert said in submitted.err and "the job waits until" in submitted.err
    why = used_up.ok("why", job_id).out
    assert said in why and "pitchey budget set --service video --period month AMOUNT" in why
    assert said in used_up.ok("status", job_id).out
    assert used_up.job(job_id)["heldByBudget"]["service"] == "video"
    assert "1 job waits until" in used_up.ok("status").out
    assert used_up.ok("status", "--json").json["heldByBudgets"][0]["jobs"] == 1
    (first,) = [each for each in used_up.ok("jobs", "--ids").lines if each != job_id]
    assert used_up.job(first)["heldByBudget"] is None


def test_all_the_budgets_that_hold_a_job_are_named_and_none_is_said_to_hold_nothing(
    used_up: Pitchey, clip: Path
) -> None:
    used_up.ok("budget", "set", "--organisation", "acme", "--period", "day", LEAST)
    used_up.ok("budget", "set", "--organisation", "idle", "--period", "day", "5")
    used_up.ok("budget", "remove", "--service", "video")
    used_up.ok("run", "video", clip, *THUMBNAIL, "--quality", "low", "--organisation", "acme", "-o", "second")
    used_up.ok("budget", "set", "--service", "video", LEAST)
    submitted = used_up.ok("submit", "video", clip, "--organisation", "acme")
    (job_id,) = submitted.lines
    video, acme = "of video for the month is used up", "of acme for the day is used up"
    for said in (
        submitted.err,
        used_up.ok("why", job_id).out,
        used_up.ok("status", job_id).out,
        used_up("wait", job_id).err,
    ):
        flat = " ".join(said.split())
        assert video in flat and acme in flat
    assert "--service video --period month AMOUNT" in used_up.ok("why", job_id).out
    assert "--organisation acme --period day AMOUNT" in used_up.ok("why", job_id).out
    assert [each["service"] for each in used_up.job(job_id)["heldByBudgets"]] == ["video", None]
    for verb in (("status",), ("top", "--once")):
        said = " ".join(used_up.ok(*verb).out.split())
        assert "1 job waits until" in said and " 0 jobs" not in said
    held = used_up.ok("status", "--json").json["heldByBudgets"]
    assert [(each["service"], each["organisation"], each["jobs"]) for each in held] == [
        ("video", None, 1), (None, "acme", 1),
    ]  # fmt: skip
    used_up.ok("cancel", job_id)
    said = " ".join(used_up.ok("status").out.split())
    assert said.count("whatever is submitted waits until") == 2


def test_with_a_daemon_that_may_be_quicker_than_its_next_look_nothing_is_said_for_certain(
    used_up: Pitchey, clip: Path
) -> None:
    used_up.start_daemon()
    assert "unless started within seconds, the job waits until" in used_up.ok("submit", "video", clip).err


def test_who_waits_for_jobs_that_a_budget_holds_is_told_at_once_and_the_jobs_stay(used_up: Pitchey, clip: Path) -> None:
    (job_id,) = used_up.ok("submit", "video", clip, "--batch", "night").lines
    (after,) = used_up.ok("submit", "video", clip, *THUMBNAIL, "--after", job_id).lines
    for is_daemon_there in (False, True):
        if is_daemon_there:
            used_up.start_daemon()
        for verb in (("wait", job_id), ("wait", after), ("batch", "wait", "night")):
            answer = used_up(*verb)
            assert answer.code == 7 and "is used up" in answer.err and "until" in answer.err, verb
        answer = used_up("run", "video", clip, "--quality", "low", "-o", "out")
        assert answer.code == 7 and "They stay in the queue" in answer.err
    states = {used_up.job(each)["state"] for each in used_up.ok("jobs", "--ids").lines}
    assert states == {"succeeded", "queued", "held"}


def test_a_result_that_is_there_already_costs_nothing_and_is_given(used_up: Pitchey, clip: Path) -> None:
    assert "cached" in used_up.ok("run", "video", clip, *THUMBNAIL, "-o", "second").out


def test_jobs_go_on_when_the_budget_is_raised_and_the_thresholds_are_events(used_up: Pitchey, clip: Path) -> None:
    used_up.start_daemon()
    (job_id,) = used_up.ok("submit", "video", clip, *THUMBNAIL, "--quality", "low").lines
    assert used_up("wait", job_id).code == 7

    def told() -> list[tuple[None, int]]:
        events = [json.loads(line) for line in used_up.ok("events", "--json").lines]
        return [(each["job"], each["data"]["percent"]) for each in events if each["type"] == "budget_reached"]

    until(lambda: len(told()) >= 3, "the daemon has told all of it")
    assert told() == [(None, 50), (None, 80), (None, 100)]
    assert " - budget_reached percent=50 " in used_up.ok("events").out
    used_up.ok("budget", "set", "--service", "video", "10")
    used_up.ok("wait", job_id)
