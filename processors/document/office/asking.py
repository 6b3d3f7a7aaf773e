"""What an attempt asks the office for: a document in another format."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from processors.document import apart
from processors.document.kinds import Kind
from processors.document.office.kit import is_here
from processors.worker import companion
from processors.worker.context import HandlerError, Rejected

Target = Literal["pdf", "pdfa", "office"]

SECONDS: Final = 120.0  # for one document
_MEMORY_BYTES = 512 * 1024 * 1024  # that a document may take beside LibreOffice itself
_ANSWER_BYTES = 4096
_PDF_VERSIONS = {"pdf": 0, "pdfa": 2}  # 0 is the usual one, 2 is PDF/A-2b

#: LibreOffice's own name of the filter that reads a kind; it finds that out by itself of what is encrypted
_READS: dict[Kind, str] = {
    "docx": "MS Word 2007 XML",
    "odt": "writer8",
    "rtf": "Rich Text Format",
    "doc": "MS Word 97",
    "xlsx": "Calc MS Excel 2007 XML",
    "ods": "calc8",
    "xls": "MS Excel 97",
    "pptx": "Impress MS PowerPoint 2007 XML",
    "odp": "impress8",
    "ppt": "MS PowerPoint 97",
}
LAID_OUT = frozenset(_READS)  #: the kinds that LibreOffice reads by itself


def convert(
    source: Path,
    kind: Kind,
    target: Path,
    to: Target,
    *,
    name: str,
    most_bytes: int,
    has_paper: bool,
    password: str | None = None,
    log: Callable[[str], None],
) -> None:
    """Convert a document with LibreOffice.

    Args:
        to: `office` is DOCX, XLSX or PPTX, as the document is.
        name: what the user calls it.
        most_bytes: of what is made.
        has_paper: whether it says how large its pages are; else they are A4.
        log: is told of trouble with LibreOffice that is no fault of the document.

    Raises:
        Rejected: it cannot be read, or takes too much.
        HandlerError: there is no LibreOffice, or it was killed, or was in trouble twice.
    """
    if not is_here():
        raise HandlerError(
            "office_missing", "LibreOffice is not installed here.", "Install it, or run in the image.", retryable=False
        )
    words = target.with_suffix(".words")
    memory = min(_MEMORY_BYTES, 2 * apart.limits().memory_bytes)
    request = {
        "memoryBytes": memory,
        "fileBytes": most_bytes,
        "environment": {
            "PITCHEY_SOURCE": source.resolve().as_uri(),
            "PITCHEY_FROM": _READS.get(kind, ""),
            "PITCHEY_PASSWORD": password or "",
            "PITCHEY_TARGET": target.resolve().as_uri(),
            "PITCHEY_TO": "office" if to == "office" else "pdf",
            "PITCHEY_PDF_VERSION": str(_PDF_VERSIONS.get(to, 0)),
            "PITCHEY_PAPER": "" if has_paper else "A4",
            "PITCHEY_WORDS": words.resolve().as_uri(),
        },
    }
    answer = _ask(request, name)
    if trouble := answer.get("trouble"):
        log(f"{trouble}; {name} is converted once more, by one that is loaded anew.")
        words.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        answer = _ask(request, name)
    if trouble := answer.get("trouble"):
        target.unlink(missing_ok=True)
        raise HandlerError("office_lost", f"{trouble}, and did so before, at {name}.")
    said = words.read_text(errors="replace").strip() if words.exists() else ""
    words.unlink(missing_ok=True)
    status = int(answer["status"])
    if status == 0 and not said and target.exists():
        return
    target.unlink(missing_ok=True)
    raise _failed(status, said, name, memory)


def _ask(request: dict[str, Any], name: str) -> dict[str, Any]:
    """Have the office do something; leaving means that it stops."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(SECONDS)
        try:
            connection.connect(companion.address())
            connection.sendall(json.dumps(request).encode())
            data = connection.recv(_ANSWER_BYTES)
        except TimeoutError as error:
            raise Rejected("conversion_too_long", f"{name} takes longer than {SECONDS:g} s to convert.") from error
        except OSError as error:
            raise HandlerError("office_lost", f"LibreOffice cannot be reached: {error}.") from error
    answer: dict[str, Any] = json.loads(data) if data else {"status": 1, "trouble": "LibreOffice has ended"}
    return answer


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
