"""What is taken of the files that a program has left, and what is not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from processors.code import collect
from processors.code.collect import look, printable
from processors.code.frames import FrameDecoder
from processors.code.slot_protocol import Collection

OUT = Collection()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "out").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def taken(root: int, wanted: Collection = OUT) -> tuple[list[str], dict[str, str]]:
    found = look(root, wanted)
    return [output.name for output in found.outputs], dict(found.refused)


def test_regular_files_are_taken_in_order(tmp_path: Path, root: int) -> None:
    for name in ("b", "a", "d/e/f"):
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "main.py").write_text("not asked for")
    assert taken(root) == (["out/a", "out/b", "out/d/e/f"], {})
    assert taken(root, Collection(("*.py", "out/d/**"))) == (["main.py", "out/d/e/f"], {})


def test_links_and_what_is_no_file_are_refused_and_do_not_block(tmp_path: Path, root: int) -> None:
    out = tmp_path / "out"
    (out / "link").symlink_to("/etc/passwd")
    (out / "directory").symlink_to("/etc")
    os.mkfifo(out / "fifo")
    (out / "one").write_text("x")
    (out / "other").hardlink_to(out / "one")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(out / "socket"))
        outputs, refused = taken(root)
    assert outputs == []
    assert refused["out/link"] == refused["out/directory"] == "a symbolic link"
    assert set(refused) == {f"out/{name}" for name in ("link", "directory", "fifo", "one", "other", "socket")}


def test_a_directory_that_has_become_a_link_gives_nothing(tmp_path: Path, root: int) -> None:
    (tmp_path / "out").rmdir()
    (tmp_path / "out").symlink_to("/etc")
    assert taken(root) == ([], {})
    assert taken(root, Collection(("**",))) == ([], {"out": "a symbolic link"})


def test_names_that_could_harm_are_refused_and_shown_harmlessly(tmp_path: Path, root: int) -> None:
    for name in (b"a\nb", b"\xff\xfe", b"...", b"..\\..\\evil", "\u202egpj.exe".encode(), b"-rf", b" "):
        (tmp_path / "out" / os.fsdecode(name)).write_text("1")
    outputs, refused = taken(root)
    assert outputs == ["out/-rf"]
    assert set(refused) == {
        *("out/a\\nb", "out/\\xff\\xfe", "out/...", "out/..\\..\\evil", "out/\\u202egpj.exe", "out/ ")
    }
    assert all(name.isprintable() for name in refused)


def test_number_and_size_are_bounded(tmp_path: Path, root: int) -> None:
    for number in range(5):
        (tmp_path / "out" / f"{number}").write_bytes(bytes(10))
    assert taken(root, Collection(max_files=2)) == (
        ["out/0", "out/1"],
        {f"out/{number}": "more than 2 files" for number in (2, 3, 4)},
    )
    outputs, refused = taken(root, Collection(max_bytes=25))
    assert outputs == ["out/0", "out/1"]
    assert refused["out/2"] == "10 bytes, where 5 of 25 are left"


def test_depth_is_bounded(tmp_path: Path, root: int) -> None:
    deep = tmp_path.joinpath("out", *"d" * 40)
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    assert taken(root) == ([], {})


def test_what_is_sent_is_the_list_and_then_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_bytes(b"x" * 70_000)
    (tmp_path / "out" / "empty").touch()
    with (tmp_path / "sent").open("wb") as sent:
        collect.work(Collection(), sent.fileno(), str(tmp_path))
    listed, *rest = FrameDecoder().feed((tmp_path / "sent").read_bytes())
    assert listed.document() == {
        "outputs": [{"name": "out/a", "size": 70_000}, {"name": "out/empty", "size": 0}],
        "refused": [],
    }
    assert b"".join(frame.body for frame in rest) == b"x" * 70_000


def test_a_hostile_name_is_printed_as_text() -> None:
    assert printable("\x1b[2J\udcff") == "\\x1b[2J\\xff"
