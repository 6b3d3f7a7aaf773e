"""One option for each field of a service's spec, and for each field of its parts, made from the spec itself.

So a field that a spec gains is an option at once, with the spec's own description and its own checks. A field of a part
has the part's name before its own: `watermark.image_url` is --watermark-image-url.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, get_args, get_origin

import typer

from pitchey_cli.cli.field_options import FieldOption, group_of, option_of
from pitchey_cli.domain.errors import InputRejected, UsageError
from pitchey_cli.operations import texts
from pitchey_cli.operations.sources import Source
from pitchey_cli.operations.specs import merged
from processors.protocol import Service
from processors.specs import SPECS, Spec
from processors.specs.base import Part

PREFIX = "field_"  # keeps a spec's field apart from an option of ours with the same name
_OF_A_PART = "__"  # as the dot of a path in the name of a parameter
_FROM_FILE = "__from_file"  # behind the name of a secret: the option that names the file which holds it


def parameters(service: Service) -> Iterable[inspect.Parameter]:
    """The options, for a command's signature."""
    model = SPECS[service]
    for path, part in _paths(model):
        name, said = path.rpartition(".")[2], option_of(service, path)
        field = part.model_fields[name]
        whole = part.part_of(name)
        is_said_in_json = _holds(dict, field.annotation) or _holds(Part, field.annotation)
        if said is None and (whole is not None or is_said_in_json):  # there is --set besides
            continue
        usual = _usual(path)
        flags: tuple[str, ...] = (usual,)
        annotation: Any = str | None
        metavar = "PATH" if path in model.input_fields else name.rpartition("_")[2].upper()
        if field.annotation is bool:
            flags, annotation, metavar = (f"{usual}/--no-{usual[2:]}",), bool | None, ""
        if said is not None:
            flags, metavar = said.flags, said.metavar
            annotation = bool | None if said.is_switch else list[str] | None if said.gather else annotation
        words = (said.help if said else "") or field.description
        option = typer.Option(*flags, help=words, metavar=metavar or None, rich_help_panel=panel_of(service, path))
        yield parameter(PREFIX + path.replace(".", _OF_A_PART), Annotated[annotation, option])
        if part.is_secret(name):
            words = f"A file with {usual} as its first line, so that it is in no history and no list of processes."
            option = typer.Option(f"{usual}-file", help=words, metavar="FILE", rich_help_panel=panel_of(service, path))
            yield parameter(PREFIX + path.replace(".", _OF_A_PART) + _FROM_FILE, Annotated[str | None, option])


def _paths(model: type[Spec]) -> Iterator[tuple[str, type[Part]]]:
    """Every field that can be an option, and what it is a field of; a part before its fields."""
    for name in model.model_fields:
        if name in model.input_fields[:1] or name == model.attached_field:
            continue
        yield name, model
        if (part := model.part_of(name)) is not None:
            yield from ((f"{name}.{inner}", part) for inner in part.model_fields)


def _holds(kind: type, annotation: Any) -> bool:
    """Whether a value of the kind is in what the annotation says, however deep."""
    origin = get_origin(annotation) or annotation
    if isinstance(origin, type) and issubclass(origin, kind):
        return True
    return any(_holds(kind, each) for each in get_args(annotation))


def panel_of(service: Service, path: str = "") -> str:
    """The group of options in `--help`: that of a part, else that of the field, else that of the service."""
    part, dot, _ = path.partition(".")
    is_part = dot or (path and SPECS[service].part_of(path) is not None)
    return part.replace("_", " ").capitalize() if is_part else group_of(service, path)


def parameter(name: str, annotation: Any) -> inspect.Parameter:
    """A parameter of a command that nobody has to give."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def taken_from(service: Service, given: dict[str, Any]) -> dict[str, Any]:
    """Take what belongs here out of a command's arguments, as fields of the spec; what was not said is left out."""
    fields: dict[str, Any] = {}
    said: set[str] = set()
    for key in [key for key in given if key.startswith(PREFIX)]:
        value = given.pop(key)
        if value is None or value == []:
            continue
        path = key.removeprefix(PREFIX).removesuffix(_FROM_FILE).replace(_OF_A_PART, ".")
        if path in said:
            text = f"{_usual(path)} and {_usual(path)}-file say the same thing."
            raise UsageError(text, hint="Leave one of them out.")
        said.add(path)
        value = _secret_in(value) if key.endswith(_FROM_FILE) else _value(option_of(service, path), value)
        first, dot, rest = path.partition(".")
        fields = merged(SPECS[service], fields, {first: {rest: value} if dot else value})
    return fields


def _secret_in(file: str) -> str:
    first, *_ = texts.read(Source(file, file)).splitlines() or [""]
    if not first:
        raise InputRejected(f"{file} is to hold a secret, and its first line is empty.")
    return first


def _usual(path: str) -> str:
    return f"--{path.replace('.', '-').replace('_', '-')}"


def _value(option: FieldOption | None, value: Any) -> Any:
    if option is None:
        return value
    if option.is_switch:
        return {}
    return option.gather(option.flags[0], value) if option.gather else value
