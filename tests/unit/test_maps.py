"""The maps of the packages: what they name is there, and what is there is named."""

from __future__ import annotations

import importlib
import re
from pkgutil import iter_modules
from types import ModuleType

import pytest

from processors import ffmpeg, media, video
from tests.resources.workers import ROOT

_ENTRANCES = {"handler"}  # the worker's, of every service


def modules(package: ModuleType) -> set[str]:
    return {each.name for each in iter_modules(package.__path__)}


def unresolved(text: str, *packages: ModuleType) -> list[str]:
    """The names as module.name in a text that are not there."""
    missing = []
    for module, name in re.findall(r"\b([a-z_]+)\.([A-Za-z_]+)\b", text):
        homes = [package for package in packages if module in modules(package)]
        if not any(hasattr(importlib.import_module(f"{home.__name__}.{module}"), name) for home in homes):
            missing.append(f"{module}.{name}")
    return missing


@pytest.mark.parametrize("package", [ffmpeg, media, video], ids=lambda each: each.__name__)
def test_the_map_of_a_package_has_all_its_modules_and_no_others(package: ModuleType) -> None:
    text = package.__doc__ or ""
    words = set(re.findall(r"[a-z0-9_]+", text))
    assert modules(package) - words - _ENTRANCES == set()
    listed = {name for line in re.findall(r"^([a-z0-9_, ]+?)  ", text, re.MULTILINE) for name in line.split(", ")}
    assert {name.strip() for name in listed if name.strip()} <= modules(package)


def test_the_line_of_the_media_service_names_what_is_there() -> None:
    assert unresolved(media.__doc__ or "", media, ffmpeg) == []
    page = (ROOT / "docs" / "architecture" / "15-media.md").read_text(encoding="utf-8")
    diagram = page.split("```")[1]
    assert "piece.sound_of" in diagram
    assert unresolved(diagram, media, ffmpeg) == []
