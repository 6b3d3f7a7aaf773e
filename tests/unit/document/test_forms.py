"""The fields of a form: the tree itself, whole names, and what each is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name, String

from processors.document.pdf.forms import fields_of
from processors.worker.context import Rejected


def form(path: Path, *fields: Any) -> Path:
    """A PDF of two pages; a field is shown on the page that its /On numbers."""
    with pikepdf.new() as pdf:
        pages = [pdf.add_blank_page(), pdf.add_blank_page()]
        made = [pdf.make_indirect(field(pdf) if callable(field) else field) for field in fields]
        for each in made:
            for widget in each.get("/Kids", [each]):
                if "/On" in widget:
                    page = pages[int(widget["/On"])].obj
                    page["/Annots"] = Array([*page.get("/Annots", ()), widget])
        pdf.Root.AcroForm = Dictionary(Fields=Array(made))
        pdf.save(path)
    return path


def text(name: str, value: str, **more: Any) -> Dictionary:
    return Dictionary(FT=Name.Tx, T=String(name), V=String(value), **more)


def test_names_are_whole_and_what_is_shown_nowhere_is_there(tmp_path: Path) -> None:
    def address(pdf: pikepdf.Pdf) -> Dictionary:
        street = pdf.make_indirect(text("street", "High St", On=1, TU=String("Street and number"), Ff=2))
        made = Dictionary(T=String("address"), Kids=Array([street]))
        street["/Parent"] = pdf.make_indirect(made)
        return made

    path = form(tmp_path / "a.pdf", address, text("hidden", "kept", Ff=1))
    by_name = {field["name"]: field for field in fields_of(path, None, {0, 1})}
    assert by_name["address.street"] == {
        "name": "address.street", "type": "text", "value": "High St", "label": "Street and number", "page": 2,
        "required": True,
    }  # fmt: skip
    assert by_name["hidden"] == {"name": "hidden", "type": "text", "value": "kept", "readOnly": True}
    assert "address.street" not in {field["name"] for field in fields_of(path, None, {0})}


def test_a_password_that_somebody_typed_is_not_told(tmp_path: Path) -> None:
    path = form(tmp_path / "a.pdf", text("pin", "1234", Ff=1 << 13))
    assert [field["value"] for field in fields_of(path, None, {0, 1})] == ["***"]


def test_choices_and_ticks(tmp_path: Path) -> None:
    combo = Dictionary(
        FT=Name.Ch, T=String("size"), V=String("M"), Ff=1 << 17, Opt=Array([String("S"), String("M")]), On=0
    )
    tick = Dictionary(FT=Name.Btn, T=String("agreed"), V=Name.Yes, On=0)
    found = {field["name"]: field for field in fields_of(form(tmp_path / "a.pdf", combo, tick), None, {0})}
    assert (found["size"]["type"], found["size"]["value"], found["size"]["choices"]) == ("combobox", "M", ["S", "M"])
    assert (found["agreed"]["type"], found["agreed"]["value"]) == ("checkbox", "Yes")


def test_a_form_that_leads_back_to_itself_ends(tmp_path: Path) -> None:
    def loop(pdf: pikepdf.Pdf) -> Dictionary:
        made = pdf.make_indirect(Dictionary(T=String("a"), Kids=Array()))
        made["/Kids"].append(made)
        return made

    try:
        assert len(list(fields_of(form(tmp_path / "a.pdf", loop), None, {0}))) <= 1
    except Rejected as error:
        assert error.code == "damaged_form"


def test_what_is_no_pdf_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\nnothing")
    with pytest.raises(Rejected, match="fields cannot be read"):
        list(fields_of(tmp_path / "a.pdf", None, {0}))
