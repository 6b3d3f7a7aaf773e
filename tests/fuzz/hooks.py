"""What schemathesis has to know of this API beyond its description. It loads this by its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response
from schemathesis.specs.openapi.checks import negative_data_rejection

from pitchey_cli.api.problems import MEDIA_TYPE

_NOTES = os.environ.get("PITCHEY_FUZZ_NOTES", "")
_KEPT = frozenset(os.environ.get("PITCHEY_FUZZ_KEEPS", "").split())
_asked: set[str] = set()


def _note(operation: str) -> None:
    """Write down each operation that is asked, once: schemathesis calls it a success to have had no time for most."""
    if _NOTES and operation not in _asked:
        _asked.add(operation)
        with Path(_NOTES).open("a") as file:
            file.write(f"{operation}\n")


@schemathesis.check
def wrong_data_is_refused(ctx: CheckContext, response: Response, case: Case[Any]) -> bool | None:
    """As schemathesis has it, to which a list of a million words is wrong, and 413 no answer to it."""
    return None if response.status_code == 413 else negative_data_rejection(ctx, response, case)


@schemathesis.check
def refusals_say_the_way_out(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Whoever is refused is told why, and what to do next."""
    del ctx, case
    if MEDIA_TYPE in "".join(response.headers.get("content-type", [])) and response.content:  # HEAD has none
        said = response.json()
        assert said["hint"], f"There is no way out: {said['detail']}"


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out what would take away what all requests need: their token, and the node that answers.

    It learns ids from answers, and tries them.
    """
    del context
    return case.method != "DELETE" or _KEPT.isdisjoint(map(str, (case.path_parameters or {}).values()))


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Note what is asked; and follow no log, which has no end."""
    del context, kwargs
    _note(case.operation.label)
    if case.path.endswith("/logs") and isinstance(case.query, dict):
        case.query.pop("follow", None)
