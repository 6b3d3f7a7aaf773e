"""The pictures of a PDF, which several processes save at once."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as raw
from PIL import Image

from processors.document import apart
from processors.document.paper import pictures
from processors.document.pdf.images import Images

PROCESSES = 16


def test_processes_that_save_one_picture_do_not_write_into_one_file(tmp_path: Path) -> None:
    """Else what one still writes has been named by the other already."""
    Image.linear_gradient("L").save(tmp_path / "a.png")
    apart.call(lambda: pictures.write(tmp_path / "a.png", "a.png", [0], [tmp_path / "a.pdf"], lambda _: None), "a.png")
    with pypdfium2.PdfDocument(tmp_path / "a.pdf") as document:
        page = document[0]
        handle = next(iter(page.get_objects(filter=(raw.FPDF_PAGEOBJ_IMAGE,)))).raw
        address = ctypes.cast(handle, ctypes.c_void_p).value
        assert address is not None

        def save(batch: Sequence[int], say: apart.Say) -> None:
            renamed: list[str] = []

            def hear(event: str, arguments: tuple[Any, ...]) -> None:
                if event == "os.rename":
                    renamed.append(Path(arguments[0]).name)

            sys.addaudithook(hear)
            # To a folder of its own, so that each finds none that is there.
            assert Images(document, tmp_path / f"images-{batch[0]:02}", frozenset).save(address, page)
            say({"page": batch[0], "renamed": renamed[0]})

        batches = [[number] for number in range(PROCESSES)]
        names = [value["renamed"] for value in apart.each_batch(batches, save, "a.pdf", at_once=4)]
    assert len(set(names)) == PROCESSES
