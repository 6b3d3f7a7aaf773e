"""What a cell of a CSV manifest says, where its field holds several values: JSON, or what the field's option takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from pitchey_cli.domain.errors import UsageError
from processors.specs import SPECS
from processors.specs.base import Part
from processors.vocabulary import Service

Form = Callable[[str, str], Any]  #: what one value of an option comes to; given what it is called as well

_BEGINNINGS: Mapping[type, str] = {list: "[", dict: "{"}
_EXAMPLES: Mapping[type, str] = {list: "[1, 2]", dict: '{"name": "value"}'}


def read(service: Service, column: str, text: str, forms: Mapping[str, Form]) -> Any:
    """The value of a cell. A field that holds one value takes the text as it is, and so does a list as `1,2.5`.

    Args:
        column: a field, or as `a.b` a field of a part.
        forms: by field, of options that take another form.

    Raises:
        UsageError: it is neither JSON of the right kind nor of the form that the option has.
    """
    field, kind = _place(SPECS[service], column)
    if kind is None:
        return text
    if text.startswith(_BEGINNINGS[kind]):
        return _from_json(text, kind)
    if field in forms:
        return forms[field](column, text)
    if kind is list:
        return text  # with commas, see specs.checked
    raise UsageError(f"{text!r} is no JSON object.", hint=f"It looks like {_EXAMPLES[kind]}.")


def _from_json(text: str, kind: type) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deep"
        hint = f'As {_EXAMPLES[kind]}; in CSV a cell with commas stands in "", and each " of its own is doubled.'
        raise UsageError(f"{text!r} is not JSON: {why}.", hint=hint) from None


def _place(model: type[Part], column: str) -> tuple[str, type | None]:
    """The path of the field, as `ladder.sizes`; and `list` or `dict`, where it is one. Empty where there is none."""
    first, dot, rest = column.partition(".")
    field = model.field_named(first)
    if not field or not dot:
        return field, _kind(model.model_fields[field].annotation) if field else None
    part = model.part_of(field)
    inner, kind = _place(part, rest) if part is not None else ("", None)
    return f"{field}.{inner}", kind


def _kind(annotation: Any) -> type | None:
    origin = get_origin(annotation)
    if origin in (list, dict):
        return list if origin is list else dict
    if isinstance(annotation, type):
        return dict if issubclass(annotation, BaseModel) else None
    inner = get_args(annotation)[:1] if origin is Annotated else get_args(annotation)
    return next((found for each in inner if (found := _kind(each)) is not None), None)
