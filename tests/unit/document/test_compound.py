"""Files of streams: what is in them, and what is said of those that are damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from processors.document.compound import Compound
from processors.document.kinds import kind_of
from processors.document.office.locking import is_compound_locked
from processors.worker.context import Rejected
from tests.resources.offices import compound

DOCUMENTS = Path(__file__).parents[2] / "resources" / "documents"
GLOBALS = struct.pack("<HHHHII", 0x0809, 12, 0x0600, 5, 0, 0)  # BOF of a workbook, MS-XLS 2.4.21
FILE_PASS = struct.pack("<HHH", 0x002F, 2, 0)
END = struct.pack("<HH", 0x000A, 0)


def test_streams_are_read_small_and_large(tmp_path: Path) -> None:
    streams = {"large": bytes(range(256)) * 40, "small": b"a few bytes", "other": b"x" * 1000}
    found = Compound(compound(tmp_path / "a.doc", streams).read_bytes())
    assert found.names == set(streams)
    assert {name: found.beginning(name, 20_000) for name in streams} == streams
    assert (found.beginning("large", 3), found.beginning("none", 9)) == (b"\0\1\2", b"")


@pytest.mark.parametrize(("name", "is_locked"), [("formatting.doc", False), ("locked.doc", True), ("locked.xls", True)])
def test_it_is_seen_whether_there_is_a_password(name: str, is_locked: bool) -> None:
    path = DOCUMENTS / name
    kind = kind_of(path, name)
    assert kind in ("doc", "xls")
    assert is_compound_locked(path, kind) is is_locked


@pytest.mark.parametrize("stream", ["Workbook", "Book"])
@pytest.mark.parametrize(
    ("records", "is_locked"),
    [(GLOBALS + FILE_PASS + END, True), (GLOBALS + END + FILE_PASS, False), (GLOBALS, False), (b"", False)],
)
def test_a_workbook_is_locked_by_a_record_before_its_end(
    tmp_path: Path, stream: str, records: bytes, is_locked: bool
) -> None:
    path = compound(tmp_path / "a.xls", {stream: records})
    assert kind_of(path, "a.xls") == "xls"
    assert is_compound_locked(path, "xls") is is_locked


def test_files_that_are_damaged_anywhere_have_an_end(tmp_path: Path) -> None:
    path = compound(tmp_path / "a.doc", {"WordDocument": bytes(5000), "Current User": bytes(40)})
    whole = path.read_bytes()
    for place in range(24, len(whole), 4):
        for value in (b"\0\0\0\0", b"\1\0\0\0", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"):
            path.write_bytes(whole[:place] + value + whole[place + 4 :])
            try:
                kind = kind_of(path, "a.doc")
            except Rejected as error:
                assert error.code in ("damaged_document", "not_a_document")
            else:
                is_compound_locked(path, "ppt" if kind == "ppt" else "doc")


def test_a_file_that_is_cut_off_is_damaged(tmp_path: Path) -> None:
    path = compound(tmp_path / "a.doc", {"WordDocument": bytes(5000)})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(Rejected, match="letter is cut off or damaged"):
        kind_of(path, "letter")
