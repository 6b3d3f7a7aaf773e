"""Pages that were said to be done are in the file, whatever becomes of the process that did them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from processors.document import apart
from processors.document.archive.redrawing import redraw
from processors.document.paper import pictures
from processors.document.paper.assembly import stacked
from processors.document.paper_work import from_picture

Work = Callable[[Sequence[int], apart.Say], None]

FRAMES = 8


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    """A TIFF whose pages are each of another width."""
    path = tmp_path / "scan.tiff"
    first, *rest = [Image.new("L", (20 + number, 20), number) for number in range(FRAMES)]
    first.save(path, save_all=True, append_images=rest, dpi=(72, 72))
    return path


def dying(work: Work, marker: Path, after: int) -> Work:
    """Work whose process dies once, when so many pages are done and known to be."""

    def run(batch: Sequence[int], say: apart.Say) -> None:
        count = 0

        def say_and_die(value: object) -> None:
            nonlocal count
            say(value)
            count += 1
            if count == after and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGTRAP)

        work(batch, say_and_die)

    return run


def test_a_process_that_dies_takes_no_frame_with_it(frames: Path, tmp_path: Path) -> None:
    made = [tmp_path / f"{frame}.pdf" for frame in range(FRAMES)]

    def work(batch: Sequence[int], say: apart.Say) -> None:
        pictures.write(frames, "scan.tiff", batch, made, say)

    marker = tmp_path / "died"
    list(apart.each_batch([range(FRAMES)], dying(work, marker, 3), "scan.tiff", at_once=1))
    assert marker.exists()
    stacked(made, tmp_path / "all.pdf")
    assert widths(tmp_path / "all.pdf") == [20 + number for number in range(FRAMES)]


def test_a_process_that_dies_takes_no_drawn_page_with_it(tmp_path: Path) -> None:
    source = tmp_path / "a.pdf"
    with pikepdf.new() as pdf:
        for number in range(FRAMES):
            pdf.add_blank_page(page_size=(20 + number, 20))
        pdf.save(source)
    made = {page: tmp_path / f"{page}.pdf" for page in range(FRAMES)}

    def work(batch: Sequence[int], say: apart.Say) -> None:
        redraw(source, "a.pdf", None, batch, made, say)

    marker = tmp_path / "died"
    list(apart.each_batch([range(FRAMES)], dying(work, marker, 3), "a.pdf", at_once=1))
    assert marker.exists()
    stacked(list(made.values()), tmp_path / "all.pdf")
    assert widths(tmp_path / "all.pdf") == [20 + number for number in range(FRAMES)]


def test_many_files_are_stacked_in_their_order(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.pdf" for number in range(205)]
    for number, path in enumerate(paths):
        with pikepdf.new() as pdf:
            pdf.add_blank_page(page_size=(100 + number, 50))
            pdf.save(path)
    stacked(paths, tmp_path / "all.pdf")
    assert widths(tmp_path / "all.pdf") == [100 + number for number in range(205)]
    assert len(list(tmp_path.iterdir())) == 206  # nothing else is left


def test_a_picture_has_as_many_pages_as_frames(frames: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    made = from_picture(frames, "scan.tiff", tmp_path, lambda done, total: told.append((done, total)))
    assert widths(made) == [20 + number for number in range(FRAMES)]
    assert told[-1] == (FRAMES, FRAMES)


def widths(path: Path) -> list[int]:
    with pikepdf.open(path) as pdf:
        return [round(float(page.mediabox[2])) for page in pdf.pages]
