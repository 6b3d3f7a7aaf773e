"""Takes text that is not drawn out of a page: the layer of an earlier reading, which a new one replaces."""

from __future__ import annotations

from typing import Any

from pypdf import PdfWriter
from pypdf.generic import ContentStream, DictionaryObject, NameObject, StreamObject

_INVISIBLE = 3  # the rendering mode of text that is neither filled nor stroked
_SHOWS = frozenset({b"Tj", b"TJ", b"'", b'"'})
_DEEPEST = 4  # forms in forms that are looked into


def without_hidden(writer: PdfWriter, page: Any) -> None:
    """Take it out of a page of a writer, and out of the forms that the page shows."""
    content = page.get_contents()
    if content is None:
        return
    resources = page.get("/Resources", DictionaryObject()).get_object()
    parsed = ContentStream(content, writer)
    if _strip(parsed):
        stream = StreamObject()
        stream._data = parsed.get_data()
        page[NameObject("/Contents")] = writer._add_object(stream.flate_encode())
    _strip_forms(resources, writer, depth=0)


def _strip_forms(resources: Any, writer: PdfWriter, depth: int) -> None:
    shown = resources.get("/XObject")
    if shown is None or depth >= _DEEPEST:
        return
    for reference in shown.get_object().values():
        form = reference.get_object()
        if not isinstance(form, StreamObject) or form.get("/Subtype") != "/Form":
            continue
        parsed = ContentStream(form, writer)
        if _strip(parsed):
            form.set_data(parsed.get_data())
        _strip_forms(form.get("/Resources", DictionaryObject()).get_object(), writer, depth + 1)


def _strip(content: ContentStream) -> bool:
    """Leave out what shows text that is not drawn; say whether there was some."""
    mode, stack = 0, [0]
    kept = []
    for operands, operator in content.operations:
        if operator == b"q":
            stack.append(mode)
        elif operator == b"Q" and len(stack) > 1:
            mode = stack.pop()
        elif operator == b"Tr" and operands:
            mode = int(operands[0])
        elif operator in _SHOWS and mode == _INVISIBLE:
            continue
        kept.append((operands, operator))
    found = len(kept) < len(content.operations)
    if found:
        content.operations = kept
    return found
