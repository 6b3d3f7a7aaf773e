"""What a job may ask of the document service."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from processors.specs.base import Spec


class DocumentSpec(Spec):
    """Turn a document into text, HTML, Markdown or pictures."""

    input_fields = ("document_url",)

    document_url: str = Field(min_length=1, description="Path or URL of the document.")
    output_formats: list[Literal["text", "html", "markdown", "preview"]] = Field(["text"], min_length=1)
    ocr_enabled: bool = False
    language: str = "eng"
    extract_images: bool = False
    generate_preview: bool = False
