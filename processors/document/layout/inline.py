"""From words to spans: spaces, divided words, looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from processors.document.layout.pieces import Piece, Word
from processors.document.model import Span

HYPHEN = "\u00ad"  #: at the end of a line: the word goes on in the next
#: before these English writes a hyphen nearly always: Chicago Manual of Style, 7.89
_COMPOUNDING = frozenset({"all", "cross", "half", "non", "self", "well"})
_AROUND = ".,;:!?()[]\"'"


def spans_of(
    lines: Sequence[Piece], *, plain_style: bool = False, all_bold: bool = False, breaks: bool = False
) -> tuple[Span, ...]:
    """Join lines into running text.

    Args:
        plain_style: leave out bold and italic.
        all_bold: the whole is bold, so that nothing in it stands out.
        breaks: keep the ends of lines.
    """
    parts: list[tuple[str, Word]] = []
    for number, line in enumerate(lines):
        for index, word in enumerate(line.words):
            lead = " " if (index > 0 and word.spaced) or (index == 0 and number > 0) else ""
            if index == 0 and number > 0:
                lead = "\n" if breaks else " "
                if parts and _is_divided(parts[-1][0], word.text, breaks=breaks):
                    text, before = parts[-1]
                    parts[-1] = (text[:-1] + _hyphen_of(text[:-1].strip(), word.text, lines), before)
                    lead = "" if not breaks else lead
            parts.append((lead + word.text, word))
    return _grouped(parts, plain_style, all_bold)


def _is_divided(before: str, after: str, *, breaks: bool) -> bool:
    """Whether a word goes on from one line to the next, by a mark of the file's, or by the look of it."""
    if before.endswith(HYPHEN):
        return True
    return not breaks and before.endswith("-") and before[-2:-1].isalpha() and after[:1].islower()


def _hyphen_of(before: str, after: str, lines: Sequence[Piece]) -> str:
    """The hyphen that a divided word has anyway, as a name or a compound does; else nothing.

    What goes on with a capital had it before it was divided. So had what begins as compounds do that are written so, or
    stands so elsewhere among the lines.
    """
    if not after[:1].islower() or before.lower() in _COMPOUNDING:
        return "-"
    whole = f"{before}-{after}".lower().strip(_AROUND)
    return "-" if any(word.text.lower().strip(_AROUND) == whole for line in lines for word in line.words) else ""


def _grouped(parts: Iterable[tuple[str, Word]], plain_style: bool, all_bold: bool) -> tuple[Span, ...]:
    found: list[Span] = []
    for text, word in parts:
        style = word.style
        look = Span(
            text.replace(HYPHEN, ""),
            bold=style.bold and not plain_style and not all_bold,
            italic=style.italic and not plain_style,
            code=style.fixed and not plain_style,
            raised=word.raised,
            link=word.link,
        )
        if found and _looks_same(found[-1], look):
            last = found[-1]
            found[-1] = Span(last.text + look.text, last.bold, last.italic, last.code, last.raised, last.link)
        elif found and look.text[:1] in (" ", "\n"):
            last = found[-1]
            found[-1] = Span(last.text + look.text[0], last.bold, last.italic, last.code, last.raised, last.link)
            found.append(Span(look.text[1:], look.bold, look.italic, look.code, look.raised, look.link))
        else:
            found.append(look)
    return tuple(span for span in found if span.text)


def _looks_same(one: Span, other: Span) -> bool:
    return (one.bold, one.italic, one.code, one.raised, one.link) == (
        other.bold,
        other.italic,
        other.code,
        other.raised,
        other.link,
    )


def text_of(lines: Sequence[Piece]) -> str:
    """The text of lines, joined."""
    return "".join(span.text for span in spans_of(lines, plain_style=True))


def rows_of(words: Iterable[Word]) -> list[Piece]:
    """Words that lie anywhere, as lines from top to bottom; within a line in the order they come."""
    lines: list[list[Word]] = []
    for word in words:
        for line in reversed(lines[-4:]):
            if abs(line[0].base - word.base) <= 0.5 * max(word.style.size, line[0].style.size):
                line.append(word)
                break
        else:
            lines.append([word])
    pieces = [Piece(line) for line in lines]
    return sorted(pieces, key=lambda piece: piece.base)
