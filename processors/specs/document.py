"""What a job may ask of the document service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from processors.names import problem_among
from processors.specs.base import SECRET, Part, Spec

DocumentFormat = Literal["text", "html", "markdown", "preview", "pdf", "pdfa", "docx", "json"]
PreviewFormat = Literal["jpg", "png", "webp"]

PAGES_PATTERN = r"^[1-9]\d{0,5}(-([1-9]\d{0,5})?)?(,[1-9]\d{0,5}(-([1-9]\d{0,5})?)?)*$"
LANGUAGE_PATTERN = r"^(auto|[a-z]{3}(_[A-Za-z]+)*(\+[a-z]{3}(_[A-Za-z]+)*)*)$"

PAGES_FORM = "pages, counted from 1, as 1-3,7 or 5-"
LANGUAGE_FORM = "languages by the three letters that tesseract has for each, as eng or deu+fra; or auto"


def _forwards(pages: str) -> str:
    for part in pages.split(","):
        first, _, last = part.partition("-")
        if last and int(last) < int(first):
            raise ValueError(f"the pages {part} run backwards: write {last}-{first}")
    return pages


Pages = Annotated[str, Field(pattern=PAGES_PATTERN, max_length=1000), AfterValidator(_forwards)]

_MOST_PASSWORD_BYTES = 127  # ISO 32000-2, 7.6.4.3.3: what is beyond that is cut off

#: the file that each format with one file has
FILES: dict[str, str] = {
    "text": "document.txt",
    "html": "document.html",
    "markdown": "document.md",
    "json": "document.json",
    "pdf": "document.pdf",
    "pdfa": "document-a.pdf",
    "docx": "document.docx",
}


def _named_well(files: dict[str, str] | None) -> dict[str, str] | None:
    if problem := problem_among(files or ()):
        raise ValueError(problem)
    return files


def _not_too_long(password: str | None) -> str | None:
    if password is not None and len(password.encode("utf-8", "surrogatepass")) > _MOST_PASSWORD_BYTES:
        raise ValueError(f"a PDF takes at most {_MOST_PASSWORD_BYTES} bytes of a password as UTF-8, and this has more")
    return password


class Split(Part):
    """Where a document is cut into several."""

    every: int | None = Field(None, ge=1, le=100_000, description="After so many pages.")
    ranges: Pages | None = Field(None, description="Into these, as 1-3,4-10,11-: each is a document.")
    chapters: int | None = Field(None, ge=1, le=6, description="At titles of the outline, down to this level.")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Split:
        if sum(each is not None for each in (self.every, self.ranges, self.chapters)) != 1:
            ways = "split.every, split.ranges and split.chapters"
            options = "--split-every, --split-ranges, --split-chapters"
            raise ValueError(f"split is said in one way, by one of {ways} ({options})")
        return self


class Rotate(Part):
    """Which pages are turned, and how far."""

    degrees: int = Field(ge=90, le=270, multiple_of=90, description="Clockwise: 90, 180 or 270.")
    pages: Pages | None = Field(None, description="These pages, as 1-3,7; else all.")


class PreviewOptions(Part):
    """Which pictures of pages are made, and how."""

    pages: Literal["first", "all"] | Pages = Field("first", description="first, all, or pages as 1-3,7; else first.")
    width: int = Field(
        800, ge=16, le=4096, description="Width of the box a page is fitted into, in pixels; by default 800."
    )
    height: int = Field(1131, ge=16, le=4096, description="Height of that box, in pixels; by default 1131, as of A4.")
    format: PreviewFormat = Field("jpg", description="jpg, png or webp.")
    quality: int = Field(85, ge=1, le=100, description="Of jpg and webp; by default 85.")
    contact_sheet: bool = Field(False, description="Also sheets with many small pages.")
    columns: int = Field(4, ge=1, le=12, description="Pages in a row of a contact sheet; by default 4.")


class DocumentSpec(Spec):
    """Turn a document into text, structure, pictures or another kind of document."""

    input_fields = ("document_url",)
    attached_field = "append"

    document_url: str = Field(min_length=1, description="Path or URL of the document.")
    output_formats: list[DocumentFormat] = Field(
        ["text"],
        min_length=1,
        description="text, html, markdown, preview, pdf, pdfa, docx, json; several as text,json.",
    )
    ocr_enabled: bool = Field(False, description="Read the text of pages that are pictures.")
    ocr_mode: Literal["skip-text", "redo", "force"] = Field(
        "skip-text",
        description="skip-text reads pages without text, redo replaces an earlier reading, force reads every page.",
    )
    language: str = Field(
        "eng", pattern=LANGUAGE_PATTERN, max_length=100, description="Of the text, as eng, deu+fra, or auto."
    )
    extract_images: bool = Field(False, description="Also the pictures in the document, each as a file.")
    generate_preview: bool = Field(False, description="Also pictures of pages, as outputFormats preview.")
    preview: PreviewOptions | None = Field(None, description="Which pictures of pages are made, and how.")
    pages: Pages | None = Field(None, description="Only these pages, as 1-3,7 or 5-.")
    password: str | None = Field(None, max_length=500, description="What opens the document.", json_schema_extra=SECRET)
    tables: Literal["csv", "json"] | None = Field(None, description="Also each table as a file: csv or json.")
    remove_headers: bool = Field(False, description="Leave out headers and footers that pages repeat.")
    page_markers: bool = Field(False, description="Mark in text, html and markdown where a page begins.")
    metadata: bool = Field(False, description="Also all that the file says of itself, as metadata.json.")
    append: Annotated[dict[str, str] | None, AfterValidator(_named_well)] = Field(
        None, max_length=100, description="Documents that follow it as one PDF with it, a path or URL by name."
    )
    split: Split | None = Field(None, description="The pdf in several files, and where it is cut.")
    rotate: Rotate | None = Field(None, description="Which pages of the pdf are turned, and how far.")
    output_password: Annotated[str | None, AfterValidator(_not_too_long)] = Field(
        None,
        min_length=1,
        max_length=127,
        description="What the pdf is to be encrypted with, by AES-256.",
        json_schema_extra=SECRET,
    )

    @model_validator(mode="after")
    def _fits_together(self) -> DocumentSpec:
        if self.preview is not None and not self.wants_preview:
            raise ValueError("preview says how pages are pictured: add preview to outputFormats")
        if self.ocr_mode != "skip-text" and not self.ocr_enabled:
            raise ValueError(f"ocrMode {self.ocr_mode} needs ocrEnabled (--ocr-enabled)")
        if self.output_password is not None and "pdfa" in self.output_formats:
            raise ValueError("an archive (pdfa) cannot be encrypted: outputPassword is for pdf, in a job without pdfa")
        for field in ("split", "output_password"):
            if getattr(self, field) is not None and "pdf" not in self.output_formats:
                raise ValueError(f"{self.spelled(field)} says how a PDF is written: add pdf to outputFormats")
        if self.pages is not None and self.split is not None and self.split.ranges is not None:
            raise ValueError("pages and split.ranges both say which pages are taken: leave one of them out")
        if self.rotate is not None and not {"pdf", "pdfa"} & {*self.output_formats}:
            raise ValueError("rotate says how a PDF is written: add pdf or pdfa to outputFormats")
        return self

    @property
    def keeps_folder(self) -> bool:
        """Documents link to their pictures, and how many files there are is known when they are made."""
        pages = self.preview_options.pages != "first" or self.preview_options.contact_sheet
        return bool(self.extract_images or self.tables or self.split or (self.wants_preview and pages))

    @property
    def wants_preview(self) -> bool:
        """Whether pictures of pages are asked for, in one way or the other."""
        return self.generate_preview or "preview" in self.output_formats

    @property
    def preview_options(self) -> PreviewOptions:
        """How pages are pictured, where they are."""
        return self.preview or PreviewOptions.model_validate({})

    def kind(self) -> str:
        """Reading pictures takes more memory, and making office formats needs another program, warm."""
        if self.ocr_enabled:
            return "ocr"
        return "office" if {"pdf", "pdfa", "docx"} & {*self.output_formats} else ""

    def output_paths(self) -> list[str]:
        """The file of each format, and the picture of the first page; how many other pages there are it cannot tell."""
        formats = [name for name in dict.fromkeys(self.output_formats) if name != "pdf" or self.split is None]
        paths = [FILES[name] for name in formats if name in FILES]
        if self.wants_preview and self.preview_options.pages == "first":
            paths.append(f"preview.{self.preview_options.format}")
        return [*paths, "metadata.json"] if self.metadata else paths
