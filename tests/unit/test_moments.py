"""Times as people write them, and lines of policy as operators do."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.moments import earlier, later, rate, span
from pitchey_cli.domain.policy import parse_key_limits, parse_retry_rules, parse_weights, parse_window
from pitchey_cli.domain.retry import RetryAction, RetryPolicy
from pitchey_cli.domain.turns import KeyLimit

NOW = datetime(2026, 3, 1, 14, 30, tzinfo=timezone(timedelta(hours=2)))  # 12:30 UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in 20 min", "2026-03-01T12:50:00"),
        ("2h", "2026-03-01T14:30:00"),
        ("90s", "2026-03-01T12:31:30"),
        ("16:00", "2026-03-01T14:00:00"),
        ("02:00", "2026-03-02T00:00:00"),
        ("tomorrow 02:00", "2026-03-02T00:00:00"),
        ("tomorrow at 14:30", "2026-03-02T12:30:00"),
        ("today 10:00", "2026-03-01T08:00:00"),
        ("2026-04-01T00:00+00:00", "2026-04-01T00:00:00"),
    ],
)
def test_a_moment_to_come(text: str, expected: str) -> None:
    assert later(text, now=NOW, what="--run-at") == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", "2026-03-01T12:00:00"),
        ("2 hours ago", "2026-03-01T10:30:00"),
        ("yesterday 18:00", "2026-02-28T16:00:00"),
        ("10:00", "2026-03-01T08:00:00"),
        ("20:00", "2026-02-28T18:00:00"),
        ("999999999w", "1926-03-26T12:30:00"),
    ],
)
def test_a_moment_that_has_passed(text: str, expected: str) -> None:
    assert earlier(text, now=NOW, what="--since") == datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize("text", ["", "soon", "25:00", "tomorrow 1", "-5m", "12", "in", "2026-13-01"])
def test_what_is_no_time_is_named_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="--run-at") as caught:
        later(text, now=NOW, what="--run-at")
    assert "tomorrow 02:00" in caught.value.hint


def test_a_span_has_a_unit() -> None:
    assert span("1.5 hours", what="--ttl") == timedelta(minutes=90)
    with pytest.raises(UsageError, match="--ttl: '90' is no length of time"):
        span("90", what="--ttl")


def test_lines_of_policy() -> None:
    assert parse_weights("acme=3, others=0.5", where="w") == {"acme": 3.0, "others": 0.5}
    assert parse_key_limits("camera=2,api=5@10/min", where="k") == {"camera": KeyLimit(2), "api": KeyLimit(5, 10.0)}
    assert parse_window(" ", where="o") is None
    policy = RetryPolicy(rules=parse_retry_rules("ffmpeg_*=stop,timeout=larger", where="r"))
    assert policy.action(["ffmpeg_failed", "failed"]) is RetryAction.STOP
    assert policy.action(["died", "timeout"]) is RetryAction.LARGER
    assert policy.action(["died", "failed"]) is None


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_weights, "acme"),
        (parse_weights, "acme=0"),
        (parse_weights, "acme=nan"),
        (parse_key_limits, "a=0"),
        (parse_key_limits, "a=1@0/min"),
        (parse_key_limits, "a=many"),
        (parse_window, "22-6"),
        (parse_window, "25:00-26:00"),
        (parse_window, "06:00-06:00"),
        (parse_retry_rules, "x=explode"),
    ],
)
def test_a_wrong_line_names_its_setting(parse, text) -> None:
    with pytest.raises(UsageError, match=r"^queue\.thing: "):
        parse(text, where="queue.thing")


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ("100/h", 100 / 3600),
        ("5/s", 5),
        ("2000 / min", 2000 / 60),
        ("1e6/d", 1e6 / 86400),
        ("10,000,000 per day", 1e7 / 86400),
    ],
)
def test_a_rate(text, per_second):
    assert rate(text, what="--rate") == pytest.approx(per_second)


@pytest.mark.parametrize("text", ["", "100", "h", "-5/s", "0/h", "5/fortnight", "nan/s"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(UsageError, match=r"--rate: .* is no rate"):
        rate(text, what="--rate")
