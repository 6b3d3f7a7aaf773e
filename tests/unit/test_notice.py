"""Who is asked whether a node is taken away, how the clouds' answers read, and what time is left then."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.errors import NetworkError, UsageError
from pitchey_cli.domain.notice import (
    Notice,
    Notifier,
    Provider,
    drain_seconds_of,
    grace_seconds_of,
    judge,
    left_seconds,
    parse_notifier,
    spare_seconds,
)

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
AWS, GCP, AZURE, URL = Provider
ACTION = json.dumps({"action": "terminate", "time": "2026-07-01T12:02:00Z"})


def azure(*events: dict[str, object]) -> str:
    return json.dumps({"DocumentIncarnation": 2, "Events": list(events)})


def preempt(*machines: str, before: str = "Wed, 01 Jul 2026 12:00:30 GMT") -> dict[str, object]:
    return {"EventId": "1", "EventType": "Preempt", "Resources": list(machines), "NotBefore": before}


REBOOT = preempt("worker_3") | {"EventType": "Reboot"}


@pytest.mark.parametrize(
    ("provider", "status", "body"),
    [
        (AWS, 404, "<html>not found"),
        (GCP, 200, "FALSE"),
        (GCP, 200, "FALSE\n"),
        (AZURE, 200, azure()),
        (AZURE, 200, azure(REBOOT)),
        (AZURE, 200, azure(preempt("worker_30"))),  # another machine of the same scale set
        (URL, 404, ""),
        (URL, 204, ""),
        (URL, 200, "false"),
    ],
)
def test_these_answers_say_no(provider: Provider, status: int, body: str) -> None:
    assert judge(provider, status, body, node_name="worker_3") is None


@pytest.mark.parametrize(
    ("provider", "body", "notice"),
    [
        (AWS, ACTION, Notice(NOON + timedelta(minutes=2), "terminate")),
        (AWS, '{"action": "hibernate", "time": "soon"}', Notice(None, "hibernate")),
        (GCP, "TRUE", Notice(None, "preempted")),
        (AZURE, azure(REBOOT, preempt("worker_1", "worker_3")), Notice(NOON + timedelta(seconds=30), "Preempt")),
        (AZURE, azure(preempt("worker_3", before="")), Notice(None, "Preempt")),  # it has begun
        (AZURE, azure(preempt()), Notice(NOON + timedelta(seconds=30), "Preempt")),
        (URL, "", Notice()),
        (URL, "TRUE", Notice()),
        (URL, "true\n", Notice()),
        (URL, "1", Notice()),
        (URL, ACTION, Notice(NOON + timedelta(minutes=2), "terminate")),
    ],
)
def test_these_answers_say_yes(provider: Provider, body: str, notice: Notice) -> None:
    assert judge(provider, 200, body, node_name="worker_3") == notice


def test_a_machine_that_does_not_know_its_name_believes_what_azure_says_of_any() -> None:
    assert judge(AZURE, 200, azure(preempt("worker_1"))) is not None


@pytest.mark.parametrize(
    ("provider", "status", "body"),
    [
        (AWS, 401, ""),
        (AWS, 200, "<html>log in"),
        (AWS, 200, "[]"),
        (GCP, 403, ""),
        (GCP, 404, ""),
        (GCP, 200, "<html>log in"),
        (AZURE, 200, "TRUE"),
        (AZURE, 404, ""),
        (AZURE, 500, azure(preempt())),
        (URL, 500, ""),
        (URL, 200, "0"),
        (URL, 200, "yes, in a moment"),
        (URL, 200, '{"preempted": false}'),
        (URL, 200, '{"action": "none"}'),
        (URL, 200, "<html>log in"),
        (URL, 302, ""),
    ],
)
def test_an_answer_that_is_neither_is_no_notice_and_is_called_that(provider: Provider, status: int, body: str) -> None:
    with pytest.raises(NetworkError, match=r"neither yes nor no|answers \d+"):
        judge(provider, status, body)


@given(st.sampled_from(list(Provider)), st.integers(100, 599), st.text())
def test_no_answer_whatever_is_in_it_ends_in_another_error(provider: Provider, status: int, body: str) -> None:
    try:
        assert judge(provider, status, body) is None or status == 200
    except NetworkError as error:
        assert len(str(error)) < 400


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.just({}), max_leaves=5))
def test_no_json_of_azure_does_either(inner: object) -> None:
    for document in ({"Events": inner}, {"Events": [inner]}, {"Events": [preempt() | {"Resources": inner}]}):
        try:
            judge(AZURE, 200, json.dumps(document), node_name="worker_3")
        except NetworkError as error:
            assert "neither yes nor no" in str(error)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        (" ", None),
        ("aws", Notifier(AWS)),
        ("GCP", Notifier(GCP)),
        ("azure", Notifier(AZURE)),
        ("http://127.0.0.1:8000/x?y=1", Notifier(URL, "http://127.0.0.1:8000/x?y=1")),
        ("https://[::1]/x", Notifier(URL, "https://[::1]/x")),
    ],
)
def test_a_cloud_goes_by_its_name_and_anything_else_by_its_url(text: str, source: Notifier | None) -> None:
    assert parse_notifier(text, where="node.spot_notice") == source


@pytest.mark.parametrize(
    "text", ["amazon", "ftp://x/", "http://", "http://x:port/", "http://[x/", "http://x/a b", "/a"]
)
def test_what_names_nobody_is_refused_with_the_setting_and_the_way_out(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_notifier(text, where="node.spot_notice")
    assert "node.spot_notice" in str(caught.value) and "aws, gcp, azure" in caught.value.hint


def test_people_read_who_is_asked() -> None:
    assert str(Notifier(AWS)) == "aws at http://169.254.169.254"
    assert str(Notifier(URL, "http://x/y")) == "http://x/y"


def left(notice: Notice, *, unheard_seconds: float = 5.0) -> float:
    return left_seconds(notice, now=NOON, unheard_seconds=unheard_seconds)


def test_a_node_is_there_until_its_notice_says_or_as_long_as_clouds_promise() -> None:
    assert left(Notice(NOON + timedelta(seconds=120))) == 120
    assert left(Notice(NOON + timedelta(seconds=9)), unheard_seconds=60) == 9
    assert left(Notice(NOON - timedelta(hours=1))) == 0
    assert left(Notice(NOON + timedelta(hours=1))) == 120  # a clock is wrong: nobody says it so early


def test_a_notice_without_a_moment_may_be_as_old_as_the_last_clear_no() -> None:
    assert left(Notice()) == 25
    assert left(Notice(), unheard_seconds=13) == 17  # one question was not answered
    assert left(Notice(), unheard_seconds=math.inf) == 0  # it was there before anybody asked


def test_what_runs_may_go_on_until_there_is_just_time_to_hand_it_back() -> None:
    assert spare_seconds(120, grace_seconds=5) == 110
    assert spare_seconds(120, grace_seconds=20) == 95
    assert spare_seconds(9, grace_seconds=5) == 0


@given(st.floats(0, 10_000), st.floats(0, 300))
def test_after_a_term_work_and_its_end_fit_into_what_is_left(drain: float, grace: float) -> None:
    seconds = drain_seconds_of(drain, grace_seconds=grace)
    assert 0 <= seconds <= drain
    assert seconds + grace_seconds_of(grace, left_seconds=30 - seconds) <= 25 + 1e-9
    assert drain_seconds_of(3600, grace_seconds=5) == 20
    assert drain_seconds_of(3, grace_seconds=5) == 3


@given(st.floats(0, 200), st.floats(0, 300))
def test_after_a_notice_they_do_too_and_the_grace_is_cut_only_where_it_has_to_be(left: float, grace: float) -> None:
    spare = spare_seconds(left, grace_seconds=grace)
    given_ = grace_seconds_of(grace, left_seconds=left - spare)
    assert spare + given_ <= max(0.0, left - 5) + 1e-9
    assert given_ == pytest.approx(min(grace, max(0.0, left - 5)))
