"""What an office file may not have in its XML, wherever it stands and whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from processors.document.office.package import Package
from processors.worker.context import Rejected
from tests.resources.offices import docx, paragraph

ENTITY = '<!DOCTYPE w [<!ENTITY a "ha">]><w>&a;</w>'
FAR = f"<!--{' ' * 300_000}-->{ENTITY}"
LONG = f'<!DOCTYPE w [<!ENTITY a "{"h" * 200_000} < b c'
LATE = f"{' ' * 300_000}{ENTITY}"
NONSENSE = '<?xml version="1.0" encoding="nonsense"?>'


@pytest.mark.parametrize("name", ["word/other.xml", "word/other.bin", "main"])
@pytest.mark.parametrize("text", [ENTITY, FAR, LATE, f"\n{ENTITY}", NONSENSE + ENTITY, NONSENSE + FAR, LONG])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_found(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    path = docx(tmp_path / "a.docx", paragraph("a"), {name: text.encode(encoding)})
    with Package(path, "a.docx") as package, pytest.raises(Rejected) as error:
        package.refuse_entities()
    assert error.value.code == "unsafe_document"


@pytest.mark.parametrize("encoding", ["utf-7", "shift_jis", "cp037", "utf-32", "utf-16-be", "iso-8859-15"])
def test_no_encoding_hides_entities(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{ENTITY}'.encode(encoding)
    if encoding == "utf-7":  # which may write any character so
        text = text.replace(b"<!ENTITY", b"+ADwAIQ-ENTITY")
    path = docx(tmp_path / "a.docx", paragraph("a"), {"word/other.xml": text})
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
