"""Pages become the same text in every format, and nothing in them can break out of it."""

from __future__ import annotations

import csv
import io
import json
import re
from html import escape, unescape

import pytest
from markdown_it import MarkdownIt

from processors.document.model import (
    Block,
    Box,
    Cell,
    Code,
    Figure,
    Footnote,
    Heading,
    ListItem,
    Page,
    Paragraph,
    Span,
    Table,
    Word,
)
from processors.document.writing.as_json import as_json
from processors.document.writing.html import html
from processors.document.writing.markdown import markdown
from processors.document.writing.places import Places
from processors.document.writing.tables import as_csv
from processors.document.writing.text import text


def page(*blocks: Block) -> Page:
    return Page(1, blocks)


def spans(words: str) -> tuple[Span, ...]:
    return (Span(words),)


def md(*blocks: Block) -> str:
    return "".join(markdown([page(*blocks)]))


def shown(markdown_text: str) -> str:
    """What a reader of Markdown sees, as HTML."""
    made: str = MarkdownIt("commonmark").enable("table").render(markdown_text)
    return made


HOSTILE = "# no *heading* <b>&amp; [x](y) `z` _u_ | 1. \\ ~~~"


def test_text_that_looks_like_markup_stays_text() -> None:
    assert shown(md(Paragraph(spans(HOSTILE)))) == (
        "<p># no *heading* &lt;b&gt;&amp;amp; [x](y) `z` _u_ | 1. \\ ~~~</p>\n"
    )
    for begin in ("1. one", "- one", "+ one", "> one", "---", "## one"):
        assert "<p>" in shown(md(Paragraph(spans(begin))))
    assert shown(md(Heading(2, spans("a # b")))) == "<h2>a # b</h2>\n"


def test_emphasis_and_links_stand_at_words() -> None:
    paragraph = Paragraph(
        (
            Span("a "),
            Span("bold ", bold=True),
            Span("both", bold=True, italic=True),
            Span(" c", link="https://a.b/x(1)"),
        )
    )
    assert shown(md(paragraph)) == (
        '<p>a <strong>bold</strong> <em><strong>both</strong></em> <a href="https://a.b/x%281%29">c</a></p>\n'
    )
    assert "javascript" not in md(Paragraph((Span("x", link="javascript:alert(1)"),)))


def test_lists_have_their_depth_and_their_numbers() -> None:
    items = [
        ListItem(spans("one"), 0, "3."),
        ListItem(spans("two"), 1),
        ListItem(spans("done"), 0, None, True),
        ListItem(spans("of letters"), 0, "b)"),
    ]
    assert md(*items) == "3. one\n   - two\n- [x] done\n- b) of letters\n"
    made = "".join(html([page(*items)]))
    assert made.count("<ul>") == made.count("</ul>") == 2
    assert '<li dir="auto" value="3">one</li>' in made


def table() -> Table:
    return Table(
        (
            (Cell(spans("a"), columns=2, header=True), Cell(spans("b"), header=True)),
            (Cell(spans("c"), rows=2), Cell(spans("d|e")), Cell(spans("f\ng"))),
            (Cell(spans("h")), Cell(())),
        )
    )


def test_tables_repeat_what_a_cell_spans_where_a_format_has_no_spans() -> None:
    assert md(table()).splitlines() == [
        "| a | a | b |",
        "| --- | --- | --- |",
        "| c | d\\|e | f g |",
        "| c | h |  |",
    ]
    assert list(csv.reader(io.StringIO(as_csv(table())))) == [["a", "a", "b"], ["c", "d|e", "f g"], ["c", "h", ""]]
    made = "".join(html([page(table())]))
    assert '<th colspan="2" dir="auto">a</th>' in made
    assert '<td rowspan="2" dir="auto">c</td>' in made


def test_a_table_that_spans_all_bounds_stays_small() -> None:
    wide = Table(((Cell(spans("x" * 500), columns=1000, rows=1000),) * 50,) * 200)
    assert len(as_csv(wide)) < 200 * 50 * 510
    long = Table(((Cell(spans("x" * 5000), columns=3),), (Cell(spans("y"), columns=3),)))
    assert [[len(cell) for cell in row] for row in csv.reader(io.StringIO(as_csv(long)))] == [[5000, 0, 0], [1, 1, 1]]


@pytest.mark.parametrize("columns", [2, 10, 49, 1000])
@pytest.mark.parametrize("length", [1, 900])
def test_a_small_table_becomes_no_large_file(columns: int, length: int) -> None:
    small = Table(((Cell(spans("x" * length), columns=columns),),) * 60)
    most = 60 * max(20 * length, 300)
    assert max(len(as_csv(small)), len(md(small)), len("".join(text([page(small)])))) < most
    assert as_csv(small).count("x" * length) >= 60


def test_html_holds_no_markup_of_the_document() -> None:
    made = "".join(html([page(Paragraph(spans("<script>")), Code("<b>", 'x" y'), Figure('a"b.png', '"'))], title="<i>"))
    assert "<script>" not in made
    assert "<title>&lt;i&gt;</title>" in made
    assert '<img src="a&quot;b.png" alt="&quot;">' in made


@pytest.mark.parametrize(
    "path",
    [
        "http://evil/t.png",
        "//evil/t.png",
        r"\\evil\t.png",
        "javascript:x",
        "file:///etc/x.png",
        "/etc/x.png",
        "a/../../x",
    ],
)
def test_no_picture_is_fetched(path: str) -> None:
    figure = Figure(path, "what --> it <b>shows</b>")
    made = "".join(html([page(figure)]))
    assert "<img" not in made
    assert "it &lt;b&gt;shows" in made
    assert path not in md(figure)
    assert "<img" not in shown(md(figure))
    assert shown(md(figure)).count("-->") == 1
    assert '<img src="images/a%20b.png" alt="x" />' in shown(md(Figure("images/a b.png", "x")))


@pytest.mark.parametrize("link", ["//evil.com", "javascript:x", r"\\evil\x", "file:///x", "data:text/html,x", "a\n"])
def test_links_that_act_or_have_no_scheme_are_text(link: str) -> None:
    paragraph = Paragraph((Span("x", link=link),))
    assert shown(md(paragraph)) == "<p>x</p>\n"
    assert "<a" not in "".join(html([page(paragraph)]))


def test_code_keeps_its_fences() -> None:
    assert shown(md(Code("a ``` b\n  c", "py"))) == '<pre><code class="language-py">a ``` b\n  c\n</code></pre>\n'


@pytest.mark.parametrize("text", ["a ``` b\n~~~~~\n# c", "``````\nx", "~~~\n# d", "`"])
def test_nothing_ends_code_before_its_end(text: str) -> None:
    assert re.fullmatch(r"<pre><code>[^<]*</code></pre>\n", shown(md(Code(text))))
    assert unescape(shown(md(Code(text)))) == f"<pre><code>{text}\n</code></pre>\n"
    assert "<h1>" not in shown(md(Code("x", "py\n```\n# c")))


@pytest.mark.parametrize("text", ["a``b`c", "`x", "y``", "a ``` <b>"])
def test_nothing_ends_code_in_a_line_before_its_end(text: str) -> None:
    made = shown(md(Paragraph((Span("see "), Span(text, code=True), Span(" there")))))
    assert unescape(made) == f"<p>see <code>{text}</code> there</p>\n"


BEGINNINGS = [
    "# b",
    "#",
    "- b",
    "+ b",
    "* b",
    "> b",
    "1. b",
    "2) b",
    "===",
    "=",
    "---",
    "-",
    "~~~",
    "```",
    "- - -",
    "***",
]


@pytest.mark.parametrize("line", [*BEGINNINGS, "  # b", "&lt;b&gt;", "&#60;", "&amp;amp;", "<b>", "~~b~~"])
def test_every_line_of_a_paragraph_is_text(line: str) -> None:
    made = shown(md(Paragraph(spans(f"a\n{line}\nc"))))
    assert made == f"<p>a\n{escape(line.strip())}\nc</p>\n"
    item = shown(md(ListItem(spans(f"{line.strip()}\n{line}"))))
    assert item == f"<ul>\n<li>{escape(line.strip())}\n{escape(line.strip())}</li>\n</ul>\n"
    assert shown(md(Heading(1, spans(f"a\n{line}")))).endswith("</h1>\n")


def test_text_is_the_words_alone() -> None:
    blocks = (Heading(1, spans("H")), Paragraph(spans("p")), table(), Footnote("1", spans("note")))
    assert "".join(text([page(*blocks)])) == "H\n\np\n\na\ta\tb\nc\td|e\tf g\nc\th\t\n\n1 note\n"


def test_pages_are_marked_when_asked() -> None:
    pages = [Page(3, (Paragraph(spans("a")),)), Page(4, (Paragraph(spans("b")),))]
    assert '<!-- page 3 --><a id="page-3"></a>\n\na\n' in "".join(markdown(pages, page_markers=True))
    assert "".join(text(pages, page_markers=True)) == "a\n\f\nb\n"
    assert '<section id="page-4" data-page="4">' in "".join(html(pages, page_markers=True))


def test_links_lead_to_what_is_written_or_are_text() -> None:
    led = [Span("two", link="#page-2"), Span("nine", link="#page-9"), Span("usage", link="#the-usage-of-it")]
    cell = Cell((Span("cell", link="#page-9"), Span("web", link="https://a.b")))
    pages = [Page(1, (Paragraph(tuple(led)), Table(((cell,),)))), Page(2, (Heading(1, spans("The usage of it!")),))]

    def links(**wanted: bool) -> list[str]:
        places = Places(lambda: pages, **wanted)
        return re.findall('href="([^"]*)', "".join(html(map(places.alive, pages))))

    assert links() == ["#the-usage-of-it", "https://a.b"]
    assert links(page_markers=True) == ["#page-2", "#the-usage-of-it", "https://a.b"]


@pytest.mark.parametrize(
    ("blocks", "tags"),
    [
        ((Paragraph((Span("Look!"), Span("here", link="https://a.b/c.png"))),), "<p>Look!<a>here</a></p>"),
        ((Paragraph(spans("a\r# b\r\n# c")),), "<p>a\n# b\n# c</p>"),
        ((Paragraph(spans("a | b\n--- | :--\nc | d")),), "<p>a | b\n--- | :--\nc | d</p>"),
        ((Paragraph(spans("| a |\n|---|\n| c |")),), "<p>| a |\n|---|\n| c |</p>"),
        ((Heading(1, spans("C #")),), "<h1>C #</h1>"),
        ((Figure("a.png", "a\n# b"),), '<p><img src="a.png" alt="a # b"></p>'),
    ],
)
def test_what_looks_like_markdown_stays_text(blocks: tuple[Block, ...], tags: str) -> None:
    made = md(*blocks)
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(made).replace(" />", ">").strip()
    assert re.sub(r'<a href="[^"]*">', "<a>", shown) == tags


def test_a_label_of_a_note_is_one_word() -> None:
    label = "1]: x\n# h"
    assert md(Footnote(label, spans("a"))) == "<sup>1\\]: x # h</sup> a\n"
    assert md(Paragraph((Span(label, raised=True),)), Footnote(label, spans("a"))) == "[^n1]\n\n[^n1]: a\n"


@pytest.mark.parametrize("count", [1, 2000])
def test_small_tables_make_no_large_output(count: int) -> None:
    wide = Table(((Cell(spans("xx"), columns=1000),),))
    assert len(md(*[wide] * count)) < 50 * count
    title = Table(((Cell(spans("a title over all"), columns=12),), tuple(Cell(spans(str(n))) for n in range(12))))
    assert md(title).count("a title over all") == 12


def test_links_lead_to_headings_by_what_the_document_calls_them_and_where_they_are() -> None:
    aims = ("_Toc1", "second", "plain%20name", "page-2@300", "page-2@9", "page-2", "nowhere", "page-7@1")
    led = Paragraph(tuple(Span(aim, link=f"#{aim}") for aim in aims))
    low, high = Box(0, 310, 99, 330), Box(0, 100, 99, 120)
    pages = [
        Page(1, (led, Heading(1, spans("Same name"), names=("_Toc1", "plain name")))),
        Page(2, (Heading(2, spans("Other"), high), Heading(2, spans("Same name"), low, names=("second",)))),
    ]
    places = Places(lambda: pages)
    written = "".join(html(map(places.alive, pages)))
    assert re.findall('href="([^"]*)"[^>]*>([^<]*)', written) == [
        ("#same-name", "_Toc1"),
        ("#same-name-1", "second"),
        ("#same-name", "plain%20name"),
        ("#same-name-1", "page-2@300"),
    ]
    assert re.findall('<h. id="([^"]*)"', written) == ["same-name", "other", "same-name-1"]
    assert "[second](#same-name-1)" in "".join(markdown(map(places.alive, pages)))


def test_json_has_boxes_and_leaves_out_what_is_not_there() -> None:
    item = ListItem((Span("a", bold=True), Span("b")), checked=False, box=Box(1, 2, 3, 4))
    made = json.loads("".join(as_json([Page(1, (item,), 10, 20, (Word("a", Box(1, 2, 3, 4)),))], {"format": "pdf"})))
    [first] = made["pages"]
    assert made["format"] == "pdf"
    assert first["blocks"] == [
        {
            "kind": "listItem",
            "spans": [{"text": "a", "bold": True}, {"text": "b"}],
            "checked": False,
            "box": {"left": 1, "top": 2, "right": 3, "bottom": 4},
        }
    ]
    assert first["words"] == [{"text": "a", "box": {"left": 1, "top": 2, "right": 3, "bottom": 4}}]
    assert json.loads("".join(as_json([], {}))) == {"pages": []}


# --- what Markdown has of its own


def test_a_note_is_one_where_something_refers_to_it_and_shown_in_any_case() -> None:
    def noted(label: str, words: str) -> tuple[Block, ...]:
        note = Footnote(label, spans(words))
        return (Paragraph((Span("Said"), Span(label, raised=True))), note, Footnote("9", spans("Alone.")))

    made = "".join(markdown([Page(1, noted("1", "One.")), Page(2, noted("1", "Two.")), Page(3, noted("*", "Three."))]))
    names = re.findall(r"^Said\[\^([^\]]+)\]$", made, re.MULTILINE)
    assert [f"[^{name}]: {words}" in made for name, words in zip(names, ("One.", "Two.", "Three."), strict=True)]
    assert len({*names}) == 3
    assert all(re.fullmatch(r"[\w-]+", name) for name in names)
    assert made.count("<sup>9</sup> Alone.") == 3


def test_lists_hold_what_is_in_them_however_wide_their_numbers_are() -> None:
    items: list[Block] = []
    for number in range(8, 13):
        items += [ListItem(spans(f"item {number}"), 0, f"{number}."), ListItem(spans(f"sub {number}"), 1)]
    items.append(ListItem(spans("deepest"), 2))
    made = shown(md(*items))
    assert made.count("<ol") == 1
    assert made.count("<ul>") == 6
    assert "<pre>" not in made
    assert made.index("sub 12") < made.index("deepest") < made.index("</ol>")


def test_cells_keep_their_links_and_looks() -> None:
    row = tuple(
        Cell((span,))
        for span in (Span("see", link="https://a.b/"), Span("bold", bold=True), Span("a|b", code=True), Span("x|y"))
    )
    made = shown(md(Table((tuple(Cell(spans(name)) for name in "abcd"), row))))
    assert '<td><a href="https://a.b/">see</a></td>' in made
    assert "<td><strong>bold</strong></td>" in made
    assert "<td><code>a|b</code></td>" in made
    assert "<td>x|y</td>" in made
