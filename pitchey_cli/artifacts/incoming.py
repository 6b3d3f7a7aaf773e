"""Files that come from elsewhere piece by piece: kept on the disk between the pieces, whoever ends in the middle.

How much of one has come is the size of its file, so there is nothing beside it that could say otherwise after a crash.
An upload that says its hash has an id that is made of whose it is, its name, size and hash: whoever comes again with
the same file finds what has come of it, and nobody else finds anything.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, field
from pathlib import Path
from threading import Lock

from pitchey_cli.artifacts.copying import translated
from pitchey_cli.domain.errors import InputNotFound, InputRejected, QuotaReached
from pitchey_cli.values import dataclass

MOST_OPEN = 5000  #: uploads of one organisation at once; a submission has a thousand jobs at most
_TAKEN_SECONDS = 600.0  # that one stays which a job has taken: a submission whose answer was lost comes again
_ABOUT, _PART, _WHOLE = "about.json", "part", "whole"
_ID_LENGTH = 32


@dataclass(frozen=True)
class About:
    """What is known of an upload from its beginning."""

    file_name: str
    length: int
    sha256: str  #: of the whole; empty where the sender did not say it


@dataclass(frozen=True)
class Incoming:
    """An upload, and how much of it had come when it was looked at."""

    id: str
    about: About
    offset: int
    is_whole: bool  #: all of it is there, and is what it was said to be
    touched_at: float  #: when somebody went on with it, as Unix time
    folder: Path

    @property
    def is_unchecked(self) -> bool:
        """Whether all of it has come, and nobody has compared it yet: whoever meets it so does."""
        return self.offset == self.about.length and not self.is_whole

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / (_WHOLE if self.is_whole else _PART)


@dataclass(frozen=True)
class Arrivals:
    """The uploads of a machine."""

    root: Path
    lasts_seconds: float  #: how long one is kept that nobody goes on with
    most_bytes: int  #: of one organisation
    _lengths: dict[Path, int] = field(
        default_factory=dict
    )  # of uploads that have been looked at: they stay as they are
    _doors: dict[Path, Lock] = field(default_factory=dict)  # of the organisations: one upload at a time is begun

    def begin(self, organisation: str, about: About) -> tuple[Incoming, bool]:
        """Begin an upload, or find the one of the same file that has been begun; whether it is new.

        Raises:
            QuotaReached: the organisation has too many of them, or too much in them.
            StoreError: the disk does not take it.
        """
        upload_id = _id_of(organisation, about) if about.sha256 else secrets.token_hex(_ID_LENGTH // 2)
        folder = self._whose(organisation) / upload_id
        with self._doors.setdefault(folder.parent, Lock()):  # else many would pass the quota together
            is_new = not (folder / _ABOUT).exists()
            if is_new:
                self._check_room(organisation, about)
                _make(folder, about)
        if not is_new:
            with contextlib.suppress(FileNotFoundError):  # it has been finished just now
                os.utime(self.find(organisation, upload_id).path)
        return self.find(organisation, upload_id), is_new

    def find(self, organisation: str, upload_id: str) -> Incoming:
        """One upload of an organisation.

        Raises:
            InputNotFound: it has none of that id, or it has expired.
        """
        folder = self._whose(organisation) / upload_id
        try:
            if not upload_id.isalnum() or len(upload_id) != _ID_LENGTH:
                raise FileNotFoundError
            about = About(**json.loads((folder / _ABOUT).read_text(encoding="utf-8")))
            kept, is_whole = _look(folder)
        except (OSError, ValueError, TypeError) as error:
            text = f"There is no upload {upload_id[:80]!r}."
            raise InputNotFound(text, hint="It may have expired: upload the file again.") from error
        return Incoming(upload_id, about, kept.st_size, is_whole, kept.st_mtime, folder)

    def append(self, upload: Incoming, data: bytes, at: int) -> None:
        """Write a piece where it belongs. What has been written stays, whatever happens next.

        Raises:
            StoreError: the disk is full.
        """
        try:
            descriptor = os.open(upload.folder / _PART, os.O_WRONLY | os.O_CLOEXEC)
            try:
                rest = memoryview(data)
                while rest:
                    written = os.pwrite(descriptor, rest, at)
                    rest, at = rest[written:], at + written
            finally:
                os.close(descriptor)
        except OSError as error:
            raise translated(error, upload.about.file_name) from error

    def finish(self, upload: Incoming) -> None:
        """Compare what has come with what was announced; from then on a job may take it.

        Raises:
            InputRejected: it is something else. All of it is thrown away: nobody knows which piece is wrong.
        """
        part = upload.folder / _PART
        try:
            with part.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                os.fsync(file.fileno())
        except OSError as error:
            raise translated(error, upload.about.file_name) from error
        if upload.about.sha256 and digest != upload.about.sha256:
            shutil.rmtree(upload.folder, ignore_errors=True)
            text = f"{upload.about.file_name} came as something else than was announced: its SHA-256 is {digest}."
            raise InputRejected(text, hint="It may have changed while it was sent: upload it again.")
        part.replace(upload.folder / _WHOLE)

    def remove(self, upload: Incoming) -> None:
        """Throw an upload away."""
        shutil.rmtree(upload.folder, ignore_errors=True)

    def taken(self, upload: Incoming, *, now: float) -> None:
        """Note that a job has it: it goes soon."""
        early = now - max(0.0, self.lasts_seconds - _TAKEN_SECONDS)
        os.utime(upload.path, (early, early))

    def expires_at(self, upload: Incoming) -> float:
        """When it goes unless somebody goes on with it, as Unix time."""
        return upload.touched_at + self.lasts_seconds

    def sweep(self, *, now: float) -> int:
        """Remove what nobody has gone on with for too long; how many that were."""
        count = 0
        for folder in self._folders():
            try:
                files = [each for each in folder.iterdir() if each.name != _ABOUT]
                newest = max(each.stat().st_mtime for each in files or [folder])  # an empty one is just being made
            except OSError:  # somebody else has removed it
                continue
            if now - newest > self.lasts_seconds:
                shutil.rmtree(folder, ignore_errors=True)
                self._lengths.pop(folder, None)
                count += 1
        return count

    def _folders(self) -> Iterator[Path]:
        for whose in self.root.iterdir() if self.root.exists() else ():
            yield from whose.iterdir() if whose.is_dir() else ()

    def _whose(self, organisation: str) -> Path:
        # A hash, because an organisation may be called anything, and a folder may not.
        return self.root / hashlib.sha256(organisation.encode()).hexdigest()[:_ID_LENGTH]

    def _check_room(self, organisation: str, about: About) -> None:
        whose = self._whose(organisation)
        names = [each.name for each in whose.iterdir()] if whose.exists() else []
        hint = "Those that nobody goes on with expire by themselves; DELETE removes one."
        if len(names) >= MOST_OPEN:
            raise QuotaReached(f"There are {len(names):,} uploads that no job has taken yet.", hint=hint)
        total = about.length + sum(self._length(organisation, name) for name in names)
        if total > self.most_bytes:
            text = f"With {about.file_name} the uploads that no job has taken yet would have {total:,} bytes,"
            raise QuotaReached(f"{text} and {self.most_bytes:,} is the limit (api.upload_bytes).", hint=hint)

    def _length(self, organisation: str, upload_id: str) -> int:
        folder = self._whose(organisation) / upload_id
        if folder not in self._lengths:
            try:
                self._lengths[folder] = self.find(organisation, upload_id).about.length
            except InputNotFound:  # it has gone meanwhile, or has just begun
                return 0
        return self._lengths[folder]


def _make(folder: Path, about: About) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / _PART).touch(mode=0o600)
        beside = folder / f"{_ABOUT}.new"
        beside.write_text(json.dumps(asdict(about)), encoding="utf-8")
        beside.replace(folder / _ABOUT)
    except OSError as error:
        raise translated(error, about.file_name) from error


def _look(folder: Path) -> tuple[os.stat_result, bool]:
    """The file of an upload, and whether it is whole."""
    try:
        return (folder / _PART).stat(), False
    except FileNotFoundError:  # in this order, since a part becomes the whole and never the other way
        return (folder / _WHOLE).stat(), True


def _id_of(organisation: str, about: About) -> str:
    what = json.dumps([organisation, about.file_name, about.length, about.sha256])
    return hashlib.sha256(what.encode()).hexdigest()[:_ID_LENGTH]
