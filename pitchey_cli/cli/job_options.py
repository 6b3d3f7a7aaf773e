"""The options that `run` and `submit` share: one per field of the service's spec, made from the spec itself.

So a field that a spec gains is an option at once, with the spec's own description and its own checks.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer
from pydantic import BaseModel
from typer.core import TyperCommand, TyperOption

from pitchey_cli.cli import queue_options
from pitchey_cli.cli.field_options import AFTER_DASHES, option_of
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.requests import Request
from processors.protocol import Service
from processors.specs import SPECS

if TYPE_CHECKING:
    from typer._click.core import Context, Parameter

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
        without: options that make no sense there, of the queue or of `body`.
    """
    parameters_of_body = inspect.signature(body, eval_str=True).parameters
    own = [each for name, each in parameters_of_body.items() if name != "asked" and name not in without]

    def command(**given: Any) -> None:
        fields = _fields(service, given) | _assignments(given.pop("assign"))
        inputs, attached = tuple(given.pop("inputs") or ()), tuple(given.pop("attached", None) or ())
        asked = Request(service, inputs, fields, queue_options.taken_from(given), attached)
        body(asked, **{key: value for key, value in given.items() if not key.startswith(_FIELD_PREFIX)})

    # Where a spec has a field of the same name, that is what the option means.
    without = {*without, *SPECS[service].model_fields}
    parameters = [*_shared(service), *_per_field(service), *queue_options.parameters(without), *own]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = doc
    return command


def command_class(service: Service) -> type[TyperCommand]:
    """The class of a service's command: it takes each field of the spec once.

    Where the spec has a field for that, what comes after `--` goes there.
    """
    field = AFTER_DASHES.get(service)
    option = None if field is None else option_of(service, field)
    flag = "" if option is None else option.flags[0]

    class ServiceCommand(TyperCommand):
        def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
            before, after = args, []
            if flag and "--" in args:
                place = args.index("--")
                before, after = args[:place], args[place + 1 :]
            given = [*before, *(f"{flag}={text}" for text in after)]
            if not ctx.resilient_parsing:  # completion: the line is not whole yet
                _refuse_repeated(self.make_parser(ctx).parse_args(list(given))[2])
            return super().parse_args(ctx, given)

    return ServiceCommand


def _refuse_repeated(order: Sequence[Parameter]) -> None:
    """Of an option that has one value the last would win, and nobody would be told of the others.

    A switch may be said again: with a command's usual options in an alias, the last word of it counts.
    """
    for option in dict.fromkeys(order):
        if not isinstance(option, TyperOption) or not (option.name or "").startswith(_FIELD_PREFIX):
            continue
        if (times := order.count(option)) > 1 and not option.multiple and not option.is_flag:
            raise UsageError(
                f"{' or '.join(option.opts)} is given {times} times, and a job has one.",
                hint="Jobs that differ are commands of their own, or lines of a --manifest.",
            )


def _fields(service: Service, given: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, value in given.items():
        if not key.startswith(_FIELD_PREFIX) or value is None or value == []:
            continue
        name = key.removeprefix(_FIELD_PREFIX)
        option = option_of(service, name)
        fields[name] = option.gather(option.flags[0], value) if option is not None and option.gather else value
    return fields


def _shared(service: Service) -> Iterable[inspect.Parameter]:
    inputs = typer.Argument(metavar="INPUT...", help="Files, folders, patterns or URLs; - reads specs as JSON.")
    assign = typer.Option("--set", metavar="FIELD=VALUE", help="Set a field of the spec; a.b reaches into one.")
    yield _parameter("inputs", Annotated[list[str] | None, inputs], None)
    yield _parameter("assign", Annotated[list[str] | None, assign], None)
    if SPECS[service].attached_field:
        attached = typer.Option("--file", metavar="PATH", help="Put a file or a folder beside the input; repeatable.")
        yield _parameter("attached", Annotated[list[str] | None, attached], None)


def _per_field(service: Service) -> Iterable[inspect.Parameter]:
    model = SPECS[service]
    for name, field in model.model_fields.items():
        is_nested = any(
            isinstance(t, type) and issubclass(t, BaseModel) for t in (field.annotation, *get_args(field.annotation))
        )
        is_table = get_origin(field.annotation) is dict or any(
            get_origin(t) is dict for t in get_args(field.annotation)
        )
        if name in model.input_fields[:1] or name == model.attached_field or is_nested:
            continue
        if is_table and option_of(service, name) is None:  # it can be said in JSON, and by --set
            continue
        usual = "--" + name.replace("_", "-")
        said = option_of(service, name)
        flags, metavar = (said.flags, said.metavar) if said else ((usual,), name.upper())
        words = (said.help if said else "") or field.description
        annotation: Any = str | None
        if field.annotation is bool:
            flags = flags if said else (f"{usual}/--no-{usual[2:]}",)
            annotation, metavar = bool | None, ""
        elif said is not None and said.gather is not None:
            annotation = list[str] | None
        option = typer.Option(*flags, help=words, metavar=metavar or None)
        yield _parameter(_FIELD_PREFIX + name, Annotated[annotation, option], None)


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
