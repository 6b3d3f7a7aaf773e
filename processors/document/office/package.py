"""Files that are ZIP archives of XML: what is in them is bounded before anything is unpacked.

XML is read without document types, so that there are no entities to expand and nothing outside to refer to; the
formats forbid them as well. Names are given short prefixes, the same for the two sets of namespaces that Office writes.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError
from xml.parsers import expat

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from processors.document.office.entities import declares_entities
from processors.unpacking import UNPACKING
from processors.worker.context import Rejected

_MOST_ENTRIES = 20_000
_MOST_BYTES = 1024 * 1024 * 1024  # of all entries, unpacked
_MOST_PART_BYTES = 128 * 1024 * 1024  # of one that is read
_UNSUSPICIOUS_BYTES = 32 * 1024 * 1024
_MOST_RATIO = 200  # unpacked to packed, above that; XML of large tables comes to 30
_CHUNK_BYTES = 256 * 1024
_DEEPEST = 2  # archives within archives that are looked into
_MOST_XML_DEPTH = 200
_NESTED = re.compile(r"\.(zip|docx|docm|xlsx|xlsm|pptx|pptm|odt|ods|odp|epub|jar)$", re.IGNORECASE)

_PREFIXES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.microsoft.com/office/word/2010/wordml": "w14",
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships": "r",
    "http://purl.oclc.org/ooxml/officeDocument/relationships": "r",
    "http://schemas.openxmlformats.org/drawingml/2006/main": "a",
    "http://purl.oclc.org/ooxml/drawingml/main": "a",
    "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing": "wp",
    "http://purl.oclc.org/ooxml/drawingml/wordprocessingDrawing": "wp",
    "http://schemas.openxmlformats.org/presentationml/2006/main": "p",
    "http://purl.oclc.org/ooxml/presentationml/main": "p",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "urn:schemas-microsoft-com:vml": "v",
    "http://schemas.openxmlformats.org/package/2006/relationships": "",
    "http://schemas.openxmlformats.org/package/2006/metadata/core-properties": "cp",
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://purl.org/dc/terms/": "dcterms",
    "http://schemas.openxmlformats.org/officeDocument/2006/extended-properties": "",
    "http://purl.oclc.org/ooxml/officeDocument/extendedProperties": "",
    "urn:oasis:names:tc:opendocument:xmlns:container": "",
    "http://www.idpf.org/2007/opf": "opf",
    "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0": "manifest",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """Where a part leads to."""

    kind: str  #: the last word of its type, as `image`
    target: str  #: the name of another part, or a URL
    is_outside: bool


class Package:
    """An archive that is within bounds."""

    def __init__(self, path: Path, name: str) -> None:
        """Open it.

        Args:
            name: what the user calls it.

        Raises:
            Rejected: it is damaged, or unpacks to too much.
        """
        self.name = name
        try:
            self._archive = zipfile.ZipFile(path)
            _bound(self._archive, path.stat().st_size, name)
        except UNPACKING as error:
            raise _damaged(name, "it cannot be unpacked") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._archive.close()

    def has(self, part: str) -> bool:
        """Whether there is such a part."""
        return part in self._archive.NameToInfo

    def read(self, part: str) -> bytes:
        """The bytes of a part.

        Raises:
            Rejected: there is none, or it is damaged or too large.
        """
        info = self._archive.NameToInfo.get(part)
        if info is None:
            raise _damaged(self.name, f"there is no {part} in it")
        if info.file_size > _MOST_PART_BYTES:
            raise _too_large(self.name, f"{part} in it unpacks to {_size(info.file_size)}", _size(_MOST_PART_BYTES))
        if info.flag_bits & 1:
            hint = "Office programs have passwords of their own. Unpack it, and pack it without one."
            raise Rejected("unknown_encryption", f"{self.name} was packed with a password.", hint)
        try:
            return self._archive.read(info)
        except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
            raise _damaged(self.name, str(error)) from error
        except Exception as error:  # each way of packing has errors of its own, as zlib.error
            raise _damaged(self.name, f"{part} is damaged") from error

    def mentions(self, part: str, word: bytes) -> bool:
        """Whether a part has some bytes, which is found out without keeping it.

        Raises:
            Rejected: it is damaged.
        """
        end = b""
        try:
            with self._archive.open(part) as file:
                while chunk := file.read(_CHUNK_BYTES):
                    if word in end + chunk:
                        return True
                    end = chunk[-len(word) :]
        except Exception as error:  # as for reading
            raise _damaged(self.name, f"{part} is damaged") from error
        return False

    def parts(self, begin: str) -> list[str]:
        """The parts whose names begin so."""
        return [name for name in self._archive.NameToInfo if name.startswith(begin)]

    def xml(self, part: str) -> Element:
        """The XML of a part, with short prefixes.

        Raises:
            Rejected: as for reading; or it is no XML, or declares what it must not.
        """
        try:
            root: Element = fromstring(self.read(part), forbid_dtd=True)
        except DefusedXmlException as error:
            raise _unsafe(self.name, part) from error
        except (ParseError, ValueError, LookupError) as error:
            raise _damaged(self.name, f"{part}: {error}") from error
        _shorten(root, self.name)
        return root

    def refuse_entities(self) -> None:
        """See that no part declares entities, where others than we read them.

        Raises:
            Rejected: one does.
        """
        for entry in self._archive.infolist():
            if entry.flag_bits & 1:
                continue
            try:
                with self._archive.open(entry) as file:
                    declares = declares_entities(file)
            except Exception as error:  # as for reading
                raise _damaged(self.name, f"{entry.filename} is damaged") from error
            if declares:
                raise _unsafe(self.name, entry.filename)

    def main_parts(self) -> list[str]:
        """The parts that the package itself says its document is in; none, where it does not."""
        return [each.target for each in self.relations("").values() if each.kind == "officeDocument"]

    def refuse_depth(self, part: str) -> None:
        """See that a part is not nested deeper than any document, without keeping it: others than we read it.

        Raises:
            Rejected: it is, or it is damaged.
        """
        depth = 0

        def begin(_: str, __: object) -> None:
            nonlocal depth
            depth += 1
            if depth > _MOST_XML_DEPTH:
                raise _too_deep(self.name)

        def end(_: str) -> None:
            nonlocal depth
            depth -= 1

        parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = begin, end
        try:
            parser.Parse(self.read(part), True)
        except expat.ExpatError as error:
            raise _damaged(self.name, f"{part}: {error}") from error

    def relations(self, part: str) -> dict[str, Relation]:
        """Where a part leads to, by the names that it has for that."""
        folder, _, own = part.rpartition("/")
        rels = f"{folder}/_rels/{own}.rels".lstrip("/")
        if not self.has(rels):
            return {}
        found = {}
        for each in self.xml(rels).findall("Relationship"):
            is_outside = each.get("TargetMode") == "External"
            target = each.get("Target", "")
            if not is_outside:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target))).lstrip("/")
            kind = each.get("Type", "").rpartition("/")[2]
            found[each.get("Id", "")] = Relation(kind, target, is_outside)
        return found


def _bound(archive: zipfile.ZipFile, packed: int, name: str, depth: int = 0) -> None:
    entries = archive.infolist()
    total = sum(entry.file_size for entry in entries)
    is_bomb = total > _UNSUSPICIOUS_BYTES and total > _MOST_RATIO * packed
    # What overlaps is packed once and unpacked many times.
    overlaps = sum(entry.compress_size for entry in entries) > packed
    if len(entries) > _MOST_ENTRIES:
        raise _too_large(name, f"it has {len(entries)} entries", str(_MOST_ENTRIES))
    if total > _MOST_BYTES:
        raise _too_large(name, f"it unpacks to {_size(total)}", _size(_MOST_BYTES))
    if is_bomb:
        ratio = total // max(1, packed)
        raise _too_large(name, f"it unpacks to {_size(total)}, {ratio} times its size", f"{_MOST_RATIO} times")
    if overlaps:
        raise _too_large(name, "entries in it overlap")
    for entry in entries:
        if _NESTED.search(entry.filename) and entry.file_size:
            if depth == _DEEPEST:
                raise _too_large(name, f"it has archives in archives, {depth + 1} deep", str(_DEEPEST))
            _bound_nested(archive, entry, name, depth)


def _bound_nested(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, depth: int) -> None:
    if entry.file_size > _MOST_PART_BYTES:
        raise _too_large(name, f"{entry.filename} in it unpacks to {_size(entry.file_size)}", _size(_MOST_PART_BYTES))
    file: IO[bytes] = io.BytesIO(archive.read(entry))
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as nested:
            _bound(nested, entry.file_size, name, depth + 1)


def _shorten(root: Element, name: str) -> None:
    """Give names their prefixes, level by level: what is nested deeper than any document is refused."""
    level = [root]
    for _ in range(_MOST_XML_DEPTH):
        below: list[Element] = []
        for element in level:
            if isinstance(element.tag, str) and element.tag[:1] == "{":
                element.tag = _short(element.tag)
            for key in [key for key in element.keys() if key[:1] == "{"]:  # noqa: SIM118  # an Element is no dict
                element.set(_short(key), element.attrib.pop(key))
            below.extend(element)
        if not below:
            return
        level = below
    raise _too_deep(name)


def _short(tag: str) -> str:
    uri, _, local = tag[1:].partition("}")
    prefix = _PREFIXES.get(uri, "?")
    return f"{prefix}-{local}" if prefix else local  # a colon would be looked up in a map by find()


def _too_deep(name: str) -> Rejected:
    return Rejected("nested_too_deep", f"{name} is nested deeper than any document that is meant to be read.")


def _unsafe(name: str, part: str) -> Rejected:
    what = f"declares entities in {part}, or has it in an encoding that can hide them"
    return Rejected("unsafe_document", f"{name} {what}: no office program does that.")


def _damaged(name: str, why: str) -> Rejected:
    hint = "Copy or download it again."
    return Rejected("damaged_document", f"{name} is cut off or damaged: {why.rstrip('.')}.", hint)


def _too_large(name: str, what: str, most: str = "") -> Rejected:
    """Say what is too much, and how much of it may be."""
    limit = f"; at most {most}" if most else ""
    return Rejected("document_too_large", f"{name} is not read: {what}{limit}.", "It may be a zip bomb.")


def _size(count: int) -> str:
    return f"{count >> 20} MiB"
