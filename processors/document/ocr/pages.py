"""The pages of a PDF that have to be read from their picture: one on each processor that was granted, apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from processors.document import apart
from processors.document.ocr import engine
from processors.document.ocr.choosing import OcrMode
from processors.document.ocr.languages import Guess, language_of
from processors.document.ocr.layer import write_searchable
from processors.document.ocr.raster import rastered
from processors.document.ocr.reading import Reading, read_page
from processors.document.pdf.altered import Altered
from processors.document.pdf.images import Images
from processors.document.pdf.opening import opened
from processors.document.pdf.source import PdfSource, Written, seen_of
from processors.worker.threads import granted_threads

_BESIDE_SECONDS = 60.0  # for the drawing of a page, and all that is not tesseract's

_WRITING_SECONDS = 120.0  # for a PDF with a layer, beside a second for each page

_READING: TypeAdapter[Reading] = TypeAdapter(Reading)

Done = Callable[[int, int], None]


def read_pages(
    source: PdfSource,
    languages: str,
    mode: OcrMode,
    *,
    images: Path | None = None,
    for_layer: bool = False,
    done: Done = lambda done, total: None,
) -> None:
    """Read the pages that a source has left to be read, once; then the source has them as others.

    Args:
        languages: as `deu+fra`.
        images: the directory for the pictures in them, if they are wanted.
        for_layer: whether `write_layer` comes after it.

    Raises:
        HandlerError: the reading of a page was killed, or failed.
        Rejected: it takes too much.
    """

    def work(batch: Sequence[int], say: apart.Say) -> None:
        with opened(source.path, source.name, source.password) as document:
            altered = Altered(source.path, source.password)
            for index in batch:
                pictures = Images(document, images, partial(altered.on, index)) if images is not None else None
                reading, flow = read_page(
                    *(document, index, source.name, source.scratch, languages, mode),
                    images=pictures,
                    for_layer=for_layer,
                )
                _file(source, index).write_bytes(_READING.dump_json(reading))
                with Written(source.scratch, f"read-{index:06}") as written:
                    place = written.put("", flow)
                say({"page": index, "place": place, "isReread": True} | seen_of(flow))

    pages = [(index,) for index in source.unread]
    total = len(pages)
    for count, value in enumerate(
        apart.each_batch(pages, work, source.name, at_once=granted_threads(), allowed=_allowed()), start=1
    ):
        source.take(value)
        done(count, total)


def find_languages(source: PdfSource) -> dict[int, Guess | None]:
    """Find what the pages are written in that a source has left to be read, from the first, the last and one between.

    Returns:
        What each of these seems to be written in, by its page, counted from 0; None where there is too little of it.

    Raises:
        Rejected: they are in a script of which no language is installed.
    """

    def work(batch: Sequence[int], say: apart.Say) -> None:
        with opened(source.path, source.name, source.password) as document:
            for index in batch:
                raster = rastered(document, index, source.name, source.scratch / f"{index:06}.look.ppm")
                guess = language_of(raster.path, raster.dpi, source.name)
                say({"page": index, "guess": None if guess is None else asdict(guess)})

    unread = source.unread
    some = sorted({unread[0], unread[len(unread) // 2], unread[-1]})
    found = apart.each_batch(
        [(index,) for index in some], work, source.name, at_once=granted_threads(), allowed=_allowed()
    )
    guesses = {int(value["page"]): Guess(**value["guess"]) if value["guess"] else None for value in found}
    return dict(sorted(guesses.items()))


def _allowed() -> apart.Limits:
    return replace(apart.limits(), seconds=engine.PAGE_SECONDS + _BESIDE_SECONDS)


def write_layer(source: PdfSource, target: Path) -> None:
    """Write a PDF that can be searched: all pages of a source, with what was read of some laid over, unseen.

    It is what PDF/A can be made of: the layer's font is embedded, and nothing on the pages has changed.

    Raises:
        Rejected: the PDF cannot be written anew, or takes too much memory or time.
    """

    def write() -> None:
        write_searchable(source.path, source.name, source.password, readings(source), target)

    allowed = replace(apart.limits(), seconds=_WRITING_SECONDS + source.facts.pages)
    apart.call(write, source.name, allowed=allowed)


def readings(source: PdfSource) -> Iterator[Reading]:
    """What was read, page by page."""
    return (_READING.validate_json(_file(source, index).read_bytes()) for index in source.unread)


def _file(source: PdfSource, index: int) -> Path:
    return source.scratch / f"{index:06}.read"
