"""Alerts as a person, a cron job and a receiver of events meet them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pitchey_cli.domain.alerts import Alert, Reading, Silence, rule_named
from pitchey_cli.reports.alerts import table
from tests.conftest import Pitchey

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NO_DISK_IS_LARGE_ENOUGH = {"PITCHEY_ALERTS_RULES": "disk_free=999999,queue_wait=60"}


def rules(pitchey: Pitchey, **environment: str) -> dict[str, dict[str, Any]]:
    lines = pitchey.ok("alerts", "list", "--json", **environment).lines
    return {each["rule"]: each for each in map(json.loads, lines)}


def events(pitchey: Pitchey) -> list[tuple[str, str, bool]]:
    found = [json.loads(line) for line in pitchey.ok("events", "--json").lines]
    return [(each["type"], each["data"]["rule"], each["data"]["isTest"]) for each in found]


def test_all_is_well_on_an_empty_machine(pitchey: Pitchey) -> None:
    assert pitchey.ok("alerts", "check").out == ""
    table = pitchey.ok("alerts", "list").lines
    assert table[0].split() == ["rule", "severity", "threshold", "for", "now", "state", "about"]
    assert {line.split()[0] for line in table[2:]} == set(rules(pitchey))
    assert events(pitchey) == []


def test_what_fires_is_an_exit_code_a_sentence_and_one_event(pitchey: Pitchey) -> None:
    for _ in range(2):
        answer = pitchey("alerts", "check", **NO_DISK_IS_LARGE_ENOUGH)
        assert answer.code == 1
        assert answer.out.startswith("disk_free (critical): ") and "it should be at least 999999 GiB" in answer.out
    found = rules(pitchey, **NO_DISK_IS_LARGE_ENOUGH)
    assert (found["disk_free"]["isFiring"], found["queue_wait"]["threshold"]) == (True, 60)
    assert pitchey.ok("alerts", "check").out == ""  # with its own threshold it is over
    assert events(pitchey) == [("alert_fired", "disk_free", False), ("alert_resolved", "disk_free", False)]


def test_a_silenced_alert_is_no_failure_and_says_by_whom_and_why(pitchey: Pitchey) -> None:
    pitchey.ok("alerts", "silence", "disk_free", "--for", "2h", "--reason", "a disk is on its way")
    assert pitchey.ok("alerts", "check", **NO_DISK_IS_LARGE_ENOUGH).out == ""
    shown = pitchey.ok("alerts", "list", **NO_DISK_IS_LARGE_ENOUGH).out
    assert "silenced until" in shown and "a disk is on its way" in shown
    assert rules(pitchey)["disk_free"]["silence"]["reason"] == "a disk is on its way"
    pitchey.ok("alerts", "unsilence", "disk_free")
    assert pitchey("alerts", "unsilence", "disk_free").code == 3
    assert pitchey("alerts", "check", **NO_DISK_IS_LARGE_ENOUGH).code == 1


def test_a_receiver_is_tried_out_with_an_event_that_is_marked_as_a_test(pitchey: Pitchey) -> None:
    pitchey.ok("alerts", "test", "crash_loop")
    assert events(pitchey) == [("alert_fired", "crash_loop", True)]
    assert not rules(pitchey)["crash_loop"]["isFiring"]
    pitchey.ok("alerts", "test", "disk_free")
    last = json.loads(pitchey.ok("events", "--json").lines[-1])
    assert "has 1 GiB free (a test); it should be at least 2 GiB." in last["data"]["text"]


def test_a_rule_that_has_to_be_broken_for_a_while_says_how_long_and_an_old_silence_says_nothing() -> None:
    began = NOON - timedelta(minutes=5)
    broken = Alert("idle_cost", broken_since=began, silence=Silence(began, "moving house", "ann"))
    out = Console(width=160)
    with out.capture() as shown:
        out.print(table([(rule_named("idle_cost"), Reading(95.0), broken)], now=NOON))
    words = " ".join(shown.get().split())
    assert "from 90 % 1 h 95 % broken, began 5 min 00 s ago, fires after 1 h" in words
    assert "moving house" not in words


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["test", "nothing"], 2, "There is no alert rule 'nothing'"),
        (["silence", "disk_free", "--for", "banana", "--reason", "x"], 2, "--for: 'banana'"),
        (["silence", "disk_free", "--for", "0s", "--reason", "x"], 2, "--for 0s is no time"),
        (["silence", "disk_free", "--for", "10000000d", "--reason", "x"], 2, "is longer than 366 days"),
        (["silence", "disk_free", "--for", "2h", "--reason", " "], 2, "--reason is empty"),
        (["silence", "disk_free", "--for", "2h"], 2, "--reason"),
        (["unsilence", "queue_wait"], 3, "is not silenced"),
    ],
)
def test_what_makes_no_sense_is_said(pitchey: Pitchey, arguments: list[str], code: int, says: str) -> None:
    answer = pitchey("alerts", *arguments)
    assert answer.code == code and says in answer.err


def test_wrong_rules_are_named_when_the_daemon_starts_and_rules_can_be_off(pitchey: Pitchey) -> None:
    answer = pitchey("daemon", "run", PITCHEY_ALERTS_RULES="disk=3")
    assert answer.code == 2 and "alerts.rules: There is no alert rule 'disk'" in answer.err
    assert "disk_free" not in rules(pitchey, PITCHEY_ALERTS_RULES="disk_free=off")
    answer = pitchey("alerts", "test", "disk_free", PITCHEY_ALERTS_RULES="disk_free=off")
    assert answer.code == 2 and "The alert rule disk_free is off." in answer.err


def test_a_budget_that_is_used_up_is_an_alert(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    pitchey.ok("budget", "set", "--service", "video", "0.000000001")
    answer = pitchey("alerts", "check")
    assert answer.code == 1 and "the budget of video for the month" in answer.out
