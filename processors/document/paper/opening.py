"""A PDF, open to be written anew; or one clear reason why it cannot be."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pikepdf

from processors.document import passwords
from processors.worker.context import Rejected

#: what pikepdf raises where something is not what it should be, as a number in place of a dictionary
_STRANGE = (pikepdf.PdfError, IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError)
_MOST_UNIT = 75_000.0  # what readers take at most: ISO 32000-1 names no number
_DAMAGED_HINT = "The file seems to be cut off or damaged: copy or download it again."


@contextmanager
def opened(path: Path, name: str, password: str | None) -> Iterator[pikepdf.Pdf]:
    """Open a PDF with qpdf; a password that it does not need does not matter.

    Raises:
        Rejected: it cannot be read, or not with this password; also what qpdf meets later while it is used.
    """
    logging.getLogger("pikepdf").setLevel(logging.CRITICAL)  # it tells of all that it mends
    try:
        with _open(path, name, password or "") as pdf:
            if len(pdf.pages) == 0:  # PDFium may have found one that qpdf does not take for one
                raise Rejected("damaged_document", f"{name} is a PDF without a page.", _DAMAGED_HINT)
            yield pdf
    except _STRANGE as error:
        traceback.print_exc()  # to the log: it may be a bug of ours all the same
        raise Rejected("damaged_document", f"{name} cannot be written as a PDF.", _DAMAGED_HINT) from error
    except RecursionError as error:
        raise Rejected("damaged_document", f"{name} is nested too deeply to be written as a PDF.") from error


def _open(path: Path, name: str, password: str) -> pikepdf.Pdf:
    try:
        return pikepdf.open(path, password=password, suppress_warnings=True)
    except pikepdf.PasswordError as error:
        if password:
            try:
                return pikepdf.open(path, suppress_warnings=True)
            except pikepdf.PasswordError:
                raise passwords.wrong(name) from error
        raise passwords.missing(name) from error


def unit_of(page: pikepdf.Object) -> float:
    """How many points a unit of a page is, ISO 32000-1, table 30."""
    value = page.get("/UserUnit")
    try:
        unit = float(value) if value is not None else 1.0
    except (TypeError, ValueError, OverflowError):
        return 1.0
    return unit if 0 < unit <= _MOST_UNIT else 1.0
