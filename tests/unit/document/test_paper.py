"""What is decided before a PDF is written: where it is cut, how large a page is, which face a font becomes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.document.archive.colours import light_of
from processors.document.archive.faces import face_of
from processors.document.paper.cuts import Cut, cuts_of
from processors.document.paper.sizes import Size, shown, size_of
from processors.document.pdf.outline import Entry
from processors.specs.document import Split
from processors.worker.context import Rejected


@given(st.integers(1, 60), st.integers(1, 70))
def test_parts_of_so_many_pages_are_all_pages_in_their_order(count: int, every: int) -> None:
    cuts = cuts_of(Split(every=every), range(count), count, [], "a.pdf")
    assert [page for cut in cuts for page in cut.pages] == list(range(count))
    assert all(len(cut.pages) == every for cut in cuts[:-1])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.integers(30, 40))
def test_chapters_are_all_pages_in_their_order(starts: list[int], count: int) -> None:
    outline = [Entry(1, f"Chapter {page}", page) for page in starts]
    cuts = cuts_of(Split(chapters=1), range(count), count, outline, "a.pdf")
    assert [page for cut in cuts for page in cut.pages] == list(range(count))
    assert len(cuts) == len({*starts} | {1})


def test_chapters_below_the_level_do_not_cut_and_pages_that_are_left_out_lose_none() -> None:
    outline = [Entry(1, "One", 1), Entry(2, "One and a half", 2), Entry(1, "Two", 3), Entry(1, "Nowhere", None)]
    assert cuts_of(Split(chapters=1), [0, 1, 3], 4, outline, "a.pdf") == [Cut((0, 1), "One"), Cut((3,), "Two")]
    assert len(cuts_of(Split(chapters=2), range(4), 4, outline, "a.pdf")) == 3
    with pytest.raises(Rejected, match="no outline"):
        cuts_of(Split(chapters=1), range(4), 4, [], "a.pdf")
    with pytest.raises(Rejected, match="2001 files"):
        cuts_of(Split(every=1), range(2001), 2001, [], "a.pdf")


@pytest.mark.parametrize(
    ("pixels", "dots", "points"),
    [
        ((300, 600), (300, 300), (72, 144)),
        ((300, 600), (300, 150), (72, 288)),
        ((96, 48), None, (72, 36)),
        ((7200, 3600), (72, 72), (841.89, 420.95)),  # 72 is what is written where nobody knows
        ((500, 400), (72, 72), (500, 400)),
        ((500, 400), (0, 0), (375, 300)),
        ((500, 400), (float("nan"), float("inf")), (375, 300)),
        ((1, 1), (10_000, 10_000), (3, 3)),
        ((1_000_000, 10), (10, 10), (14_400, 3)),
    ],
)
def test_a_page_is_as_large_as_its_picture_says_if_that_can_be(
    pixels: tuple[int, int], dots: object, points: tuple[float, float]
) -> None:
    size = size_of(*pixels, dots)
    assert (round(size.width, 1), round(size.height, 1)) == tuple(round(each, 1) for each in points)


@pytest.mark.parametrize("turned", range(1, 9))
def test_a_picture_fills_its_page_however_it_was_held(turned: int) -> None:
    size = size_of(200, 100, (72, 72), turned)
    assert size == (Size(200, 100) if turned < 5 else Size(100, 200))
    a, b, c, d, e, f = shown(size, turned)
    corners = {(a * x + c * y + e, b * x + d * y + f) for x in (0, 1) for y in (0, 1)}
    assert corners == {(0, 0), (size.width, 0), (0, size.height), (size.width, size.height)}


@pytest.mark.parametrize(
    ("font", "face"),
    [
        ("Helvetica", "LiberationSans-Regular"),
        ("Arial,BoldItalic", "LiberationSans-BoldItalic"),
        ("ABCDEF+TimesNewRomanPS-BoldMT", "LiberationSerif-Bold"),
        ("Times-Roman", "LiberationSerif-Regular"),
        ("CourierNew,Italic", "LiberationMono-Italic"),
        ("Courier-BoldOblique", "LiberationMono-BoldItalic"),
        ("ArialNarrow", None),
        ("Helvetica-Condensed", None),
        ("Symbol", None),
        ("Verdana", None),
    ],
)
def test_a_font_becomes_a_face_only_where_that_is_as_wide(font: str, face: str | None) -> None:
    assert face_of(font) == face


@given(st.tuples(*[st.floats(0, 1)] * 4))
def test_light_is_what_inks_leave(inks: tuple[float, float, float, float]) -> None:
    assert all(0 <= each <= 1 for each in light_of(inks))
    assert light_of((*inks[:3], 1.0)) == (0, 0, 0)
    assert light_of((0, 0, 0, 0)) == (1, 1, 1)
