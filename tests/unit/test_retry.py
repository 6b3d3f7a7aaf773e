"""When a failed attempt may be tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.retry import RetryPolicy, retry_at

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

policies = st.builds(
    RetryPolicy, max_attempts=st.integers(1, 2000), base_seconds=st.floats(0.001, 60), cap_seconds=st.floats(1, 86_400)
)


@pytest.mark.parametrize(("used", "seconds"), [(1, 1), (2, 2), (3, 4), (9, 256), (10, 300), (2000, 300)])
def test_the_ceiling_doubles_until_the_cap(used, seconds):
    assert retry_at(RetryPolicy(max_attempts=9999), used=used, now=NOON, dice=0.5) == NOON + timedelta(seconds=seconds)


def test_no_attempt_is_left_after_the_last():
    assert retry_at(RetryPolicy(max_attempts=3), used=2, now=NOON, dice=0) == NOON
    assert retry_at(RetryPolicy(max_attempts=3), used=3, now=NOON, dice=0) is None
    assert retry_at(RetryPolicy(max_attempts=1), used=1, now=NOON, dice=0) is None


@given(policies, st.integers(1, 3000), st.floats(0, 1, exclude_max=True))
def test_a_retry_is_never_in_the_past_and_never_later_than_the_cap(policy, used, dice):
    at = retry_at(policy, used=used, now=NOON, dice=dice)
    assert (at is None) == (used >= policy.max_attempts)
    assert at is None or NOON <= at <= NOON + timedelta(seconds=policy.cap_seconds)
