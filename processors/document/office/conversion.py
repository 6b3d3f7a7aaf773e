"""A document to another format by LibreOffice: what an attempt asks the office for."""

from __future__ import annotations

import json
import select
import signal
import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from processors.document import apart
from processors.document.kinds import Kind
from processors.document.office import server
from processors.document.office.kit import is_here
from processors.specs import DocumentSpec
from processors.worker.context import Context, HandlerError, Rejected

Target = Literal["pdf", "pdfa", "docx"]

SECONDS: Final = 120.0  # for one document
_MEMORY_BYTES = 512 * 1024 * 1024  # that a document may take beside LibreOffice itself
_ANSWER_BYTES = 4096
_PDF_VERSIONS = {"pdf": 0, "pdfa": 2}  # 0 is the usual one, 2 is PDF/A-2b
_WRITER, _CALC, _IMPRESS = "writer", "calc", "impress"

#: LibreOffice's own name of the filter that reads a kind, and of the part that lays it out
_READS: dict[Kind, tuple[str, str]] = {
    "docx": ("MS Word 2007 XML", _WRITER),
    "odt": ("writer8", _WRITER),
    "rtf": ("Rich Text Format", _WRITER),
    "xlsx": ("Calc MS Excel 2007 XML", _CALC),
    "pptx": ("Impress MS PowerPoint 2007 XML", _IMPRESS),
}
LAID_OUT = frozenset(_READS)  #: the kinds that LibreOffice reads by itself


@dataclass(slots=True)
class _Beside:
    """Where the office is; every fork of this process knows it."""

    directory: Path | None = None


_beside = _Beside()


def start_beside() -> int | None:
    """Start what converts for this process and its forks; give its process, or None where LibreOffice is missing."""
    if not is_here():
        return None
    pid, _beside.directory = server.start()
    return pid


def pdf_of(
    source: Path, kind: Kind, context: Context[DocumentSpec], *, directory: Path | None = None, archival: bool = False
) -> Path:
    """Lay a document out as a PDF.

    Args:
        directory: where the PDF goes; else into one of its own in the attempt's out directory.
        archival: PDF/A-2b.

    Raises:
        Rejected: it cannot be read, or takes too much.
    """
    target = (directory or Path(tempfile.mkdtemp(prefix=".office-", dir=context.out))) / f"{kind}.pdf"
    convert(
        source,
        kind,
        target,
        "pdfa" if archival else "pdf",
        name=context.input_name("document_url"),
        most_bytes=context.request.output_limit_bytes,
    )
    return target


def convert(source: Path, kind: Kind, target: Path, to: Target, *, name: str, most_bytes: int) -> None:
    """Convert a document with LibreOffice.

    Args:
        name: what the user calls it.
        most_bytes: of what is made.

    Raises:
        Rejected: it cannot be read, or takes too much.
        HandlerError: there is no LibreOffice, or it was killed.
    """
    if _beside.directory is None and start_beside() is None:
        raise HandlerError(
            "office_missing", "LibreOffice is not installed here.", "Install it, or run in the image.", retryable=False
        )
    reads, part = _READS[kind]
    words = target.with_suffix(".words")
    memory = min(_MEMORY_BYTES, 2 * apart.limits().memory_bytes)
    request = {
        "memoryBytes": memory,
        "fileBytes": most_bytes,
        "environment": {
            "PITCHEY_SOURCE": source.resolve().as_uri(),
            "PITCHEY_FROM": reads,
            "PITCHEY_TARGET": target.resolve().as_uri(),
            "PITCHEY_TO": "MS Word 2007 XML" if to == "docx" else f"{part}_pdf_Export",
            "PITCHEY_PDF_VERSION": str(_PDF_VERSIONS.get(to, 0)),
            "PITCHEY_WORDS": words.resolve().as_uri(),
        },
    }
    answer = _ask(request, name)
    said = words.read_text(errors="replace").strip() if words.exists() else answer.get("words", "")
    words.unlink(missing_ok=True)
    status = int(answer["status"])
    if status == 0 and not said and target.exists():
        return
    target.unlink(missing_ok=True)
    raise _failed(status, said, name, memory)


def _ask(request: dict[str, Any], name: str) -> dict[str, Any]:
    """Have the office do something; leaving means that it stops."""
    assert _beside.directory is not None
    deadline = time.monotonic() + SECONDS
    with _connected(deadline) as connection:
        connection.sendall(json.dumps(request).encode())
        left = deadline - time.monotonic()
        ready, _, _ = select.select([connection], [], [], max(0.0, left))
        if not ready:
            raise Rejected("conversion_too_long", f"{name} takes longer than {SECONDS:g} s to convert.")
        data = connection.recv(_ANSWER_BYTES)
    answer: dict[str, Any] = json.loads(data) if data else {"status": 1, "words": "LibreOffice has ended"}
    return answer


def _connected(deadline: float) -> socket.socket:
    """Connect; the guard may have been forked just before, and not listen yet."""
    assert _beside.directory is not None
    while True:
        try:
            return server.connect(_beside.directory)
        except OSError as error:
            if time.monotonic() > deadline or not _beside.directory.exists():
                raise HandlerError("office_missing", f"LibreOffice cannot be reached: {error}.") from error
            time.sleep(0.01)


def _failed(status: int, said: str, name: str, memory: int) -> HandlerError:
    if status < 0:
        killed = signal.Signals(-status)
        if killed is signal.SIGKILL:
            error = HandlerError(
                "conversion_killed",
                f"The conversion of {name} was killed, as what takes too much memory is.",
                "Give the job a larger instance type.",
            )
            error.signal = killed
            return error
        if killed is signal.SIGXFSZ:
            error = HandlerError("output_too_large", f"What {name} becomes is too large.", retryable=False)
            error.signal = killed
            return error
        why = f"it makes LibreOffice crash, or needs more than {memory >> 20} MiB of memory"
        return Rejected("conversion_failed", f"{name} cannot be converted: {why}.")
    return Rejected(
        "conversion_failed",
        f"{name} cannot be converted: LibreOffice says: {' '.join((said or 'nothing').split()).rstrip('.')}.",
        "The file may be damaged: open it in an office program and save it again.",
    )
