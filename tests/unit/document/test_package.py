"""What an office file may not have in its XML, wherever it stands and whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.document.office.package import Package
from processors.worker.context import Rejected
from tests.resources.offices import docx, paragraph

ENTITY = '<!DOCTYPE w [<!ENTITY a "ha">]><w>&a;</w>'
FAR = f"<!--{' ' * 300_000}-->{ENTITY}"


@pytest.mark.parametrize("name", ["word/other.xml", "word/other.bin", "main"])
@pytest.mark.parametrize("text", [ENTITY, FAR, f"\n{ENTITY}", f'<?xml version="1.0" encoding="nonsense"?>{ENTITY}'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_found(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    path = docx(tmp_path / "a.docx", paragraph("a"), {name: text.encode(encoding)})
    with Package(path, "a.docx") as package, pytest.raises(Rejected) as error:
        package.refuse_entities()
    assert error.value.code == "unsafe_document"


@pytest.mark.parametrize("text", ["", "<", "<!DOCTYPE w><w/>", "<w><!-- <!ENTITY a 'b'> --></w>", "\x89PNG <!ENTITY"])
def test_what_declares_nothing_stays(tmp_path: Path, text: str) -> None:
    path = docx(tmp_path / "a.docx", paragraph("a"), {"word/other.xml": text})
    with Package(path, "a.docx") as package:
        package.refuse_entities()


def test_the_main_part_is_the_one_that_the_package_names(tmp_path: Path) -> None:
    with Package(docx(tmp_path / "a.docx", paragraph("a")), "a.docx") as package:
        assert package.main_parts() == ["word/document.xml"]
