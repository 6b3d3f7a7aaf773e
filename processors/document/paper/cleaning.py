"""Takes out of a PDF what acts: scripts, programs to start, films; and signatures, which hold no more."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pikepdf
from pikepdf import Name

#: what may be done where one clicks: go somewhere, and switch layers or fields; all else is taken away
QUIET = frozenset({"/GoTo", "/GoToR", "/URI", "/Named", "/Thread", "/SetOCGState", "/ResetForm", "/Hide"})
_ACTIONS = ("/A", "/PA", "/OpenAction", "/Next")  # the keys of what is done
_OPENING = frozenset({"/GoTo"})  # what may happen by itself when the document is opened
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_LEADING = frozenset({"http:", "https:", "mailto:", "tel:", "ftp:"})  # schemes that show something, and do nothing
_PLAYED = frozenset({"/RichMedia", "/Movie", "/Sound", "/Screen", "/3D"})  # annotations that play
_MEDIA = ("/RichMediaContent", "/RichMediaSettings", "/Movie", "/Sound", "/3DD", "/3DA", "/MK")
_DEEPEST = 100

_ENTITIES = (b"<!DOCTYPE", b"<!ENTITY", "<!DOCTYPE".encode("utf-16-le"), "<!ENTITY".encode("utf-16-le"))
_MOST_XMP_BYTES = 4_000_000


def clean(pdf: pikepdf.Pdf, quiet: frozenset[str] = QUIET) -> Counter[str]:
    """Take it out, wherever in the file it is; what each was, and how often.

    Args:
        quiet: the actions that may stay.
    """
    found: Counter[str] = Counter()
    for each in pdf.objects:
        _clean(each, found, quiet, 0)
    root = pdf.Root
    _take(root, ("/Perms", "/Requirements", "/NeedsRendering", "/Collection"))
    _quieten_opening(root, found)
    if isinstance(base := root.get("/URI"), pikepdf.Dictionary) and not _leads_to_the_web(base.get("/Base", "")):
        del root["/URI"]
        found["URI"] += 1
    if isinstance(names := root.get("/Names"), pikepdf.Dictionary) and "/JavaScript" in names:
        del names["/JavaScript"]
        found["JavaScript"] += 1
    if isinstance(form := root.get("/AcroForm"), pikepdf.Dictionary):
        _take(form, ("/XFA", "/SigFlags", "/CO"))
    if isinstance(packet := root.get("/Metadata"), pikepdf.Stream) and _is_hostile(packet):
        del root["/Metadata"]
        found["XMP with entities"] += 1
    return found


def _clean(each: Any, found: Counter[str], quiet: frozenset[str], depth: int) -> None:
    """Clean an object, and what is written in it; what it refers to has its own turn."""
    if depth > _DEEPEST:
        return
    if isinstance(each, pikepdf.Array):
        for item in each:
            if isinstance(item, (pikepdf.Array, pikepdf.Dictionary)) and not item.is_indirect:
                _clean(item, found, quiet, depth + 1)
        return
    if not isinstance(each, (pikepdf.Dictionary, pikepdf.Stream)):
        return
    if "/AA" in each:
        del each["/AA"]
        found["actions that happen by themselves"] += 1
    for key in _ACTIONS:
        if key in each:
            kinds = _forbidden(each[key], quiet)
            if kinds:
                found.update(kinds)
                del each[key]
    kind = each.get("/Subtype")
    if kind in _PLAYED and "/Rect" in each:
        _take(each, _MEDIA)
        found[str(kind)[1:]] += 1
    if each.get("/FT") == Name.Sig and "/V" in each:
        del each["/V"]
        found["signature"] += 1
    for key, item in each.items():
        if isinstance(item, (pikepdf.Array, pikepdf.Dictionary)) and not item.is_indirect and key != "/Parent":
            _clean(item, found, quiet, depth + 1)


def _forbidden(action: Any, quiet: frozenset[str]) -> list[str]:
    """What kinds of action that act there are in one, or in several; of those after them each has its own turn."""
    several = list(action) if isinstance(action, pikepdf.Array) else [action]
    acting = [each for each in several if isinstance(each, pikepdf.Dictionary) and "/S" in each]
    return [str(each["/S"])[1:] for each in acting if str(each["/S"]) not in quiet or not _is_harmless(each)]


def _quieten_opening(root: Any, found: Counter[str]) -> None:
    """Leave of what happens when a document is opened that it is shown at some place, and nothing after that."""
    action = root.get("/OpenAction")
    kinds = _forbidden(action, _OPENING)
    found.update(kinds)
    if kinds:
        del root["/OpenAction"]
    elif isinstance(action, pikepdf.Dictionary) and "/Next" in action:
        root["/OpenAction"] = pikepdf.Dictionary({key: item for key, item in action.items() if key != "/Next"})


def _is_harmless(action: Any) -> bool:
    """Whether what an action leads to may be followed: a page of the web, or a file in a folder of the document's."""
    if "/URI" in action and not _leads_to_the_web(action["/URI"]):
        return False
    return "/F" not in action or _is_near(action["/F"])


def _leads_to_the_web(uri: Any) -> bool:
    if not isinstance(uri, (str, pikepdf.String)):
        return False
    text = re.sub(r"[\x00-\x20]", "", str(uri))  # as browsers read it
    scheme = _SCHEME.match(text)
    return scheme[0].lower() in _LEADING if scheme else not text.startswith(("//", "\\"))


def _is_near(file: Any) -> bool:
    """Whether a file is named from where the document is: asking another machine tells it who the reader is."""
    if isinstance(file, pikepdf.Dictionary):
        names = [file[key] for key in ("/F", "/UF", "/DOS", "/Unix", "/Mac") if key in file]
        return file.get("/FS") != Name.URL and all(map(_is_near, names))
    return isinstance(file, pikepdf.String) and not re.search(r"^\s*[/\\]|:", str(file))


def _take(holder: Any, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key in holder:
            del holder[key]


def _is_hostile(packet: pikepdf.Stream) -> bool:
    """Whether an XMP packet declares entities, which no packet needs, or is larger than any."""
    try:
        data = packet.read_bytes()
    except pikepdf.PdfError:
        return True
    return len(data) > _MOST_XMP_BYTES or has_entities(data)


def has_entities(data: bytes) -> bool:
    """Whether XML declares entities: the way to make a little of it a lot, and to read files of the machine."""
    return any(mark in data for mark in _ENTITIES)
