"""A PDF as a source of pages: read in batches, apart, on all processors that were granted; in constant memory.

What each page holds is written to files when it is read, and read back when it is written: a document of two thousand
pages is never in memory as a whole, only how it looks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
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
from processors.document.pdf.facts import Facts, facts_from, look
from processors.document.pdf.images import Images
from processors.document.pdf.opening import opened
from processors.document.pdf.reading import is_pictured, sheet_of, text_of
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

        hidden = 0.0
        least, most = (_LEAST_SHARED, _BATCH) if wants.structure else (_LEAST_SHARED_TEXT, _BATCH_TEXT)
        at_once = self.at_once(least)
        for value in apart.each_batch(self.batches(at_once, most), work, self.name, at_once=at_once):
            self._places[value["page"]] = tuple(value["place"])
            self.has_text |= value["hasText"]
            if value["isSilent"]:
                self.silent.append(value["page"])
            if wants.structure:
                self.looks.add(_SEEN.validate_python(value["seen"]))
                hidden += value["hidden"]
            done(len(self._places), len(self.indexes))
        self.silent.sort()
        self.hidden = hidden / len(self.indexes)

    def texts(self) -> Iterator[str]:
        """The text layer of each page."""
        for index in self.indexes:
            name, start, length, _, _ = self._places[index]
            yield self._part(f"{name}.text", start, length).decode()

    def pages(self, *, remove_headers: bool = False) -> Iterator[Page]:
        """The structure of each page."""
        outline = Outline.of([(entry.level, entry.title) for entry in self.facts.outline])
        levels = Levels.of(self.looks, outline)
        for index in self.indexes:
            name, _, _, start, length = self._places[index]
            flow = _FLOW.validate_json(self._part(f"{name}.flow", start, length))
            yield page_of(flow, self.looks, outline, levels, remove_headers=remove_headers)

    def _part(self, name: str, start: int, length: int) -> bytes:
        with (self.scratch / name).open("rb") as file:
            file.seek(start)
            return file.read(length)


def _read_batch(source: PdfSource, batch: Sequence[int], wants: Wants, say: apart.Say) -> None:
    """Read pages, in a process of its own: into files named by the first of them."""
    name = f"{batch[0]:06}"
    with (
        (source.scratch / f"{name}.text").open("wb") as texts,
        (source.scratch / f"{name}.flow").open("wb") as flows,
        opened(source.path, source.name, source.password) as document,
    ):
        for index in batch:
            said: dict[str, Any] = {"page": index}
            text = text_of(document, index, source.name).encode() if wants.text else b""
            flow_bytes = b""
            text_start, flow_start = texts.tell(), flows.tell()
            if wants.structure:
                images = Images(document, wants.images) if wants.images is not None else None
                flow = flow_of(sheet_of(document, index, source.name, images), with_words=wants.words)
                flow_bytes = _FLOW.dump_json(flow)
                has_text = bool(flow.sizes)
                is_silent = not has_text and any(isinstance(item, Figure) for item in flow.items)
                said["seen"] = _SEEN.dump_python(seen_in(flow), mode="json")
                said["hidden"] = flow.hidden
            else:
                has_text = bool(text.strip())
                is_silent = not has_text and is_pictured(document, index, source.name)
            said |= {"hasText": has_text, "isSilent": is_silent}
            for file, data in ((texts, text), (flows, flow_bytes)):
                if data:
                    file.write(data)
                    file.flush()
            said["place"] = [name, text_start, len(text), flow_start, len(flow_bytes)]
            say(said)
