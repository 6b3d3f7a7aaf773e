"""A PDF out of a PDF: some of its pages, turned, cleaned, whole or in parts. To be done apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from processors.document.apart import Say
from processors.document.paper.assembly import Part, rotate, taken
from processors.document.paper.cleaning import clean
from processors.document.paper.cuts import Cut
from processors.document.paper.opening import opened
from processors.document.paper.writing import save


@dataclass(frozen=True, slots=True)
class Turn:
    """Pages that are turned clockwise."""

    pages: frozenset[int]  #: of the source, counted from 0
    degrees: int


def copy(
    source: Part, indexes: Sequence[int] | None, target: Path, turn: Turn | None, password: str | None, say: Say
) -> None:
    """Write a clean copy.

    Args:
        indexes: pages, counted from 0; None for all: then the copy keeps what belongs to the whole, as its tags.
        say: told at last of what was taken out, and how often: `{"cleaned": {"JavaScript": 1}}`.
    """
    with opened(source.path, source.name, source.password) as pdf:
        made = pdf if indexes is None else taken(pdf, indexes, is_part=False)
        pages = range(len(pdf.pages)) if indexes is None else indexes
        if turn is not None:
            rotate(made, [place for place, index in enumerate(pages) if index in turn.pages], turn.degrees)
        found = clean(made)
        save(made, target, password=password, step=lambda: say({}))
    say({"cleaned": dict(found)})


def split(
    source: Part, cuts: Sequence[Cut], targets: Sequence[Path], turn: Turn | None, password: str | None, say: Say
) -> None:
    """Write each part as a file of its own.

    Args:
        say: told of each part when it is done: `{"part": 7}`; and at last of what was taken out.
    """
    total: Counter[str] = Counter()
    with opened(source.path, source.name, source.password) as pdf:
        for number, (cut, target) in enumerate(zip(cuts, targets, strict=True)):
            with taken(pdf, cut.pages, is_part=True) as made:
                if turn is not None:
                    rotate(made, [place for place, index in enumerate(cut.pages) if index in turn.pages], turn.degrees)
                total += clean(made)
                save(made, target, password=password)
            say({"part": number})
    say({"cleaned": dict(total)})
