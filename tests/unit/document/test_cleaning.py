"""What a PDF may do when it is opened or clicked on, and what is taken out of it."""

from __future__ import annotations

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String

from processors.document.paper.cleaning import clean


def uri(target: str) -> Dictionary:
    return Dictionary(S=Name.URI, URI=String(target))


def other_file(target: str) -> Dictionary:
    return Dictionary(S=Name.GoToR, F=String(target), D=Array([0, Name.Fit]))


def opening(action: Dictionary | Array) -> pikepdf.Pdf:
    """A document that does something when it is opened."""
    pdf = pikepdf.new()
    pdf.add_blank_page()
    pdf.Root.OpenAction = action
    return pdf


def is_kept(action: Dictionary) -> bool:
    """Whether a link of a page still leads somewhere."""
    pdf = pikepdf.new()
    page = pdf.add_blank_page()
    page.Annots = Array([Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9]), A=action)])
    clean(pdf)
    return "/A" in pdf.pages[0].Annots[0]


@pytest.mark.parametrize(
    "action",
    [
        uri("https://a.b/seen"),
        other_file(r"\\evil\share\x.pdf"),
        other_file("x.pdf"),
        Dictionary(S=Name.Named, N=Name.Print),
    ],
)
def test_nothing_happens_when_it_is_opened(action: Dictionary) -> None:
    pdf = opening(action)
    found = clean(pdf)
    assert "/OpenAction" not in pdf.Root
    assert found == {str(action.S)[1:]: 1}


def test_it_opens_at_the_place_it_names_and_does_no_more() -> None:
    pdf = opening(Array([0, Name.Fit]))
    assert not clean(pdf)
    assert pdf.Root.OpenAction[1] == Name.Fit
    pdf = opening(Dictionary(S=Name.GoTo, D=Array([0, Name.Fit]), Next=uri("https://a.b/seen")))
    clean(pdf)
    assert {*pdf.Root.OpenAction.keys()} == {"/S", "/D"}


@pytest.mark.parametrize("target", ["https://a.b/c", "HTTP://a.b", "mailto:a@b.c", "a/b.html", "#part"])
def test_links_to_pages_stay(target: str) -> None:
    assert is_kept(uri(target))


@pytest.mark.parametrize(
    "target", ["javascript:alert(1)", " java\tscript:x", "file:///etc/passwd", "data:text/html,x", r"\\a\b", "//a/b"]
)
def test_links_that_act_are_taken_out(target: str) -> None:
    assert not is_kept(uri(target))


@pytest.mark.parametrize(
    ("target", "stays"),
    [
        *(("next.pdf", True), ("more/next.pdf", True), (r"\\evil\share\x.pdf", False), ("//evil/x.pdf", False)),
        *(("/c/x.pdf", False), ("https://evil/x.pdf", False), ("c:x.pdf", False)),
    ],
)
def test_links_to_other_documents_stay_where_those_are_near(target: str, stays: bool) -> None:
    assert is_kept(other_file(target)) is stays
    by_specification = Dictionary(S=Name.GoToR, F=Dictionary(Type=Name.Filespec, UF=String(target)), D=String("a"))
    assert is_kept(by_specification) is stays


def test_no_link_is_read_from_a_hostile_base() -> None:
    pdf = opening(Array([0, Name.Fit]))
    pdf.Root.URI = Dictionary(Base=String("javascript:"))
    clean(pdf)
    assert "/URI" not in pdf.Root
