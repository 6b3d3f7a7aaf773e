"""Organisations, roles, tokens and the audit log on the command line."""

from __future__ import annotations

import getpass
import re
from pathlib import Path

import pytest

from tests.conftest import Pitchey


def test_a_token_is_shown_once_and_listed_without_its_secret(pitchey: Pitchey) -> None:
    pitchey.ok("org", "add", "acme")
    made = pitchey.ok(
        "token", "add", "ci", "--organisation", "acme", "--role", "viewer", "--scope", "jobs", "--expires", "30d"
    )
    assert re.fullmatch(r"pitchey_[0-9a-z]{12}_[0-9a-z]{52}\n", made.out)
    assert "It is a viewer for acme, only for jobs, until" in made.err
    listed = pitchey.ok("token", "list", "--json")
    assert (listed.json["role"], listed.json["scopes"], listed.json["lastUsedAt"]) == ("viewer", ["jobs"], None)
    assert made.out.strip().rpartition("_")[2] not in listed.out
    pitchey.ok("token", "revoke", "ci")
    assert "revoked" in pitchey.ok("token", "list").out
    assert pitchey("token", "revoke", "ci").code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("token", "add", "x", "--organisation", "nope"), 3, "no organisation 'nope'"),
        (("token", "add", "x", "--role", "king"), 2, "viewer, submitter, operator, admin"),
        (("token", "add", "x", "--scope", "all"), 2, "no area 'all'"),
        (("token", "add", "x", "--member", "ada"), 3, "has no member 'ada'"),
        (("token", "add", "x", "--expires", "soon"), 2, "no length of time"),
        (("token", "add", "x", "--organisation", "default", "--all-organisations"), 2, "do not go together"),
        (("token", "add", ""), 2, "1 to 100 characters"),
        (("role", "grant", "ada", "viewer", "--organisation", "nope"), 3, "no organisation 'nope'"),
        (("role", "revoke", "ada"), 3, "no member 'ada'"),
        (("org", "remove", "nope"), 3, "no organisation 'nope'"),
        (("org", "remove", "default"), 2, "all jobs that name none"),
        (("org", "quota", "nope", "--queued", "1"), 3, "no organisation 'nope'"),
        (("org", "add", "-x"), 2, ""),
    ],
)
def test_what_cannot_be_is_told(pitchey: Pitchey, arguments: tuple[str, ...], code: int, said: str) -> None:
    answer = pitchey(*arguments)
    assert answer.code == code and said in answer.err


def test_a_quota_holds_on_the_command_line_too(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("org", "add", "acme")
    assert "1 jobs that wait" in pitchey.ok("org", "quota", "acme", "--queued", "1").err
    pitchey.ok("submit", "video", clip, "--organisation", "acme")
    refused = pitchey("submit", "video", clip, "--organisation", "acme", "--no-cache")
    assert refused.code == 7 and "pitchey org quota acme --queued N" in refused.err
    pitchey.ok("org", "quota", "acme", "--queued", "-1")
    pitchey.ok("submit", "video", clip, "--organisation", "acme", "--no-cache")


def test_the_audit_log_says_who_did_what_at_this_machine(pitchey: Pitchey, clip: Path) -> None:
    job = pitchey.ok("submit", "video", clip, "--batch", "night").lines[0]
    pitchey.ok("cancel", job, "--reason", "enough")
    pitchey.ok("role", "grant", "ada", "admin")
    pitchey.ok("budget", "set", "5")
    found = pitchey.ok("audit").out
    for line in (f"submit .* {job} ", f"cancel .* {job} .*why enough", "role.grant .* ada .*role admin", "budget.set"):
        assert re.search(line, found), (line, found)
    assert f"{getpass.getuser()} on this machine" in found
    assert "role.grant" not in pitchey.ok("audit", "--organisation", "acme").out
