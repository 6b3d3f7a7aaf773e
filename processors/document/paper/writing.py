"""PDFs as files: linear, so that a reader shows the first page before it has the last; encrypted if asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pikepdf


def save(
    pdf: pikepdf.Pdf, target: Path, *, password: str | None = None, step: Callable[[], None] | None = None
) -> None:
    """Write a PDF.

    Args:
        password: what opens it, and lets everything be done with it; AES-256 (ISO 32000-2, revision 6).
        step: called now and then.
    """
    encryption = pikepdf.Encryption(owner=password, user=password, R=6) if password else False
    pdf.save(
        target,
        linearize=True,
        object_stream_mode=pikepdf.ObjectStreamMode.generate,
        encryption=encryption,
        progress=None if step is None else lambda percent: step(),
    )
