"""Checks what a person or a program asks of a service, and says what is wrong in their words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pitchey_cli.domain.errors import UsageError
from processors.protocol import Service
from processors.specs import SPECS, Spec


def service_named(name: str) -> Service:
    """The service of this name.

    Raises:
        UsageError: offers the nearest one.
    """
    try:
        return Service(name)
    except ValueError:
        near = difflib.get_close_matches(name, [str(service) for service in Service], n=1)
        raise UsageError(
            f"There is no service {name!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"There are {', '.join(Service)}.",
        ) from None


def spellings(model: type[Spec], name: str) -> set[str]:
    """How a field may be written: in snake_case and in camelCase; nothing where there is no such field."""
    return {name, model.model_fields[name].alias or name} if name else set()


def checked(service: Service, raw: Mapping[str, Any]) -> Spec:
    """Make a spec out of what was given; camelCase and snake_case are both taken, lists also as "1,2,3".

    Raises:
        UsageError: names the field, the value and what it takes.
    """
    model = SPECS[service]
    given = {key: _split(model, key, value) for key, value in raw.items()}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _explained(service, model, error.errors()[0]) from error


def _split(model: type[Spec], key: str, value: Any) -> Any:
    for name, field in model.model_fields.items():
        if key in (name, field.alias) and isinstance(value, str) and "list" in str(field.annotation):
            return [part for part in value.replace(",", " ").split() if part]
    return value


def _explained(service: Service, model: type[Spec], problem: ErrorDetails) -> UsageError:
    first, *rest = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
    field = next((item for name, item in model.model_fields.items() if first in (name, item.alias)), None)
    where = ".".join([field.alias or first if field else first, *rest])
    what_it_is = (field.description if field else None) or ""
    kind, value = problem["type"], problem.get("input")
    names = [item.alias or name for name, item in model.model_fields.items()]
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(where, names, n=1, cutoff=0.5)
        return UsageError(
            f"A {service} spec has no field {where!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(names)}.",
        )
    if kind == "missing":
        hint = f"{where}: {what_it_is}" if what_it_is else f"It has {', '.join(names)}."
        return UsageError(f"A {service} spec needs the field {where!r}.", hint=hint)
    if kind == "value_error":
        return UsageError(f"{problem['ctx']['error']}." if "ctx" in problem else problem["msg"])
    if kind == "literal_error":
        every = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return UsageError(f"{where} {value!r} is not one of {', '.join(every)}.")
    if kind in ("model_type", "model_attributes_type"):
        return UsageError(f"{where} {value!r} does not fit: it has fields of its own, as {where}.x=1.", hint=what_it_is)
    if kind == "string_pattern_mismatch":
        return UsageError(f"{where} {value!r} has the wrong form.", hint=what_it_is)
    text = problem["msg"].removeprefix("Input ").removeprefix("should ").lower()
    return UsageError(f"{where} {value!r} does not fit: it should {text}.", hint=what_it_is)
