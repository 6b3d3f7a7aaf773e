"""The steps from a PDF to PDF/A-2b, each to be done apart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pikepdf
from pikepdf import pdfa

from processors.document.apart import Say
from processors.document.archive import colours, faces, findings
from processors.document.archive.mending import has_hidden_layers, mend
from processors.document.archive.redrawing import replace
from processors.document.paper.assembly import Part, rotate, taken
from processors.document.paper.making import Turn
from processors.document.paper.opening import opened

FLAVOUR = "2b"
_MOST_POINTS = 14_400.0  # a side of a page, ISO 19005-2, 6.1.13
_ROUNDS = 4  # of mending what the judge has named
#: what a document may do without, in the order in which it is given up when the judge finds fault with the document
_EXPENDABLE: tuple[tuple[tuple[str, ...], str], ...] = (
    (("/StructTreeRoot", "/MarkInfo"), "Its tags are not in the archive: they are not as they should be."),
    (("/Outlines", "/Names", "/Dests"), "Its outline is not in the archive: it is not as it should be."),
    (("/PageLabels", "/ViewerPreferences", "/Lang"), "How its pages are called and shown is not in the archive."),
)


@dataclass(frozen=True, slots=True)
class Mended:
    """What came of mending."""

    pages: Mapping[int, str]  #: those that are to be drawn anew, counted from 0, with what is wrong
    notes: Sequence[str]
    problem: str = ""  #: of the document, that remains


def arrange(source: Part, indexes: Sequence[int] | None, target: Path, turn: Turn | None) -> None:
    """Write what is to become the archive: some pages, turned; as they are, and not encrypted."""
    with opened(source.path, source.name, source.password) as pdf:
        made = pdf if indexes is None else taken(pdf, indexes, is_part=False)
        pages = range(len(pdf.pages)) if indexes is None else indexes
        if turn is not None:
            rotate(made, [place for place, index in enumerate(pages) if index in turn.pages], turn.degrees)
        made.save(target, encryption=False)


def first(path: Path, name: str, target: Path, say: Say) -> None:
    """Mend a document, and find the pages that are still not good.

    Args:
        say: told at last of a `Mended`, as a dictionary.
    """
    _quiet()
    with opened(path, name, None) as pdf:
        hides = has_hidden_layers(pdf)
        notes = mend(pdf)
        if count := faces.embed(pdf):
            fonts = "font that was" if count == 1 else "fonts that were"
            notes.append(f"{count} {fonts} not in the document became Liberation, which is as wide.")
        say({})
        if count := colours.lighten(pdf) + colours.lighten_pictures(pdf):
            notes.append("Colours of ink, or JPEG 2000, became colours of light: an archive has one kind of colour.")
        say({})
        mended = _judged(pdf, notes, lambda: pdfa.check(pdf, FLAVOUR).findings, lambda: say({}))
        pages = dict(mended.pages)
        for index, page in enumerate(pdf.pages):
            left, bottom, right, top = (float(side) for side in page.mediabox)
            if max(abs(right - left), abs(top - bottom)) > _MOST_POINTS:
                pages.setdefault(index, "it is larger than a page may be")
        if hides:  # what is in a hidden layer would be seen without it; only a picture shows the page as it was
            pages = dict.fromkeys(range(len(pdf.pages)), "it has hidden layers")
        pdf.save(target, **pdfa.resolve_save_kwargs(FLAVOUR))
    say({"pages": [[page, why] for page, why in pages.items()], "notes": notes, "problem": mended.problem})


def last(path: Path, name: str, drawn: Sequence[tuple[Sequence[int], Path]], target: Path, say: Say) -> None:
    """Put drawn pages in, write the archive, and judge what was written.

    Args:
        drawn: pages, counted from 0, and the file that has pictures of them.
        say: as of `first`.
    """
    _quiet()
    with opened(path, name, None) as pdf:
        for indexes, file in drawn:
            replace(pdf, indexes, file)
            say({})
        pdfa.prepare(pdf, FLAVOUR)
        say({})
        pdf.save(target, **pdfa.resolve_save_kwargs(FLAVOUR, linearize=True))
    say({})
    found = pdfa.validate_written(target, FLAVOUR).findings
    say({})
    pages: dict[int, str] = {}
    problem = ""
    if found:
        with pikepdf.open(target) as written:
            pages, rest = findings.pages_of(written, findings.serious(written, found))
        problem = _as_text(rest)
    say({"pages": [[page, why] for page, why in pages.items()], "notes": [], "problem": problem})


def _judged(
    pdf: pikepdf.Pdf, notes: list[str], judge: Callable[[], list[pdfa.Finding]], alive: Callable[[], None]
) -> Mended:
    """Prepare a document and have it judged; give up what it can do without, until nothing is wrong but with pages."""
    expendable = list(_EXPENDABLE)
    pages: dict[int, str] = {}
    rest: list[pdfa.Finding] = []
    for _ in range(_ROUNDS + len(expendable)):
        pdfa.prepare(pdf, FLAVOUR)
        alive()
        found = findings.serious(pdf, judge())
        alive()
        if findings.without_extras(pdf, found):
            continue
        pages, rest = findings.pages_of(pdf, found)
        if not rest or not expendable:
            break
        keys, sentence = expendable.pop(0)
        if any(key in pdf.Root for key in keys):
            notes.append(sentence)
        for key in keys:
            if key in pdf.Root:
                del pdf.Root[key]
    return Mended(pages, notes, _as_text(rest))


def _as_text(rest: Sequence[pdfa.Finding]) -> str:
    return f"{rest[0].message} ({rest[0].rule})" if rest else ""


def _quiet() -> None:
    for name in ("pikepdf", "fontTools"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
