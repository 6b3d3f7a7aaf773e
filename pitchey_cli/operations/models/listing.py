"""Which models there are: those of this machine, and those of the image, which the host knows by name."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pitchey_cli.domain.errors import InputNotFound, InputRejected, PitcheyError
from pitchey_cli.models.store import ModelStore
from processors.inference.defaults import DEFAULTS, VERSION, Default
from processors.inference.errors import ModelError, NoSuchModel
from processors.inference.manifest import Manifest
from processors.inference.repository import Repository, by_numbers, newest, read

Origin = Literal["machine", "image"]

#: models that are made on the machine of whoever asks for them (conversions.py), and what they do
ON_REQUEST = {"coco-detector": "finds 80 kinds of things in pictures"}


@dataclass(frozen=True, slots=True)
class Listed:
    """One version of a model."""

    name: str
    version: str
    origin: Origin
    is_meant: bool  #: where a job says no version
    default: Default | None = None  #: of the image
    manifest: Manifest | None = None  #: of this machine
    problem: str = ""  #: why it cannot be used

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"


def listed(store: ModelStore) -> Iterator[Listed]:
    """Every version of every model, by name, the oldest first."""
    root = store.root
    repository = Repository([root])
    for name in sorted({*repository.names(), *(each.name for each in DEFAULTS)}):
        meant, here = meant_version(store, name), repository.versions(name)
        for version in versions_of(root, name):
            if version not in here:
                yield Listed(name, version, "image", meant == version, default=default_named(name))
                continue
            try:
                entry = read(root / name / version)
            except ModelError as error:
                yield Listed(name, version, "machine", meant == version, problem=error.message)
            else:
                yield Listed(name, version, "machine", meant == version, manifest=entry.manifest)


def versions_of(root: Path, name: str) -> list[str]:
    """The versions of a model, here and in the image, the oldest first."""
    here = {*Repository([root]).versions(name)}
    return sorted(here | ({VERSION} if default_named(name) else set()), key=by_numbers)


def default_named(name: str) -> Default | None:
    """The image's model of a name."""
    return next((each for each in DEFAULTS if each.name == name), None)


def meant_version(store: ModelStore, name: str) -> str | None:
    """The version that a job means that says none."""
    versions = versions_of(store.root, name)
    pinned = store.pin_of(name)
    return pinned if pinned in versions else newest(versions)


def found(store: ModelStore, reference: str) -> Listed:
    """The model that is meant by `name` or `name@version`.

    Raises:
        InputNotFound: there is none; offers the nearest name.
    """
    return found_among([*listed(store)], reference)


def found_among(models: Sequence[Listed], reference: str) -> Listed:
    """The same, of models that were listed; raises as `found`."""
    name, _, version = reference.partition("@")
    versions = [each for each in models if each.name == name]
    if not versions:
        near = difflib.get_close_matches(name, sorted({*(each.name for each in models), *ON_REQUEST}), n=1)
        hint = f"Did you mean {near[0]!r}?" if near else "`pitchey models list` lists them."
        if near and near[0] in ON_REQUEST and all(each.name != near[0] for each in models):
            hint = f"`pitchey models add {near[0]}` makes one that {ON_REQUEST[near[0]]}."
        raise InputNotFound(f"There is no model {name!r}.", hint=hint)
    chosen = [each for each in versions if (each.version == version if version else each.is_meant)]
    if not chosen:
        text = f"The model {name!r} has no version {version!r}."
        raise InputNotFound(text, hint=f"It has {', '.join(each.version for each in versions)}.")
    return chosen[0]


def found_here(store: ModelStore, reference: str) -> Listed:
    """The same, of this machine.

    Raises:
        InputNotFound: there is none here; of the image's it is said.
    """
    model = found(store, reference)
    if model.origin == "image":
        hint = "`pitchey models list` says what it is; its files are in the image."
        raise InputNotFound(f"The model {model.reference} is the image's, and not this machine's.", hint=hint)
    return model


def as_ours(error: ModelError) -> PitcheyError:
    """What is wrong with a model, as an error of the command line."""
    kind = InputNotFound if isinstance(error, NoSuchModel) else InputRejected
    return kind(error.message, hint=error.hint)
