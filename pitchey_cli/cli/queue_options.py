"""The options of `run` and `submit` that say when and how jobs queue, whatever their service."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import PRIORITIES, Dependency, OnFailure, Priority
from pitchey_cli.domain.moments import later, span
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.operations.submit import JobSettings
from pitchey_cli.store.port import Store

_OPTIONS: dict[str, tuple[Any, Any, Any]] = {
    "priority": (str, str(Priority.NORMAL), {"help": "low, normal, high, urgent, or 1 to 5."}),
    "batch": (str, "", {"help": "Name of the batch they belong to.", "metavar": "NAME"}),
    "organisation": (str, "default", {"help": "For whom: turns are shared fairly.", "metavar": "NAME"}),
    "key": (str, "", {"help": "Jobs of one key run one at a time, or as queue.keys says.", "metavar": "NAME"}),
    "slots": (int, 1, {"help": "Slots of an instance that each takes.", "min": 1, "max": 64}),
    "run_at": (str | None, None, {"help": "Not before: in 20 min, 02:00, tomorrow 02:00.", "metavar": "TIME"}),
    "after": (list[str] | None, None, {"help": "Not before this job has succeeded; repeatable.", "metavar": "JOB"}),
    "if_failed": (str, "cancel", {"help": "When that job fails: cancel, run, or hold.", "metavar": "WHAT"}),
    "deadline": (str | None, None, {"help": "Of no use after: 2h, tomorrow 08:00.", "metavar": "TIME"}),
    "ttl": (str | None, None, {"help": "Give up if not started within: 30m.", "metavar": "SPAN"}),
    "off_peak": (bool, False, {"help": "Only in the hours of queue.off_peak."}),
    "max_attempts": (int | None, None, {"help": "Attempts before it is a dead letter.", "min": 1, "max": 100}),
    "backoff": (str | None, None, {"help": "Longest wait before the first retry: 30s.", "metavar": "SPAN"}),
    "timeout": (str | None, None, {"help": "Longest run of an attempt: 10m.", "metavar": "SPAN"}),
    "no_cache": (bool, False, {"help": "Do the work again, also if its result is there."}),
    "explain_cache": (bool, False, {"help": "Say for each job whether an earlier result serves, and why."}),
    "idempotency_key": (str | None, None, {"help": "The same key gives the same job again.", "metavar": "KEY"}),
}


@dataclass(frozen=True, slots=True)
class Queueing:
    """What was asked for, as given."""

    given: dict[str, Any]

    def settings(self, store: Store, defaults: JobSettings, *, ttl_seconds: float, now: datetime) -> JobSettings:
        """Put it on top of what the service's settings say.

        Raises:
            UsageError: names the option that makes no sense.
            InputNotFound: there is no job to wait for.
        """
        given = self.given
        if given["idempotency_key"] == "":
            raise UsageError("--idempotency-key is empty.", hint="Is the variable set that it comes from?")
        local = now.astimezone()
        deadline = later(given["deadline"], now=local, what="--deadline") if given["deadline"] else None
        if deadline is not None and deadline <= now:
            raise UsageError(f"--deadline: {given['deadline']!r} has passed.")
        ttl = span(given["ttl"], what="--ttl") if given["ttl"] else None
        waits_until = [deadline] if deadline is not None else []
        run_at = later(given["run_at"], now=local, what="--run-at") if given["run_at"] else None
        if ttl is not None:
            waits_until.append((run_at or now) + ttl)
        elif ttl_seconds:
            waits_until.append((run_at or now) + span(f"{ttl_seconds:.0f}s", what="ttl_seconds"))
        if run_at is not None and waits_until and min(waits_until) <= run_at:
            raise UsageError("--run-at is after --deadline: the jobs could never start.")
        return JobSettings(
            max_attempts=given["max_attempts"] or defaults.max_attempts,
            timeout_seconds=span(given["timeout"], what="--timeout").total_seconds()
            if given["timeout"]
            else defaults.timeout_seconds,
            backoff_seconds=span(given["backoff"], what="--backoff").total_seconds() if given["backoff"] else None,
            priority=_priority(given["priority"]),
            is_foreground=defaults.is_foreground,
            organisation=_name(given["organisation"], "--organisation") or "default",
            batch=_name(given["batch"], "--batch"),
            key=_name(given["key"], "--key"),
            slots=given["slots"],
            run_at=run_at,
            after=tuple(
                Dependency(resolve(store, text), _on_failure(given["if_failed"])) for text in given["after"] or ()
            ),
            deadline=deadline,
            expires_at=min(waits_until) if waits_until else None,
            is_off_peak=given["off_peak"],
            idempotency_key=given["idempotency_key"],
        )


def parameters() -> Iterable[inspect.Parameter]:
    """The options, for a command's signature."""
    for name, (type_, default, words) in _OPTIONS.items():
        flag = f"--{name.replace('_', '-')}"
        annotation: Any = Annotated[type_, typer.Option(flag, **words)]  # typer reads it
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def taken_from(given: dict[str, Any]) -> Queueing:
    """Take what belongs here out of a command's arguments."""
    return Queueing({name: given.pop(name) for name in _OPTIONS})


def _priority(text: str) -> int:
    names: dict[str, int] = {str(name): number for name, number in PRIORITIES.items()}
    if text in names:
        return names[text]
    if text in "12345" and len(text) == 1:
        return int(text)
    raise UsageError(f"There is no priority {text!r}.", hint="low, normal, high, urgent, or a number from 1 to 5.")


def _on_failure(text: str) -> OnFailure:
    try:
        return OnFailure(text)
    except ValueError:
        raise UsageError(f"--if-failed: there is no {text!r}.", hint=f"There are {', '.join(OnFailure)}.") from None


def _name(text: str, option: str) -> str:
    """A name goes into tables and reports: of one line, and not without end."""
    if len(text) > 100 or not text.isprintable():
        raise UsageError(f"{option}: {text[:40]!r} is no name.", hint="Up to 100 printable characters.")
    return text
