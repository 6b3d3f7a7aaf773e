"""Models, as a table, as a card and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import RenderableType
from rich.table import Table

from pitchey_cli.reports.as_json import SCHEMA
from pitchey_cli.reports.tables import cell, plain_table
from pitchey_cli.reports.wording import size
from processors.inference.manifest import Batching, Manifest


@dataclass(frozen=True, slots=True)
class Row:
    """One version of a model, as it is shown."""

    name: str
    version: str
    origin: str  #: machine or image
    is_meant: bool
    task: str = ""
    framework: str = ""
    licence: str = ""
    description: str = ""
    size: int | None = None  #: bytes; None: not known here
    problem: str = ""
    manifest: Manifest | None = None


class Described(Protocol):
    """What the image says of a model of its own."""

    @property
    def task(self) -> str: ...
    @property
    def framework(self) -> str | None: ...
    @property
    def licence(self) -> str: ...
    @property
    def description(self) -> str: ...


class Model(Protocol):
    """One version of a model, as whoever lists them has it."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def origin(self) -> str: ...
    @property
    def is_meant(self) -> bool: ...
    @property
    def default(self) -> Described | None: ...
    @property
    def manifest(self) -> Manifest | None: ...
    @property
    def problem(self) -> str: ...


def row_of(model: Model) -> Row:
    """One version, as it is shown."""
    said: Described | None = model.manifest or model.default
    return Row(
        model.name,
        model.version,
        model.origin,
        model.is_meant,
        task=said.task if said else "",
        framework=(said.framework or "") if said else "",
        licence=said.licence if said else "",
        description=said.description if said else "",
        size=None if model.manifest is None else model.manifest.size,
        problem=model.problem,
        manifest=model.manifest,
    )


def document(row: Row) -> dict[str, Any]:
    """One version."""
    return {
        "schema": SCHEMA,
        "name": row.name,
        "version": row.version,
        "from": row.origin,
        "isMeant": row.is_meant,
        "task": row.task or None,
        "framework": row.framework or None,
        "sizeBytes": row.size,
        "licence": row.licence or None,
        "description": row.description,
        "problem": row.problem or None,
    }


def whole_document(row: Row) -> dict[str, Any]:
    """One version, with its manifest where it is known here."""
    manifest = row.manifest
    said = None if manifest is None else manifest.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {**document(row), "manifest": said}


def table(rows: Iterable[Row]) -> RenderableType:
    """All of them; * is what a job means that says no version."""
    found = plain_table("model", "", "task", "framework", "size", "licence", "from", right=("size",))
    for row in rows:
        found.add_row(
            cell(f"{row.name}@{row.version}"),
            "*" if row.is_meant else "",
            cell(f"cannot be used: {row.problem}") if row.problem else row.task,
            row.framework,
            size(row.size),
            cell(row.licence),
            row.origin,
        )
    return found


def card(row: Row) -> RenderableType:
    """One version, for people."""
    found = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _lines(row):
        if value:
            found.add_row(name, cell(value))
    return found


@dataclass(frozen=True, slots=True)
class Benched:
    """What was measured of one model, as it is shown."""

    reference: str
    seconds: Mapping[int, float]  #: of one run, by how many inputs are in it
    batching: Batching
    is_written: bool


def bench_document(row: Benched) -> dict[str, Any]:
    """What was measured of one model."""
    return {
        "schema": SCHEMA,
        "model": row.reference,
        "runs": [{"inputs": count, "seconds": took} for count, took in sorted(row.seconds.items())],
        "batching": row.batching.model_dump(mode="json", by_alias=True),
        "isWritten": row.is_written,
    }


def bench_table(row: Benched) -> RenderableType:
    """The same for people."""
    found = plain_table("inputs", "one run", "each second", "", right=("inputs", "one run", "each second"))
    for count, took in sorted(row.seconds.items()):
        chosen = "*" if count == row.batching.max_size else ""
        found.add_row(
            str(count),
            f"{took * 1000:.{1 if took >= 1e-3 else 3}f} ms",
            f"{count / took:,.0f}" if took else "-",
            chosen,
        )
    return found


def batching_words(batching: Batching) -> str:
    """What is done from now on."""
    if batching.max_size == 1:
        return "one input at a time"
    return f"up to {batching.max_size} inputs at once, and the first waits {batching.max_delay_ms:g} ms for others"


def _lines(row: Row) -> Iterable[tuple[str, str]]:
    yield "model", f"{row.name}@{row.version}{'' if row.is_meant else ' (another version is meant by its name)'}"
    yield "from", row.origin
    yield "what", row.description
    yield "task", row.task
    yield "framework", row.framework
    yield "licence", row.licence
    yield "problem", row.problem
    if (manifest := row.manifest) is None:
        return
    yield "uses", ", ".join(each for each in (manifest.uses, manifest.writes_with) if each)
    yield "source", ", ".join(each for each in (manifest.source.package, manifest.source.url) if each)
    yield "code", f"may run; allowed by {manifest.code_allowed_by}" if manifest.code_allowed_by else ""
    for each in manifest.inputs:
        yield "input", _tensor(each.name, each.dtype, each.shape)
    for each in manifest.outputs:
        yield "output", _tensor(each.name, each.dtype, each.shape)
    for step, how in (("before", manifest.preprocessing), ("after", manifest.postprocessing)):
        yield step, "" if how is None else how.model_dump_json(by_alias=True, exclude_unset=True)
    labels = manifest.labels
    yield "labels", labels if isinstance(labels, str) else ", ".join(labels)
    for path, file in manifest.files.items():
        yield "file", f"{path}, {size(file.size)}, SHA-256 {file.sha256}"


def _tensor(name: str, dtype: str, shape: list[int]) -> str:
    return f"{name} {dtype}[{', '.join('?' if each < 0 else str(each) for each in shape)}]"
