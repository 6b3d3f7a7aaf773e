"""What is told to other programs, how it is signed, and when it is tried again. Pure.

The form is that of Standard Webhooks (standard-webhooks.com): three headers, and a signature that a library checks for
almost every language. Which event of ours is told under which name stands in the schema, beside the trigger that writes
it down.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial

from pitchey_cli.domain.addresses import Address, is_forbidden, is_public
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

SECRET_PREFIX = "whsec_"
SECRET_BYTES = 32  #: of a new one; Standard Webhooks asks for 24 to 64
TEST_TYPE = "webhook.test"  #: asked for by a person, of one endpoint
TYPES = (
    "job.submitted",
    "job.released",  #: its time has come, or nothing holds it any more
    "job.held",
    "job.started",
    "job.retrying",
    "job.interrupted",
    "job.succeeded",
    "job.cancelled",
    "job.dead",  #: it is a dead letter
    "job.redriven",  #: it is one no more
    "batch.finished",
    "budget.reached",
    "alert.fired",
    "alert.resolved",
)

MOST_WEBHOOKS = 20  #: of an organisation, and of the whole installation: each is looked at in whatever anybody changes
MOST_PENDING = 100_000  #: messages that wait for one endpoint; the schema says the same
TRIED_FOR = timedelta(days=3)  #: from when it happened; the trigger in the schema says the same
_FIRST_WAIT = timedelta(seconds=5)
_WAIT_FACTOR = 4
_LONGEST_BACKOFF = timedelta(hours=12)
LONGEST_WAIT = timedelta(days=1)  #: that a Retry-After gets: a slip of the other side must not be the end
_LONGEST_REST = timedelta(minutes=1)
_GONE = 410
_NOTE_CHARACTERS = 300


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  #: given up; it can be replayed


@dataclass(frozen=True)
class Webhook:
    """An endpoint of somebody's, and what it wants to be told."""

    id: str
    name: str
    organisation: str  #: empty: it is told what happens in the whole installation
    url: str
    types: tuple[str, ...]  #: empty: all
    services: tuple[Service, ...]  #: empty: all; what is of no one service is told in any case
    created_at: datetime
    secret: str = field(default="", repr=False)  #: empty where it is not for showing
    old_secret: str | None = field(default=None, repr=False)
    old_secret_until: datetime | None = None
    disabled_at: datetime | None = None
    disabled_because: str | None = None
    failures: int = 0  #: since the last success
    rests_until: datetime | None = None  #: nothing is sent before
    pending: int = 0  #: messages that wait for it
    missed: int = 0  #: messages that were not kept for it, because so many waited

    def secrets(self, now: datetime) -> tuple[str, ...]:
        """Those that count now, the newest first."""
        is_rotating = self.old_secret_until is not None and now < self.old_secret_until
        return (self.secret, self.old_secret) if is_rotating and self.old_secret else (self.secret,)


@dataclass(frozen=True)
class Delivery:
    """One message to one endpoint."""

    id: int
    webhook_id: str
    message_id: str  #: the same at every try, and when it is replayed: receivers know by it what they have had
    type: str
    subject: str  #: what it is about; messages about the same thing go in their order
    data: str  #: JSON
    at: datetime  #: when it happened
    until: datetime  #: it is tried no longer
    state: DeliveryState = DeliveryState.PENDING
    next_at: datetime | None = None  #: when it is tried next; None where one before it has to end first
    tries: int = 0
    tried_at: datetime | None = None
    status: int | None = None
    note: str | None = None

    @property
    def body(self) -> bytes:
        """What is sent, the same at every try."""
        at = self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return f'{{"type":"{self.type}","timestamp":"{at}","data":{self.data}}}'.encode()


@dataclass(frozen=True)
class Reply:
    """What the other side has said to one try."""

    status: int | None  #: None: nothing that could be understood
    retry_after: str = ""  #: the header
    problem: str = ""  #: why there was no status
    reason: str = ""  #: the same for those who run the machine, where others are not to know all of it


@dataclass(frozen=True)
class Verdict:
    """What becomes of a delivery after a try, and of its endpoint."""

    state: DeliveryState
    next_at: datetime | None = None
    status: int | None = None
    note: str | None = None
    rests_until: datetime | None = None  #: of the endpoint, at least; None: for all that this one says, it may be asked
    failures: int = 0  #: of the endpoint in a row, this one included
    disabled_because: str | None = None  #: of the endpoint


def judge(delivery: Delivery, reply: Reply, *, failures: int, now: datetime, dice: float) -> Verdict:
    """Say what follows from a reply.

    Args:
        failures: of the endpoint in a row, when this one was sent: what fails together counts once.
        dice: uniform in [0, 1).
    """
    status = reply.status
    if status is not None and 200 <= status < 300:
        return Verdict(DeliveryState.DELIVERED, status=status)
    note = _noted(reply)
    failed = partial(Verdict, status=status, failures=failures + 1)
    if status == _GONE:
        return failed(DeliveryState.FAILED, note=note, disabled_because="It answered 410: gone.")
    asked_for = _asked_for(reply.retry_after, now)
    rest = min(_LONGEST_REST, timedelta(seconds=2 ** min(failures, 10)))
    rests_until = max(now + rest, asked_for or now)
    next_at = max(now + _wait(delivery.tries + 1, dice), asked_for or now)
    if next_at > delivery.until:
        text = f"{note}; given up after {delivery.tries + 1} tries"
        return failed(DeliveryState.FAILED, note=text, rests_until=rests_until)
    return failed(DeliveryState.PENDING, next_at=next_at, note=note, rests_until=rests_until)


def _wait(tries: int, dice: float) -> timedelta:
    # Half of it is diced, so that what failed together does not come back together: 5 s, 20 s, 80 s, 5 min, 21 min, ...
    longest = min(_LONGEST_BACKOFF.total_seconds(), _FIRST_WAIT.total_seconds() * _WAIT_FACTOR ** min(tries - 1, 20))
    return timedelta(seconds=longest * (0.5 + dice / 2))


def _noted(reply: Reply) -> str:
    if reply.status is None:
        return reply.problem[:_NOTE_CHARACTERS]
    if 300 <= reply.status < 400:
        return f"It answered {reply.status}: redirects are not followed"
    return f"It answered {reply.status}"


def _asked_for(text: str, now: datetime) -> datetime | None:
    """The moment that a Retry-After names (RFC 9110, 10.2.3): seconds, or a date."""
    text = text.strip()
    latest = now + LONGEST_WAIT
    if text.isascii() and text.isdigit():
        return min(latest, now + timedelta(seconds=min(int(text[:12]), LONGEST_WAIT.total_seconds())))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return min(latest, max(now, moment))


# --- signing


def new_secret(random_bytes: bytes) -> str:
    """A secret, as receivers configure it."""
    return SECRET_PREFIX + base64.b64encode(random_bytes).decode()


def headers_of(delivery: Delivery, secrets: Sequence[str], *, now: datetime) -> dict[str, str]:
    """The headers of one try: its time and its signatures are its own, its id is not."""
    timestamp = str(int(now.timestamp()))
    signed = f"{delivery.message_id}.{timestamp}.".encode() + delivery.body
    return {
        "content-type": "application/json",
        "user-agent": "pitchey",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


# --- what is wanted


def types_named(texts: Collection[str]) -> tuple[str, ...]:
    """Types by their names, or by families as `job.*`, in the order of TYPES.

    Raises:
        UsageError: there is none of that name.
    """
    wanted: set[str] = set()
    for text in texts:
        found = [each for each in TYPES if each == text or (text.endswith(".*") and each.startswith(text[:-1]))]
        if not found:
            raise UsageError(f"There is no type of message {text!r}.", hint=f"There are {', '.join(TYPES)}; job.*.")
        wanted.update(found)
    return tuple(each for each in TYPES if each in wanted)


def may_be_told(address: Address, *, allow_private: bool) -> bool:
    """Whether messages may go to an address; to services of clouds that hand out credentials they never may."""
    return is_public(address) or (allow_private and not is_forbidden(address))
