"""What `run` and `submit` find when they are given files, folders, patterns and URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.domain.errors import InputNotFound, InputRejected, UsageError
from pitchey_cli.operations.requests import Request, drafts
from pitchey_cli.operations.sources import find
from processors.protocol import Service


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.mp4", "b.MOV", "notes.txt", "deep/c.webm", ".hidden/d.mp4", "deep/.e.mp4"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _names(*arguments: str) -> list[str]:
    return [source.name for source in find(Service.VIDEO, arguments)]


def test_a_folder_gives_its_media_files_with_their_folders_and_no_hidden_ones(folder: Path) -> None:
    assert _names(str(folder)) == ["a", "b", "deep/c"]


def test_a_probe_picks_sounds_out_of_a_folder_too(folder: Path) -> None:
    (folder / "song.flac").write_bytes(b"x")
    probes = drafts(Request(Service.VIDEO, (str(folder),), {"outputFormat": "probe"}))
    videos = drafts(Request(Service.VIDEO, (str(folder),)))
    assert [each.name for each in probes] == ["a", "b", "deep/c", "song"]
    assert [each.name for each in videos] == ["a", "b", "deep/c"]


def test_a_file_that_is_named_is_taken_whatever_its_suffix(folder: Path) -> None:
    assert _names("notes.txt") == ["notes"]


def test_a_pattern_that_the_shell_left_alone_is_expanded(folder: Path) -> None:
    assert _names("*.mp4", "deep/*.webm") == ["a", "c"]


def test_a_url_is_named_after_its_path(folder: Path) -> None:
    assert _names("https://example.org/films/my%20film.mkv?x=1") == ["my film"]


def test_jobs_of_the_same_name_are_told_apart(folder: Path) -> None:
    Path("a.webm").write_bytes(b"x")
    assert _names("a.mp4", "a.webm", "b.MOV") == ["a.mp4", "a.webm", "b"]
    assert _names("a.mp4", "a.mp4") == ["a", "a-2"]


def test_a_name_with_wildcards_in_it_is_a_file_when_there_is_one(folder: Path) -> None:
    Path("odd[1]*.mp4").write_bytes(b"x")
    assert _names("odd[1]*.mp4") == ["odd[1]*"]


def test_what_is_not_there_is_an_error_that_offers_the_nearest(folder: Path) -> None:
    with pytest.raises(InputNotFound) as caught:
        _names("a.mp5")
    assert "'a.mp4'" in caught.value.hint
    with pytest.raises(InputNotFound, match="No file matches"):
        _names("*.nothing")


def test_a_folder_without_media_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputRejected, match="holds nothing for the video service"):
        _names("empty")


def test_a_url_of_another_kind_is_an_error(folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be fetched"):
        _names("ftp://example.org/a.mp4")
