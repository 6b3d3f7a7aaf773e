"""What a PDF says of itself beside its pages: XMP, what is attached, how it is encrypted, what in it acts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream

from processors.document.paper.cleaning import clean, has_entities
from processors.document.paper.opening import opened, unit_of

_MOST_TEXT = 10_000  # characters of one value
_MOST_ENTRIES = 1000  # of a list
_MOST_XMP_BYTES = 2_000_000
_PREFIXES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/xap/1.0/mm/": "xmpMM",
    "http://ns.adobe.com/xap/1.0/rights/": "xmpRights",
    "http://ns.adobe.com/pdf/1.3/": "pdf",
    "http://ns.adobe.com/pdfx/1.3/": "pdfx",
    "http://www.aiim.org/pdfa/ns/id/": "pdfaid",
    "http://www.aiim.org/pdfua/ns/id/": "pdfuaid",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
}
#: what may be done with a document that is encrypted, as pikepdf calls it and as we do
_PERMISSIONS = {
    "print_lowres": "print",
    "print_highres": "printWell",
    "extract": "copy",
    "modify_other": "change",
    "modify_annotation": "annotate",
    "modify_form": "fill",
    "modify_assembly": "assemble",
    "accessibility": "readAloud",
}


def structure_of(path: Path, name: str, password: str | None, indexes: Sequence[int]) -> dict[str, Any]:
    """Read it, as JSON says it; to be done apart.

    Args:
        indexes: the pages that are looked at, counted from 0.

    Raises:
        Rejected: the file cannot be opened.
    """
    with opened(path, name, password) as pdf:
        found = {
            "xmp": _xmp(pdf),
            "encryption": _encryption(pdf),
            "attachments": list(_attachments(pdf)),
            "signers": list(_signers(pdf)),
            "units": list(_units(pdf, indexes)),
        }
        return found | {"active": dict(clean(pdf))}  # last: it changes what is in memory


def _units(pdf: pikepdf.Pdf, indexes: Sequence[int]) -> Iterator[tuple[int, float]]:
    """The pages whose unit is not the point, with it: PDFium does not tell."""
    pages = list(pdf.pages)
    for index in indexes:
        if index < len(pages) and (unit := unit_of(pages[index].obj)) != 1.0:
            yield index, unit


def _xmp(pdf: pikepdf.Pdf) -> dict[str, Any] | None:
    packet = pdf.Root.get("/Metadata")
    if not isinstance(packet, Stream):
        return None
    data = packet.read_bytes()
    if len(data) > _MOST_XMP_BYTES:
        return {"problem": f"It has {len(data)} bytes, which no XMP needs."}
    if has_entities(data):
        return {"problem": "It declares entities, which no XMP needs, and was not read."}
    try:
        with pdf.open_metadata(set_pikepdf_as_editor=False, update_docinfo=False, strict=True) as metadata:
            return {_called(key): _plain(value) for key, value in list(metadata.items())[:_MOST_ENTRIES]}
    except Exception as error:  # the XML parser's, and whatever is made of what it found
        return {"problem": f"{type(error).__name__}: {error}"[:_MOST_TEXT]}


def _called(key: str) -> str:
    """A name with its usual prefix, as `dc:title`."""
    space, _, name = key.removeprefix("{").rpartition("}")
    return f"{_PREFIXES.get(space, space)}:{name}" if space else name


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    return str(value)[:_MOST_TEXT]


def _encryption(pdf: pikepdf.Pdf) -> dict[str, Any] | None:
    if not pdf.is_encrypted:
        return None
    about = pdf.encryption
    return {
        "revision": about.R,
        "bits": about.bits,
        "method": {"aes": "AES", "aesv3": "AES", "rc4": "RC4"}.get(about.stream_method.name, about.stream_method.name),
        "openedAs": "owner" if pdf.owner_password_matched else "user",
        "permissions": [ours for theirs, ours in _PERMISSIONS.items() if getattr(pdf.allow, theirs)],
    }


def _attachments(pdf: pikepdf.Pdf) -> Iterator[dict[str, Any]]:
    """What is attached to the document, and to its pages."""
    for number, (name, spec) in enumerate(pdf.attachments.items()):
        if number >= _MOST_ENTRIES:
            return
        yield _about(spec.obj, name, None)
    for index, page in enumerate(pdf.pages):
        notes = page.obj.get("/Annots")
        for note in notes if isinstance(notes, Array) else ():
            if isinstance(note, Dictionary) and note.get("/Subtype") == Name.FileAttachment and "/FS" in note:
                yield _about(note["/FS"], "", index + 1)


def _about(spec: Any, name: str, page: int | None) -> dict[str, Any]:
    about: dict[str, Any] = {"name": name}
    if isinstance(spec, Dictionary):
        about["name"] = _text(spec.get("/UF")) or _text(spec.get("/F")) or name
        about["description"] = _text(spec.get("/Desc"))
        files = spec.get("/EF")
        file = (files.get("/UF") or files.get("/F")) if isinstance(files, Dictionary) else None
        if isinstance(file, Stream):
            about["mediaType"] = str(file.get("/Subtype", ""))[1:]
            said = file.get("/Params")
            size = said.get("/Size") if isinstance(said, Dictionary) else None
            about["size"] = int(size) if isinstance(size, int) else None
    return {key: value for key, value in (about | {"page": page}).items() if value not in (None, "")}


def _signers(pdf: pikepdf.Pdf) -> Iterator[dict[str, Any]]:
    """Who has signed, as the signatures say."""
    for each in pdf.objects:
        if isinstance(each, Dictionary) and each.get("/FT") == Name.Sig:
            value = each.get("/V")
            if isinstance(value, Dictionary):
                about = {"name": _text(value.get("/Name")), "place": _text(value.get("/Location"))}
                yield {key: text for key, text in about.items() if text}


def _text(value: Any) -> str:
    return str(value)[:_MOST_TEXT] if isinstance(value, (pikepdf.String, str)) else ""
