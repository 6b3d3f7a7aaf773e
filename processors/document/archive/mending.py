"""What PDF/A does not have, taken out of a PDF or made into what it has: forms, layers, notes, what is attached."""

from __future__ import annotations

import io
from typing import Any

import pikepdf
from fontTools.cffLib import CFFFontSet
from pikepdf import Array, Dictionary, Name, Stream, sanitize

from processors.document.paper.cleaning import clean

_CATALOG = frozenset(
    "/Type /Pages /Metadata /OutputIntents /Lang /MarkInfo /StructTreeRoot /PageMode /PageLayout /ViewerPreferences "
    "/Outlines /PageLabels /Names /Dests".split()
)
_ACTIONS = frozenset({"/GoTo", "/GoToR", "/URI", "/Thread"})  # ISO 19005-2, 6.5.1
_MODES = frozenset({"/UseNone", "/UseOutlines", "/UseThumbs", "/FullScreen"})
_PAGE_EXTRAS = ("/PieceInfo", "/Thumb", "/AF", "/PresSteps", "/B", "/SeparationInfo", "/Hid")
_PLAYED = frozenset({"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D", "/PrinterMark", "/TrapNet"})
_STREAM_EXTRAS = frozenset({"/PieceInfo", "/OC", "/LastModified", "/OPI", "/Alternates", "/PS", "/Ref", "/LC"})
_DEEPEST_OUTLINE = 30
_BARE = frozenset({"/Link", "/Popup"})  # annotations that need no picture of themselves
_MARKED = frozenset({"/Highlight", "/Underline", "/StrikeOut", "/Squiggly"})
_YELLOW = (1.0, 0.9, 0.3)
_NOTE_POINTS = 18


def mend(pdf: pikepdf.Pdf) -> list[str]:
    """Mend the structure of a document; what happened, in sentences."""
    notes: list[str] = []
    clean(pdf, _ACTIONS)
    has_files = bool(len(pdf.attachments)) or any(
        annotation.get("/Subtype") == Name.FileAttachment for page in pdf.pages for annotation in _annotations(page)
    )
    sanitize.remove_attachments(pdf)
    if has_files:
        notes.append("What was attached to the document is not in the archive: PDF/A-2 has no files of other kinds.")
    if "/AcroForm" in pdf.Root:
        _flatten_form(pdf)
        notes.append("The form's fields are text of their pages now.")
    for key in list(pdf.Root.keys()):
        if key not in _CATALOG:
            del pdf.Root[key]
    if str(pdf.Root.get("/PageMode", "/UseNone")) not in _MODES:
        del pdf.Root["/PageMode"]
    for key in list(pdf.trailer.keys()):
        if key not in ("/Root", "/Info", "/ID", "/Size"):
            del pdf.trailer[key]
    for page in pdf.pages:
        for key in _PAGE_EXTRAS:
            if key in page:
                del page[key]
        _mend_annotations(pdf, page)
    for each in pdf.objects:
        _mend_object(each)
    notes += _mend_outline(pdf)
    return notes


def has_hidden_layers(pdf: pikepdf.Pdf) -> bool:
    """Whether something is on a page that is not shown: without its layer it would be."""
    layers: Any = pdf.Root.get("/OCProperties")
    if not isinstance(layers, Dictionary):
        return False
    usual = layers.get("/D")
    if not isinstance(usual, Dictionary):
        return False
    return usual.get("/BaseState") == Name.OFF or len(usual.get("/OFF", Array())) > 0


def _mend_object(each: Any) -> None:
    if isinstance(each, Stream):
        for key in list(each.keys()):
            if key in _STREAM_EXTRAS or key.startswith("/PTEX."):
                del each[key]
        if each.get("/Subtype") == Name.Form:
            _forget_fonts(each)
        return
    if not isinstance(each, Dictionary):
        return
    if each.get("/Type") == Name.FontDescriptor:
        if "/CIDSet" in each:  # of no use, and wrong in many files
            del each["/CIDSet"]
    elif each.get("/Subtype") == Name.CIDFontType2 and "/CIDToGIDMap" not in each:
        each["/CIDToGIDMap"] = Name.Identity  # which it is without saying so
    elif each.get("/Subtype") == Name.Type1 and (glyph := glyph_of_code_zero(each)):
        each["/Encoding"] = Dictionary(Type=Name.Encoding, Differences=Array([0, Name(f"/{glyph}")]))


def _forget_fonts(form: Any) -> None:
    """Take away the fonts that a drawing names and does not use: those of a field are all of its form's."""
    resources = form.get("/Resources")
    fonts = resources.get("/Font") if isinstance(resources, Dictionary) else None
    if not isinstance(fonts, Dictionary):
        return
    try:
        data = form.read_bytes()
    except pikepdf.PdfError:
        return
    used = {key: value for key, value in fonts.items() if key.encode() in data}
    if len(used) < len(fonts.keys()):
        own = Dictionary({key: value for key, value in resources.items() if key != "/Font"})
        own["/Font"] = Dictionary(used)
        form["/Resources"] = own


def glyph_of_code_zero(font: Any) -> str | None:
    """The glyph that a compact font has as number 0, if it says so itself: many readers of such fonts overlook it."""
    if "/Encoding" in font or font.get("/FirstChar") != 0:
        return None
    descriptor = font.get("/FontDescriptor")
    program = descriptor.get("/FontFile3") if isinstance(descriptor, Dictionary) else None
    if not isinstance(program, Stream):
        return None
    try:
        data = program.read_bytes()
        fonts = CFFFontSet()
        fonts.decompile(io.BytesIO(data), None)
        place = fonts[0].rawDict.get("Encoding", 0)
        if not isinstance(place, int) or place < 2:  # one of those that everybody knows
            return None
        form, count = data[place] & 0x7F, data[place + 1]
        if form == 0:
            codes = list(data[place + 2 : place + 2 + count])
        else:
            pairs = zip(data[place + 2 :: 2], data[place + 3 :: 2], strict=False)
            codes = [
                code
                for (first, left), _ in zip(pairs, range(count), strict=False)
                for code in range(first, first + left + 1)
            ]
        return str(fonts[0].charset[codes.index(0) + 1]) if 0 in codes else None
    except Exception:  # fontTools raises whatever its own code does
        return None


def _mend_outline(pdf: pikepdf.Pdf) -> list[str]:
    """Write the outline anew: in many files its numbers and texts are not quite what they should be."""
    if "/Outlines" not in pdf.Root:
        return []
    try:
        with pdf.open_outline(max_depth=_DEEPEST_OUTLINE) as outline:
            is_empty = not outline.root
        if is_empty:
            del pdf.Root["/Outlines"]
        return []
    except (pikepdf.OutlineStructureError, pikepdf.PdfError, TypeError, ValueError, AttributeError, KeyError):
        del pdf.Root["/Outlines"]
        return ["Its outline is not in the archive: it cannot be read."]


def _flatten_form(pdf: pikepdf.Pdf) -> None:
    pdf.generate_appearance_streams()
    others: list[Any] = []
    for page in pdf.pages:  # only what belongs to the form becomes a part of its page
        annotations = _annotations(page)
        others.append([each for each in annotations if each.get("/Subtype") != Name.Widget])
        page.obj["/Annots"] = Array([each for each in annotations if each.get("/Subtype") == Name.Widget])
    pdf.flatten_annotations("all")
    for page, kept in zip(pdf.pages, others, strict=True):
        page.obj["/Annots"] = Array(kept)
    if "/AcroForm" in pdf.Root:
        del pdf.Root["/AcroForm"]


def _annotations(page: pikepdf.Page) -> list[Any]:
    found: Any = page.obj.get("/Annots")
    return [each for each in found if isinstance(each, Dictionary)] if isinstance(found, Array) else []


def _mend_annotations(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    kept = []
    for each in _annotations(page):
        kind = str(each.get("/Subtype", ""))
        if kind in _PLAYED or kind == "/Widget":
            continue
        for key in ("/DA", "/AF", "/OC") if kind == "/Link" else ("/AF", "/OC"):
            if key in each:
                del each[key]
        picture: Any = each.get("/AP")
        if isinstance(picture, Dictionary):
            for part in [part for part, _ in picture.items() if part != "/N"]:
                del picture[part]
        elif kind not in _BARE and (drawn := _picture(pdf, each, kind)) is not None:
            each["/AP"] = Dictionary(N=drawn)
        kept.append(each)
    if kept:
        page.obj["/Annots"] = Array(kept)
    elif "/Annots" in page.obj:
        del page.obj["/Annots"]


def _picture(pdf: pikepdf.Pdf, annotation: Any, kind: str) -> pikepdf.Object | None:
    """How a note looks that does not say how: each reader draws its own then, which an archive may not leave to it."""
    try:
        left, bottom, right, top = (float(each) for each in annotation["/Rect"])
        colour = [float(each) for each in annotation.get("/C", ())]
    except (KeyError, TypeError, ValueError):
        return None
    red, green, blue = colour if len(colour) == 3 else _YELLOW
    if kind == "/Text":
        annotation["/Rect"] = Array([left, top - _NOTE_POINTS, left + _NOTE_POINTS, top])
        sides = Array([0, 0, _NOTE_POINTS, _NOTE_POINTS])
        drawing = f"{red:g} {green:g} {blue:g} rg 0.4 G 1 1 16 16 re B 4 12 m 14 12 l 4 9 m 14 9 l 4 6 m 10 6 l S"
        return pdf.make_stream(drawing.encode(), Type=Name.XObject, Subtype=Name.Form, BBox=sides)
    if kind not in _MARKED:
        return None
    points = [float(each) for each in annotation.get("/QuadPoints", ())]
    quads = [points[start : start + 8] for start in range(0, len(points) - 7, 8)]
    parts = [f"{red:g} {green:g} {blue:g} rg {red:g} {green:g} {blue:g} RG 1 w /M gs"]
    for x0, y0, x1, y1, x2, y2, x3, y3 in quads:
        if kind == "/Highlight":
            parts.append(f"{x0:g} {y0:g} m {x1:g} {y1:g} l {x3:g} {y3:g} l {x2:g} {y2:g} l f")
        else:
            share = 0.5 if kind == "/StrikeOut" else 0.08
            begin, end = y2 + share * (y0 - y2), y3 + share * (y1 - y3)
            parts.append(f"{x2:g} {begin:g} m {x3:g} {end:g} l S")
    look = Dictionary(ExtGState=Dictionary(M=Dictionary(Type=Name.ExtGState, BM=Name.Multiply)))
    box: list[float] = [left, bottom, right, top]
    return pdf.make_stream(
        "\n".join(parts).encode(),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array(box),
        Resources=look,
        Group=Dictionary(S=Name.Transparency),
    )
