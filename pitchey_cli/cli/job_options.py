"""The commands of `run`, `submit` and `schedule add`: one for each service, with the options that they share."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperOption

from pitchey_cli.cli import queue_options, spec_options
from pitchey_cli.cli.field_options import AFTER_DASHES, ATTACHING, option_of
from pitchey_cli.cli.help_groups import write_groups
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations import inline
from pitchey_cli.operations.requests import Request
from pitchey_cli.operations.specs import merged
from processors.protocol import Service
from processors.specs import SPECS

if TYPE_CHECKING:
    from typer._click.core import Context, Parameter
    from typer._click.formatting import HelpFormatter

ManifestOption = Annotated[
    Path | None,
    typer.Option(
        "--manifest", help="Take jobs from a file, JSON Lines or CSV; what is said here goes before it.", metavar="FILE"
    ),
]


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
        assigned = inline.placed(service, _assignments(given.pop("assign")))
        fields = merged(SPECS[service], spec_options.taken_from(service, given), assigned)
        attached = tuple(given.pop("attached", None) or ())
        fields, inputs = inline.told_apart(service, fields, given.pop("inputs") or ())
        asked = Request(service, inputs, fields, queue_options.taken_from(given, parameters_of_body), attached)
        body(asked, **given)

    # Where a spec has a field of the same name, that is what the option means.
    without = {*without, *SPECS[service].model_fields, *parameters_of_body}
    parameters = [*_of_the_job(service), *queue_options.parameters(without), *own]
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
        def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
            """The options in groups: there are too many of them for one list."""
            write_groups(self.get_params(ctx), ctx, formatter)

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
        if not isinstance(option, TyperOption) or not (option.name or "").startswith(spec_options.PREFIX):
            continue
        if (times := order.count(option)) > 1 and not option.multiple and not option.is_flag:
            raise UsageError(
                f"{' or '.join(option.opts)} is given {times} times, and a job has one.",
                hint="Jobs that differ are commands of their own, or lines of a --manifest.",
            )


def _of_the_job(service: Service) -> Iterable[inspect.Parameter]:
    """INPUTS, and what a job of the service is."""
    panel = spec_options.panel_of(service)
    model = SPECS[service]
    words = "Files, folders, patterns or URLs; - reads specs as JSON."
    if model.inline_field:
        words = f"The {model.named_first}, and what it works on: texts, or {words[0].lower()}{words[1:]}"
    metavar = f"[{model.named_first.upper()}] INPUT..." if model.named_first else "INPUT..."
    inputs = typer.Argument(metavar=metavar, help=words)
    yield spec_options.parameter("inputs", Annotated[list[str] | None, inputs])
    yield from spec_options.parameters(service)
    if (attaching := ATTACHING.get(service)) is not None:
        attached = typer.Option("--file", metavar="PATH", help=attaching, rich_help_panel=panel)
        yield spec_options.parameter("attached", Annotated[list[str] | None, attached])
    words = "Set a field of the spec; a.b reaches into one."
    assign = typer.Option("--set", metavar="FIELD=VALUE", help=words, rich_help_panel=panel)
    yield spec_options.parameter("assign", Annotated[list[str] | None, assign])


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
            if not isinstance(place, dict):
                raise UsageError(f"--set {text!r} is a part of {parent}, which another --set says as a whole.")
        place[last] = _value(value)
    return fields


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
