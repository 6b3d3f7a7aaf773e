"""Files whose text becomes part of a spec, as a program does: read when the job is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.operations.sources import Source
from processors.specs import Spec

MOST_BYTES = 4 << 20  #: of one file, and of what is piped in


def read(source: Source) -> str:
    """The text of one file.

    Raises:
        UsageError: it is a URL.
        InputNotFound, Denied, InputRejected: names the file, and says why it cannot be taken.
    """
    if source.is_url:
        raise UsageError(f"{source.location} is a URL, and programs are read from files.", hint="Fetch it first.")
    return _text_of(Path(source.location))


def said_by_suffix(model: type[Spec], source: Source, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file's suffix says of the fields of its spec.

    Raises:
        UsageError: it says nothing, and nobody else does.
    """
    said = model.by_suffix.get(Path(source.location).suffix.lower())
    if said is not None:
        return said
    for name in {name for each in model.by_suffix.values() for name in each}:
        if name not in fields and model.model_fields[name].alias not in fields:
            known = " ".join(sorted(model.by_suffix))
            text = f"The suffix of {source.location} does not tell its {name}."
            raise UsageError(text, hint=f"--{name} does; known are {known}.")
    return {}


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError as error:
        hint = "Paths are relative to the folder you are in."
        raise InputNotFound(f"There is no file at {str(path)!r}.", hint=hint) from error
    except PermissionError as error:
        raise Denied(f"{path} may not be read.") from error
    except OSError as error:
        raise InputRejected(f"{path} cannot be read: {error.strerror}.") from error
    return as_text(data, str(path))


def as_text(data: bytes, what: str) -> str:
    """What was read, as text.

    Raises:
        InputRejected: it is no UTF-8, or too large; names what it is.
    """
    if len(data) > MOST_BYTES:
        raise InputRejected(f"{what} is larger than {MOST_BYTES >> 20} MiB.", hint="A spec holds no more of one file.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        text = f"{what} is no UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}."
        raise InputRejected(text, hint="A program is text; --file puts files of any kind beside it.") from error
