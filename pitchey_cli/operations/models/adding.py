"""A model is added: its files are found, its manifest is read or written, the two are compared, and it is published.

Nothing of it is loaded here. What a file is, is known by its bytes; what goes in and out, by its shapes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from pydantic import ValidationError

from pitchey_cli.artifacts.port import Artifacts, Fetch
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.models.store import ModelStore
from pitchey_cli.operations.models.listing import as_ours, versions_of
from pitchey_cli.operations.models.manifests import by_plain_path, plain_paths, said_in, written
from pitchey_cli.operations.models.sources import Opened, Opener
from pitchey_cli.operations.sources import Listed
from processors.inference import drafting
from processors.inference.errors import ModelError, UnsafeModel
from processors.inference.fitting import refuse_misfit
from processors.inference.frameworks import looking, onnx_file
from processors.inference.frameworks.signature import Signature
from processors.inference.frameworks.sniffing import framework_of
from processors.inference.manifest import (
    MANIFEST_NAME,
    NAME_PATTERN,
    RUNS_CODE,
    VERSION_PATTERN,
    WITHOUT_MODEL,
    Manifest,
    TaskName,
    Tokens,
    Words,
    explained,
)
from processors.inference.repository import Entry, sha256_of

_TOKENIZER = "tokenizer.json"
_LABELS = "labels.txt"
_TASK_OF = {"gguf": "text-generation", "recommender": "recommendation"}  # of frameworks that have but one


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to add."""

    name: str
    version: str | None = None  #: None: the manifest's, else the next number
    source: str | None = None  #: None: of a model that is another use of another one
    manifest: Path | None = None  #: None: the one in the source, if it has one
    file: str | None = None  #: the model among the files of the source
    labels: str | None = None  #: a file, or labels with commas
    said: Mapping[str, Any] = field(default_factory=dict)  #: fields of the manifest, before those of a file
    sha256: str | None = None
    code_allowed_by: str = ""  #: who allows a format that can run code; nobody
    is_pinned: bool = False


@dataclass(frozen=True, slots=True)
class Desk:
    """What adding needs."""

    store: ModelStore
    artifacts: Artifacts
    fetch: Fetch
    limit_bytes: int  #: of a download, and of what is unpacked
    listed: Listed | None = None  #: what lies below a folder in a bucket


def add(desk: Desk, wish: Wish) -> Entry:
    """Add a version of a model.

    Raises:
        PitcheyError: it cannot be had, is not what it should be, or does not fit its manifest; nothing is added then.
    """
    _refuse_bad_name(wish)
    with desk.store.staging() as scratch:
        made = scratch / "made"
        made.mkdir()
        opener = Opener(scratch, desk.fetch, desk.artifacts, desk.limit_bytes, desk.listed)
        opened = None if wish.source is None else opener.open(wish.source, wish.sha256)
        try:
            manifest = _Making(desk, wish, opened, made).manifest()
        except ModelError as error:
            raise as_ours(error) from error
        (made / MANIFEST_NAME).write_text(written(manifest), encoding="utf-8")
        folder = desk.store.publish(made, manifest.name, manifest.version)
    if wish.is_pinned:
        desk.store.pin(manifest.name, manifest.version)
    return Entry(manifest, folder)


class _Making:
    """One version, in the folder in which it is made."""

    def __init__(self, desk: Desk, wish: Wish, opened: Opened | None, made: Path) -> None:
        self._desk = desk
        self._wish = wish
        self._opened = opened
        self._made = made
        self._what = f"The model {wish.name}" if opened is None else opened.called
        self._beside: Path | None = None  #: the folder of a manifest that was named

    def manifest(self) -> Manifest:
        said = {**self._read(), **self._wish.said}
        said |= {"manifest": 1, "name": self._wish.name, "version": self._version(said)}
        said.pop("codeAllowedBy", None)  # nobody allows it to themselves
        said.pop("code_allowed_by", None)
        hashes = by_plain_path(said.pop("files", {}))
        said |= plain_paths(said)
        self._take_model(said)
        signature = self._signature(said)
        self._take_labels(said)
        self._complete(said, signature)
        self._take_named(said, hashes)
        said["files"] = _files(self._made)
        self._refuse_changed(hashes, said["files"])
        try:
            manifest = Manifest.model_validate(said)
        except ValidationError as error:
            hint = "docs/architecture/18-inference.md lists its fields."
            raise InputRejected(f"The manifest of {self._wish.name}: {explained(error)}.", hint=hint) from error
        self._refuse_missing_use(manifest)
        if signature is not None:
            refuse_misfit(manifest, signature, Entry(manifest, self._made).labels())
        return manifest

    # --- what is said

    def _read(self) -> dict[str, Any]:
        path = self._wish.manifest
        if path is not None:
            self._beside = path.parent
        elif self._opened is not None and self._opened.has(MANIFEST_NAME):
            path = self._opened.below(MANIFEST_NAME)
        if path is None:
            return {}
        return said_in(path)

    def _version(self, said: Mapping[str, Any]) -> str:
        if self._wish.version is not None:
            return self._wish.version
        if isinstance(version := said.get("version"), str):
            return version
        numbers = [int(each) for each in versions_of(self._desk.store.root, self._wish.name) if each.isdecimal()]
        return str(max(numbers, default=0) + 1)

    # --- files

    def _take_model(self, said: dict[str, Any]) -> None:
        if self._opened is None:
            if said.get("uses") is None and said.get("task") not in WITHOUT_MODEL:
                hint = "`pitchey models add NAME FILE`; only a model that uses another has no file."
                raise UsageError(f"The model {self._wish.name} has no source.", hint=hint)
            return
        asked = self._wish.file or (None if self._opened.file else said.get("file"))
        path = self._opened.model_file(asked)
        found = self._opened.below(path)
        framework = framework_of(found, self._what)
        if (named := said.setdefault("framework", framework)) != framework:
            message = f"{self._what} is {framework}, and its manifest says {named}."
            raise UnsafeModel("mislabelled_model", message, "It is another file, or the manifest is another model's.")
        if framework in RUNS_CODE:
            self._allow(said, framework)
        # Paths of a manifest stay as they are; what is found without one lies at the top.
        target = said["file"] if "file" in said and self._wish.file is None else PurePosixPath(path).name or "model"
        said["file"] = target
        if found.is_dir():
            self._take_folder(found, path, target)
            return
        self._take(path, target)
        if framework == "onnx":
            for location in sorted(onnx_file.external_files(found)):
                beside = PurePosixPath(path).parent / location
                if ".." in beside.parts or beside.is_absolute():
                    raise UnsafeModel(
                        "unsafe_model", f"{self._what} wants to read {location!r}, which is outside of its folder.",
                        "Save it with its data inside, or beside it.",
                    )  # fmt: skip
                self._take(str(beside), str(PurePosixPath(target).parent / location))

    def _allow(self, said: dict[str, Any], framework: str) -> None:
        if not self._wish.code_allowed_by:
            hint = "Where you trust whoever made it: --allow-code, which is written into its manifest."
            raise Denied(f"{self._what} is {framework}, which can run code when it is loaded.", hint=hint)
        said["codeAllowedBy"] = self._wish.code_allowed_by

    def _take_folder(self, found: Path, path: str, target: str) -> None:
        for each in sorted(found.rglob("*")):
            if not each.is_dir():
                relative = each.relative_to(found)
                self._take(str(PurePosixPath(path) / relative), str(PurePosixPath(target) / relative))

    def _take(self, path: str, target: str) -> None:
        assert self._opened is not None
        self._copy(self._opened.below(path), target)

    def _copy(self, found: Path, target: str) -> None:
        if not found.is_file():
            raise InputRejected(f"{found} is no plain file.")
        if PurePosixPath(target).is_absolute() or ".." in PurePosixPath(target).parts:
            raise InputRejected(f"{target!r} is no path inside the model's folder.")
        place = self._made / target
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found, place)

    def _take_labels(self, said: dict[str, Any]) -> None:
        labels = self._wish.labels
        if labels is None:
            return
        if (local := Path(labels).expanduser()).is_file():
            self._copy(local, _LABELS)
        elif self._opened is not None and self._opened.has(labels):
            self._take(labels, _LABELS)
        elif "," in labels:
            said["labels"] = [each.strip() for each in labels.split(",")]
            return
        else:
            hint = "--labels is a file with one on each line, or labels with commas."
            raise InputNotFound(f"There is no file of labels {labels}.", hint=hint)
        said["labels"] = _LABELS

    def _take_named(self, said: Mapping[str, Any], hashes: object) -> None:
        """The other files that a manifest names."""
        named = [said[key] for key in ("labels", "weights") if isinstance(said.get(key), str)]
        how = said.get("preprocessing")
        if isinstance(how, Mapping):
            for kind, key in ((Tokens, "tokenizer"), (Words, "vocabulary")):
                part = kind.model_fields
                if how.get("kind") == part["kind"].default:
                    named.append(how.get(key, part[key].default))
        if isinstance(hashes, Mapping):
            named += list(hashes)
        for path in named:
            if not isinstance(path, str) or (self._made / path).exists():
                continue
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise InputRejected(f"{path!r} is no path inside the model's folder.")
            if self._beside is not None and (self._beside / path).is_file():
                self._copy(self._beside / path, path)
            elif self._opened is not None:
                self._take(path, path)
            else:
                raise InputNotFound(f"There is no file {path}, which the manifest names.")

    def _refuse_changed(self, said: object, found: Mapping[str, Mapping[str, Any]]) -> None:
        """Compare the hashes of a manifest that came with the files."""
        if not isinstance(said, Mapping):
            raise InputRejected(f"The manifest of {self._wish.name}: files is no object.")
        for path, file in said.items():
            wanted = file.get("sha256") if isinstance(file, Mapping) else None
            if wanted is not None and wanted != found[path]["sha256"]:
                message = f"{path} has the SHA-256 {found[path]['sha256']}, and the manifest says {wanted}."
                raise UnsafeModel("damaged_model", message, "It was changed, or is damaged: fetch it again.")

    # --- what the model says of itself

    def _signature(self, said: Mapping[str, Any]) -> Signature | None:
        return (
            None
            if self._opened is None
            else looking.refuse_unsafe(said["framework"], self._made / said["file"], self._what)
        )

    def _complete(self, said: dict[str, Any], signature: Signature | None) -> None:
        """Fill in what is not said, where the shapes say it."""
        if "task" not in said and (usual := _TASK_OF.get(said.get("framework", ""))):
            said["task"] = usual
        if (task := said.get("task")) is None:
            hint = "--task says it, as --task image-classification."
            raise UsageError(f"What {self._wish.name} is for is not said.", hint=hint)
        if self._opened is not None:
            source = {"package": self._opened.package, "url": self._opened.url}
            said.setdefault("source", {key: value for key, value in source.items() if value})
        if signature is None or task not in get_args(TaskName):
            return
        said.setdefault("inputs", [each.model_dump() for each in signature.inputs])
        said.setdefault("outputs", [each.model_dump() for each in signature.outputs])
        has_tokenizer = self._opened is not None and self._opened.has(_TOKENIZER)
        before, after = said.get("preprocessing"), said.get("postprocessing")
        if _is_part(before):
            guess = drafting.preprocessing_of(task, signature, has_tokenizer=has_tokenizer)
            said["preprocessing"] = _merged(guess, before)
        if _is_part(after):
            said["postprocessing"] = _merged(drafting.postprocessing_of(task, signature), after)

    def _refuse_missing_use(self, manifest: Manifest) -> None:
        for reference in (manifest.uses, manifest.writes_with):
            if reference is None:
                continue
            name, _, version = reference.partition("@")
            if version not in versions_of(self._desk.store.root, name):
                raise InputNotFound(
                    f"The model {manifest.reference} uses {reference}, which is not there.", hint="Add that one first."
                )


def _is_part(said: object) -> bool:
    """Whether the shapes have a say: of what names its kind they have none."""
    return said is None or (isinstance(said, Mapping) and "kind" not in said)


def _merged(guess: dict[str, Any] | None, said: object) -> dict[str, Any] | None:
    return {**(guess or {}), **said} if isinstance(said, Mapping) else guess


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        str(path.relative_to(folder)): {"sha256": sha256_of(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _refuse_bad_name(wish: Wish) -> None:
    if not re.fullmatch(NAME_PATTERN, wish.name):
        hint = "Small letters, digits, dots, hyphens and underscores, 64 at most."
        raise UsageError(f"{wish.name!r} cannot be the name of a model.", hint=hint)
    if wish.version is not None and not re.fullmatch(VERSION_PATTERN, wish.version):
        hint = "Letters, digits, dots, hyphens and underscores, 64 at most."
        raise UsageError(f"{wish.version!r} cannot be a version.", hint=hint)
