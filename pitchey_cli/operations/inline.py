"""What is worked on and is no file: told apart from what names one, for services whose jobs take both.

A text names a file when there is one of that name, when it is a URL, or when it is one word that ends as files do that
the service takes: then a missing file is an error, and not a strange text.
"""

from __future__ import annotations

import glob
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.sources import SUFFIXES
from pitchey_cli.operations.specs import merged, spellings
from processors.specs import SPECS
from processors.vocabulary import Service

_LONGEST_PATH = 4096


def names_file(service: Service, text: str) -> bool:
    """Whether a file is meant."""
    if not text or len(text) > _LONGEST_PATH or "\n" in text or "\0" in text:
        return False
    is_word = not any(letter.isspace() for letter in text)
    if is_word and ("://" in text or Path(text).suffix.lower() in SUFFIXES.get(service, frozenset())):
        return True
    try:
        return Path(text).exists() or (is_word and glob.has_magic(text) and bool(glob.glob(text)))
    except OSError:  # a name that is too long
        return False


def told_apart(
    service: Service, fields: Mapping[str, Any], arguments: Sequence[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """From the arguments of a command to fields of the spec and files: what is said first, then texts or files.

    Raises:
        UsageError: there are texts and files.
    """
    model, found, rest = SPECS[service], dict(fields), list(arguments)
    if rest and rest != ["-"] and model.named_first and not spellings(model, model.named_first) & found.keys():
        found[model.named_first] = rest.pop(0)
    if not model.inline_field or rest == ["-"]:
        return found, tuple(rest)
    files = [text for text in rest if names_file(service, text)]
    texts = [text for text in rest if text not in files]
    if files and texts:
        raise UsageError(
            f"{files[0]!r} is a file, and {texts[0]!r} is none: a job works on texts or on files.",
            hint="Is the path right? Texts have quotes around them.",
        )
    if texts:
        if spellings(model, model.inline_field) & found.keys():
            text = f"There is {texts[0]!r}, and {model.spelled(model.inline_field)} besides: which is it?"
            raise UsageError(text, hint="Leave one of them out.")
        found[model.inline_field] = texts[0] if len(texts) == 1 else texts
    return found, tuple(files)


def with_input_told_apart(service: Service, line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A line of a manifest whose `input` is a text, with that in the field for it."""
    field, text = SPECS[service].inline_field, line.get("input")
    if not field or not isinstance(text, str) or names_file(service, text):
        return line
    return {**{key: value for key, value in line.items() if key != "input"}, field: text}


def placed(
    service: Service, fields: Mapping[str, Any], is_file: Callable[[Service, str], bool] = names_file
) -> dict[str, Any]:
    """Fields of a spec in which a text that names a file is in the field for files.

    Args:
        is_file: whether a text does.

    Raises:
        UsageError: of several, some name files and others do not.
    """
    model = SPECS[service]
    found = merged(model, {}, fields)
    value = found.get(model.inline_field)
    if isinstance(value, str) and is_file(service, value):
        del found[model.inline_field]
        return {**found, model.input_fields[0]: value}
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        return found
    files = [each for each in value if is_file(service, each)]
    if not files:
        return found
    if len(files) < len(value):
        other = next(each for each in value if each not in files)
        text = f"{files[0]!r} is a file, and {other!r} is none: a job works on texts or on files."
        raise UsageError(text, hint="Make two jobs of them.")
    del found[model.inline_field]
    width = len(str(len(files)))
    named = {f"{number:0{width}}-{each.rpartition('/')[2]}": each for number, each in enumerate(files, start=1)}
    return {**found, model.attached_field: named}
