"""All that a PDF says of itself: properties, XMP, pages, fonts, outline, forms, attachments, notes, signatures."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pypdfium2.raw as raw

from processors.document import apart
from processors.document.pdf import pdfium
from processors.document.pdf.forms import fields_of
from processors.document.pdf.opening import opened
from processors.document.pdf.reading import page_at, text_of
from processors.document.pdf.source import PdfSource
from processors.document.pdf.strings import ascii_text, property_of, text
from processors.document.pdf.structure import structure_of
from processors.worker.context import Rejected

_PROPERTIES = ("Title", "Author", "Subject", "Keywords", "Creator", "Producer", "CreationDate", "ModDate", "Trapped")
_MOST_OBJECTS = 5000  # of a page, that are asked for their font
_MOST_KEPT = 5000  # notes
_MOST_SIGNATURES = 100
_MOST_CHARACTERS = 4_000_000  # of all notes
_LONGEST_LABEL = 200
_SUBTYPES = {
    getattr(raw, name): name.removeprefix("FPDF_ANNOT_").lower()
    for name in dir(raw)
    if name.startswith("FPDF_ANNOT_") and isinstance(getattr(raw, name), int)
}
_LEFT = struct.Struct("=qq")
_INVISIBLE = 3  # a text rendering mode, ISO 32000-1, 9.3.6
_FORM_TYPES = {raw.FORMTYPE_ACRO_FORM: "AcroForm", raw.FORMTYPE_XFA_FULL: "XFA", raw.FORMTYPE_XFA_FOREGROUND: "XFA"}

Done = Callable[[int, int], None]


def metadata(source: PdfSource, done: Done) -> dict[str, Any]:
    """Read it, apart.

    Raises:
        Rejected: it cannot be read.
    """
    path, name, password = source.path, source.name, source.password
    found: dict[str, Any] = apart.call(lambda: _of_document(path, name, password), name)
    try:
        found |= apart.call(lambda: structure_of(path, name, password, source.indexes), name)
    except Rejected as error:  # what PDFium reads all the same
        found["problem"] = error.message
    try:
        found["fields"] = apart.call(lambda: list(fields_of(path, password, set(source.indexes))), name)
    except Rejected as error:
        found |= {"fields": [], "problem": error.message}
    for signature, signer in zip(found["signatures"], found.pop("signers", ()), strict=False):
        signature |= signer
    found["outline"] = [asdict(entry) for entry in source.facts.outline]
    found["tagged"] = source.facts.tagged

    def work(batch: Sequence[int], say: apart.Say) -> None:
        with opened(path, name, password) as document:
            for index in batch:
                say({"page": index, "about": _of_page(document, index, name, room)})

    room = _Room(_MOST_KEPT, _MOST_CHARACTERS)
    by_page: dict[int, dict[str, Any]] = {}
    faces: set[tuple[str, bool]] = set()
    for value in apart.each_batch(source.batches(source.at_once()), work, name, at_once=source.at_once()):
        about = by_page[value["page"]] = value["about"]
        faces |= {(font, embedded) for font, embedded in about.pop("fonts")}
        done(len(by_page), len(source.indexes))
    for index, unit in found.pop("units", ()):
        for side in ("width", "height"):
            by_page[index][side] = round(by_page[index][side] * unit, 2)
    pages = [by_page[index] for index in source.indexes]
    found["words"] = sum(page["words"] for page in pages)
    found["hiddenText"] = any(page["hiddenText"] for page in pages)
    found["fonts"] = [{"name": font, "embedded": embedded} for font, embedded in sorted(faces)]
    found["notes"] = [note for page in pages for note in page.pop("notes")]
    kinds: Counter[str] = Counter()
    for page in pages:
        kinds.update(page["annotations"])
    found["annotations"] = dict(kinds)
    found["pages"] = pages
    return found


def _of_document(path: Path, name: str, password: str | None) -> dict[str, Any]:
    with opened(path, name, password) as document:
        version = document.get_version() or 0
        properties = {key: property_of(document, key) for key in _PROPERTIES}
        return {
            "format": "pdf",
            "version": f"{version // 10}.{version % 10}",
            "pageCount": len(document),
            "properties": {key: value for key, value in properties.items() if value},
            "language": text(lambda buffer, size: raw.FPDFCatalog_GetLanguage(document.raw, buffer, size)) or None,
            "form": _FORM_TYPES.get(document.get_formtype()),
            "signatures": _signatures(document),
        }


def _signature(signature: Any) -> dict[str, Any]:
    return {
        "reason": text(partial(raw.FPDFSignatureObj_GetReason, signature), ctypes.c_void_p) or None,
        "time": ascii_text(partial(raw.FPDFSignatureObj_GetTime, signature)) or None,
        "filter": ascii_text(partial(raw.FPDFSignatureObj_GetSubFilter, signature)) or None,
    }


def _signatures(document: Any) -> list[dict[str, Any]]:
    """That there are some, and what they say: whether they hold is not looked at."""
    count = max(0, min(_MOST_SIGNATURES, raw.FPDF_GetSignatureCount(document.raw)))
    return [_signature(raw.FPDF_GetSignatureObject(document.raw, index)) for index in range(count)]


def _of_page(document: Any, index: int, name: str, room: _Room) -> dict[str, Any]:
    page = page_at(document, index, name)
    try:
        width, height = page.get_size()
        fonts, is_hidden = _fonts(page)
        annotations: Counter[str] = Counter()
        notes = []
        for number in range(max(0, min(_MOST_OBJECTS, raw.FPDFPage_GetAnnotCount(page.raw)))):
            annotation = raw.FPDFPage_GetAnnot(page.raw, number)
            kind = _SUBTYPES.get(raw.FPDFAnnot_GetSubtype(annotation), "unknown")
            annotations[kind] += 1
            if room.is_full:
                pass
            elif content := _said(annotation, b"Contents"):
                author = _said(annotation, b"T")
                note = {"page": index + 1, "kind": kind, "text": content} | ({"author": author} if author else {})
                if room.takes(note):
                    notes.append(note)
            raw.FPDFPage_CloseAnnot(annotation)
        return {
            "number": index + 1,
            "label": _label(document, index) or None,
            "width": round(width, 2),
            "height": round(height, 2),
            "rotation": page.get_rotation(),
            "annotations": dict(annotations),
            "words": len(text_of(document, index, name).split()),
            "hiddenText": is_hidden,
            "fonts": sorted(fonts),
            "notes": notes,
        }
    finally:
        page.close()


class _Room:
    """What may still be kept of notes: in memory that all processes share, so that none says too much."""

    def __init__(self, entries: int, characters: int) -> None:
        self._file = os.fdopen(os.memfd_create("room"), "r+b", buffering=0)
        self._file.truncate(_LEFT.size)
        self._left = mmap.mmap(self._file.fileno(), _LEFT.size)
        self._left[:] = _LEFT.pack(entries, characters)

    @property
    def is_full(self) -> bool:
        entries, characters = _LEFT.unpack(self._left[:])
        return bool(entries <= 0 or characters <= 0)

    def takes(self, entry: dict[str, Any]) -> bool:
        """Whether there is room for one more, which then has it."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)  # it goes with a process that dies
        try:
            entries, characters = _LEFT.unpack(self._left[:])
            characters -= sum(len(value) for value in entry.values() if isinstance(value, str))
            if entries < 1 or characters < 0:
                return False
            self._left[:] = _LEFT.pack(entries - 1, characters)
            return True
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)


def _label(document: Any, index: int) -> str:
    return text(partial(raw.FPDF_GetPageLabel, document.raw, index), ctypes.c_void_p, _LONGEST_LABEL)


def _said(annotation: Any, key: bytes) -> str:
    return text(lambda buffer, size: raw.FPDFAnnot_GetStringValue(annotation, key, buffer, size))


def _fonts(page: Any) -> tuple[set[tuple[str, bool]], bool]:
    """The names of a page's fonts, whether each is in the file, and whether text is there and not drawn."""
    found: set[tuple[str, bool]] = set()
    is_hidden = False
    handle = pdfium.pointer(page.raw)
    for index in range(min(_MOST_OBJECTS, pdfium.count_objects(handle))):
        each = pdfium.object_at(handle, index)
        if pdfium.object_type(each) == raw.FPDF_PAGEOBJ_TEXT:
            font = raw.FPDFTextObj_GetFont(ctypes.cast(each, raw.FPDF_PAGEOBJECT))
            found.add((ascii_text(partial(raw.FPDFFont_GetBaseFontName, font)), raw.FPDFFont_GetIsEmbedded(font) == 1))
            is_hidden |= pdfium.render_mode(each) == _INVISIBLE
    return {font for font in found if font[0]}, is_hidden
