"""When an alert fires, is told and is over; how rules are set; what the readings are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.alerts import RULES, Alert, Reading, Rule, Severity, Silence, judge, parse_rules, rule_named
from pitchey_cli.domain.budget import Budget, Standing
from pitchey_cli.domain.cost import Line
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.nodes import Health, NodeFacts, NodeRecord, NodeState
from pitchey_cli.domain.periods import Period, Term
from pitchey_cli.domain.readings import Facts, Here, readings
from pitchey_cli.domain.scope import Scope
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = Rule("wait", "jobs wait {}", 60, "s", Severity.WARNING)
PATIENT = Rule("wait", "jobs wait {}", 60, "s", for_seconds=30)
DOLLAR = 10**9


def history(*values: float | None, rule: Rule = RULE, silence: Silence | None = None) -> list[str]:
    """What is told at each of some readings, ten seconds apart."""
    alert = Alert(rule.name, silence=silence)
    told: list[str] = []
    for number, value in enumerate(values):
        alert, news = judge(rule, Reading(value), alert, NOON + timedelta(seconds=10 * number))
        told.append("" if news is None else news.value.removeprefix("alert_"))
    return told


def test_an_alert_is_told_when_it_begins_and_when_it_is_over_and_not_between() -> None:
    assert history(59, 60, 61, 99, 59, 1, 60) == ["", "fired", "", "", "resolved", "", "fired"]


def test_a_rule_that_has_to_be_broken_for_a_while_is_told_after_it_and_not_if_it_recovers() -> None:
    assert history(60, 60, 60, 60, 60, rule=PATIENT) == ["", "", "", "fired", ""]
    assert history(60, 60, 0, 60, 60, 60, 60, rule=PATIENT) == ["", "", "", "", "", "", "fired"]


def test_what_is_not_known_changes_nothing() -> None:
    assert history(60, None, None, 0, None) == ["fired", "", "", "resolved", ""]


def test_a_floor_is_broken_below_it() -> None:
    floor = Rule("disk", "{} are free", 2, "GiB", is_floor=True)
    assert history(2, 1.9, 2, rule=floor) == ["", "fired", "resolved"]


def test_a_silenced_alert_is_told_when_the_silence_ends_if_it_still_fires() -> None:
    silence = Silence(NOON + timedelta(seconds=25), "moving house", "ann")
    assert history(60, 60, 60, 60, 0, silence=silence) == ["", "", "", "fired", "resolved"]
    assert history(60, 0, 60, 0, 0, silence=silence) == ["", "", "", "", ""]


@given(st.lists(st.one_of(st.none(), st.floats(0, 120)), max_size=60), st.sampled_from([RULE, PATIENT]))
def test_every_end_that_is_told_has_a_beginning_that_was_told(values, rule) -> None:
    told = [each for each in history(*values, rule=rule) if each]
    assert told == (["fired", "resolved"] * len(told))[: len(told)]


def test_thresholds_are_set_and_rules_are_turned_off() -> None:
    rules = {
        rule.name: rule for rule in parse_rules("queue_wait=60, dead_letters=5,idle_cost=off", where="alerts.rules")
    }
    assert (rules["queue_wait"].threshold, rules["dead_letters"].threshold) == (60, 5)
    assert rules.keys() == {rule.name for rule in RULES} - {"idle_cost"}
    assert parse_rules("", where="alerts.rules") == RULES


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("queue_wait", "'queue_wait' is not NAME=VALUE"),
        ("wait=5", "There is no alert rule 'wait'"),
        ("queue_wait=soon", "the threshold of queue_wait is 'soon'"),
        ("queue_wait=-1", "the threshold of queue_wait is '-1'"),
        ("queue_wait=nan", "the threshold of queue_wait is 'nan'"),
    ],
)
def test_a_wrong_rule_is_named(text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_rules(text, where="alerts.rules")
    assert str(caught.value).startswith("alerts.rules: ") and says in str(caught.value)


def test_every_rule_has_a_reading() -> None:
    assert readings(Facts(), Here(), now=NOON).keys() == {rule.name for rule in RULES}


def test_readings_name_the_worst() -> None:
    span = Term(NOON, NOON + timedelta(days=1))
    standings = [Standing(Budget(Scope(name), Period.DAY, 100), span, spent) for name, spent in (("a", 20), ("b", 70))]
    found = readings(
        Facts(
            dead_letters=3,
            lost={"video": 1, "code": 4},
            waits={"video": 5.0, "media": 75.0},
            costs={Line.INSTANCE: DOLLAR, Line.WORK: DOLLAR // 4, Line.FAILED: DOLLAR // 4, Line.START: DOLLAR // 2},
            standings=standings,
            short_of_room=["video", "inference"],
        ),
        Here(Health(disk_free_bytes=2**30, engine_away_seconds=12.0)),
        now=NOON,
    )
    assert found == {
        "dead_letters": Reading(3),
        "crash_loop": Reading(4, "code"),
        "queue_wait": Reading(75.0, "media"),
        "idle_cost": Reading(50.0),
        "budget": Reading(70.0, "the budget of b for the day"),
        "disk_free": Reading(1.0),
        "engine_away": Reading(12.0),
        "node_away": Reading(0),
        "room_short": Reading(2, "video, inference"),
    }


def node(name: str, health: Health = Health(), **said: object) -> NodeRecord:  # noqa: B008
    facts = NodeFacts(name, "1.0", 1, "docker", (Service.VIDEO,))
    words = {"epoch": 1, "beat": 1, "state": NodeState.UP, "started_at": NOON, "beat_at": NOON, "health": health}
    return NodeRecord(f"id-{name}", facts, **(words | said))  # type: ignore[arg-type]


def node_readings(*nodes: NodeRecord, here: Here = Here(), now: datetime = NOON) -> dict[str, Reading]:  # noqa: B008
    found = readings(Facts(nodes=nodes), here, now=now)
    return {name: found[name] for name in ("disk_free", "engine_away", "node_away")}


def test_of_several_nodes_the_worst_counts_and_is_named() -> None:
    nodes = node("a", Health(8 * GIB, 0.0)), node("b", Health(GIB, 0.0)), node("c", Health(None, 70.0))
    found = node_readings(*nodes)
    assert found == {"disk_free": Reading(1, "b"), "engine_away": Reading(70, "c"), "node_away": Reading(0)}


def test_a_node_knows_of_itself_better_than_its_last_beat_and_where_it_is_alone_is_not_named() -> None:
    alone = node("a", Health(GIB, 70.0))
    found = node_readings(alone, here=Here(Health(5 * GIB), "id-a"))
    assert (found["disk_free"], found["engine_away"]) == (Reading(5), Reading(70))
    assert node_readings(alone, here=Here(Health(5 * GIB), "id-z"))["disk_free"] == Reading(1)


def test_nodes_that_have_ended_say_nothing_and_without_any_this_machine_counts() -> None:
    ended = node("a", Health(1, 99.0), state=NodeState.DOWN)
    found = node_readings(ended, here=Here(Health(5 * GIB, 0.0)))
    assert found == {"disk_free": Reading(5), "engine_away": Reading(0), "node_away": Reading(0)}
    assert node_readings(ended, node("b", Health(7 * GIB, 0.0)))["disk_free"] == Reading(7, "b")


def test_a_node_that_should_be_there_and_is_not_is_named() -> None:
    lost = node("b", state=NodeState.DOWN, lost_at=NOON)
    assert node_readings(node("a"), lost)["node_away"] == Reading(1, "b")
    assert node_readings(node("a"), replace(lost, is_drained=True))["node_away"] == Reading(0)
    in_order = node("b", state=NodeState.DOWN)
    late = NOON + timedelta(hours=1)
    assert node_readings(in_order, now=late)["node_away"] == Reading(0)
    # Nobody is there to take over: only the clock says so, after what clocks may be apart.
    assert node_readings(node("a"), now=NOON + timedelta(seconds=89))["node_away"] == Reading(0)
    assert node_readings(node("a"), now=NOON + timedelta(seconds=91))["node_away"] == Reading(1, "a")
    assert node_readings(node("a", state=NodeState.DRAINING, is_drained=True), now=late)["node_away"] == Reading(0)
    many = [node(name, state=NodeState.DOWN, lost_at=NOON) for name in "abcdefg"]
    assert node_readings(*many)["node_away"] == Reading(7, "a, b, c, d, e, and 2 more")


def test_how_much_is_idle_of_next_to_nothing_is_no_news() -> None:
    assert readings(Facts(costs={Line.INSTANCE: 1000}), Here(), now=NOON)["idle_cost"] == Reading(0.0)


def test_a_sentence_says_what_is_and_what_should_be() -> None:
    said = RULE.sentence(Reading(75.125, "video"))
    assert said == "wait (warning): jobs wait 75.12 s (video); it should be below 60 s."
    unknown = RULE.sentence(Reading(None))
    assert unknown == "wait (warning): the value of now is not known here; it should be below 60 s."


@pytest.mark.parametrize(
    ("name", "of_one", "of_two"),
    [
        ("dead_letters", "1 job became a dead letter within the hour", "2 jobs became dead letters within the hour"),
        ("crash_loop", "1 instance was lost within", "2 instances of one service were lost within"),
        ("queue_wait", "the oldest job that could run has waited for 1 s", "has waited for 2 s"),
        ("idle_cost", "1 % of what the instances cost in a day is idle", "2 % of what"),
        ("budget", "1 % of a budget is spent", "2 % of a budget is spent"),
        ("disk_free", "the disk of the state directory has 1 GiB free", "has 2 GiB free"),
        ("engine_away", "the engine answered 1 s ago", "the engine answered 2 s ago"),
        (
            "node_away",
            "1 node should be at work, and is not heard of",
            "2 nodes should be at work, and are not heard of",
        ),
        ("room_short", "1 pool is short of room on the host", "2 pools are short of room on the host"),
    ],
)
def test_every_rule_speaks_of_one_and_of_two(name: str, of_one: str, of_two: str) -> None:
    rule = rule_named(name)
    assert f": {of_one}" in rule.sentence(Reading(1)) and of_two in rule.sentence(Reading(2.0))


def test_every_rule_is_spoken_of() -> None:
    (marks,) = test_every_rule_speaks_of_one_and_of_two.pytestmark
    assert [each[0] for each in marks.args[1]] == [rule.name for rule in RULES]


@given(st.sampled_from(RULES), st.floats(0, 1000))
def test_what_is_shown_lies_on_the_same_side_of_the_threshold(rule: Rule, value: float) -> None:
    shown = float(rule.amount(value).split()[0])
    assert rule.is_broken(shown) == rule.is_broken(value) or abs(value - rule.threshold) < 1e-6


def test_a_threshold_of_one_is_one() -> None:
    assert rule_named("room_short").amount(1) == "1 pool"
    assert rule_named("disk_free").amount(1.999) == "1.99 GiB"


def test_a_rule_that_is_off_is_said_to_be_off() -> None:
    with pytest.raises(UsageError, match="The alert rule idle_cost is off"):
        rule_named("idle_cost", parse_rules("idle_cost=off", where="alerts.rules"))
