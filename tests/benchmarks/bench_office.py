"""Six DOCX to PDF as a batch, beside one call of soffice for each of them.

Both sides run on this machine with the same LibreOffice, and soffice keeps its profile from one call to the next. The
batch is in a worker of two slots, as in an instance: first in one that has not loaded LibreOffice yet, then in the same
one. Prints a table.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from tests.integration.test_documents import DOCUMENTS, Office
from tests.resources.offices import docx, paragraph
from tests.resources.workers import Worker

ROUNDS = 3
AIM = 0.35

Times = tuple[float, float]  #: by the clock, and of the processor


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        work = Path(directory)
        sources = _sources(work)
        _by_soffice(sources[:1], work)  # its first call makes the profile
        apart: list[Times] = []
        first: list[Times] = []
        warm: list[Times] = []
        for number in range(ROUNDS):
            apart.append(_timed(lambda: _by_soffice(sources, work), _of_children))
            with Worker(work / f"worker-{number}", "--slots", "2", service="document") as worker:
                office, of_worker = Office(worker), partial(_of_all_below, worker.pid)
                for times in (first, warm):
                    times.append(_timed(partial(_as_batch, office, sources), of_worker))
        print(f"{'six DOCX to PDF':44} {'seconds':>9} {'ratio':>7} {'processor':>11} {'ratio':>7}")  # noqa: T201
        rows = (("soffice, a call for each", apart), ("Pitchey, LibreOffice not loaded yet", first), ("loaded", warm))
        peer = [statistics.median(column) for column in zip(*apart, strict=True)]
        for name, found in rows:
            wall, processor = (statistics.median(column) for column in zip(*found, strict=True))
            ratios = (wall / peer[0], processor / peer[1])
            print(f"{name:44} {wall:9.2f} {ratios[0]:7.2f} {processor:11.2f} {ratios[1]:7.2f}")  # noqa: T201
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


def _timed(work: Callable[[], None], processor_seconds: Callable[[], float]) -> Times:
    started, used = time.perf_counter(), processor_seconds()
    work()
    return time.perf_counter() - started, processor_seconds() - used


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _of_all_below(pid: int) -> float:
    """Of a worker with all that it has started and that has ended, and with what is beside its attempts."""
    worker = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:4]) for process in (worker, *worker.children(recursive=True)))


if __name__ == "__main__":
    main()
