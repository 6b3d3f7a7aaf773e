"""PPTX (ECMA-376, part 1): a page for each slide, in the order in which they are shown, with its notes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from processors.document.model import Block, Cell, Figure, Heading, ListItem, Page, Paragraph, Span, Table, plain
from processors.document.office.docx.reading import main_part
from processors.document.office.package import Package, Relation
from processors.document.office.pictures import Pictures

_EMU_TO_POINT = 1 / 12700
_LINE_EMU = 180_000  # shapes whose tops are that near stand beside each other
_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"dt", "ftr", "sldNum", "sldImg", "hdr"})
_LISTS = frozenset({"body", "obj", ""})
_MOST_DEPTH = 8
_MOST_SPAN = 1000


def pages_of(package: Package, pictures: Pictures) -> list[Page]:
    """Read a PPTX.

    Raises:
        Rejected: it is damaged.
    """
    main = main_part(package)
    root = package.xml(main)
    relations = package.relations(main)
    size = root.find("p-sldSz")
    width, height = (_emu(size, key) * _EMU_TO_POINT for key in ("cx", "cy")) if size is not None else (0.0, 0.0)
    made: list[Page] = []
    for slide in root.iterfind("p-sldIdLst/p-sldId"):
        relation = relations.get(slide.get("r-id", ""))
        if relation is None or relation.is_outside or not package.has(relation.target):
            continue
        if package.xml(relation.target).get("show") in ("0", "false"):
            continue  # it is no page of the PDF either
        blocks = _Slide(package, pictures, relation.target).blocks()
        made.append(Page(len(made) + 1, tuple(blocks), round(width, 2) or None, round(height, 2) or None))
    return made


class _Slide:
    def __init__(self, package: Package, pictures: Pictures, part: str) -> None:
        self._package = package
        self._pictures = pictures
        self._part = part
        self._relations = package.relations(part)

    def blocks(self) -> list[Block]:
        tree = self._package.xml(self._part).find("p-cSld/p-spTree")
        made = list(self._shapes(tree)) if tree is not None else []
        notes = next((each for each in self._relations.values() if each.kind == "notesSlide"), None)
        if notes is not None and self._package.has(notes.target):
            made += self._notes(notes)
        return made

    def _notes(self, relation: Relation) -> Iterator[Block]:
        for shape in self._package.xml(relation.target).iter("p-sp"):
            if _place(shape) == "body":
                for paragraph in shape.iterfind("p-txBody/a-p"):
                    if spans := self._spans(paragraph):
                        yield Paragraph((Span("Notes: ", italic=True), *spans))

    def _shapes(self, tree: Element) -> Iterator[Block]:
        """Titles first, then from the top to the bottom and from the left to the right."""
        shapes = list(_shapes_in(tree))
        placed = sorted(shapes, key=lambda shape: _place(shape) not in _TITLES)
        tops = [_top(shape) for shape in placed]
        if all(top is not None for top in tops[1:]):  # what takes its place from the layout keeps that in the file
            placed.sort(key=lambda shape: (_place(shape) not in _TITLES, *(_top(shape) or (0, 0))))
        for shape in placed:
            match shape.tag:
                case "p-grpSp":
                    yield from self._shapes(shape)
                case "p-graphicFrame":
                    yield from self._table(shape)
                case "p-pic":
                    yield self._picture(shape)
                case _:
                    yield from self._text(shape)

    def _text(self, shape: Element) -> Iterator[Block]:
        place = _place(shape)
        if place in _FURNITURE:
            return
        counts: dict[int, int] = {}
        for paragraph in shape.iterfind("p-txBody/a-p"):
            spans = self._spans(paragraph)
            if not spans:
                continue
            if place in _TITLES:
                yield Heading(1 if place == "ctrTitle" else 2, tuple(replace(span, bold=False) for span in spans))
                continue
            depth, mark = _list(paragraph, is_list=place in _LISTS and place is not None)
            if mark is None:
                yield Paragraph(spans)
                continue
            counts = {at: count for at, count in counts.items() if at <= depth}
            counts[depth] = counts.get(depth, 0) + 1
            yield ListItem(spans, depth, f"{counts[depth]}." if mark == "number" else None)

    def _spans(self, paragraph: Element) -> tuple[Span, ...]:
        made: list[Span] = []
        for run in paragraph:
            if run.tag == "a-br":
                made.append(Span("\n"))
            text = run.find("a-t")
            if run.tag not in ("a-r", "a-fld") or text is None or not text.text:
                continue
            properties = run.find("a-rPr")
            look = Span("")
            if properties is not None:
                link = properties.find("a-hlinkClick")
                relation = self._relations.get(link.get("r-id", "")) if link is not None else None
                look = Span(
                    "",
                    bold=properties.get("b") in ("1", "true"),
                    italic=properties.get("i") in ("1", "true"),
                    raised=properties.get("baseline", "0").lstrip("+") > "0",
                    link=relation.target if relation is not None and relation.is_outside else None,
                )
            made.append(replace(look, text=text.text))
        return tuple(made) if plain(tuple(made)).strip() else ()

    def _table(self, frame: Element) -> Iterator[Block]:
        for table in frame.iter("a-tbl"):
            properties = table.find("a-tblPr")
            has_header = properties is not None and properties.get("firstRow") in ("1", "true")
            rows = [
                tuple(
                    Cell(
                        self._cell(cell), _span(cell, "gridSpan"), _span(cell, "rowSpan"), header=has_header and y == 0
                    )
                    for cell in row.iterfind("a-tc")
                    if cell.get("hMerge") not in ("1", "true") and cell.get("vMerge") not in ("1", "true")
                )
                for y, row in enumerate(table.iterfind("a-tr"))
            ]
            if any(rows):
                yield Table(tuple(rows))

    def _cell(self, cell: Element) -> tuple[Span, ...]:
        made: list[Span] = []
        for paragraph in cell.iterfind("a-txBody/a-p"):
            spans = self._spans(paragraph)
            made += [Span("\n")] if made and spans else []
            made += spans
        return tuple(made)

    def _picture(self, shape: Element) -> Figure:
        described = shape.find("p-nvPicPr/p-cNvPr")
        alternative = described.get("descr", "") if described is not None else ""
        blip = shape.find("p-blipFill/a-blip")
        relation = self._relations.get(blip.get("r-embed", "")) if blip is not None else None
        path = None
        if relation is not None and not relation.is_outside and self._package.has(relation.target):
            path = self._pictures.path_of(relation.target, self._package.read)
        return Figure(path, " ".join(alternative.split()))


def _shapes_in(tree: Element) -> Iterator[Element]:
    """The shapes of a slide or a group; of those that are there for older programs too, the newer."""
    for each in tree:
        if each.tag in ("p-sp", "p-grpSp", "p-graphicFrame", "p-pic"):
            yield each
        elif each.tag == "mc-AlternateContent":
            # One that we read nothing in, as ink, has a picture for those who do not know it.
            sides = (each.find("mc-Choice"), each.find("mc-Fallback"))
            chosen = (list(_shapes_in(side)) for side in sides if side is not None)
            yield from next((found for found in chosen if found), [])


def _place(shape: Element) -> str | None:
    """What a shape is in the layout, as `title`; None of one that has no place there."""
    found = shape.find("p-nvSpPr/p-nvPr/p-ph")
    return None if found is None else found.get("type", "")


def _top(shape: Element) -> tuple[int, int] | None:
    """Where a shape stands: its line, and how far to the right."""
    for path in ("p-spPr/a-xfrm/a-off", "p-grpSpPr/a-xfrm/a-off", "p-xfrm/a-off"):
        if (found := shape.find(path)) is not None:
            return int(_emu(found, "y") // _LINE_EMU), int(_emu(found, "x"))
    return None


def _emu(element: Element, key: str) -> float:
    try:
        return float(element.get(key, "0"))
    except ValueError:
        return 0.0


def _list(paragraph: Element, *, is_list: bool) -> tuple[int, str | None]:
    """How deep an item is, and what marks it: `bullet`, `number`, or nothing."""
    properties = paragraph.find("a-pPr")
    if properties is None:
        return 0, "bullet" if is_list else None
    level = properties.get("lvl", "0")
    depth = min(_MOST_DEPTH, int(level)) if level.isdecimal() and len(level) < 3 else 0
    if properties.find("a-buNone") is not None:
        return depth, None
    if properties.find("a-buAutoNum") is not None:
        return depth, "number"
    return depth, "bullet" if is_list or properties.find("a-buChar") is not None else None


def _span(cell: Element, key: str) -> int:
    value = cell.get(key, "1")
    return max(1, min(_MOST_SPAN, int(value))) if value.isdecimal() and len(value) < 10 else 1
