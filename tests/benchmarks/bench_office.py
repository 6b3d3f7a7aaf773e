"""Six DOCX to PDF as a batch, beside one call of soffice for each of them.

Both sides run on this machine with the same LibreOffice, and soffice keeps its profile from one call to the next. The
batch is in a worker of two slots, as in an instance: first in one that has not loaded LibreOffice yet, then in the same
one. Prints a table.
"""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration.test_documents import DOCUMENTS, Office
from tests.resources.offices import docx, paragraph
from tests.resources.workers import Worker

ROUNDS = 5
AIM = 0.35


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        work = Path(directory)
        sources = _sources(work)
        _by_soffice(sources[:1], work)  # its first call makes the profile
        apart: list[float] = []
        first: list[float] = []
        warm: list[float] = []
        for number in range(ROUNDS):
            apart.append(_seconds(lambda: _by_soffice(sources, work)))
            with Worker(work / f"worker-{number}", "--slots", "2", service="document") as worker:
                office = Office(worker)
                first.append(_seconds(lambda office=office: _as_batch(office, sources)))  # type: ignore[misc]
                warm.append(_seconds(lambda office=office: _as_batch(office, sources)))  # type: ignore[misc]
        peer = statistics.median(apart)
        print(f"{'six DOCX to PDF':44} {'seconds':>9} {'ratio':>7}")  # noqa: T201
        rows = (("soffice, a call for each", apart), ("Pitchey, LibreOffice not loaded yet", first), ("loaded", warm))
        for name, times in rows:
            print(f"{name:44} {statistics.median(times):9.2f} {statistics.median(times) / peer:7.2f}")  # noqa: T201
        print(f"aim: {AIM} at most")  # noqa: T201


def _sources(work: Path) -> list[Path]:
    """The real one, and five with some pages of text and tables."""
    made = [DOCUMENTS / "formatting.docx"]
    for number in range(5):
        rows = "".join(f"<w:tr>{f'<w:tc>{paragraph(str(row))}</w:tc>' * 4}</w:tr>" for row in range(30))
        text = "".join(paragraph(f"Paragraph {index} of document {number}. " * 12) for index in range(30))
        made.append(docx(work / f"report-{number}.docx", f"{text}<w:tbl>{rows}</w:tbl>{text}"))
    return made


def _by_soffice(sources: list[Path], work: Path) -> None:
    profile = f"-env:UserInstallation={(work / 'profile').as_uri()}"
    for source in sources:
        command = ["soffice", "--headless", profile, "--convert-to", "pdf", "--outdir", work / "out", source]
        subprocess.run(command, check=True, capture_output=True)


def _as_batch(office: Office, sources: list[Path]) -> None:
    """Two at a time, as the slots are."""
    waiting = list(sources)
    running: list[str] = []
    while waiting or running:
        while waiting and len(running) < 2:
            running.append(office.begin(waiting.pop(0), outputFormats=["pdf"]))
        last = office.worker.ending(running.pop(0))
        assert last["type"] == "result", last


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
