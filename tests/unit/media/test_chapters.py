"""Chapters: where they end, what a cut does to them, and how they are written."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.chapters import comments
from processors.ffmpeg.cut import Cut
from processors.media.chapters import Part, document, from_document, from_file, settled
from processors.media.tags import merged, metadata
from processors.specs.media import Chapter
from processors.worker.context import Rejected


def chapter(start: float, end: float | None = None, title: str = "x") -> Chapter:
    return Chapter.model_validate({"start": start, "title": title} | ({} if end is None else {"end": end}))


def spans(parts: list[Part]) -> list[tuple[float, float]]:
    return [(part.start, part.end) for part in parts]


def test_a_chapter_ends_where_the_next_begins() -> None:
    assert spans(settled([chapter(4), chapter(0)], Cut(0, 10))) == [(0, 4), (4, 10)]


def test_a_chapter_may_end_earlier_but_not_later() -> None:
    assert spans(settled([chapter(0, 2), chapter(4, 99), chapter(5)], Cut(0, 10))) == [(0, 2), (4, 5), (5, 10)]


def test_a_cut_moves_chapters_and_leaves_out_those_that_are_gone() -> None:
    assert spans(settled([chapter(0), chapter(2), chapter(5), chapter(8)], Cut(3, 7))) == [(0, 2), (2, 4)]


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_chapters_follow_each_other_within_what_is_left(starts: list[float], start: float, length: float) -> None:
    parts = settled([chapter(each) for each in starts], Cut(start, start + length))
    times = [time for part in parts for time in (part.start, part.end)]
    assert times == sorted(times)
    assert all(-1e-9 <= time <= length + 1e-9 for time in times)
    assert all(part.end > part.start for part in parts)


def test_a_document_comes_back_as_it_was() -> None:
    parts = [Part(0, 1.5, "Über; =", "https://example.org", None), Part(1.5, 3, "二")]
    again = from_document(document(parts), "c.json")
    assert settled(again, Cut(0, 3)) == parts


@pytest.mark.parametrize("text", ["", "3", "[]", '{"chapters": {}}', '{"chapters": [{"startTime": -1}]}',
                                  '{"chapters": [{"startTime": NaN}]}', '{"chapters": [7]}', "\xff"])  # fmt: skip
def test_what_is_no_document_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Rejected, match=r"c\.json"):
        from_document(text.encode("latin-1"), "c.json")


def test_a_change_of_picture_is_no_chapter() -> None:
    text = json.dumps(
        {"version": "1.2.0", "chapters": [{"startTime": 0, "title": "a"}, {"startTime": 1, "toc": False}]}
    )
    assert [each.title for each in from_document(text.encode(), "c.json")] == ["a"]


def test_comments_have_hours_and_milliseconds() -> None:
    assert comments([(3723.0456, "Late", None)]) == {"CHAPTER000": "01:02:03.046", "CHAPTER000NAME": "Late"}


# --- the file of metadata


def test_what_means_something_to_ffmpeg_is_escaped() -> None:
    text = metadata({"title": "a=b;c#d\\e\nf"}, [], "mp3", cover=None)
    assert text == ";FFMETADATA1\ntitle=a\\=b\\;c\\#d\\\\e\\\nf\n"


def test_chapters_are_comments_where_ffmpeg_writes_none() -> None:
    parts = [Part(0, 1, "One")]
    assert "[CHAPTER]" in metadata({}, parts, "mp3", cover=None)
    for container in ("ogg", "opus", "flac"):
        text = metadata({}, parts, container, cover=None)  # type: ignore[arg-type]
        assert "[CHAPTER]" not in text and "CHAPTER000NAME=One" in text


def test_tags_of_a_file_give_way_and_its_stale_ones_go() -> None:
    own = {"TITLE": "Old", "artist": "Ann", "encoder": "x", "CHAPTER001": "00:00", "replaygain_track_gain": "3"}
    assert merged([own], {"Title": "New", "artist": ""}) == {"title": "New"}


def test_no_more_is_read_of_a_list_of_chapters_than_one_may_have(tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1024**3)
    tracemalloc.start()
    with pytest.raises(Rejected) as refused:
        from_file(tmp_path / "huge.json", "huge.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.code == "chapters_invalid" and "too large" in refused.value.message
    assert peak < 32 * 1024**2
