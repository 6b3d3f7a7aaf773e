"""The labels of lists and numbered headings, counted as Word does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"))
_SMALL_ROMAN = ((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"))
_LEVELS = 9
_MOST_LABEL = 40  # characters


@dataclass(frozen=True, slots=True)
class _Level:
    form: str = "decimal"
    text: str = ""
    start: int = 1


class Numbering:
    """The lists of a document, and how far each has counted."""

    def __init__(self, root: Element | None) -> None:
        self._abstract: dict[str, dict[int, _Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, _Level]]] = {}  # by number: what they count in, their levels
        self._counts: dict[str, list[int | None]] = {}
        if root is None:
            return
        for abstract in root.findall("w-abstractNum"):
            self._abstract[abstract.get("w-abstractNumId", "")] = _levels(abstract)
        for number in root.findall("w-num"):
            of = number.find("w-abstractNumId")
            identifier = of.get("w-val", "") if of is not None else ""
            levels = dict(self._abstract.get(identifier, {}))
            counter = identifier
            for override in number.findall("w-lvlOverride"):
                depth = _number(override.get("w-ilvl"), 0)
                own = _levels(override)
                start = override.find("w-startOverride")
                if start is not None:
                    counter = f"{identifier}/{number.get('w-numId')}"  # it counts by itself
                    before = own.get(depth) or levels.get(depth, _Level())
                    own[depth] = _Level(before.form, before.text, _number(start.get("w-val"), 1))
                levels |= own
            self._lists[number.get("w-numId", "")] = (counter, levels)

    def label(self, number: str, depth: int) -> str | None:
        """Count one on, and give its label; None of a bullet, and an empty one where nothing is to be seen."""
        if number not in self._lists:
            return None
        counter, levels = self._lists[number]
        depth = max(0, min(_LEVELS - 1, depth))
        level = levels.get(depth, _Level())
        counts = self._counts.setdefault(counter, [None] * _LEVELS)
        before = counts[depth]
        counts[depth] = level.start if before is None else before + 1
        counts[depth + 1 :] = [None] * (_LEVELS - depth - 1)
        if level.form in ("bullet", "none") or not level.text:
            return None if level.form == "bullet" else ""

        def place(found: re.Match[str]) -> str:
            at = int(found[1]) - 1
            of = levels.get(at, _Level())
            value = counts[at] if counts[at] is not None else of.start
            return written(value or 0, of.form)

        return re.sub(r"%([1-9])", place, level.text).strip()[:_MOST_LABEL]

    def has(self, number: str) -> bool:
        """Whether there is such a list."""
        return number in self._lists


def _levels(parent: Element) -> dict[int, _Level]:
    found = {}
    for level in parent.findall("w-lvl"):
        form, text, start = level.find("w-numFmt"), level.find("w-lvlText"), level.find("w-start")
        found[_number(level.get("w-ilvl"), 0)] = _Level(
            form.get("w-val", "decimal") if form is not None else "decimal",
            text.get("w-val", "") if text is not None else "",
            _number(start.get("w-val"), 1) if start is not None else 1,
        )
    return found


def written(value: int, form: str) -> str:
    """A number as a label says it."""
    match form:
        case "lowerLetter" | "upperLetter" if value > 0:
            letter = chr(ord("a") + (value - 1) % 26) * min(5, (value - 1) // 26 + 1)
            return letter if form == "lowerLetter" else letter.upper()
        case "lowerRoman" | "upperRoman" if 0 < value < 4000:
            rest, text = value, ""
            for worth, sign in (*_ROMAN, *_SMALL_ROMAN):
                text += sign * (rest // worth)
                rest %= worth
            return text if form == "lowerRoman" else text.upper()
        case "decimalZero":
            return f"{value:02}"
        case "bullet" | "none":
            return ""
        case _:
            return str(value)


def _number(value: str | None, otherwise: int) -> int:
    return int(value) if value is not None and re.fullmatch(r"-?[0-9]{1,9}", value) else otherwise
