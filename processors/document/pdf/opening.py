"""A PDF, open; or one clear reason why it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as raw

from processors.document import passwords
from processors.worker.context import Rejected

#: a document claims how many pages it has: a tree without an end is one that claims too many
MOST_PAGES = 100_000


@contextmanager
def opened(path: Path, name: str, password: str | None) -> Iterator[Any]:
    """Open a PDF.

    Yields:
        pypdfium2's PdfDocument.

    Raises:
        Rejected: it cannot be read, or not with this password.
    """
    document = _open(path, name, password or None)
    try:
        count = len(document)
        if count == 0:
            raise Rejected("damaged_document", f"{name} is a PDF without a page.", "It seems to be cut off or damaged.")
        if count > MOST_PAGES:
            raise Rejected("too_many_pages", f"{name} claims to have {count} pages; at most {MOST_PAGES} are read.")
        yield document
    finally:
        document.close()


def _open(path: Path, name: str, password: str | None) -> Any:
    try:
        return pypdfium2.PdfDocument(path, password=password)
    except pypdfium2.PdfiumError as error:
        code = getattr(error, "err_code", None)
        if code == raw.FPDF_ERR_PASSWORD and password is not None:
            try:  # it may need none: for its owner alone it has one
                return pypdfium2.PdfDocument(path)
            except pypdfium2.PdfiumError:
                pass
        raise _reason(code, name, password) from error


def _reason(code: int | None, name: str, password: str | None) -> Rejected:
    if code == raw.FPDF_ERR_PASSWORD:
        if password:
            return passwords.wrong(name)
        return passwords.missing(name)
    if code == raw.FPDF_ERR_SECURITY:
        return Rejected("unknown_encryption", f"{name} is encrypted in a way that is not known.")
    hint = "The file seems to be cut off or damaged: copy or download it again."
    return Rejected("damaged_document", f"{name} is a PDF that cannot be read.", hint)
