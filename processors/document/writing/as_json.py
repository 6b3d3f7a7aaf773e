"""Pages as JSON: blocks in reading order, tables with their spans, words with their boxes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from processors.document.model import Page

_PAGE: TypeAdapter[Page] = TypeAdapter(Page)


def as_json(pages: Iterable[Page], about: Mapping[str, Any]) -> Iterator[str]:
    """Write pages, in pieces: one object with what is known of the document, and the list `pages`.

    What is not there is left out: a span without a link has no `link`, a text that is not bold no `bold`.
    """
    head = json.dumps(dict(about), ensure_ascii=False, separators=(",", ":"))
    yield head[:-1] + ("," if len(head) > 2 else "") + '"pages":['
    for index, page in enumerate(pages):
        # Of the defaults only `kind` tells something.
        dumped = _PAGE.dump_python(page, mode="json", by_alias=True, exclude_defaults=True)
        for block, made in zip(page.blocks, dumped.get("blocks", ()), strict=False):
            made["kind"] = block.kind
        text = json.dumps({"blocks": [], "method": page.method} | dumped, ensure_ascii=False, separators=(",", ":"))
        yield ("\n" if index == 0 else ",\n") + text
    yield "\n]}\n"
