"""Pages of PDFs as a PDF: several in one, some of one, turned ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import OutlineItem

from processors.document.paper.opening import opened

_PROPERTIES = ("/Title", "/Author", "/Subject", "/Keywords", "/Creator", "/CreationDate", "/ModDate", "/Trapped")
_CATALOG = ("/Lang", "/ViewerPreferences")
_LONGEST_VALUE = 10_000  # bytes of a property
_MOST_ATTACHMENTS = 1000
_MOST_OPEN = 100  # files at a time: what is copied is read when it is written


@dataclass(frozen=True, slots=True)
class Part:
    """A PDF whose pages go into another."""

    path: Path
    name: str  #: what the user calls it
    password: str | None = None


def joined(parts: Sequence[Part], target: Path, done: Callable[[int, int], None]) -> None:
    """Write PDFs as one: each has a title in its outline, above its own.

    Raises:
        Rejected: one cannot be read.
    """
    with ExitStack() as sources, pikepdf.new() as made:
        for number, part in enumerate(parts):
            source = sources.enter_context(opened(part.path, part.name, part.password))
            start = len(made.pages)
            made.add_pages_from(source)
            _entitle(made, start, part.name, number)
            _attach(made, source)
            if number == 0:
                _say_the_same(made, source)
            done(number + 1, len(parts))
        _untag(made)
        made.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)


def stacked(paths: Sequence[Path], target: Path) -> None:
    """Write PDFs that we have made ourselves, and that have nothing but pages, as one; to be done apart."""
    if len(paths) > _MOST_OPEN:
        heaps = [paths[start : start + _MOST_OPEN] for start in range(0, len(paths), _MOST_OPEN)]
        made_of = [target.with_suffix(f".{number}.pdf") for number in range(len(heaps))]
        for heap, file in zip(heaps, made_of, strict=True):
            stacked(heap, file)
        stacked(made_of, target)
        for file in made_of:
            file.unlink()
        return
    with ExitStack() as sources, pikepdf.new() as made:
        for path in paths:
            made.pages.extend(sources.enter_context(pikepdf.open(path)).pages)
        made.save(target)


def taken(source: pikepdf.Pdf, indexes: Sequence[int], *, is_part: bool) -> pikepdf.Pdf:
    """A PDF of some pages of another, which must stay open until it is written.

    Args:
        is_part: one of several; what is attached to the whole is not attached to each of them.
    """
    made = pikepdf.new()
    made.add_pages_from(source, indexes)
    _say_the_same(made, source)
    if not is_part:
        _attach(made, source)
    _untag(made)
    return made


def rotate(pdf: pikepdf.Pdf, places: Iterable[int], degrees: int) -> None:
    """Turn pages clockwise.

    Args:
        places: of the pages in this file, counted from 0.
    """
    for place in places:
        pdf.pages[place].rotate(degrees, relative=True)


def _say_the_same(made: pikepdf.Pdf, source: pikepdf.Pdf) -> None:
    for key in _PROPERTIES:
        value: Any = source.docinfo.get(key)
        if isinstance(value, (pikepdf.String, pikepdf.Name)) and len(bytes(value)) <= _LONGEST_VALUE:
            made.docinfo[key] = value
    for key in _CATALOG:
        if key in source.Root and key not in made.Root:
            value = source.Root[key]
            # What is written within the catalog may lead to objects of its own, and only whole objects are copied.
            if isinstance(value, (pikepdf.Dictionary, pikepdf.Array)):
                value = source.make_indirect(value)
            made.Root[key] = made.copy_foreign(value) if value.is_indirect else value


def _entitle(made: pikepdf.Pdf, start: int, name: str, before: int) -> None:
    """Put the titles of a part below one of its own.

    Args:
        start: its first page, counted from 0.
        before: how many titles those before it have.
    """
    with made.open_outline() as outline:
        whole = OutlineItem(name, start, "Fit")
        whole.children.extend(outline.root[before:])
        whole.is_closed = True
        outline.root[before:] = [whole]


def _attach(made: pikepdf.Pdf, source: pikepdf.Pdf) -> None:
    """Take over what is attached; of two with one name the second is numbered."""
    for number, (name, attached) in enumerate(source.attachments.items()):
        if number >= _MOST_ATTACHMENTS:
            return
        free = next(each for each in _numbered(name) if each not in made.attachments)
        content = attached.get_file()
        made.attachments[free] = pikepdf.AttachedFileSpec(
            made,
            content.read_bytes(),
            filename=attached.filename or name,
            description=attached.description,
            mime_type=content.mime_type,
        )


def _numbered(name: str) -> Iterator[str]:
    return chain([name], (f"{name} {number}" for number in count(2)))


def _untag(made: pikepdf.Pdf) -> None:
    """Take away what pages say of a tree of tags: it is that of the whole, and with its texts not copied."""
    for page in made.pages:
        for key in ("/StructParents", "/B"):
            if key in page:
                del page[key]
