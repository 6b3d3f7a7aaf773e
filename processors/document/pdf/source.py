"""A PDF as a source of pages: read in batches, apart, on all processors that were granted; in constant memory.

What each page holds is written to files when it is read, and read back when it is written: a document of two thousand
pages is never in memory as a whole, only how it looks.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from processors.document import apart
from processors.document.layout.drafts import Flow
from processors.document.layout.flowing import flow_of
from processors.document.layout.headings import Levels, Outline
from processors.document.layout.looks import Looks, Seen, seen_in
from processors.document.layout.structure import page_of
from processors.document.model import Figure, Page
from processors.document.ocr.choosing import OcrMode, facts_of, is_to_be_read
from processors.document.ocr.lines import lines
from processors.document.pdf.altered import Altered
from processors.document.pdf.facts import Facts, facts_from, look
from processors.document.pdf.images import Images
from processors.document.pdf.opening import opened
from processors.document.pdf.reading import is_blank, is_pictured, sheet_of, text_of
from processors.document.ranges import pages_of
from processors.worker.threads import granted_threads

_BATCH = 64  # pages; a process takes as long to start as to read one ...
_BATCH_TEXT = 512  # ... and as ten, where their text layer is all that is read
_LEAST_SHARED = 8  # pages for which a second process is worth its start ...
_LEAST_SHARED_TEXT = 100  # ... and where their text layer is all that is read: that takes a tenth of the time

_FLOW: TypeAdapter[Flow] = TypeAdapter(Flow)
_SEEN: TypeAdapter[Seen] = TypeAdapter(Seen)

Done = Callable[[int, int], None]  #: told of every page: how many are done, of how many


@dataclass(frozen=True, slots=True)
class Wants:
    """What is read of a page."""

    text: bool = False  #: its text layer, line by line
    structure: bool = False
    words: bool = False  #: each word with its box; of the structure
    images: Path | None = None  #: the directory for its pictures
    ocr: OcrMode | None = None  #: which pages are left to be read from their picture; of the structure


@dataclass(slots=True)
class PdfSource:
    """One PDF."""

    path: Path
    name: str  #: what the user calls it
    password: str | None
    scratch: Path  #: a directory for what was read
    facts: Facts
    indexes: list[int]  #: the pages that are wanted, counted from 0
    looks: Looks = field(default_factory=Looks)
    has_text: bool = False
    silent: list[int] = field(default_factory=list)  #: pages, counted from 0, that have pictures and no text
    unread: list[int] = field(default_factory=list)  #: pages, counted from 0, that have to be read from their picture
    reread: set[int] = field(default_factory=set)  #: those that were
    hidden: float = 0.0  #: share of the text that is there and not drawn
    _places: dict[int, tuple[str, int, int, int, int]] = field(default_factory=dict)

    @staticmethod
    def open(
        path: Path, name: str, scratch: Path, *, password: str | None = None, pages: str | None = None
    ) -> PdfSource:
        """Look at a PDF.

        Raises:
            Rejected: it cannot be read, or has no such pages.
        """
        facts = facts_from(apart.call(lambda: look(path, name, password), name))
        return PdfSource(path, name, password, scratch, facts, pages_of(pages, facts.pages, name))

    def batches(self, at_once: int, most: int = _BATCH) -> list[Sequence[int]]:
        """The pages, as so many processes take them."""
        size = min(most, max(1, -(-len(self.indexes) // at_once)))
        return [self.indexes[start : start + size] for start in range(0, len(self.indexes), size)]

    def at_once(self, least: int = _LEAST_SHARED) -> int:
        """How many processes are worth it."""
        return granted_threads() if len(self.indexes) >= least else 1

    def read(self, wants: Wants, done: Done = lambda done, total: None) -> None:
        """Read all pages, once.

        Raises:
            Rejected: a page cannot be read.
        """

        def work(batch: Sequence[int], say: apart.Say) -> None:
            _read_batch(self, batch, wants, say)

        least, most = (_LEAST_SHARED, _BATCH) if wants.structure else (_LEAST_SHARED_TEXT, _BATCH_TEXT)
        at_once = self.at_once(least)
        for value in apart.each_batch(self.batches(at_once, most), work, self.name, at_once=at_once):
            self.take(value)
            done(len(self._places), len(self.indexes))
        self.unread.sort()

    def take(self, value: dict[str, Any]) -> None:
        """Take what was said of a page that was read; that it must be read in another way, or all."""
        self._places[value["page"]] = tuple(value["place"])
        if value.get("unread"):
            self.unread.append(value["page"])
            return
        self.has_text |= value["hasText"]
        if value["isSilent"]:
            bisect.insort(self.silent, value["page"])
        if "seen" in value:
            self.looks.add(_SEEN.validate_python(value["seen"]))
            self.hidden += value["hidden"] / len(self.indexes)
        if value.get("isReread"):
            self.reread.add(value["page"])

    def texts(self) -> Iterator[str]:
        """The text layer of each page; of one that was read from its picture, the lines that were read."""
        for index in self.indexes:
            if index in self.reread:
                yield lines(self._flow(index).items)
            else:
                name, start, length, _, _ = self._places[index]
                yield self._part(f"{name}.text", start, length).decode()

    def pages(self, *, remove_headers: bool = False) -> Iterator[Page]:
        """The structure of each page."""
        return map(self._pager(remove_headers=remove_headers), self.indexes)

    def _pager(self, *, remove_headers: bool = False) -> Callable[[int], Page]:
        outline = Outline.of([(entry.level, entry.title) for entry in self.facts.outline])
        levels = Levels.of(self.looks, outline)
        return lambda index: page_of(self._flow(index), self.looks, outline, levels, remove_headers=remove_headers)

    def _flow(self, index: int) -> Flow:
        name, _, _, start, length = self._places[index]
        return _FLOW.validate_json(self._part(f"{name}.flow", start, length))

    def _part(self, name: str, start: int, length: int) -> bytes:
        with (self.scratch / name).open("rb") as file:
            file.seek(start)
            return file.read(length)


def _read_batch(source: PdfSource, batch: Sequence[int], wants: Wants, say: apart.Say) -> None:
    """Read pages, in a process of its own: into files named by the first of them."""
    with (
        Written(source.scratch, f"{batch[0]:06}") as written,
        opened(source.path, source.name, source.password) as document,
    ):
        altered = Altered(source.path, source.password)
        for index in batch:
            said: dict[str, Any] = {"page": index}
            layer = text_of(document, index, source.name) if wants.text else ""
            flow: Flow | None = None
            if wants.structure:
                images = (
                    Images(document, wants.images, partial(altered.on, index)) if wants.images is not None else None
                )
                sheet = sheet_of(document, index, source.name, images)
                if wants.ocr is not None:
                    facts = facts_of(sheet, is_blank=is_blank(document, index, source.name))
                    said["unread"] = is_to_be_read(wants.ocr, facts)
                flow = flow_of(sheet, with_words=wants.words)
                said |= seen_of(flow)
            else:
                has_text = bool(layer.strip())
                is_silent = not has_text and is_pictured(document, index, source.name)
                said |= {"hasText": has_text, "isSilent": is_silent}
            said["place"] = written.put(layer, flow)
            say(said)


def seen_of(flow: Flow) -> dict[str, Any]:
    """What is said of a page beside where it is written, for `PdfSource.take`."""
    has_text = bool(flow.sizes)
    return {
        "hasText": has_text,
        "isSilent": not has_text and any(isinstance(item, Figure) for item in flow.items),
        "seen": _SEEN.dump_python(seen_in(flow), mode="json"),
        "hidden": flow.hidden,
    }


class Written:
    """Two files for what was read, which a process writes and the attempt reads when it writes pages."""

    def __init__(self, scratch: Path, name: str) -> None:
        self._name = name
        self._texts = (scratch / f"{name}.text").open("wb")
        self._flows = (scratch / f"{name}.flow").open("wb")

    def __enter__(self) -> Written:
        return self

    def __exit__(self, *_: object) -> None:
        self._texts.close()
        self._flows.close()

    def put(self, text: str, flow: Flow | None) -> list[str | int]:
        """Write a page, and give its place: the name of the files, then where it begins in each and how long it is."""
        data = text.encode()
        dumped = b"" if flow is None else _FLOW.dump_json(flow)
        place: list[str | int] = [self._name, self._texts.tell(), len(data), self._flows.tell(), len(dumped)]
        self._texts.write(data)
        self._flows.write(dumped)
        self._texts.flush()
        self._flows.flush()
        return place
