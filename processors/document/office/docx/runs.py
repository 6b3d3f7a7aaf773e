"""A paragraph of a DOCX as spans, with what is anchored in it: pictures, text boxes, notes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from processors.document.formulas import linear
from processors.document.model import Figure, Span
from processors.document.office.docx.styles import Styles, is_monospaced, is_on
from processors.document.office.package import Relation

_LINK = re.compile(r'^\s*HYPERLINK\s+(?:"([^"]*)"|(?!\\)(\S+))?(?:.*?\\l\s+"([^"]*)")?')
_PAGE_FIELD = re.compile(r"^\s*(PAGE|NUMPAGES|SECTIONPAGES|PAGEREF)\b")
_GONE = frozenset({"w-del", "w-moveFrom", "w-pPr", "w-rPr", "w-sdtPr", "w-annotationRef", "w-footnoteRef", "w-tblPr"})
_TICKED, _UNTICKED = "☒☑✓✔", "☐□"
_SIGNS = {"F0FE": "☒", "F0FD": "☒", "F052": "☑", "F0A8": "☐", "F06F": "☐", "F0B7": "•", "F0E0": "→", "F0FC": "✔"}

PictureAt = Callable[[str], str | None]  #: from the name of a part to the path of the picture that was extracted


@dataclass(slots=True)
class Line:
    """What a paragraph holds."""

    spans: list[Span] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    boxes: list[Element] = field(default_factory=list)  #: what text boxes hold
    notes: list[tuple[str, str]] = field(default_factory=list)  #: `footnotes` or `endnotes`, and the number there
    checked: bool | None = None


@dataclass(slots=True)
class _Field:
    instruction: str = ""
    is_result: bool = False


class Runs:
    """Reads the paragraphs of one part."""

    def __init__(
        self,
        styles: Styles,
        relations: Mapping[str, Relation],
        picture_at: PictureAt,
        labels: dict[tuple[str, str], str],
    ) -> None:
        """Begin.

        Args:
            labels: of notes, by where they are and their numbers; new ones are added.
        """
        self._styles = styles
        self._relations = relations
        self._picture_at = picture_at
        self._labels = labels
        self._fields: list[_Field] = []  # those that are open; they may reach over paragraphs

    def line(self, paragraph: Element) -> Line:
        """Read a paragraph."""
        made = Line()
        self._children(paragraph, Span(""), made)
        made.spans = _joined(made.spans)
        first = made.spans[0].text.lstrip() if made.spans else ""
        if (
            first[:1]
            and first[0] in _TICKED + _UNTICKED
            and first[1:].lstrip() + "".join(span.text for span in made.spans[1:])
        ):
            made.checked = first[0] in _TICKED
            made.spans = _joined([replace(made.spans[0], text=first[1:].lstrip()), *made.spans[1:]])
        return made

    def _children(self, parent: Element, look: Span, made: Line) -> None:
        for child in parent:
            self._element(child, look, made)

    def _element(self, element: Element, look: Span, made: Line) -> None:
        match element.tag:
            case tag if tag in _GONE:
                return
            case "w-r":
                self._children(element, self._look(element, look), made)
            case "w-t" | "m-t":
                self._say(element.text or "", look, made)
            case "w-tab" | "w-ptab":
                self._say(" ", look, made)
            case "w-br" | "w-cr":
                if element.get("w-type") not in ("page", "column"):
                    self._say("\n", look, made)
            case "w-noBreakHyphen":
                self._say("\u2011", look, made)
            case "w-sym":
                code = (element.get("w-char") or "").upper()
                self._say(_SIGNS.get(code, ""), look, made)
            case "w-hyperlink":
                self._children(element, replace(look, link=self._target(element) or look.link), made)
            case "w-fldSimple":
                if not _PAGE_FIELD.match(element.get("w-instr", "")):
                    self._children(element, replace(look, link=_link_of(element.get("w-instr", "")) or look.link), made)
            case "w-fldChar":
                self._field(element.get("w-fldCharType", ""))
            case "w-instrText":
                if self._fields:
                    self._fields[-1].instruction += element.text or ""
            case "w-footnoteReference" | "w-endnoteReference":
                where = "footnotes" if element.tag == "w-footnoteReference" else "endnotes"
                self._note(where, element.get("w-id", ""), look, made)
            case "mc-AlternateContent":
                # One of them is shown: the first that is known, which here is always the newer.
                chosen = element.find("mc-Choice")
                chosen = element.find("mc-Fallback") if chosen is None else chosen
                if chosen is not None:
                    self._children(chosen, look, made)
            case "w-drawing" | "w-pict" | "w-object":
                self._drawing(element, made)
            case "m-oMath":
                self._say(linear(element), look, made)
            case "w-p" | "w-tbl":
                return  # of a text box, which is read by itself
            case _:
                self._children(element, look, made)

    def _say(self, text: str, look: Span, made: Line) -> None:
        shown = look
        for each in self._fields:
            if not each.is_result or _PAGE_FIELD.match(each.instruction):
                return
            shown = replace(shown, link=_link_of(each.instruction) or shown.link)
        if text:
            made.spans.append(replace(shown, text=text))

    def _look(self, run: Element, look: Span) -> Span:
        properties = run.find("w-rPr")
        if properties is None:
            return look
        named = properties.find("w-rStyle")
        style = self._styles.of(named.get("w-val") if named is not None else None)
        look = replace(
            look, bold=look.bold or style.bold, italic=look.italic or style.italic, code=look.code or style.code
        )
        for each in properties:
            match each.tag:
                case "w-b":
                    look = replace(look, bold=is_on(each))
                case "w-i":
                    look = replace(look, italic=is_on(each))
                case "w-vertAlign":
                    look = replace(look, raised=each.get("w-val") == "superscript")
                case "w-rFonts":
                    look = replace(look, code=is_monospaced(each))
                case _:
                    pass
        hidden = properties.find("w-vanish")
        return replace(look, link=_HIDDEN) if hidden is not None and is_on(hidden) else look

    def _field(self, kind: str) -> None:
        if kind == "begin":
            self._fields.append(_Field())
        elif self._fields and kind == "separate":
            self._fields[-1].is_result = True
        elif self._fields and kind == "end":
            self._fields.pop()

    def _target(self, element: Element) -> str | None:
        relation = self._relations.get(element.get("r-id", ""))
        anchor = element.get("w-anchor")
        if relation is not None and relation.is_outside:
            return relation.target + (f"#{anchor}" if anchor else "")
        return f"#{anchor}" if anchor else None

    def _note(self, where: str, number: str, look: Span, made: Line) -> None:
        label = self._labels.setdefault((where, number), str(len(self._labels) + 1))
        made.notes.append((where, number))
        self._say(label, replace(look, raised=True), made)

    def _drawing(self, element: Element, made: Line) -> None:
        described = next((each for each in element.iter("wp-docPr")), None)
        shape = next((each for each in element.iter("v-shape")), None)
        alternative = ""
        if described is not None:
            alternative = described.get("descr") or described.get("title") or ""
        elif shape is not None:
            alternative = shape.get("alt") or ""
        for tag, key in (("a-blip", "r-embed"), ("v-imagedata", "r-id")):
            for picture in element.iter(tag):
                relation = self._relations.get(picture.get(key, ""))
                path = None if relation is None or relation.is_outside else self._picture_at(relation.target)
                made.figures.append(Figure(path, " ".join(alternative.split())))
        self._boxes(element, made)

    def _boxes(self, element: Element, made: Line) -> None:
        for child in element:
            if child.tag == "mc-AlternateContent":
                chosen = child.find("mc-Choice")
                chosen = child.find("mc-Fallback") if chosen is None else chosen
                if chosen is not None:
                    self._boxes(chosen, made)
            elif child.tag == "w-txbxContent":
                made.boxes.append(child)
            else:
                self._boxes(child, made)


_HIDDEN = "\0hidden"  # a look that no link has: its spans are left out


def _link_of(instruction: str) -> str | None:
    found = _LINK.match(instruction)
    if not found:
        return None
    url, place = found[1] or found[2] or "", found[3]
    return f"{url}#{place}" if place else url or None


def _joined(spans: list[Span]) -> list[Span]:
    """Put together what looks the same, without what is hidden and without space at the edges."""
    made: list[Span] = []
    for span in spans:
        if span.link == _HIDDEN or not span.text:
            continue
        if made and replace(made[-1], text="") == replace(span, text=""):
            made[-1] = replace(span, text=made[-1].text + span.text)
        else:
            made.append(span)
    while made and not made[-1].text.strip():
        made.pop()
    while made and not made[0].text.strip():
        made.pop(0)
    if made:
        made[0] = replace(made[0], text=made[0].text.lstrip())
        made[-1] = replace(made[-1], text=made[-1].text.rstrip())
    return made
