"""When and how jobs queue, in people's words; read into the settings of a job.

Times mean what they mean at the moment of submission: a schedule keeps the words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from pitchey_cli.domain.buckets import destination
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import PRIORITIES, Dependency, OnFailure, Priority
from pitchey_cli.domain.moments import later, span
from pitchey_cli.domain.nodes import wanted_from
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.operations.naming import name
from pitchey_cli.operations.submit import JobSettings
from pitchey_cli.store.port import Store
from processors.protocol import Service
from processors.specs import SPECS

#: every word, and what counts where it is not said
DEFAULTS: Mapping[str, Any] = {
    "priority": str(Priority.NORMAL),
    "batch": "",
    "organisation": DEFAULT_ORGANISATION,
    "key": "",
    "slots": 1,
    "run_at": None,
    "after": None,
    "if_failed": str(OnFailure.CANCEL),
    "deadline": None,
    "ttl": None,
    "off_peak": False,
    "spot_ok": False,
    "on": "",
    "max_attempts": None,
    "backoff": None,
    "timeout": None,
    "output": "",
    "no_cache": False,
    "explain_cache": False,
    "idempotency_key": None,
}


def split(service: Service, line: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tell the fields of a spec from the words of the queue, which are checked; a field goes before a word.

    Raises:
        UsageError: names the word that makes no sense.
    """
    own = {name for key, item in SPECS[service].model_fields.items() for name in (key, item.alias)}
    names = _SPELLINGS.keys() - own
    words = checked({_SPELLINGS[name]: value for name, value in line.items() if name in names})
    return {name: value for name, value in line.items() if name not in names}, words


def checked(words: Mapping[str, Any]) -> dict[str, Any]:
    """Words that did not come through the options of a command: each in the type that its option has.

    Raises:
        UsageError: names the word.
    """
    found: dict[str, Any] = {}
    for word, value in words.items():
        try:
            found[word] = _TYPES.get(word, str)(value)
        except _Unfit as error:
            raise UsageError(f"{word.replace('_', '-')} {value!r} does not fit.", hint=f"It is {error}.") from None
    return found


_NOT_OF_ONE_JOB = {"no_cache", "explain_cache"}  # of a submission as a whole
_SPELLINGS = {word: word for word in DEFAULTS if word not in _NOT_OF_ONE_JOB}
_SPELLINGS |= {word.replace("_", "-"): word for word in _SPELLINGS}


def settings(
    words: Mapping[str, Any], store: Store, defaults: JobSettings, *, ttl_seconds: float, now: datetime
) -> JobSettings:
    """Put what was said on top of what the service's settings say.

    Raises:
        UsageError: names the option that makes no sense.
        InputNotFound: there is no job to wait for.
    """
    given = {**DEFAULTS, **words}
    if given["idempotency_key"] == "":
        raise UsageError("--idempotency-key is empty.", hint="Is the variable set that it comes from?")
    local = now.astimezone()
    deadline = later(given["deadline"], now=local, what="--deadline") if given["deadline"] else None
    if deadline is not None and deadline <= now:
        raise UsageError(f"--deadline: {given['deadline']!r} has passed.", hint="Say a later one, as 2h or tomorrow.")
    ttl = span(given["ttl"], what="--ttl") if given["ttl"] else timedelta(seconds=ttl_seconds) if ttl_seconds else None
    waits_until = [deadline] if deadline is not None else []
    run_at = later(given["run_at"], now=local, what="--run-at") if given["run_at"] else None
    if ttl is not None:
        waits_until.append((run_at or now) + ttl)
    if run_at is not None and waits_until and min(waits_until) <= run_at:
        hint = "Say an earlier --run-at, or a later --deadline or a longer --ttl."
        raise UsageError("--run-at is after --deadline: the jobs could never start.", hint=hint)
    timeout = span(given["timeout"], what="--timeout").total_seconds() if given["timeout"] else defaults.timeout_seconds
    if timeout <= 0:
        raise UsageError(f"--timeout: in {given['timeout']!r} nothing is done.", hint="30s, 20m, 2h.")
    return JobSettings(
        max_attempts=given["max_attempts"] or defaults.max_attempts,
        timeout_seconds=timeout,
        backoff_seconds=span(given["backoff"], what="--backoff").total_seconds() if given["backoff"] else None,
        priority=_priority(given["priority"]),
        is_foreground=defaults.is_foreground,
        organisation=name(given["organisation"], "--organisation") or DEFAULT_ORGANISATION,
        batch=name(given["batch"], "--batch"),
        key=name(given["key"], "--key"),
        slots=given["slots"],
        run_at=run_at,
        after=tuple(Dependency(resolve(store, text), on_failure(given["if_failed"])) for text in given["after"] or ()),
        deadline=deadline,
        expires_at=min(waits_until) if waits_until else None,
        ttl_seconds=None if ttl is None else ttl.total_seconds(),
        is_off_peak=given["off_peak"],
        is_spot_ok=given["spot_ok"] or defaults.is_foreground,  # whoever waits for it sees when it is taken away
        on_node=_wanted(given["on"]),
        output=_output(given["output"]),
        idempotency_key=given["idempotency_key"],
    )


def labels(words: Mapping[str, Any]) -> str:
    """What a job asks of its node; empty: nothing."""
    return _wanted(words.get("on") or "")


def _wanted(text: str) -> str:
    try:
        return wanted_from(text)
    except UsageError as error:
        raise UsageError(f"--on: {error}", hint=error.hint) from error


def _output(text: str) -> str:
    if text:
        destination(text)  # refuses what is none
    return text


class _Unfit(ValueError):
    """A word's value is none. Its text says what one is."""


def _several(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else str(value).split()


def _yes_or_no(value: Any) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in known:
        raise _Unfit("true or false")
    return known[str(value).lower()]


def _from(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        with suppress(ValueError, TypeError, OverflowError):
            if least <= (number := int(value)) <= most:
                return number
        raise _Unfit(f"a number from {least} to {most}")

    return read


_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "slots": _from(1, 64),
    "max_attempts": _from(1, 100),
    "after": _several,
    "off_peak": _yes_or_no,
    "spot_ok": _yes_or_no,
}


def _priority(text: str) -> int:
    names: dict[str, int] = {str(name): number for name, number in PRIORITIES.items()}
    if text in names:
        return names[text]
    if text in "12345" and len(text) == 1:
        return int(text)
    raise UsageError(f"There is no priority {text!r}.", hint="low, normal, high, urgent, or a number from 1 to 5.")


def on_failure(text: str) -> OnFailure:
    """What is to become of a job when one that it waits for does not succeed."""
    try:
        return OnFailure(text)
    except ValueError:
        raise UsageError(f"--if-failed: there is no {text!r}.", hint=f"There are {', '.join(OnFailure)}.") from None
