"""The options that `run` and `submit` share: one per field of the service's spec, made from the spec itself.

So a field that a spec gains is an option at once, with the spec's own description and its own checks.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from pydantic import BaseModel

from pitchey_cli.cli import queue_options
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.requests import Request
from processors.protocol import SPECS, Service, Spec

ManifestOption = Annotated[
    Path | None,
    typer.Option(
        "--manifest", help="Take jobs from a file, JSON Lines or CSV; what is said here goes before it.", metavar="FILE"
    ),
]
_FIELD_PREFIX = "field_"  # keeps a spec's field apart from an option of ours with the same name


def service_command(
    service: Service, body: Callable[..., None], *, doc: str, without: Collection[str] = ()
) -> Callable[..., None]:
    """Make a command for one service: INPUTS, an option per field, and the options that `body` has beside `asked`.

    Args:
        without: options of the queue that make no sense there.
    """
    own = [
        parameter for name, parameter in inspect.signature(body, eval_str=True).parameters.items() if name != "asked"
    ]

    def command(**given: Any) -> None:
        fields = {
            key.removeprefix(_FIELD_PREFIX): value
            for key, value in given.items()
            if key.startswith(_FIELD_PREFIX) and value is not None
        }
        fields |= _assignments(given.pop("assign"))
        asked = Request(service, tuple(given.pop("inputs") or ()), fields, queue_options.taken_from(given))
        body(asked, **{key: value for key, value in given.items() if not key.startswith(_FIELD_PREFIX)})

    parameters = [*_shared(), *_per_field(SPECS[service]), *queue_options.parameters(without), *own]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = doc
    return command


def _shared() -> Iterable[inspect.Parameter]:
    inputs = typer.Argument(metavar="INPUT...", help="Files, folders, patterns or URLs; - reads specs as JSON.")
    assign = typer.Option("--set", metavar="FIELD=VALUE", help="Set a field of the spec; a.b reaches into one.")
    yield _parameter("inputs", Annotated[list[str] | None, inputs], None)
    yield _parameter("assign", Annotated[list[str] | None, assign], None)


def _per_field(model: type[Spec]) -> Iterable[inspect.Parameter]:
    for name, field in model.model_fields.items():
        is_nested = any(
            isinstance(t, type) and issubclass(t, BaseModel) for t in (field.annotation, *get_args(field.annotation))
        )
        if name in model.input_fields[:1] or is_nested:
            continue
        flag = "--" + name.replace("_", "-")
        if field.annotation is bool:
            option = typer.Option(f"{flag}/--no-{flag[2:]}", help=field.description)
            yield _parameter(_FIELD_PREFIX + name, Annotated[bool | None, option], None)
        else:
            option = typer.Option(flag, help=field.description, metavar=name.upper())
            yield _parameter(_FIELD_PREFIX + name, Annotated[str | None, option], None)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _assignments(texts: list[str] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for text in texts or ():
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise UsageError(f"--set {text!r} is not FIELD=VALUE.")
        *parents, last = path.split(".")
        place = fields
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = _value(value)
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
