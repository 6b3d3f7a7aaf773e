"""What is read of which page, and where things stand: the decisions and the arithmetic of reading pictures."""

from __future__ import annotations

import math
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from processors.document.ocr.choosing import PageFacts, is_to_be_read
from processors.document.ocr.frames import Frame, scaled, straightened, turned
from processors.document.ocr.hocr import parse
from processors.document.ocr.languages import Trial, decided
from processors.document.ocr.layer import runs_of
from processors.document.ocr.marks import pieces_of, upright
from processors.document.ocr.raster import MOST_PIXELS, dpi_of
from processors.document.ocr.reading import ReadWord
from processors.document.ocr.skew import skew_of
from processors.document.ocr.work import notes_of
from processors.document.paper.invisible import content

Mode = Literal["skip-text", "redo", "force"]

SCAN = PageFacts(visible=0, hidden=0, pictured=1.0, is_blank=False)
NUMBERED = PageFacts(visible=2, hidden=0, pictured=0.9, is_blank=False)
READ_BEFORE = PageFacts(visible=0, hidden=2000, pictured=1.0, is_blank=False)
WRITTEN = PageFacts(visible=2000, hidden=0, pictured=0.2, is_blank=False)
CAPTIONED = PageFacts(visible=20, hidden=0, pictured=0.3, is_blank=False)
BLANK = PageFacts(visible=0, hidden=0, pictured=0.0, is_blank=True)


@pytest.mark.parametrize(
    ("mode", "read"),
    [
        ("skip-text", [SCAN, NUMBERED]),
        ("redo", [SCAN, NUMBERED, READ_BEFORE]),
        ("force", [SCAN, NUMBERED, READ_BEFORE, WRITTEN, CAPTIONED]),
    ],
)
def test_which_pages_are_read(mode: Mode, read: list[PageFacts]) -> None:
    pages = [SCAN, NUMBERED, READ_BEFORE, WRITTEN, CAPTIONED, BLANK]
    assert [page for page in pages if is_to_be_read(mode, page)] == read


@given(
    st.sampled_from([0, 90, 180, 270]),
    st.floats(-8, 8),
    st.floats(0.1, 4),
    st.tuples(st.floats(0, 5000), st.floats(0, 5000)),
)
def test_what_is_turned_can_be_turned_back(quarter: int, skew: float, size: float, point: tuple[float, float]) -> None:
    frame = straightened(skew, (600, 800), (700, 900)).then(turned(quarter, 700, 900)).then(scaled(size))
    back = frame.inverse().point(*frame.point(*point))
    assert math.dist(back, point) < 1e-6 * (1 + math.hypot(*point))


@pytest.mark.parametrize(("quarter", "to"), [(0, (10, 20)), (90, (780, 10)), (180, (590, 780)), (270, (20, 590))])
def test_a_quarter_to_the_right_brings_the_top_to_the_right(quarter: int, to: tuple[float, float]) -> None:
    assert turned(quarter, 600, 800).point(10, 20) == to


@pytest.mark.parametrize("degrees", [-6.5, -1, 0, 0.8, 4])
def test_by_how_much_a_page_is_askew(degrees: float) -> None:
    page = Image.new("L", (900, 1200), 255)
    for row in range(20):
        for column in range(9):
            left = 100 + 80 * column
            ImageDraw.Draw(page).rectangle((left, 100 + 50 * row, left + 60, 118 + 50 * row), fill=0)
    askew = page.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    assert skew_of(askew) == pytest.approx(degrees, abs=0.15)
    assert skew_of(askew.rotate(90, expand=True)) == pytest.approx(degrees, abs=0.15)


def test_five_lines_alone_are_not_taken_for_askew() -> None:
    page = Image.new("L", (900, 1200), 255)
    for row, end in enumerate((800, 780, 810, 790, 300)):
        for left in range(100, end, 70):
            ImageDraw.Draw(page).rectangle((left, 100 + 50 * row, left + 30 + left % 23, 118 + 50 * row), fill=0)
    assert skew_of(page) == 0


@pytest.mark.parametrize(
    ("dots", "width", "height", "expected"),
    [(None, 595, 842, 300), (240, 595, 842, 240), (600, 595, 842, 300), (72, 595, 842, 300)],
)
def test_a_page_is_drawn_as_fine_as_its_scan(dots: float | None, width: float, height: float, expected: float) -> None:
    assert dpi_of(dots, width, height) == expected


@given(st.floats(3, 14400), st.floats(3, 14400))
def test_no_picture_of_a_page_is_too_large(width: float, height: float) -> None:
    dpi = dpi_of(None, width, height)
    assert width * height * (dpi / 72) ** 2 <= MOST_PIXELS * 1.001


HOCR = b"""<html><body><div class='ocr_page' title='image "a"; bbox 0 0 600 400; ppageno 0; scan_res 300 300'>
<div class='ocr_separator' title="bbox 10 390 500 393"></div>
<span class='ocr_line' title="bbox 100 100 400 140; baseline 0.01 -9; x_size 40; x_descenders 9; x_ascenders 10">
<span class='ocrx_word' title='bbox 100 105 112 130; x_wconf 40'>e</span>
<span class='ocrx_word' title='bbox 132 100 240 138; x_wconf 96'>Apples</span>
<span class='ocrx_word' title='bbox 250 100 400 140; x_wconf 90'>&amp;co</span></span>
<span class='ocr_line' title="bbox 20 100 60 300; textangle 90; x_size 40; x_descenders 9; x_ascenders 10">
<span class='ocrx_word' title='bbox 20 100 60 300; x_wconf 91'>aside</span></span>
</div></body></html>"""


def test_what_tesseract_writes_becomes_pieces() -> None:
    found = parse(HOCR)
    assert (found.width, found.height, len(found.separators)) == (600, 400, 1)
    assert [mark.text for line in found.lines for mark in line.marks] == ["e", "Apples", "&co", "aside"]
    assert upright(found) == 0
    first, second = pieces_of(found, scaled(0.24), 0, 0.24)
    assert first.text == "• Apples &co"
    assert first.words[1].confidence == 0.96
    assert first.base == pytest.approx(0.24 * 131, abs=0.2)
    assert (first.style.angle, second.style.angle) == (0, 270)


def test_a_word_of_the_layer_is_as_wide_as_it_is_on_the_page() -> None:
    word = ReadWord("Maß", 0.9, x=100, y=200, dx=60, dy=0, size=20, is_last=True)
    shown = Frame(1, 0, 0, -1, 0, 842)  # of a PDF, whose y goes up
    assert content(runs_of([word], shown), "OcrText").decode().split("\n") == [
        "BT 3 Tr",
        "/OcrText 16 Tf",  # less than its line is high, so that lines do not reach into each other
        "250 Tz",  # three characters of eight points, over sixty
        "1 0 0 1 100.00 642.00 Tm <004d006100df> Tj",
        "ET",
    ]


@pytest.mark.parametrize(
    ("trials", "language", "is_clear"),
    [
        # A Dutch letter that was typed: tesseract is surest with German, which finds none of its words in it.
        ({"eng": (0.819, 1), "deu": (0.901, 0), "ita": (0.884, 1), "nld": (0.831, 15), "spa": (0.806, 8)}, "nld", True),
        # One text in six languages.
        ({"eng": (0.881, 2), "deu": (0.929, 2), "fra": (0.899, 3), "ita": (0.911, 3)}, "deu", False),
        # A language whose words are not known, and that others only seem to have some of.
        ({"eng": (0.72, 1), "por": (0.74, 4), "pol": (0.93, 0)}, "pol", True),
        # A list of names.
        ({"eng": (0.943, 0), "ita": (0.945, 0), "deu": (0.9, 0)}, "eng", False),
        ({"eng": (0.9, 0)}, "eng", True),
    ],
)
def test_words_tell_the_language_before_certainty(
    trials: dict[str, tuple[float, int]], language: str, is_clear: bool
) -> None:
    guess = decided({each: Trial(*trial) for each, trial in trials.items()}, "eng")
    assert (guess.language, guess.is_clear) == (language, is_clear)
    assert guess.certainty == trials[language][0]


def test_a_language_that_is_not_clear_is_told() -> None:
    found = {
        "languageByPage": [
            {"page": 1, "language": "nld", "clear": True},
            {"page": 3, "language": "eng", "clear": False},
        ]
    }
    [note] = notes_of(found)
    assert "page 3" in note
    assert "eng" in note
    assert notes_of({}) == []
