"""What is made of a PDF as PDFs: a copy, parts, an archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from processors.document import apart, archive_work
from processors.document.paper import making, pictures
from processors.document.paper.assembly import Part, joined, stacked
from processors.document.paper.cuts import Cut, cuts_of
from processors.document.paper.making import Turn
from processors.document.pdf.source import PdfSource
from processors.document.ranges import in_words, pages_of
from processors.protocol import OutputFile
from processors.specs import DocumentSpec
from processors.specs.document import FILES
from processors.worker.context import Context
from processors.worker.threads import granted_threads

_MEDIA_TYPE = "application/pdf"
_PARTS_DIR = "parts"
_PAGE_SECONDS = 0.1  # for a page that is copied; most take a hundredth
_MOST_NAMED = 5  # chapters in a note
_FRAMES = 8  # of a picture that one process makes pages of

Done = Callable[[int, int], None]


def make(
    context: Context[DocumentSpec], source: PdfSource, formats: Sequence[str], done: Done
) -> tuple[list[OutputFile], list[str]]:
    """Write the PDFs that the spec asks for.

    Args:
        formats: which of them: pdf, pdfa.

    Returns:
        The outputs, and what is to be said of them.

    Raises:
        Rejected: it cannot be read, or not cut there.
    """
    spec = context.spec
    outputs: list[OutputFile] = []
    notes: list[str] = []
    if "pdf" in formats:
        if spec.split is None:
            outputs.append(_copy(context, source, notes, done))
        else:
            outputs += _parts(context, source, notes, done)
    if "pdfa" in formats:
        outputs.append(_archive(context, source, notes, done))
    return outputs, notes


def join(parts: Sequence[Part], target: Path, done: Done) -> None:
    """Write several PDFs as one.

    Raises:
        Rejected: one of them cannot be read.
    """

    def work(say: apart.Say) -> None:
        joined(parts, target, lambda number, total: say([number, total]))

    for number, total in apart.told(work, parts[0].name):
        done(number, total)


def _archive(context: Context[DocumentSpec], source: PdfSource, notes: list[str], done: Done) -> OutputFile:
    name = FILES["pdfa"]
    turn = _turn(source, context.spec)
    pages, target = len(source.indexes), context.out / name
    about, said = archive_work.make(_part(source), pages, _chosen(source), turn, source.scratch, target, done)
    notes += said
    done(1, 1)
    details = {"format": "pdfa", "pages": len(source.indexes), **about}
    return context.output(name, media_type=_MEDIA_TYPE, role="document", details=details)


def _chosen(source: PdfSource) -> list[int] | None:
    """The pages that are wanted; None for all."""
    return None if len(source.indexes) == source.facts.pages else source.indexes


def _copy(context: Context[DocumentSpec], source: PdfSource, notes: list[str], done: Done) -> OutputFile:
    spec = context.spec
    name = FILES["pdf"]
    work = partial(
        making.copy, _part(source), _chosen(source), context.out / name, _turn(source, spec), spec.output_password
    )
    for said in apart.told(work, source.name, allowed=_allowed(source)):
        notes += _notes(said)
    done(1, 1)
    details = {"format": "pdf", "pages": len(source.indexes), "encrypted": spec.output_password is not None}
    return context.output(name, media_type=_MEDIA_TYPE, role="document", details=details)


def _parts(context: Context[DocumentSpec], source: PdfSource, notes: list[str], done: Done) -> list[OutputFile]:
    spec = context.spec
    assert spec.split is not None
    cuts = cuts_of(spec.split, source.indexes, source.facts.pages, source.facts.outline, source.name)
    names = [f"{_PARTS_DIR}/part-{number + 1:03}.pdf" for number in range(len(cuts))]
    (context.out / _PARTS_DIR).mkdir(exist_ok=True)
    targets = [context.out / name for name in names]
    work = partial(making.split, _part(source), cuts, targets, _turn(source, spec), spec.output_password)
    for said in apart.told(work, source.name, allowed=_allowed(source)):
        notes += _notes(said)
        if "part" in said:
            done(said["part"] + 1, len(cuts))
    notes += [_shared(name, cut) for name, cut in zip(names, cuts, strict=True) if cut.more]
    return [
        context.output(name, media_type=_MEDIA_TYPE, role="part", details=_about(cut))
        for name, cut in zip(names, cuts, strict=True)
    ]


def _about(cut: Cut) -> dict[str, Any]:
    return {"pages": in_words(list(cut.pages))} | ({"title": cut.title} if cut.title else {})


def _shared(name: str, cut: Cut) -> str:
    """Say which chapters are in one part, because it is cut between pages."""
    more = ", ".join(f'"{title}"' for title in cut.more[:_MOST_NAMED])
    rest = f" and {len(cut.more) - _MOST_NAMED} more" if len(cut.more) > _MOST_NAMED else ""
    return f'{name} begins with "{cut.title}"; on the same page begin {more}{rest}.'


def _allowed(source: PdfSource) -> apart.Limits:
    """All pages are gone through before the first word."""
    usual = apart.limits()
    return replace(usual, seconds=usual.seconds + _PAGE_SECONDS * source.facts.pages)


def _part(source: PdfSource) -> Part:
    return Part(source.path, source.name, source.password)


def _turn(source: PdfSource, spec: DocumentSpec) -> Turn | None:
    if spec.rotate is None:
        return None
    return Turn(frozenset(pages_of(spec.rotate.pages, source.facts.pages, source.name)), spec.rotate.degrees)


def _notes(said: dict[str, Any]) -> list[str]:
    """What was taken out, as a sentence."""
    if not said.get("cleaned"):
        return []
    what = ", ".join(f"{kind} ({times})" for kind, times in sorted(said["cleaned"].items()))
    return [f"Taken out, because it acts or holds no more: {what}."]


def from_picture(path: Path, name: str, scratch: Path, done: Done) -> Path:
    """Write a picture as a PDF, each of its frames as a page.

    Raises:
        Rejected: it cannot be read.
    """
    frames = int(apart.call(lambda: pictures.frames_of(path, name), name))
    at_once = granted_threads() if frames > 1 else 1
    size = min(_FRAMES, -(-frames // at_once))
    batches = [range(start, min(frames, start + size)) for start in range(0, frames, size)]
    made = [scratch / f"frame-{frame:05}.pdf" for frame in range(frames)]
    finished: set[int] = set()

    def work(batch: Sequence[int], say: apart.Say) -> None:
        pictures.write(path, name, batch, made, say)

    for value in apart.each_batch(batches, work, name, at_once=at_once):
        finished.add(value["page"])
        done(len(finished), frames)
    if len(made) == 1:
        return made[0]
    target = scratch / "picture.pdf"
    apart.call(lambda: stacked(made, target), name)
    for each in made:
        each.unlink()
    return target
