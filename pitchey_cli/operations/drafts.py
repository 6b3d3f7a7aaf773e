"""Jobs that have been checked and not been staged: from the fields of a spec, and what they name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from itertools import chain, count
from pathlib import Path
from typing import Any, Protocol

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.operations import file_kinds, texts
from pitchey_cli.operations.sources import Source, named
from pitchey_cli.operations.specs import checked, spellings
from processors.protocol import Service
from processors.specs import SPECS, Spec


class Locate(Protocol):
    """Finds the one file or URL that a field of a spec names; raises as `sources.named`."""

    def __call__(self, location: str, called: str = "") -> Source:
        """Look for it.

        Args:
            called: what the file is to be called, where that is not the last part of the location.
        """


@dataclass(frozen=True, slots=True)
class Draft:
    """A job whose spec has been checked and whose inputs have not been staged."""

    service: Service
    spec: dict[str, Any]  #: camelCase
    sources: tuple[tuple[str, Source], ...]  #: field in snake_case, and what it names
    name: str
    checked: Spec  #: the same spec as it was checked: what follows from it is asked of it
    queueing: Mapping[str, Any] = dataclass_field(default_factory=dict)  #: what it says of when and how it queues
    where: str = ""  #: the line of a manifest that it comes from
    is_alone: bool = False  #: whoever asked for it named one input, and could mean no more than this job
    content: Path | None = None  #: the file whose text has become part of the spec

    @property
    def output_paths(self) -> tuple[str, ...]:
        """Of its outputs, as far as the spec alone tells."""
        return tuple(self.checked.output_paths())

    @property
    def kind(self) -> str:
        """What an instance should have warm for it."""
        return self.checked.kind()

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """Name the line of the manifest in an error that is met here."""
        try:
            yield
        except (UsageError, InputNotFound, InputRejected, Denied) as error:
            if not self.where:
                raise
            raise type(error)(f"{self.where}: {error}", hint=error.hint) from error


def drafted(service: Service, fields: dict[str, Any], source: Source | None, *, locate: Locate = named) -> Draft:
    """Check one job.

    Args:
        fields: the spec's fields; the input field is filled in from the source, when there is one.
        source: what the first input field names, or the file whose text becomes part of the spec.
        locate: finds what the other fields name.
    """
    model = SPECS[service]
    has_content = bool(spellings(model, model.content_field) & fields.keys())
    content = source if model.content_field and not has_content else None
    is_one_of_several = bool(model.inline_field and spellings(model, model.attached_field) & fields.keys())
    if source is not None and is_one_of_several:
        fields = _with_first(model, fields, source)
    elif source is not None and has_content:
        fields = with_attached(model, fields, {as_text(source.file_name): as_text(source.location)})
    elif content is not None:
        fields = {**texts.said_by_suffix(model, content, fields), **fields, model.content_field: texts.read(content)}
    elif source is not None:
        fields = {**fields, model.input_fields[0]: as_text(source.location)}
    spec = checked(service, fields)
    has_field = source is not None and model.input_fields and not is_one_of_several
    sources = [(model.input_fields[0], source)] if source is not None and has_field else []
    sources += _named_in(spec, model.input_fields[1 if has_field else 0 :], source, locate)
    main = content or source or (sources[0][1] if sources and model.input_fields else None)
    return Draft(
        service,
        spec.model_dump(mode="json", by_alias=True, exclude_none=True),
        tuple(sources),
        as_text(main.name if main else service),
        spec,
        content=Path(content.location) if content is not None else None,
    )


def _named_in(spec: Spec, fields: Sequence[str], given: Source | None, locate: Locate) -> list[tuple[str, Source]]:
    """The files that fields of a spec name, and those that are attached; of each the field in snake_case.

    Args:
        given: what the job works on; it may be attached, and need not be there before another step has made it.

    Raises:
        InputNotFound, InputRejected, UsageError, Denied: names the option of the field.
    """
    wanted = [(field, spec.at(field), "", _said_as(spec, field)) for field in fields]
    if spec.attached_field:
        beside: dict[str, str] = spec.at(spec.attached_field) or {}
        wanted += [(spec.attached_field, location, name, "--file") for name, location in beside.items()]
    found: list[tuple[str, Source]] = []
    for field, location, called, option in wanted:
        if location is None:
            continue
        if given is not None and location == as_text(given.location):
            found.append((field, replace(given, called=called)))
            continue
        try:
            source = locate(location, called)
            if not source.is_url:
                file_kinds.check(field, source.location, source.called or source.location)
            found.append((field, source))
        except (InputNotFound, InputRejected, UsageError, Denied) as error:
            raise type(error)(f"{option}: {error}", hint=error.hint) from error
    return found


def _said_as(spec: Spec, field: str) -> str:
    """What people call an input: by its option, and the one that needs none as JSON has it."""
    is_first = field == spec.input_fields[0]
    return spec.spelled(field) if is_first else f"--{field.replace('.', '-').replace('_', '-')}"


def with_attached(model: type[Spec], fields: Mapping[str, Any], files: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a spec with more files attached, a location by name, beside those that it names itself."""
    if not files:
        return dict(fields)
    names = spellings(model, model.attached_field)
    own: Any = next((fields[name] for name in sorted(names & fields.keys())), {})
    others = {name: value for name, value in fields.items() if name not in names}
    return {**others, model.attached_field: {**own, **files} if isinstance(own, dict) else own}


def _with_first(model: type[Spec], fields: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """The fields of a spec with what the job works on as the first of several files.

    Raises:
        UsageError: another one of them has its name.
    """
    name, location = as_text(source.file_name), as_text(source.location)
    names = spellings(model, model.attached_field)
    others = {key: value for key, value in fields.items() if key not in names}
    beside: Any = next(fields[key] for key in sorted(names & fields.keys()))
    if not isinstance(beside, dict):
        return {**fields}  # the spec's own check says what is wrong
    if name in beside:
        raise UsageError(f"--file: there is a file {name!r} already.", hint="Files of one job have names of their own.")
    return {**others, model.attached_field: {name: location, **beside}}


def as_text(name: str) -> str:
    """A file name as text: it may hold bytes that are no UTF-8, which neither JSON nor a database takes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def named_apart(drafts: Sequence[Draft]) -> list[Draft]:
    """Number the jobs whose names would be the same: results are named after them."""
    taken: set[str] = set()
    named: list[Draft] = []
    for item in drafts:
        names = chain([item.name], (f"{item.name}-{number}" for number in count(2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        named.append(replace(item, name=name))
    return named
