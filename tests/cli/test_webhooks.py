"""Webhooks on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.conftest import Pitchey
from tests.resources.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as ready:
        yield ready


def test_a_secret_is_shown_once_and_nowhere_else(pitchey: Pitchey) -> None:
    made = pitchey.ok(
        "webhooks", "add", "chat", "https://example.org/hooks", "--type", "job.dead", "--service", "video"
    )
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{43}=\n", made.out)
    assert "is told from now on" in made.err
    secret = made.out.strip()
    newer = pitchey.ok("webhooks", "rotate", "chat").out.strip()
    assert newer.startswith("whsec_") and newer != secret
    listed = pitchey.ok("webhooks", "list", "--json")
    assert (listed.json["types"], listed.json["services"], listed.json["organisation"]) == (
        ["job.dead"], ["video"], "default",
    )  # fmt: skip
    assert listed.json["oldSecretUntil"] is not None
    everywhere = [pitchey.ok("webhooks", "list"), listed, pitchey.ok("audit"), pitchey.ok("audit", "--json")]
    exported = [pitchey.ok("db", "export", "webhook_endpoints")]
    for answer in everywhere + exported:
        assert "whsec_" not in answer.out and "chat" in answer.out, answer.out
    assert "webhook.rotate" in everywhere[2].out


def test_a_test_says_what_was_answered(pitchey: Pitchey, receiver: Receiver) -> None:
    pitchey.environment["PITCHEY_WEBHOOKS_ALLOW_PRIVATE"] = "true"
    secret = pitchey.ok("webhooks", "add", "chat", receiver.url()).out.strip()
    assert "waits. No daemon runs" in pitchey.ok("webhooks", "test", "chat").err
    pitchey.start_daemon()
    assert "was delivered: 204." in pitchey.ok("webhooks", "test", "chat").err
    assert receiver.until("/hooks", 2)[-1].verified(secret)["type"] == "webhook.test"
    receiver.always("/hooks", 500)
    answer = pitchey("webhooks", "test", "chat")
    assert answer.code == 1 and "It answered 500. It is tried again at" in answer.err
    receiver.always("/hooks", 410)
    assert pitchey("webhooks", "test", "chat").code == 1
    assert "disabled: It answered 410" in pitchey.ok("webhooks", "list").out
    refused = pitchey("webhooks", "test", "chat")
    assert refused.code == 2 and "pitchey webhooks enable" in refused.err
    receiver.standing.clear()
    assert "is told again" in pitchey.ok("webhooks", "enable", "chat").err
    failed = [
        json.loads(line) for line in pitchey.ok("webhooks", "deliveries", "chat", "--state", "failed", "--json").lines
    ]
    assert [each["status"] for each in failed] == [410]
    assert "1 message is sent again." in pitchey.ok("webhooks", "replay", "chat", failed[0]["id"]).err
    assert "204" in pitchey.ok("webhooks", "deliveries", "chat").out
    pitchey.ok("webhooks", "remove", "chat")
    assert pitchey("webhooks", "deliveries", "chat").code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("add", "x", "ftp://example.org/"), 2, "no URL that begins with https://"),
        (("add", "x", "https://"), 2, "no URL that begins with https://"),
        (("add", "x", "https://ada:secret@example.org/"), 2, "a part that is not sent"),
        (("add", "x", "https://example.org/#here"), 2, "a part that is not sent"),
        (("add", "x", "https://example.org/a\r\nX-Evil: 1"), 2, "a character that none has"),
        (("add", "x", "https://example.org:99999/"), 2, "is no URL"),
        (("add", "x", "https://exämple.org/"), 2, "a character that none has"),
        (("add", "x", "http://127.0.0.1/"), 4, "is no public address"),
        (("add", "x", "http://localhost/"), 4, "webhooks.allow_private"),
        (("add", "x", "http://[::ffff:10.0.0.1]/"), 4, "is no public address"),
        (("add", "x", "http://169.254.169.254/latest"), 4, "is no public address"),
        (("add", "", "https://example.org/"), 2, "1 to 100 characters"),
        (("add", "x", "https://example.org/", "--type", "job.nope"), 2, "no type of message 'job.nope'"),
        (("add", "x", "https://example.org/", "--type", "alert.*"), 2, "about the whole installation"),
        (("add", "x", "https://example.org/", "--service", "nope"), 2, "no service 'nope'"),
        (("add", "x", "https://example.org/", "--organisation", "nope"), 3, "no organisation 'nope'"),
        (("add", "x", "https://a.be/", "--organisation", "default", "--all-organisations"), 2, "do not go together"),
        (("list", "--organisation", "nope", "--jsn"), 2, ""),
        (("test", "nope"), 3, "no webhook 'nope'"),
        (("rotate", "here", "--overlap", "1y"), 2, "no length of time"),
        (("rotate", "here", "--overlap", "60d"), 2, "30 days at most"),
        (("deliveries", "here", "--state", "lost"), 2, "pending, delivered, failed"),
        (("replay", "here"), 2, "Name messages, or say --failed"),
        (("replay", "here", "msg_1", "--failed"), 2, "Name messages, or say --failed"),
        (("replay", "here", "msg_1"), 3, "was never sent 'msg_1'"),
        (("remove", "twice"), 2, "2 webhooks are called 'twice'"),
        (("add", "here", "https://example.org/"), 2, "default has a webhook 'here' already"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(pitchey: Pitchey, arguments: tuple[str, ...], code: int, said: str) -> None:
    for chosen in (("here",), ("twice",), ("twice", "--all-organisations")):
        pitchey.ok("webhooks", "add", *chosen, "https://example.org/")
    answer = pitchey("webhooks", *arguments)
    assert answer.code == code and said in answer.err, answer.err


def test_what_happens_in_the_log_of_who_changed_what(pitchey: Pitchey) -> None:
    pitchey.ok("webhooks", "add", "chat", "https://example.org/")
    assert "is disabled." in pitchey.ok("webhooks", "disable", "chat", "--reason", "too loud").err
    assert "is disabled already." in pitchey.ok("webhooks", "disable", "chat").err
    assert "disabled: too loud" in pitchey.ok("webhooks", "list").out
    actions = [json.loads(line)["action"] for line in pitchey.ok("audit", "--json").lines]
    assert actions == ["webhook.add", "webhook.disable"]
