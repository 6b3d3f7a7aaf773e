"""Takes text that is not drawn out of a page: the layer of an earlier reading, which a new one replaces."""

from __future__ import annotations

import pikepdf
from pikepdf import Dictionary, Name, Operator

from processors.document.paper.invisible import squeezed

_INVISIBLE = 3  # the rendering mode of text that is neither filled nor stroked
_SHOWS = frozenset(map(Operator, ("Tj", "TJ", "'", '"')))
_SAVE, _RESTORE, _MODE = map(Operator, ("q", "Q", "Tr"))
_DEEPEST = 4  # forms in forms that are looked into


def without_hidden(pdf: pikepdf.Pdf, page: pikepdf.Page) -> None:
    """Take it out of a page, and out of the forms that the page shows."""
    if "/Contents" not in page.obj:
        return
    if (content := _stripped(page)) is not None:
        page.obj["/Contents"] = squeezed(pdf, content)
    _strip_forms(page.obj.get("/Resources", Dictionary()), depth=0)


def _strip_forms(resources: pikepdf.Object, depth: int) -> None:
    shown = resources.get("/XObject")
    if not isinstance(shown, Dictionary) or depth >= _DEEPEST:
        return
    for _, form in shown.items():
        if not isinstance(form, pikepdf.Stream) or form.get("/Subtype") != Name.Form:
            continue
        if (content := _stripped(form)) is not None:
            form.write(content)
        _strip_forms(form.get("/Resources", Dictionary()), depth + 1)


def _stripped(content: pikepdf.Page | pikepdf.Object) -> bytes | None:
    """What is left without what shows text that is not drawn; None where there is no such text."""
    mode, stack = 0, [0]
    kept = []
    is_changed = False
    for instruction in pikepdf.parse_content_stream(content):
        operator = instruction.operator
        if operator == _SAVE:
            stack.append(mode)
        elif operator == _RESTORE and len(stack) > 1:
            mode = stack.pop()
        elif operator == _MODE and instruction.operands:
            mode = int(instruction.operands[0])
        elif mode == _INVISIBLE and operator in _SHOWS:
            is_changed = True
            continue
        kept.append(instruction)
    return pikepdf.unparse_content_stream(kept) if is_changed else None
