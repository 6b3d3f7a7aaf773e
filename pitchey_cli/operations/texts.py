"""Files whose text becomes part of a spec, as a program and what lies beside it: read when the job is submitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.operations.sources import Source
from processors.protocol import Spec

MOST_BYTES = 4 << 20  #: of one file, and of what is piped in
_MOST_FILES = 500


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


def attached(paths: Sequence[str]) -> dict[str, str]:
    """More files, as text by name: a file has its base name, what is in a folder has the folder's name before its own.

    Hidden files in a folder are left out.

    Raises:
        UsageError: two have one name, or there are too many.
        InputNotFound, Denied, InputRejected: as `read`.
    """
    found: dict[str, str] = {}
    for text in paths:
        path = Path(text)
        for name, file in _below(path) if path.is_dir() else [(path.name, path)]:
            if name in found:
                raise UsageError(f"--file {text}: there is a file {name!r} already.")
            if len(found) == _MOST_FILES:
                raise UsageError(f"--file {text}: these are more than {_MOST_FILES} files.")
            found[name] = _text_of(file)
    return found


def _below(folder: Path) -> list[tuple[str, Path]]:
    files: list[tuple[str, Path]] = []
    for file in sorted(folder.rglob("*")):
        inner = file.relative_to(folder)
        if not any(part.startswith(".") or part == "__pycache__" for part in inner.parts) and file.is_file():
            files.append((str(PurePosixPath(folder.name, inner)), file))
    return files


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
        raise InputRejected(text, hint="A spec is JSON: encode other bytes, as with base64.") from error
