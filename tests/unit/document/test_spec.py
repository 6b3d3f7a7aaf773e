"""What may be asked of the document service, and what its outputs are called before the work."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.specs import checked
from processors.protocol import Service
from processors.specs import DocumentSpec


def spec(**fields: Any) -> DocumentSpec:
    return DocumentSpec.model_validate({"documentUrl": "a.pdf"} | fields)


def test_outputs_are_known_before_the_work_as_far_as_they_can_be() -> None:
    formats = ["markdown", "json", "preview", "markdown"]
    assert spec(outputFormats=formats).output_paths() == ["document.md", "document.json", "preview.jpg"]
    some = spec(outputFormats=["preview"], preview={"pages": "2-3", "format": "webp"}, metadata=True)
    assert some.output_paths() == ["metadata.json"]
    assert spec(generatePreview=True).output_paths() == ["document.txt", "preview.jpg"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"outputFormats": []}, "at least 1 item"),
        ({"outputFormats": ["doc"]}, "docx"),
        ({"pages": "0-3"}, "pattern"),
        ({"pages": "1,,3"}, "pattern"),
        ({"pages": "all"}, "pattern"),
        ({"language": "english please"}, "pattern"),
        ({"pages": "3-1"}, "run backwards: write 1-3"),
        ({"outputFormats": ["pdf"], "split": {"ranges": "1-2,9-8"}}, "run backwards: write 8-9"),
        ({"outputFormats": ["pdf"], "split": {"every": 1, "chapters": 1}}, "split.every, split.ranges and .* --split-"),
        ({"outputFormats": ["pdf", "pdfa"], "outputPassword": "x"}, "an archive .* cannot be encrypted"),
        ({"outputFormats": ["pdfa"], "outputPassword": "x"}, "an archive .* cannot be encrypted"),
        ({"preview": {"width": 100}}, "add preview to outputFormats"),
        ({"outputFormats": ["preview"], "preview": {"width": 100_000}}, "4096"),
        ({"ocrMode": "redo"}, "needs ocrEnabled"),
        ({"outputFormats": ["pdf"], "pages": "3-5", "split": {"ranges": "1-2"}}, "leave one of them out"),
        ({"colour": "blue"}, "Extra inputs"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        spec(**fields)


@pytest.mark.parametrize("pages", ["1", "1-3,7", "12-", "1,1,1"])
def test_pages_are_said_as_people_do(pages: str) -> None:
    assert spec(pages=pages).pages == pages


def test_jobs_that_need_the_same_come_to_the_same_instance() -> None:
    assert [spec().kind(), spec(ocrEnabled=True).kind(), spec(outputFormats=["pdfa"]).kind()] == ["", "ocr", "office"]


@pytest.mark.parametrize(
    "fields",
    [
        {"split": {"every": 1}},
        {"outputPassword": "x"},
        {"rotate": {"degrees": 90}},
        {"outputFormats": ["pdf"], "split": {}},
        {"outputFormats": ["pdf"], "split": {"every": 1, "chapters": 1}},
        {"outputFormats": ["pdf"], "split": {"ranges": "3-,x"}},
        {"outputFormats": ["pdf"], "rotate": {"degrees": 45}},
        {"append": {"../a.pdf": "a.pdf"}},
    ],
)
def test_what_pdfs_cannot_be_asked_for(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DocumentSpec.model_validate({"documentUrl": "a.pdf"} | fields)


def test_a_password_is_as_long_as_a_pdf_takes_it() -> None:
    """What is beyond would be cut off without a word, in the middle of a letter."""
    assert spec(outputFormats=["pdf"], outputPassword="ü" * 63 + "x").output_password == "ü" * 63 + "x"
    with pytest.raises(ValidationError, match="127 bytes"):
        spec(outputFormats=["pdf"], outputPassword="ü" * 64)


def test_many_files_and_those_that_name_each_other_have_a_folder() -> None:
    def keeps(**fields: Any) -> bool:
        return DocumentSpec.model_validate({"documentUrl": "a.pdf"} | fields).keeps_folder

    assert not keeps(outputFormats=["markdown", "pdf", "preview"])
    assert keeps(extractImages=True)
    assert keeps(tables="csv")
    assert keeps(outputFormats=["pdf"], split={"every": 1})
    assert keeps(outputFormats=["preview"], preview={"pages": "all"})
    assert keeps(outputFormats=["preview"], preview={"contactSheet": True})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            {"language": "klingon"},
            "language 'klingon' does not fit: it should be languages by .* eng or deu",
        ),
        ({"pages": "one"}, "pages 'one' does not fit: it should be pages, counted from 1, as 1-3,7 or 5-"),
        ({"split": {"ranges": "a"}}, "split.ranges 'a' does not fit: it should be pages"),
        ({"pages": "3-1"}, "the pages 3-1 run backwards: write 1-3"),
    ],
)
def test_what_is_typed_wrong_is_shown_right(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        checked(Service.DOCUMENT, {"documentUrl": "a.pdf", "outputFormats": "pdf"} | fields)
