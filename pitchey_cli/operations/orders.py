"""Jobs that are ordered over a network: what a program sends is checked as what a person types is, with one difference.

Nothing in an order may name a file of this machine. An input is a URL, which is fetched later and looked at then, or a
file that came with the order, which is called `upload:NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.buckets import SCHEME
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.operations import inline, naming, queueing, requests, submit
from pitchey_cli.operations.drafts import Draft, Locate, drafted, named_apart
from pitchey_cli.operations.requests import Submitting
from pitchey_cli.operations.schedules import NOT_RECURRING
from pitchey_cli.operations.sources import Source, elsewhere
from pitchey_cli.operations.specs import spellings
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass
from processors.specs import SPECS
from processors.vocabulary import Service

UPLOAD = "upload:"
MAIN = "input"  #: the file of this name is what a job works on that names no other
_NAME_BYTES = 255


@dataclass(frozen=True)
class Upload:
    """A file that came with an order."""

    path: Path  #: where it lies until it is staged
    file_name: str  #: what the sender calls it


@dataclass(frozen=True)
class Order:
    """One job that somebody asks for."""

    service: Service
    spec: Mapping[str, Any]
    name: str = ""
    queueing: Mapping[str, Any] = field(default_factory=dict)  #: words over queueing.DEFAULTS
    no_cache: bool = False


def drafts(orders: Sequence[Order], uploads: Mapping[str, Upload]) -> list[Draft]:
    """Check every order, before anything is staged.

    Raises:
        UsageError, InputNotFound, InputRejected, Denied: names the job, where there are several.
    """
    used: set[str] = set()
    locate = locator(uploads, used)
    found: list[Draft] = []
    for number, order in enumerate(orders, start=1):
        where = f"jobs, item {number}" if len(orders) > 1 else ""
        try:
            found.append(replace(_draft(order, uploads, locate), where=where))
        except (UsageError, InputNotFound, InputRejected, Denied) as error:
            if not where:
                raise
            raise type(error)(f"{where}: {error}", hint=error.hint) from error
    refuse_unused(uploads, used)
    return named_apart(found) if len(found) > 1 else found


def locator(uploads: Mapping[str, Upload], used: set[str]) -> Locate:
    """What finds the inputs of orders: URLs, and the files that came with them.

    Args:
        used: gets the names of the files that are found.
    """

    def locate(location: str, called: str = "") -> Source:
        return _located(location, called, uploads, used)

    return locate


def refuse_unused(uploads: Mapping[str, Upload], used: set[str]) -> None:
    """Refuse files that were sent for nothing: somebody has misspelt a name."""
    if unused := uploads.keys() - used:
        hint = f"Name it in a spec: {UPLOAD}{min(unused)}."
        raise UsageError(f"The file {min(unused)!r} was sent, and no job names it.", hint=hint)


def _draft(order: Order, uploads: Mapping[str, Upload], locate: Locate) -> Draft:
    model, spec = SPECS[order.service], inline.placed(order.service, order.spec, _names_file)
    first = next(iter(model.input_fields), "")
    if MAIN in uploads and first and not spellings(model, first) & spec.keys():
        spec[first] = f"{UPLOAD}{MAIN}"
    words = queueing.checked({word: value for word, value in order.queueing.items() if value is not None})
    draft = drafted(order.service, spec, None, locate=locate)
    if order.name:
        draft = replace(draft, name=naming.name(order.name, "name"))
    return replace(draft, queueing=words, is_alone=True)


def _names_file(service: Service, text: str) -> bool:
    """Whether a text that a model might work on is a URL, or a file that came with the order."""
    del service
    return text.startswith((UPLOAD, "http://", "https://", SCHEME)) and not any(letter.isspace() for letter in text)


def _located(location: str, called: str, uploads: Mapping[str, Upload], used: set[str]) -> Source:
    if (source := elsewhere(location)) is not None:
        return replace(source, called=called)
    if not location.startswith(UPLOAD):
        hint = f"Name a URL, or send the file along as a part and name it: {UPLOAD}NAME."
        raise UsageError(f"{location[:200]!r} would be a file of the machine that serves this.", hint=hint)
    name = location.removeprefix(UPLOAD)
    if name not in uploads:
        sent = f"There are {', '.join(sorted(uploads))}." if uploads else "No file was sent."
        raise UsageError(f"There is no upload {name[:200]!r}.", hint=sent)
    used.add(name)
    upload = uploads[name]
    return Source(str(upload.path), Path(upload.file_name).stem, called=called or upload.file_name, is_sent=True)


def file_name(text: str, what: str) -> str:
    """The name of a file that somebody sends: one name, and no way to anywhere.

    Raises:
        InputRejected: it is more than that.
    """
    is_way = "/" in text or "\\" in text or text in ("", ".", "..")
    if is_way or not text.isprintable() or len(text.encode("utf-8", "surrogatepass")) > _NAME_BYTES:
        hint = f"A plain name of at most {_NAME_BYTES} bytes: no folders, no control characters."
        raise InputRejected(f"The {what} {text[:80]!r} is no name of a file.", hint=hint)
    return text


def recurring(order: Order, inputs: Sequence[str] = ()) -> requests.Request:
    """What a schedule is to submit.

    Args:
        inputs: of each of its jobs; none: there is one job, and its spec says it.

    Raises:
        UsageError: it would be a file of this machine, or one that was sent once.
    """
    model, spec = SPECS[order.service], dict(order.spec)
    first = next(iter(model.input_fields), "")
    names = spellings(model, first) & spec.keys()
    if inputs and (names or not first):
        text = "There are inputs, and the spec has one of its own." if names else "Jobs of this service have no inputs."
        raise UsageError(text, hint="Leave one of them out.")
    # refuses what is no URL
    drafts([replace(order, spec={**spec, first: each}) for each in inputs] or [order], {})
    inputs = tuple(inputs) or tuple(str(spec.pop(name)) for name in sorted(names))
    words = queueing.checked({word: value for word, value in order.queueing.items() if value is not None})
    if wrong := next((word for word in words if word in NOT_RECURRING), None):
        text = f"{wrong.replace('_', '-')} is of one submission, and not of one that recurs."
        raise UsageError(text, hint="Leave it out.")
    return requests.Request(order.service, tuple(inputs), spec, {**words, "no_cache": order.no_cache})


def stage(
    submitting: Submitting,
    orders: Sequence[Order],
    checked: Sequence[Draft],
    *,
    now: datetime,
) -> list[NewJob]:
    """Take the inputs in, and look up what has been done already; the jobs in the order of the orders."""
    staged: dict[int, NewJob] = {}
    for service, no_cache in dict.fromkeys((order.service, order.no_cache) for order in orders):
        places = [n for n, each in enumerate(orders) if (each.service, each.no_cache) == (service, no_cache)]
        words = {"no_cache": no_cache}
        found = requests.stage(submitting, service, [checked[n] for n in places], words, now=now)
        staged.update((n, each.job) for n, each in zip(places, found, strict=True))
    return [staged[n] for n in range(len(orders))]


def with_key(orders: Sequence[Order], key: str | None) -> list[Order]:
    """Orders of one request that has an idempotency key: several have their numbers behind it.

    Raises:
        UsageError: it is empty, or a job has a key of its own.
    """
    if key is None:
        return list(orders)
    if not key or len(key) > 255 or not key.isprintable():
        raise UsageError("Idempotency-Key has 1 to 255 printable characters.", hint="A UUID, for instance.")
    if any(each.queueing.get("idempotency_key") for each in orders):
        raise UsageError("There is an Idempotency-Key, and a job has one of its own.", hint="Leave one of them out.")
    keys = [key] if len(orders) == 1 else [f"{key}:{number}" for number in range(1, len(orders) + 1)]
    return [
        replace(each, queueing={**each.queueing, "idempotency_key": own})
        for each, own in zip(orders, keys, strict=True)
    ]


@dataclass(frozen=True)
class Placed:
    """Orders that are in the queue."""

    ids: list[JobId]
    is_replay: bool  #: all of them were there already, by their keys


def place(
    store: Store, artifacts: Artifacts, jobs: Sequence[NewJob], *, key: str | None = None, now: datetime
) -> Placed:
    """Queue staged jobs, all or none.

    Args:
        key: of the request; it has no more and no fewer jobs than one of that key before it.

    Raises:
        UsageError: the key belongs to another request.
    """
    with store.transaction():
        ids = submit.submit(store, jobs, now=now, artifacts=artifacts)
        are_known = [job.id != job_id for job, job_id in zip(jobs, ids, strict=True)]
        if key is not None and (any(are_known) is not all(are_known) or _has_other_jobs(store, key, jobs)):
            text = (
                f"The idempotency key {key!r} belongs to a request with more jobs or fewer, or some of its jobs have"
                " been removed."
            )
            raise UsageError(text, hint="Use another key for another request.")
    return Placed(ids, all(are_known))


def _has_other_jobs(store: Store, key: str, jobs: Sequence[NewJob]) -> bool:
    """Whether there are jobs of a request with this key that are not among these: `with_key` numbers several."""
    others = [f"{key}:1"] if len(jobs) == 1 else [key, f"{key}:{len(jobs) + 1}"]
    return any(store.keyed_job(each, jobs[0].organisation) is not None for each in others)
