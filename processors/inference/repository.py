"""Where models lie: `<name>/<version>/manifest.json` with the model's files beside it, below one or several roots.

A version, once there, is never changed: another model is another version. `<name>/pinned` names the version that is
meant where none is said; without it that is the newest, by the numbers in it, and no release candidate beside releases.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from processors.inference.errors import ModelError, NoSuchModel, UnsafeModel
from processors.inference.manifest import (
    MANIFEST_NAME,
    NAME_PATTERN,
    REFERENCE_PATTERN,
    VERSION_PATTERN,
    Manifest,
    explained,
)

PIN_NAME = "pinned"

#: words of versions that come before the release of the same numbers; not the letters a, b and c, as 8b is a size
_BEFORE_RELEASE = frozenset({"alpha", "beta", "rc", "pre", "preview", "dev"})
_BEFORE, _END, _WORD, _NUMBER = range(4)  # what goes on in a version, in the order in which versions are sorted

_MANIFEST_BYTES = 4 * 1024 * 1024
_NONE_HERE = "The engine `process` has what `pitchey models add` adds, and nothing else; the image brings models along."


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a model, and where it lies."""

    manifest: Manifest
    folder: Path

    @property
    def file(self) -> Path | None:
        """What its framework loads."""
        return None if self.manifest.file is None else self.folder / self.manifest.file

    def labels(self) -> list[str]:
        """What the classes are called, in order.

        Raises:
            ModelError: the file that has them is no text.
        """
        said = self.manifest.labels
        if not isinstance(said, str):
            return list(said)
        try:
            text = (self.folder / said).read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            message = f"The labels of the model {self.manifest.reference} are no UTF-8 text: "
            message += f"byte {error.start} of {said} is 0x{error.object[error.start]:02x}."
            raise ModelError("bad_labels", message, "Save the file as UTF-8, with one label on each line.") from error
        return text.rstrip().splitlines()  # blank lines at the end are nobody's labels

    def verify(self) -> None:
        """Make sure that every file is what the manifest says, and that nothing reaches out of the folder.

        Raises:
            UnsafeModel: names the file, and what is wrong with it.
        """
        for path, wanted in self.manifest.files.items():
            file = self.folder / path
            what = f"The file {path} of the model {self.manifest.reference}"
            if not file.is_file() or not file.resolve().is_relative_to(self.folder.resolve()):
                raise _damaged(f"{what} is not there.")
            if (size := file.stat().st_size) != wanted.size:
                raise _damaged(f"{what} has {size} bytes, and its manifest says {wanted.size}.")
            if sha256_of(file) != wanted.sha256:
                raise _damaged(f"{what} is not the one that its manifest names: its SHA-256 is another.")


def _damaged(message: str) -> UnsafeModel:
    hint = "Remove the model and add it again: `pitchey models verify` looks at all of them."
    return UnsafeModel("damaged_model", message, hint)


class Repository:
    """Models below several roots; of a version that is in two of them, the first root's is meant."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(roots)

    def names(self) -> list[str]:
        """Every model, sorted."""
        found = {path.name for root in self._roots for path in _folders(root, NAME_PATTERN)}
        return sorted(name for name in found if self.versions(name))

    def versions(self, name: str) -> list[str]:
        """The versions of a model, the oldest first."""
        if not re.fullmatch(NAME_PATTERN, name):
            return []
        found = {
            path.name
            for root in self._roots
            for path in _folders(root / name, VERSION_PATTERN)
            if (path / MANIFEST_NAME).is_file()
        }
        return sorted(found, key=by_numbers)

    def pinned(self, name: str) -> str | None:
        """The version that is meant where none is said; None where there is no such model."""
        versions = self.versions(name)
        for root in self._roots:
            pin = root / name / PIN_NAME
            if pin.is_file() and (version := pin.read_text(encoding="utf-8").strip()) in versions:
                return version
        return newest(versions)

    def find(self, reference: str) -> Entry:
        """The model that is meant by `name` or `name@version`.

        Raises:
            NoSuchModel: offers the nearest name.
            ModelError: its manifest makes no sense.
        """
        name, _, version = reference.partition("@")
        if is_reference(reference) and (folder := next(self._folders_of(name, version), None)) is not None:
            return read(folder)  # the usual case within an attempt looks into no other folder
        versions = self.versions(name)
        if not versions:
            known = self.names()
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There is {', '.join(known)}." if known else None
            raise NoSuchModel("no_such_model", f"There is no model {name!r}.", hint or _NONE_HERE)
        chosen = version or self.pinned(name)
        if chosen not in versions:
            raise NoSuchModel(
                "no_such_version", f"The model {name!r} has no version {version!r}.", f"It has {', '.join(versions)}."
            )
        return read(next(self._folders_of(name, chosen)))

    def _folders_of(self, name: str, version: str) -> Iterator[Path]:
        """Where a version lies; the first is meant."""
        places = (root / name / version for root in self._roots)
        return (place for place in places if (place / MANIFEST_NAME).is_file())

    def entries(self) -> Iterator[Entry]:
        """Every version of every model."""
        for name in self.names():
            for version in self.versions(name):
                yield self.find(f"{name}@{version}")


def read(folder: Path) -> Entry:
    """The model in a folder that is called `<name>/<version>`.

    Raises:
        ModelError: its manifest is none, or is another model's.
    """
    try:
        found = (folder / MANIFEST_NAME).stat()
    except OSError:
        return _read(folder, ())  # which says what is wrong
    return _read(folder, (found.st_mtime_ns, found.st_size, found.st_ino))


@lru_cache(maxsize=256)
def _read(folder: Path, state: tuple[int, ...]) -> Entry:
    """Kept for as long as the file is the same: every attempt of an instance reads those of its models."""
    reference = f"{folder.parent.name}@{folder.name}"
    what = f"The manifest of the model {reference}"
    try:
        with (folder / MANIFEST_NAME).open("rb") as file:
            data = file.read(_MANIFEST_BYTES + 1)
        if len(data) > _MANIFEST_BYTES:
            raise ValueError(f"it has more than {_MANIFEST_BYTES >> 20} MiB")
        manifest = Manifest.model_validate(json.loads(data))
    except ValidationError as error:
        raise ModelError("bad_manifest", f"{what} makes no sense: {explained(error)}.") from error
    except (OSError, ValueError) as error:
        raise ModelError("bad_manifest", f"{what} cannot be read: {error}.") from error
    if manifest.reference != reference:
        message = f"{what} is that of {manifest.reference}: a model lies in <name>/<version>."
        raise ModelError("bad_manifest", message)
    return Entry(manifest, folder)


def is_reference(text: str) -> bool:
    """Whether it is `name@version`."""
    return re.fullmatch(REFERENCE_PATTERN, text) is not None


def sha256_of(file: Path) -> str:
    """The hash of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _folders(root: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in root.iterdir() if re.fullmatch(pattern, path.name) and path.is_dir()]
    except OSError:
        return []


def by_numbers(version: str) -> list[tuple[int, int, str]]:
    """The key by which versions are sorted: 10 after 9, 1.0-rc1 before 1.0, and 1.0.1 and 1.0-post after it."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return [*map(_rank, parts), (_END, 0, version)]


def newest(versions: Sequence[str]) -> str | None:
    """The newest of some versions, the oldest first: a release, where there is one."""
    releases = [each for each in versions if not is_before_release(each)]
    found = releases or versions
    return found[-1] if found else None


def is_before_release(version: str) -> bool:
    """Whether it is to become a release, as 2.0-rc1 is."""
    return any(part.lower() in _BEFORE_RELEASE for part in re.findall(r"[A-Za-z]+", version))


def _rank(part: str) -> tuple[int, int, str]:
    if part.isdecimal():
        return _NUMBER, int(part), ""
    return _BEFORE if part.lower() in _BEFORE_RELEASE else _WORD, 0, part.lower()
