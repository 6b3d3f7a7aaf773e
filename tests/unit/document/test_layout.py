"""What is read out of how a page looks: order, chunks, tables, headings. Places are in points from the top left."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from processors.document.layout.columns import Placed, reading_order
from processors.document.layout.drafts import Draft, Flow
from processors.document.layout.flowing import flow_of
from processors.document.layout.grids import grids_of
from processors.document.layout.headings import Levels, Outline
from processors.document.layout.inline import spans_of
from processors.document.layout.looks import Looks, seen_in
from processors.document.layout.markers import is_entry, marker_of
from processors.document.layout.pieces import Piece, Rule, Sheet, Style, Word
from processors.document.layout.structure import page_of
from processors.document.model import Block, Box, Caption, Footnote, Heading, ListItem, Paragraph, Table, grid, plain

LONG = "words of a line that is as wide as its column is"


def piece(text: str, left: float, base: float, size: float = 10, *, bold: bool = False, order: int = 0) -> Piece:
    """A piece whose characters are half as wide as they are high."""
    words, x = [], left
    for index, word in enumerate(text.split()):
        width = 0.5 * size * len(word)
        words.append(Word(word, x, x + width, base, Style(size, bold=bold), spaced=index > 0))
        x += width + 0.3 * size
    return Piece(words, order)


def sheet(*pieces: Piece, rules: Sequence[Rule] = ()) -> Sheet:
    for order, each in enumerate(pieces):
        each.order = order
    return Sheet(1, 595, 842, list(pieces), list(rules))


def blocks(*sheets: Sheet, outline: Sequence[tuple[int, str]] = ()) -> list[Block]:
    flows = [flow_of(each) for each in sheets]
    looks = Looks()
    for flow in flows:
        looks.add(seen_in(flow))
    known = Outline.of(outline)
    levels = Levels.of(looks, known)
    return [block for flow in flows for block in page_of(flow, looks, known, levels).blocks]


def words(block: Block) -> str:
    return plain(getattr(block, "spans", ()))


def level(y: float, left: float, right: float) -> Rule:
    return Rule(Box(left, y, right, y))


def upright(x: float, top: float, bottom: float) -> Rule:
    return Rule(Box(x, top, x, bottom))


# --- order


def ordered(*pieces: Piece) -> list[str]:
    things = [Placed(each, each.box, index) for index, each in enumerate(pieces)]
    return [placed.thing.text.split()[0] for placed in reading_order(things)[0]]


def test_the_order_of_the_file_stands_where_it_is_one() -> None:
    left = [piece(f"L{row} {LONG}", 50, 100 + 12 * row) for row in range(8)]
    right = [piece(f"R{row} {LONG}", 330, 100 + 12 * row) for row in range(8)]
    expected = [*(f"L{row}" for row in range(8)), *(f"R{row}" for row in range(8))]
    assert ordered(*left, *right) == expected


def test_lines_across_columns_are_put_right() -> None:
    pairs = [piece(f"{side}{row} {LONG}", x, 100 + 12 * row) for row in range(8) for side, x in (("L", 50), ("R", 330))]
    expected = [*(f"L{row}" for row in range(8)), *(f"R{row}" for row in range(8))]
    assert ordered(*pairs) == expected


def test_what_spans_columns_parts_them() -> None:
    def band(top: float, name: str) -> list[Piece]:
        return [
            piece(f"{name}{side}{row} {LONG}", x, top + 12 * row)
            for row in range(6)
            for side, x in (("L", 50), ("R", 330))
        ]

    title = piece(f"Title {LONG} and goes on over both", 150, 190)
    found = ordered(*band(100, "a"), title, *band(220, "b"))
    assert found == [
        *(f"aL{row}" for row in range(6)),
        *(f"aR{row}" for row in range(6)),
        "Title",
        *(f"bL{row}" for row in range(6)),
        *(f"bR{row}" for row in range(6)),
    ]


# --- tables


def test_lines_that_cross_are_a_grid_with_spans() -> None:
    rules = [*(level(y, 50, 250) for y in (100, 140)), level(120, 150, 250)]
    rules += [*(upright(x, 100, 140) for x in (50, 150, 250))]
    [found] = grids_of(rules)
    assert sorted((place.row, place.column, place.rows, place.columns) for place in found.places) == [
        (0, 0, 2, 1),
        (0, 1, 1, 1),
        (1, 1, 1, 1),
    ]


def test_a_table_may_be_open_at_its_sides() -> None:
    rules = [*(level(y, 50, 350) for y in (100, 120, 140)), *(upright(x, 100, 140) for x in (150, 250))]
    pieces = [piece(f"c{row}{column}", 60 + 100 * column, 114 + 20 * row) for row in range(2) for column in range(3)]
    [table] = blocks(sheet(*pieces, rules=rules))
    assert isinstance(table, Table)
    assert grid(table) == [["c00", "c01", "c02"], ["c10", "c11", "c12"]]


def test_a_frame_is_no_table() -> None:
    rules = [level(100, 50, 350), level(140, 50, 350), upright(50, 100, 140), upright(350, 100, 140)]
    assert all(isinstance(block, Paragraph) for block in blocks(sheet(piece(LONG, 60, 120), rules=rules)))


def test_columns_of_short_texts_are_a_table_without_lines() -> None:
    rows = [("Name", "Height", "Born"), ("Ada", "1.65", "1815"), ("Grace", "1.68", "1906"), ("Alan", "1.79", "1912")]
    pieces = [piece(text, 60 + 120 * x, 100 + 14 * y) for y, row in enumerate(rows) for x, text in enumerate(row)]
    above = piece(f"{LONG} before the table", 50, 60)
    paragraph, table = blocks(sheet(above, *pieces))
    assert isinstance(paragraph, Paragraph)
    assert isinstance(table, Table)
    assert grid(table) == [list(row) for row in rows]


def test_cells_that_nearly_touch_are_parted_by_where_those_above_begin() -> None:
    rows = [[piece(f"Head{x}", 60 + 90 * x, 100) for x in range(3)]]
    for y in range(3):
        words = [word for x in range(3) for word in piece(f"row{y} col{x} of it", 60 + 90 * x, 114 + 14 * y).words]
        rows.append([Piece(words)])
    [table] = blocks(sheet(*(each for row in rows for each in row)))
    assert isinstance(table, Table)
    assert grid(table)[1] == ["row0 col0 of it", "row0 col1 of it", "row0 col2 of it"]


# --- text


def body(top: float = 100, count: int = 6) -> list[Piece]:
    return [piece(LONG, 50, top + 12 * row) for row in range(count)]


def test_lines_become_paragraphs_by_space_and_by_indent() -> None:
    first = [piece(LONG, 50, 100), piece(LONG, 50, 112), piece("ends here.", 50, 124)]
    second = [piece(f"Second {LONG}", 62, 136), piece(LONG, 50, 148)]
    third = [piece(f"Third {LONG}", 50, 180)]
    assert [words(block).split()[0] for block in blocks(sheet(*first, *second, *third))] == ["words", "Second", "Third"]


def test_a_divided_word_is_whole_again() -> None:
    lines = [piece(f"{LONG} recog\u00ad", 50, 100), piece("nised, and Schwarz\u00ad", 50, 112), piece("Weiß", 50, 124)]
    assert words(blocks(sheet(*lines))[0]).endswith("recognised, and Schwarz-Weiß")


def test_headings_stand_out_by_size_by_weight_and_by_number() -> None:
    found = blocks(
        sheet(
            piece("The whole title", 50, 60, 20),
            *body(100),
            piece("A bold one", 50, 200, bold=True),
            *body(220),
            piece("2.1 A numbered one", 50, 320, 10.5),
            *body(340),
            piece("A bold sentence that ends as one does.", 50, 440, bold=True),
        )
    )
    headings = [(block.level, words(block)) for block in found if isinstance(block, Heading)]
    assert headings == [(1, "The whole title"), (3, "A bold one"), (2, "2.1 A numbered one")]


def test_the_outline_makes_headings_and_their_levels() -> None:
    found = blocks(
        sheet(*body(60), piece("Plain title", 50, 160), *body(190)), outline=[(1, "Chapter"), (3, "Plain Title")]
    )
    assert [(block.level, words(block)) for block in found if isinstance(block, Heading)] == [(3, "Plain title")]


def test_items_have_their_depth() -> None:
    found = blocks(
        sheet(
            *body(60),
            piece("• outer", 60, 150),
            piece("– inner", 80, 164),
            piece("2. numbered", 60, 178),
            piece("☑ ticked", 60, 192),
        )
    )
    items = [block for block in found if isinstance(block, ListItem)]
    assert [(words(item), item.depth, item.number, item.checked) for item in items] == [
        ("outer", 0, None, None),
        ("inner", 1, None, None),
        ("numbered", 0, "2.", None),
        ("ticked", 0, None, True),
    ]


def test_notes_and_captions_are_told_from_text() -> None:
    found = blocks(
        sheet(*body(60), piece("Figure 3: What is seen", 50, 160), *body(190), piece("2) See there.", 50, 760, 8))
    )
    assert [words(block) for block in found if isinstance(block, Caption)] == ["Figure 3: What is seen"]
    assert [(block.label, words(block)) for block in found if isinstance(block, Footnote)] == [("2", "See there.")]


def test_what_pages_repeat_at_their_edges_is_header_and_footer() -> None:
    def one(number: int) -> Sheet:
        return sheet(piece("Running title", 50, 30, 9), *body(), *body(300), piece(f"Page {number} of 9", 280, 830, 9))

    found = blocks(*(one(number) for number in range(1, 4)))
    roles = [(words(block), block.role) for block in found if isinstance(block, Paragraph) and block.role]
    assert roles[:2] == [("Running title", "header"), ("Page 1 of 9", "footer")]
    assert len(roles) == 6


@pytest.mark.parametrize(
    ("text", "number"), [("1. a", "1."), ("(iv) a", "(iv)"), ("b) a", "b)"), ("• a", None), ("- a", None)]
)
def test_markers(text: str, number: str | None) -> None:
    marker = marker_of(text)
    assert marker is not None
    assert (marker.number, text[marker.length :]) == (number, "a")


@pytest.mark.parametrize("text", ["2.7 GHz", "a word", "-1", "1999 was", "e.g. this"])
def test_what_begins_no_item(text: str) -> None:
    assert marker_of(text) is None


def test_a_flow_knows_how_much_of_it_is_hidden() -> None:
    hidden = Piece([Word("secret", 50, 90, 100, Style(10, hidden=True)), Word("public", 95, 130, 100, Style(10))])
    flow: Flow = flow_of(sheet(hidden))
    assert flow.hidden == 0.5
    assert all(isinstance(item, Draft) for item in flow.items)


def test_a_page_of_numbers_in_many_columns_takes_no_time() -> None:
    things = [
        Placed(None, Box(10 * column, 10 * row, 10 * column + 4, 10 * row + 6), 80 * row + column)
        for row in range(25)
        for column in range(80)
    ]
    begun = time.process_time()
    ordered, gutters = reading_order(things)
    assert time.process_time() - begun < 2
    assert ([placed.order for placed in ordered], gutters) == (list(range(2000)), [])


def test_columns_of_text_are_found_whatever_their_number() -> None:
    for columns in (2, 3, 5):
        things = [
            Placed(None, Box(100 * column, 12 * row, 100 * column + 90, 12 * row + 10), columns * row + column)
            for row in range(20)
            for column in range(columns)
        ]
        ordered, _ = reading_order(things)
        assert [placed.order % columns for placed in ordered] == [each for each in range(columns) for _ in range(20)]


def test_dots_without_an_end_are_read_at_once() -> None:
    begun = time.process_time()
    assert not is_entry(". " * 8000 + "q")
    assert time.process_time() - begun < 1
    assert is_entry("Chapter " + ". " * 300 + "12")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["We shall ex-", "plain it."], "We shall explain it."),
        (["We shall ex\u00ad", "plain it."], "We shall explain it."),
        (["It is well-", "known here."], "It is well-known here."),
        (["A read-only file, and a read-", "only disk."], "A read-only file, and a read-only disk."),
        (["The Saxe-", "Coburg line."], "The Saxe- Coburg line."),
        (["The Saxe\u00ad", "Coburg line."], "The Saxe-Coburg line."),
        (["From 3-", "4 days -", "or so."], "From 3- 4 days - or so."),
    ],
)
def test_a_divided_word_is_whole_and_a_compound_keeps_its_hyphen(lines: list[str], text: str) -> None:
    pieces = [piece(each, 50, 100 + 12 * number) for number, each in enumerate(lines)]
    assert "".join(span.text for span in spans_of(pieces)) == text
