"""Checks what a person or a program asks of a service, and says what is wrong in their words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pitchey_cli.domain.errors import UsageError
from processors.protocol import Service
from processors.specs import SPECS, Spec
from processors.specs.base import MASK, Part
from processors.specs.document import LANGUAGE_FORM, LANGUAGE_PATTERN, PAGES_FORM, PAGES_PATTERN
from processors.specs.video import RESOLUTION_FORM, RESOLUTION_PATTERN

P = TypeVar("P", bound=Part)


def spellings(model: type[Spec], name: str) -> set[str]:
    """How a field may be written: in snake_case and in camelCase; nothing where there is no such field."""
    return {name, model.model_fields[name].alias or name} if name else set()


def merged(model: type[Part], under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a spec with others that go before them, by their names in snake_case.

    Of a part, each of its fields goes before the one below.
    """
    found: dict[str, Any] = {}
    for fields in (under, over):
        for key, value in fields.items():
            name = model.field_named(key)
            part = model.part_of(name) if name else None
            if part is not None and isinstance(value, Mapping):
                below = found.get(name)
                value = merged(part, below if isinstance(below, Mapping) else {}, value)
            found[name or key] = value
    return found


def checked(service: Service, raw: Mapping[str, Any]) -> Spec:
    """Make a spec out of what was given; camelCase and snake_case are both taken, lists also as "1,2,3".

    Raises:
        UsageError: names the field, the value and what it takes.
    """
    return checked_as(SPECS[service], raw, f"A {service} spec")


def checked_as(model: type[P], raw: Mapping[str, Any], what: str) -> P:
    """The same for anything that is made of fields.

    Args:
        what: what it is, for a field that it does not have or that is missing.
    """
    try:
        return model.model_validate(_split(model, raw))
    except ValidationError as error:
        raise _explained(model, _most_telling(error.errors()), what) from error


def _most_telling(problems: Sequence[ErrorDetails]) -> ErrorDetails:
    """The first; where that is something missing, and something else is there that is unknown: what is misspelt."""
    if problems[0]["type"] != "missing":
        return problems[0]
    return next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])


def _shown(value: object) -> str:
    """A value in a sentence: of what somebody sends without end, the beginning."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


_MOST_SHOWN = 200  # characters


def _split(model: type[Part], raw: Mapping[str, Any]) -> dict[str, Any]:
    """With texts that are lists as lists, also those of the parts."""
    found: dict[str, Any] = {}
    for key, value in raw.items():
        name = model.field_named(key)
        part = model.part_of(name) if name else None
        if isinstance(value, str) and name and "list" in str(model.model_fields[name].annotation):
            value = [word for word in value.replace(",", " ").split() if word]
        elif part is not None and isinstance(value, Mapping):
            value = _split(part, value)
        found[key] = value
    return found


def _explained(model: type[Part], problem: ErrorDetails, what: str) -> UsageError:
    owner, where, what_it_is = _place(model, problem["loc"])
    kind, value = problem["type"], problem.get("input")
    if owner is not None and owner.is_secret(owner.field_named(where.rpartition(".")[2])):
        value = MASK
    if kind == "extra_forbidden":
        return _unknown(owner, where, what)
    if kind == "missing":
        hint = f"{where}: {what_it_is}" if what_it_is else f"It has {', '.join(_names(owner, where))}."
        return UsageError(f"{what} needs the field {where!r}.", hint=hint)
    if kind == "value_error":
        return UsageError(f"{problem['ctx']['error']}." if "ctx" in problem else problem["msg"], hint=what_it_is)
    if kind == "literal_error":
        every = problem["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return UsageError(f"{where} {_shown(value)} is not one of {', '.join(every)}.", hint=what_it_is)
    if kind in ("model_type", "model_attributes_type"):
        last = where.rpartition(".")[2].partition(" ")[0]  # without its number in a list
        field = owner.field_named(last) if owner is not None else ""
        part = owner.part_of(field) if owner is not None and field else None
        example = next(iter(_names(part, f"{where}.x")), f"{where}.x")
        return UsageError(
            f"{where} {_shown(value)} does not fit: it has fields of its own, as {example}.", hint=what_it_is
        )
    if kind == "string_pattern_mismatch" and (form := _FORMS.get(problem["ctx"]["pattern"])):
        return UsageError(f"{where} {_shown(value)} does not fit: it should be {form}.", hint=what_it_is)
    if kind == "string_pattern_mismatch":
        return UsageError(f"{where} {_shown(value)} has the wrong form.", hint=what_it_is)
    text = _IN_OUR_WORDS.get(kind) or _AFTER_ALL.sub("", _SUBJECT.sub("", problem["msg"]))
    return UsageError(f"{where} {_shown(value)} does not fit: it should {text}.", hint=what_it_is)


_SUBJECT = re.compile(r"^[A-Z]\w*( \w+)? should ")  # of the validator's sentences
#: what a text that has to fit a pattern looks like
_FORMS = {RESOLUTION_PATTERN: RESOLUTION_FORM, LANGUAGE_PATTERN: LANGUAGE_FORM, PAGES_PATTERN: PAGES_FORM}
_IN_OUR_WORDS = {
    "float_parsing": "be a number",
    "float_type": "be a number",
    "int_parsing": "be a whole number",
    "int_from_float": "be a whole number",
    "int_type": "be a whole number",
    "int_parsing_size": "be a smaller number",
    "bool_parsing": "be true or false",
    "bool_type": "be true or false",
    "string_type": "be a text",
    "dict_type": "be an object with fields",
    "list_type": "be a list",
}
_AFTER_ALL = re.compile(r" after validation, not \d+$")
_BRANCHES = frozenset({"str", "int", "float", "bool"})  # what the validator calls one of several types of a field


def _place(model: type[Part], loc: Sequence[str | int]) -> tuple[type[Part] | None, str, str]:
    """Where something is wrong: what has the field, the way there as JSON spells it, and what the field is for."""
    owner: type[Part] | None = model
    inner, what_it_is = owner, ""
    spelled: list[str] = []
    for each in loc:
        if isinstance(each, int) and spelled:  # of a list: people count from 1
            spelled[-1] += f" (number {each + 1})"
            continue
        text = str(each)
        if inner is None and spelled and text in _BRANCHES:
            continue
        owner = inner
        name = owner.field_named(text) if owner is not None else ""
        inner = owner.part_of(name) if owner is not None and name else None
        if owner is not None and name:
            field = owner.model_fields[name]
            text, what_it_is = field.alias or name, field.description or what_it_is
        spelled.append(text)
    return owner, ".".join(spelled), what_it_is


def _names(owner: type[Part] | None, where: str) -> list[str]:
    """The fields that there are where one is, as they would be written in its place."""
    above = where.rpartition(".")[0]
    fields = owner.model_fields.items() if owner is not None else ()
    return [f"{above}.{item.alias or name}" if above else item.alias or name for name, item in fields]


def _unknown(owner: type[Part] | None, where: str, what: str) -> UsageError:
    names = {name.rpartition(".")[2]: name for name in _names(owner, where)}
    near = difflib.get_close_matches(where.rpartition(".")[2], names, n=1, cutoff=0.5)
    hint = f"Did you mean {names[near[0]]!r}?" if near else f"It has {', '.join(names.values())}."
    return UsageError(f"{what} has no field {where!r}.", hint=hint)
