"""The notice that a node is about to be taken away: who is asked for it, how the answers read, what time is left. Pure.

What the clouds promise:

- AWS: "Spot Instance interruption notices", Amazon EC2 User Guide. `spot/instance-action` in the instance metadata is
  not found until the notice, two minutes ahead, and then JSON with `action` and `time`; to be asked every five seconds.
- GCP: "Create and use Spot VMs", Compute Engine. `instance/preempted` is FALSE, then TRUE; 30 seconds are left.
- Azure: "Scheduled Events for Linux VMs". An event of the type Preempt, at least 30 seconds ahead; all machines of a
  scale set are told of each of them, and `Resources` says which one is meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from pitchey_cli.domain.errors import NetworkError, UsageError
from pitchey_cli.values import dataclass

ASK_SECONDS = 5.0  #: between two questions
SHORTEST_SECONDS = 30.0  #: that a cloud gives, from its notice or its TERM on
_LONGEST_SECONDS = 120.0  # that one gives: what is later is a wrong clock
_MARGIN_SECONDS = 5.0  # to record what was handed back
#: that work which is handed back can get between TERM and KILL, whoever gives the notice and however late it is heard
LONGEST_GRACE_SECONDS = SHORTEST_SECONDS - ASK_SECONDS - _MARGIN_SECONDS
_METADATA = "http://169.254.169.254"
_NO = (404, 204)
_YES = ("", "TRUE", "1")
_AWS_ACTIONS = ("hibernate", "stop", "terminate")
_WORDS = 60  # characters of an answer that are quoted


class Provider(StrEnum):
    """Who gives notice, each in its own way."""

    AWS = "aws"
    GCP = "gcp"
    AZURE = "azure"
    URL = "url"  #: anything else that answers


@dataclass(frozen=True)
class Notifier:
    """Who is asked, and where."""

    provider: Provider
    address: str = _METADATA  #: of the cloud's metadata, or the whole URL

    def __str__(self) -> str:
        """As people know it."""
        return self.address if self.provider is Provider.URL else f"{self.provider} at {self.address}"


@dataclass(frozen=True)
class Notice:
    """This node is about to be taken away."""

    at: datetime | None = None  #: None: nobody says when
    what: str = ""  #: in the words of the cloud


def parse_notifier(text: str, *, where: str) -> Notifier | None:
    """Read `aws`, `gcp`, `azure` or a URL; nothing means that nobody is asked."""
    chosen = text.strip()
    if not chosen:
        return None
    for provider in (Provider.AWS, Provider.GCP, Provider.AZURE):
        if chosen.lower() == provider:
            return Notifier(provider)
    try:
        parts = urlsplit(chosen)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        is_url = False
    if not is_url or any(char.isspace() for char in chosen):
        hint = "Write aws, gcp, azure, or a URL as http://127.0.0.1:8000/preempted."
        raise UsageError(f"{where}: {text!r} gives no notice.", hint=hint)
    return Notifier(Provider.URL, chosen)


def judge(provider: Provider, status: int, body: str, *, node_name: str = "") -> Notice | None:
    """Say whether an answer is a notice.

    Args:
        node_name: what Azure calls this machine; empty: any machine that it names is this one.

    Raises:
        NetworkError: the answer is neither yes nor no.
    """
    text = body.strip()
    if provider in (Provider.AWS, Provider.URL) and status in _NO:
        return None
    if status != 200:
        raise NetworkError(f"It answers {status}.")
    if provider is Provider.AWS:
        return _of_aws(text)
    if provider is Provider.AZURE:
        return _of_azure(text, node_name)
    if text.upper() == "FALSE":
        return None
    if provider is Provider.URL:
        return _of_url(text)
    if text.upper() == "TRUE":
        return Notice(what="preempted")
    raise _not_understood(text)


def left_seconds(notice: Notice, *, now: datetime, unheard_seconds: float) -> float:
    """How long this node is still there.

    Args:
        unheard_seconds: since it was last said that there is no notice: so old may this one be.
    """
    left = SHORTEST_SECONDS - unheard_seconds if notice.at is None else (notice.at - now).total_seconds()
    return max(0.0, min(left, _LONGEST_SECONDS))


def spare_seconds(left_seconds: float, *, grace_seconds: float) -> float:
    """How long what runs may go on, so that what is left can still be handed back."""
    return max(0.0, left_seconds - grace_seconds - _MARGIN_SECONDS)


def drain_seconds_of(drain_seconds: float, *, grace_seconds: float) -> float:
    """How long TERM lets work finish on such a node: it may come from the machine, which goes down soon after."""
    return min(drain_seconds, spare_seconds(SHORTEST_SECONDS, grace_seconds=grace_seconds))


def grace_seconds_of(grace_seconds: float, *, left_seconds: float) -> float:
    """How long work that is handed back gets between TERM and KILL: what is not recorded in time is lost."""
    return max(0.0, min(grace_seconds, left_seconds - _MARGIN_SECONDS))


def _of_aws(text: str) -> Notice:
    found = _in_json(text)
    if found is None:
        raise _not_understood(text)
    return found


def _of_url(text: str) -> Notice:
    """What anybody may answer: a word that is known, nothing, or a notice as AWS writes it. A login page is none."""
    if text.upper() in _YES:
        return Notice()
    found = _in_json(text)
    if found is None or found.what not in _AWS_ACTIONS:
        raise _not_understood(text)
    return found


def _of_azure(text: str, node_name: str) -> Notice | None:
    events = _parsed(text).get("Events")
    if not isinstance(events, list):
        raise _not_understood(text)
    found = [each for each in events if isinstance(each, Mapping) and each.get("EventType") == "Preempt"]
    mine = [each for each in found if not node_name or _may_mean(each.get("Resources"), node_name)]
    return Notice(_rfc1123(mine[0].get("NotBefore")), "Preempt") if mine else None


def _may_mean(resources: object, node_name: str) -> bool:
    return not isinstance(resources, list) or not resources or node_name in resources


def _in_json(text: str) -> Notice | None:
    """A notice as AWS writes it; a moment that cannot be read is none."""
    document = _parsed(text)
    if not document.get("action"):
        return None
    return Notice(_iso(document.get("time")), str(document["action"]))


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _iso(text: object) -> datetime | None:
    try:
        return _in_utc(datetime.fromisoformat(str(text)))
    except (ValueError, OverflowError):
        return None


def _rfc1123(text: object) -> datetime | None:
    try:
        return _in_utc(parsedate_to_datetime(str(text)))
    except (ValueError, OverflowError):  # it is empty once it has begun
        return None


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _not_understood(text: str) -> NetworkError:
    return NetworkError(f"Its answer is neither yes nor no: {text[:_WORDS]!r}.")
