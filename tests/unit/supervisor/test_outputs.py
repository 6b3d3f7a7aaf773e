"""Files that a program has left, and where they come to lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.supervisor.outputs import Outputs
from processors.code.slot_protocol import JobFile


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def take(outputs: Outputs, **files: bytes) -> None:
    named = {JobFile(name.replace("__", "/"), len(data)): data for name, data in files.items()}
    for file in named:
        outputs.take(file, b"")
    for file, data in named.items():
        for start in range(0, len(data), 3):
            outputs.take(file, data[start : start + 3])


def test_files_of_the_folder_out_lie_as_they_did_in_it(out: Path) -> None:
    outputs = Outputs(out)
    take(outputs, out__a=b"eight by", out__b__c=b"", out__d=b"x")
    told = outputs.settle()
    assert [(file.path, file.size, file.role) for file in told] == [
        ("a", 8, "file"),
        ("b/c", 0, "file"),
        ("d", 1, "file"),
    ]
    assert (out / "a").read_bytes() == b"eight by"
    assert (out / "b" / "c").read_bytes() == b""
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]


def test_where_a_file_lies_elsewhere_all_keep_their_places(out: Path) -> None:
    outputs = Outputs(out)
    take(outputs, out__a=b"1", a=b"2")
    assert [file.path for file in outputs.settle()] == ["out/a", "a"]
    assert (out / "out" / "a").read_bytes() == b"1"


def test_nothing_is_left_of_what_came_only_in_part(out: Path) -> None:
    outputs = Outputs(out)
    take(outputs, out__a=b"half")
    outputs.discard()
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]
    assert list(out.iterdir()) == []
