"""What PDF/A does not have, taken out of a PDF or made into what it has: forms, layers, notes, what is attached."""

from __future__ import annotations

from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, sanitize

from processors.document.paper.cleaning import clean

_CATALOG = frozenset(
    "/Type /Pages /Metadata /OutputIntents /Lang /MarkInfo /StructTreeRoot /PageMode /PageLayout /ViewerPreferences "
    "/Outlines /PageLabels /Names /Dests".split()
)
_ACTIONS = frozenset({"/GoTo", "/GoToR", "/URI", "/Thread"})  # ISO 19005-2, 6.5.1
_MODES = frozenset({"/UseNone", "/UseOutlines", "/UseThumbs", "/FullScreen"})
_PAGE_EXTRAS = ("/PieceInfo", "/Thumb", "/AF", "/PresSteps", "/B", "/SeparationInfo", "/Hid")
_PLAYED = frozenset({"/FileAttachment", "/RichMedia", "/Movie", "/Sound", "/Screen", "/3D", "/PrinterMark", "/TrapNet"})
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
        if isinstance(each, Dictionary) and each.get("/Type") == Name.FontDescriptor:
            for key in ("/CIDSet", "/CharSet"):  # of no use, and wrong in many files
                if key in each:
                    del each[key]
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
            for key in [key for key in picture.keys() if key != "/N"]:
                del picture[key]
        elif kind not in _BARE and (drawn := _picture(pdf, each, kind)) is not None:
            each["/AP"] = Dictionary(N=drawn)
        kept.append(each)
    if kept:
        page.obj["/Annots"] = Array(kept)
    elif "/Annots" in page.obj:
        del page.obj["/Annots"]


def _picture(pdf: pikepdf.Pdf, annotation: Any, kind: str) -> pikepdf.Object | None:
    """How a note looks that does not say how: every reader draws its own then, and an archive may not leave it to them."""
    try:
        left, bottom, right, top = (float(each) for each in annotation["/Rect"])
        colour = [float(each) for each in annotation.get("/C", ())]
    except (KeyError, TypeError, ValueError):
        return None
    red, green, blue = colour if len(colour) == 3 else _YELLOW
    if kind == "/Text":
        annotation["/Rect"] = Array([left, top - _NOTE_POINTS, left + _NOTE_POINTS, top])
        box = [0, 0, _NOTE_POINTS, _NOTE_POINTS]
        drawing = f"{red:g} {green:g} {blue:g} rg 0.4 G 1 1 16 16 re B 4 12 m 14 12 l 4 9 m 14 9 l 4 6 m 10 6 l S"
        return pdf.make_stream(drawing.encode(), Type=Name.XObject, Subtype=Name.Form, BBox=Array(box))
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
    box = [left, bottom, right, top]
    return pdf.make_stream(
        "\n".join(parts).encode(),
        Type=Name.XObject,
        Subtype=Name.Form,
        BBox=Array(box),
        Resources=look,
        Group=Dictionary(S=Name.Transparency),
    )
