"""What follows from an answer to a webhook, how it is signed, and what may be wanted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.webhooks import (
    TRIED_FOR,
    TYPES,
    Delivery,
    DeliveryState,
    Reply,
    headers_of,
    judge,
    new_secret,
    types_named,
)
from pitchey_cli.store.sqlite import SqliteStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def delivery(tries: int = 0, at: datetime = NOON) -> Delivery:
    return Delivery(1, "w", "msg_1", "job.dead", "job1", '{"jobId":"job1"}', at, at + TRIED_FOR, tries=tries)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_success_is_one(status: int) -> None:
    assert judge(delivery(), Reply(status), failures=3, now=NOON, dice=0).state is DeliveryState.DELIVERED


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 429, 500, 503, None])
def test_everything_else_is_tried_again(status: int | None) -> None:
    verdict = judge(delivery(), Reply(status, problem="nobody is there"), failures=0, now=NOON, dice=0)
    assert verdict.state is DeliveryState.PENDING and verdict.disabled_because is None
    assert verdict.next_at == NOON + timedelta(seconds=2.5)
    assert str(status or "nobody") in str(verdict.note)


def test_gone_ends_the_endpoint() -> None:
    verdict = judge(delivery(), Reply(410), failures=0, now=NOON, dice=0)
    assert verdict.state is DeliveryState.FAILED and verdict.disabled_because


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        (format_datetime(NOON + timedelta(hours=2), usegmt=True), 7200),
        ("99999999999999999999", 86_400),
        (format_datetime(NOON + timedelta(days=300), usegmt=True), 86_400),
        (format_datetime(NOON - timedelta(days=300), usegmt=True), 2.5),
        ("-5", 2.5),
        ("soon", 2.5),
        ("²", 2.5),
        ("", 2.5),
    ],
)
def test_retry_after_is_a_time_or_a_date_and_a_day_at_most(said: str, seconds: float) -> None:
    verdict = judge(delivery(), Reply(429, said), failures=0, now=NOON, dice=0)
    assert verdict.next_at == NOON + timedelta(seconds=seconds)


@given(st.integers(0, 40), st.integers(0, 10**6), st.floats(0, 72 * 3600), st.floats(0, 1, exclude_max=True), st.text())
def test_no_try_is_later_than_three_days_and_no_rest_longer_than_a_day(
    tries: int, failures: int, age: float, dice: float, said: str
) -> None:
    now = NOON + timedelta(seconds=age)
    verdict = judge(delivery(tries), Reply(500, said), failures=failures, now=now, dice=dice)
    assert (verdict.next_at is None) == (verdict.state is DeliveryState.FAILED)
    assert verdict.next_at is None or now < verdict.next_at <= NOON + TRIED_FOR
    assert verdict.rests_until is not None and now < verdict.rests_until <= now + timedelta(days=1)


def test_waits_grow_from_seconds_to_half_a_day() -> None:
    found = [judge(delivery(tries), Reply(500), failures=0, now=NOON, dice=0.999999).next_at for tries in range(9)]
    waits = [round((each - NOON).total_seconds()) for each in found if each is not None]
    assert waits == [5, 20, 80, 320, 1280, 5120, 20480, 43200, 43200]


@given(st.binary(min_size=24, max_size=64), st.binary(min_size=24, max_size=64))
def test_what_is_signed_with_two_secrets_is_believed_by_who_has_either(one: bytes, other: bytes) -> None:
    secrets, now = (new_secret(one), new_secret(other)), datetime.now(UTC)
    headers = headers_of(delivery(at=now), secrets, now=now)
    for secret in secrets:
        assert Verifier(secret).verify(delivery(at=now).body, headers)["data"] == {"jobId": "job1"}


def test_types_are_named_one_by_one_or_by_families() -> None:
    assert types_named(["job.*", "batch.finished"]) == TYPES[: TYPES.index("batch.finished") + 1]
    assert types_named([]) == ()
    for unknown in ("job", "job.nope", "nope.*", "*", ""):
        with pytest.raises(UsageError, match="no type of message"):
            types_named([unknown])


def test_the_schema_has_the_same_types(tmp_path: Path) -> None:
    store = SqliteStore.open(tmp_path / "pitchey.db")
    found = {row["type"] for row in store._db.rows("SELECT type FROM webhook_types")}
    store.close()
    assert found | {"batch.finished"} == set(TYPES)
