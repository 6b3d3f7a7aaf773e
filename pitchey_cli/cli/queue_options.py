"""The options of `run`, `submit` and `schedule add` that say when and how jobs queue, whatever their service."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable
from typing import Annotated, Any

import typer

from pitchey_cli.operations import queueing

_OPTIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "priority": (str, {"help": "low, normal, high, urgent, or 1 to 5."}),
    "batch": (str, {"help": "Name of the batch they belong to.", "metavar": "NAME"}),
    "organisation": (str, {"help": "For whom: turns are shared fairly.", "metavar": "NAME"}),
    "key": (str, {"help": "Jobs of one key run one at a time, or as queue.keys says.", "metavar": "NAME"}),
    "slots": (int, {"help": "Slots of an instance that each takes.", "min": 1, "max": 64}),
    "run_at": (str | None, {"help": "Not before: in 20 min, 02:00, tomorrow 02:00.", "metavar": "TIME"}),
    "after": (list[str] | None, {"help": "Not before this job has succeeded; repeatable.", "metavar": "JOB"}),
    "if_failed": (str, {"help": "When that job fails: cancel, run, or hold.", "metavar": "WHAT"}),
    "deadline": (str | None, {"help": "Of no use after: 2h, tomorrow 08:00.", "metavar": "TIME"}),
    "ttl": (str | None, {"help": "Give up if not started within: 30m.", "metavar": "SPAN"}),
    "off_peak": (bool, {"help": "In off-peak hours; with --deadline at the cheapest time that meets it."}),
    "spot_ok": (bool, {"help": "Also on a node that may be taken away; what `run` waits for always may."}),
    "on": (str, {"help": "Only on a node with these labels: region=eu,gpu.", "metavar": "LABELS"}),
    "max_attempts": (int | None, {"help": "Attempts before it is a dead letter.", "min": 1, "max": 100}),
    "backoff": (str | None, {"help": "Longest wait before the first retry: 30s.", "metavar": "SPAN"}),
    "timeout": (str | None, {"help": "Longest run of an attempt: 10m.", "metavar": "SPAN"}),
    "output": (str, {"help": "Where the outputs go: s3://bucket/{job}/.", "metavar": "URL"}),
    "no_cache": (bool, {"help": "Do the work again, also if its result is there."}),
    "explain_cache": (bool, {"help": "Say for each job whether an earlier result serves, and why."}),
    "idempotency_key": (str | None, {"help": "The same key gives the same job again.", "metavar": "KEY"}),
}


def parameters(without: Collection[str] = ()) -> Iterable[inspect.Parameter]:
    """The options, for a command's signature."""
    for name, (type_, words) in _OPTIONS.items():
        if name not in without:
            option = typer.Option(f"--{name.replace('_', '-')}", rich_help_panel="Queue", **words)
            annotation: Any = Annotated[type_, option]  # typer reads it
            default = queueing.DEFAULTS[name]
            yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def taken_from(given: dict[str, Any], without: Collection[str] = ()) -> dict[str, Any]:
    """Take what belongs here out of a command's arguments; what was not said is left out."""
    words = {name: given.pop(name) for name in _OPTIONS if name in given and name not in without}
    return {name: value for name, value in words.items() if value != queueing.DEFAULTS[name]}
