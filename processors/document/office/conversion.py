"""Any kind of document as a PDF, and office formats as the one that is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from processors.document import apart, passwords
from processors.document.kinds import TEXTS, Kind, kind_of
from processors.document.model import Page
from processors.document.office import asking, locking, papers, reading
from processors.document.office.package import Package
from processors.document.text import reading as texts
from processors.document.writing import docx
from processors.specs import DocumentSpec
from processors.worker.context import Context, Rejected

_OPEN_DOCUMENT: frozenset[Kind] = frozenset({"odt", "ods", "odp"})
_MAIN_PARTS: dict[Kind, str] = {"docx": "word/document.xml", **dict.fromkeys(_OPEN_DOCUMENT, "content.xml")}


@dataclass(frozen=True, slots=True)
class Opened:
    """An office document that needs no password any more."""

    path: Path
    name: str  #: what the user calls it
    kind: Kind
    was_locked: bool = False
    has_paper: bool = True  #: whether it says how large its pages are


def opened(context: Context[DocumentSpec], path: Path, name: str, kind: Kind, directory: Path) -> Opened:
    """See that an office document is within bounds, and open it with the password if it has one.

    Args:
        name: what the user calls it.

    Raises:
        Rejected: the password is missing or wrong; or the document is damaged or too large.
    """
    looked = apart.call(lambda: _look(path, name, kind), name)
    document = Opened(path, name, kind, has_paper=looked["hasPaper"])
    if not looked["isLocked"]:
        return document
    if kind == "ppt":
        hint = "Open it in PowerPoint and save it as PPTX, with a password or without."
        raise Rejected(
            "unknown_encryption", f"{name} is a PPT with a password, which is opened by PowerPoint alone.", hint
        )
    if not context.spec.password:
        raise passwords.missing(name)
    target = directory / "opened"
    try:
        _convert(context, document, target, "office", password=context.spec.password)
    except Rejected as error:
        if error.code != "conversion_failed":
            raise
        raise passwords.wrong(name) from error
    return Opened(target, name, kind_of(target, name), was_locked=True)


def _look(path: Path, name: str, kind: Kind) -> dict[str, bool]:
    """What has to be known before it is opened; of an archive also that it is within bounds."""
    match kind:
        case "locked":
            return {"isLocked": True, "hasPaper": True}
        case "rtf":
            return {"isLocked": False, "hasPaper": papers.has_text_paper(path)}
        case "doc" | "xls" | "ppt":
            return {"isLocked": locking.is_compound_locked(path, kind), "hasPaper": True}
        case _:
            with Package(path, name) as package:
                package.refuse_entities()
                if kind in _OPEN_DOCUMENT and locking.is_package_locked(package):
                    return {"isLocked": True, "hasPaper": True}
                for part in {_MAIN_PARTS.get(kind, ""), *package.main_parts()}:
                    if package.has(part):
                        package.refuse_depth(part)
                return {"isLocked": False, "hasPaper": papers.has_paper(package, kind)}


def readable(context: Context[DocumentSpec], document: Opened, directory: Path) -> Opened:
    """A document in the format that is read: what LibreOffice alone reads goes through it.

    Raises:
        Rejected: it cannot be read.
    """
    if document.kind in reading.READ:
        return document
    target = directory / "readable"
    _convert(context, document, target, "office")
    return Opened(target, document.name, kind_of(target, document.name), document.was_locked)


def layable(document: Opened, directory: Path) -> Opened:
    """What LibreOffice lays out: an office format as it is, a text or an EPUB as a DOCX in styles of ours.

    Raises:
        Rejected: it cannot be read.
    """
    if document.kind in TEXTS:
        text = texts.read(document.path, document.name, document.kind)
        return Opened(docx_of(directory / "text.docx", [text.page], text.title), document.name, "docx")
    if document.kind == "epub":
        book = reading.read(document.path, document.name, document.kind, directory / "images")
        title, author = (str(book.properties.get(name, "")) for name in ("title", "creator"))
        made = docx_of(directory / "book.docx", book.pages, title, author=author, folder=directory, breaks=True)
        return Opened(made, document.name, "docx")
    return document


def pdf_of(context: Context[DocumentSpec], document: Opened, directory: Path, *, archival: bool = False) -> Path:
    """Lay a document out as a PDF, in a directory.

    It has all pages, whichever are wanted: they are counted, chosen and turned in this PDF.

    Args:
        document: as `layable` gives it.
        archival: PDF/A-2b.

    Raises:
        Rejected: it cannot be laid out, or takes too much.
    """
    target = directory / ("document-a.pdf" if archival else "document.pdf")
    _convert(context, document, target, "pdfa" if archival else "pdf")
    return target


def docx_of(
    target: Path,
    pages: Iterable[Page],
    title: str,
    *,
    author: str = "",
    folder: Path | None = None,
    breaks: bool = False,
) -> Path:
    """Write pages as a DOCX that is to be laid out; where it is."""
    columns = docx.MOST_COLUMNS_SHOWN
    docx.write(target, pages, title=title, author=author, folder=folder, breaks=breaks, most_columns=columns)
    return target


def resaved(context: Context[DocumentSpec], document: Opened, target: Path) -> None:
    """Write a text of an office program as DOCX, by LibreOffice, which keeps its looks.

    Raises:
        Rejected: it cannot be read.
    """
    _convert(context, document, target, "office")


def _convert(
    context: Context[DocumentSpec],
    document: Opened,
    target: Path,
    to: asking.Target,
    *,
    password: str | None = None,  # only of what has one: LibreOffice refuses it for what has none
) -> None:
    asking.convert(
        document.path,
        document.kind,
        target,
        to,
        name=document.name,
        has_paper=document.has_paper,
        most_bytes=context.request.output_limit_bytes,
        password=password,
        log=context.log,
    )
