"""What is made of a PDF as an archive: PDF/A-2b."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from processors.document import apart
from processors.document.archive import making
from processors.document.archive.redrawing import redraw
from processors.document.paper.assembly import Part, stacked
from processors.document.paper.making import Turn
from processors.document.ranges import in_words
from processors.worker.context import Rejected
from processors.worker.threads import granted_threads

_BATCH = 8  # pages that one process draws
_JUDGE_SECONDS = 1.0  # for a page; most take a tenth
_ROUNDS = 3  # of drawing pages that the judge did not approve of

Done = Callable[[int, int], None]


def make(
    source: Part,
    pages: int,
    indexes: Sequence[int] | None,
    turn: Turn | None,
    scratch: Path,
    target: Path,
    done: Done,
) -> tuple[dict[str, Any], list[str]]:
    """Write an archive.

    Args:
        pages: how many the archive has.
        indexes: which, counted from 0; None for all.

    Returns:
        What is to be told of it, and sentences for the user.

    Raises:
        Rejected: it cannot be read, or not become one.
    """
    name = source.name
    arranged, mended = scratch / "arranged.pdf", scratch / "mended.pdf"
    if indexes is None and turn is None and source.password is None:
        arranged = source.path
    else:
        apart.call(lambda: making.arrange(source, indexes, arranged, turn), name)
    allowed = _allowed(pages)
    found = _said(apart.told(lambda say: making.first(arranged, name, mended, say), name, allowed=allowed))
    notes = list(found["notes"])
    drawn: dict[int, str] = {}
    files: list[tuple[Sequence[int], Path]] = []
    wanted = {int(page): str(why) for page, why in found["pages"]}
    for _ in range(_ROUNDS):
        if found["problem"]:
            raise _impossible(name, found["problem"])
        if wanted:
            now = sorted(wanted)
            files.append((now, _redrawn(arranged, name, now, scratch, done)))
            drawn |= wanted
        found = _said(apart.told(partial(making.last, mended, name, files, target), name, allowed=allowed))
        notes += found["notes"]
        wanted = {int(page): str(why) for page, why in found["pages"] if int(page) not in drawn}
        if not found["pages"] and not found["problem"]:
            return _about(drawn), list(dict.fromkeys([*notes, *_told_of(drawn)]))
        if not wanted:
            break
    reason = found["problem"] or next(why for _, why in found["pages"])
    raise _impossible(name, reason)


def _allowed(pages: int) -> apart.Limits:
    """The judge looks at all pages before it says a word."""
    usual = apart.limits()
    return replace(usual, seconds=usual.seconds + _JUDGE_SECONDS * pages)


def _redrawn(path: Path, name: str, indexes: Sequence[int], scratch: Path, done: Done) -> Path:
    """Draw pages, and give the PDF that has them, in their order."""
    batches = [indexes[start : start + _BATCH] for start in range(0, len(indexes), _BATCH)]
    targets = {index: scratch / f"drawn-{index:06}.pdf" for index in indexes}
    finished: set[int] = set()

    def work(batch: Sequence[int], say: apart.Say) -> None:
        redraw(path, name, None, batch, targets, say)

    for value in apart.each_batch(batches, work, name, at_once=granted_threads() if len(batches) > 1 else 1):
        finished.add(value["page"])
        done(len(finished), len(indexes))
    together = scratch / f"drawn-from-{indexes[0]:06}.pdf"
    apart.call(lambda: stacked(list(targets.values()), together), name, allowed=_allowed(len(indexes)))
    for each in targets.values():
        each.unlink()
    return together


def _said(values: Any) -> dict[str, Any]:
    return [value for value in values if value][-1]  # type: ignore[no-any-return]


def _impossible(name: str, why: str) -> Rejected:
    hint = "Have it as pdf, or leave out the pages that are in the way with --pages."
    return Rejected("not_archivable", f"{name} cannot become PDF/A: {why}.", hint)


def _about(drawn: Mapping[int, str]) -> dict[str, Any]:
    return {"conformance": "PDF/A-2b"} | ({"pagesRedrawn": in_words(sorted(drawn))} if drawn else {})


def _told_of(drawn: Mapping[int, str]) -> list[str]:
    if not drawn:
        return []
    which = f"Page {in_words(sorted(drawn))} is a picture" if len(drawn) == 1 else None
    which = which or f"Pages {in_words(sorted(drawn))} are pictures"
    return [f"{which} with searchable text in the archive, because {next(iter(drawn.values()))}."]
