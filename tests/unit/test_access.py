"""Who may do what: roles that include each other, tokens that cannot be made up, addresses, rates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.api.rates import Rates
from pitchey_cli.domain.access import (
    Actor,
    ApiToken,
    Area,
    Role,
    digest_of,
    is_secret_of,
    least,
    parts_of,
    token_text,
)
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.listening import address_of, is_name_of_this_machine

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = "0" * 52
ROLES = st.sampled_from(Role)


def token(**changes: object) -> ApiToken:
    made = {"expires_at": None, "digest": digest_of(SECRET), **changes}
    return ApiToken("0" * 12, "ci", "acme", Role.VIEWER, frozenset(), "", NOON, **made)  # type: ignore[arg-type]


@given(ROLES, ROLES)
def test_the_lesser_of_two_roles_is_included_in_both(one: Role, other: Role) -> None:
    both = least(one, other)
    assert one.includes(both) and other.includes(both) and both in (one, other)


def test_roles_include_those_before_them() -> None:
    assert list(Role) == sorted(Role, key=lambda role: sum(role.includes(other) for other in Role))


@given(ROLES, ROLES, st.sampled_from(Area), st.frozensets(st.sampled_from(Area)))
def test_a_token_does_what_its_role_may_and_only_in_its_areas(
    role: Role, needed: Role, area: Area, areas: frozenset[Area]
) -> None:
    assert Actor("x", role, areas=areas).may(needed, area) == (role.includes(needed) and (not areas or area in areas))


@given(st.text())
def test_only_what_was_made_as_a_token_is_one(text: str) -> None:
    assert parts_of(text) is None
    assert parts_of(f"pitchey_{text}_{SECRET}") is None or len(text) == 12


def test_a_secret_is_that_of_its_token_and_of_no_other() -> None:
    assert parts_of(token_text("0" * 12, SECRET)) == ("0" * 12, SECRET)
    assert is_secret_of(token(), SECRET)
    assert not is_secret_of(token(), "1" * 52)
    assert not is_secret_of(None, SECRET)
    assert SECRET not in repr(token()) and digest_of(SECRET) not in repr(token())


def test_a_token_is_valid_until_its_time_or_its_end() -> None:
    assert token().is_valid(NOON)
    assert token(expires_at=NOON + timedelta(seconds=1)).is_valid(NOON)
    assert not token(expires_at=NOON).is_valid(NOON)
    assert not token(revoked_at=NOON).is_valid(NOON)


@pytest.mark.parametrize(
    ("text", "said", "is_private"),
    [
        ("127.0.0.1:80", "http://127.0.0.1:80", True),
        ("localhost:0", "http://127.0.0.1:0", True),
        ("[::1]:80", "http://[::1]:80", True),
        ("0.0.0.0:80", "http://0.0.0.0:80", False),
        ("[::]:80", "http://[::]:80", False),
        ("192.168.1.2:80", "http://192.168.1.2:80", False),
        ("unix:/run/p.sock", "unix:/run/p.sock", True),
        ("/run/p.sock", "unix:/run/p.sock", True),
    ],
)
def test_an_address_says_who_can_reach_it(text: str, said: str, is_private: bool) -> None:
    address = address_of(text)
    assert (str(address), address.is_private) == (said, is_private)


@pytest.mark.parametrize(
    "text", ["", "80", ":80", "x:80", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:65536", "1.2.3.4:٣"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no address to listen on"):
        address_of(text)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:80", "127.8.8.8", "[::1]:80", "[::1]", ""])
def test_names_of_this_machine(host: str) -> None:
    assert is_name_of_this_machine(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:80", "localhost.evil.example", "10.0.0.1", "[::2]:80"]
)
def test_names_that_somebody_else_can_give(host: str) -> None:
    assert not is_name_of_this_machine(host)


@given(st.lists(st.floats(0, 10), max_size=200), st.integers(1, 100))
def test_in_no_minute_are_more_let_in_than_a_full_bucket_and_a_minutes_worth(pauses: list[float], limit: int) -> None:
    rates, now, let_in = Rates(limit), 0.0, []
    for pause in pauses:
        now += pause
        verdict = rates.take("one", now=now)
        if verdict.is_allowed:
            let_in.append(now)
        else:
            assert rates.take("one", now=now + verdict.retry_in_seconds + 1e-6).is_allowed
            return
    for begin in let_in:
        assert sum(begin <= at < begin + 60 for at in let_in) <= 2 * limit


def test_one_who_asks_too_often_takes_nothing_from_another() -> None:
    rates = Rates(1)
    assert rates.take("one", now=0).is_allowed and not rates.take("one", now=0).is_allowed
    assert rates.take("other", now=0).is_allowed
    assert rates.take("one", now=60).is_allowed
