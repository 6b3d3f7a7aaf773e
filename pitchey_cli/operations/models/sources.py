"""Where a model comes from: a file, a folder, an archive, a URL, a package -> a folder that has its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pitchey_cli.artifacts.port import Artifacts, Fetch
from pitchey_cli.domain.buckets import SCHEME, BucketUrl, bucket_url, is_bucket_url
from pitchey_cli.domain.errors import InputNotFound, InputRejected
from pitchey_cli.models import registries, unpacking
from pitchey_cli.operations.sources import Listed
from processors.inference.repository import sha256_of

_MODEL_SUFFIXES = (".onnx", ".gguf", ".tflite", ".pt", ".pt2", ".pth", ".torchscript", ".safetensors")
_MOST_NAMED = 8  # files, in a message


@dataclass(frozen=True, slots=True)
class Opened:
    """What a source holds."""

    called: str  #: as messages name it
    root: Path  #: what paths are relative to
    file: str | None = None  #: the one that was named; None: what the root holds
    package: str = ""
    url: str = ""

    def below(self, path: str) -> Path:
        """A file or folder of the source.

        Raises:
            InputNotFound: it is not there.
            InputRejected: it lies elsewhere, by a link or by its name.
        """
        found = self.root / path
        if not found.exists():
            raise InputNotFound(f"{self.called} has no {path}.")
        if not found.resolve().is_relative_to(self.root.resolve()):
            raise InputRejected(f"{path} leads out of {self.called}.", hint="A model's files lie in its folder.")
        return found

    def has(self, path: str) -> bool:
        """Whether the source holds such a file. Beside a file that was named nothing else is meant."""
        return self.file is None and (self.root / path).is_file()

    def model_file(self, wanted: str | None) -> str:
        """The path of the model among the files.

        Raises:
            InputRejected: there is none, or there are several; names them.
        """
        if wanted is not None:
            self.below(wanted)
            return wanted
        if self.file is not None:
            return self.file
        found = sorted(self._candidates())
        if len(found) == 1:
            return found[0]
        if not found:
            hint = "ONNX, GGUF and TFLite files are looked for; --file names another."
            raise InputRejected(f"{self.called} holds no model.", hint=hint)
        names = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
        raise InputRejected(f"{self.called} holds {len(found)} models.", hint=f"--file says which: {names}.")

    def _candidates(self) -> Iterator[str]:
        for path in self.root.rglob("*"):
            if path.name == "saved_model.pb":
                folder = str(path.parent.relative_to(self.root))
                yield folder
            elif path.suffix.lower() in _MODEL_SUFFIXES and path.is_file():
                yield str(path.relative_to(self.root))


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens sources. What it unpacks lies in a folder that the caller removes."""

    scratch: Path
    fetch: Fetch
    artifacts: Artifacts
    limit_bytes: int
    listed: Listed | None = None  #: what lies below a folder in a bucket

    def open(self, source: str, sha256: str | None) -> Opened:
        """Have what a source names at hand.

        Args:
            source: a path, an http, https or s3 URL, `pip:NAME` or `npm:NAME`.
            sha256: what the file must be, that is named, is behind the URL, or is the package's.

        Raises:
            PitcheyError: it cannot be had, or is not what it should be.
        """
        if registries.is_package(source):
            folder = self._folder("package")
            archive = registries.fetch(source, folder)
            _refuse_other(archive, source, sha256)
            return self._unpacked(archive, archive.name, Opened(source, folder, package=f"{source} ({archive.name})"))
        if is_bucket_url(source) and bucket_url(source).is_prefix:
            return self._folder_in_bucket(source, sha256)
        if source.startswith(("http://", "https://", SCHEME)):
            artifact, name = self.fetch(source)
            file = self.artifacts.path(artifact.sha256)
            _refuse_other(file, source, sha256)
            if unpacking.is_archive(name):
                return self._unpacked(file, name, Opened(source, self.scratch, url=source))
            folder = self._folder("download")
            shutil.copyfile(file, folder / name)
            return Opened(source, folder, name, url=source)
        path = Path(source).expanduser()
        if path.is_dir():
            if sha256 is not None:
                raise InputRejected(f"{source} is a folder, and --sha256 is of a file.", hint="Leave it out.")
            return Opened(source, path)
        if not path.is_file():
            hint = "A source is a file, a folder, an http, https or s3 URL, pip:NAME or npm:NAME."
            raise InputNotFound(f"There is no file or folder {source}.", hint=hint)
        _refuse_other(path, source, sha256)
        if unpacking.is_archive(path.name):
            return self._unpacked(path, path.name, Opened(source, path.parent))
        path = path.resolve()  # its own folder is meant, wherever a link to it lies
        return Opened(source, path.parent, path.name)

    def _folder_in_bucket(self, source: str, sha256: str | None) -> Opened:
        if sha256 is not None:
            raise InputRejected(f"{source} is a folder, and --sha256 is of a file.", hint="Leave it out.")
        if self.listed is None:
            raise InputRejected(f"{source} is a folder in a bucket, and none can be looked into here.")
        url, folder = bucket_url(source), self._folder("bucket")
        here, total = BucketUrl(url.profile, url.bucket, ""), 0
        for key in self.listed(url):
            parts = PurePosixPath(key.removeprefix(url.key)).parts
            if not parts or any(part in ("..", "/") for part in parts):
                raise InputRejected(f"{here.below(key)} has a name that leads out of its folder.")
            artifact, _ = self.fetch(str(here.below(key)))
            total += artifact.size
            if total > self.limit_bytes:
                raise InputRejected(f"{source} has more than {self.limit_bytes:,} bytes.")
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.artifacts.path(artifact.sha256), target)
        return Opened(source, folder, url=source)

    def _unpacked(self, archive: Path, name: str, opened: Opened) -> Opened:
        folder = self._folder("unpacked")
        unpacking.unpack(archive, name, folder, limit_bytes=self.limit_bytes)
        entries = list(folder.iterdir())
        only = entries[0] if len(entries) == 1 and entries[0].is_dir() else folder
        return Opened(opened.called, only, None, opened.package, opened.url)

    def _folder(self, name: str) -> Path:
        folder = self.scratch / name
        folder.mkdir()
        return folder


def _refuse_other(file: Path, called: str, sha256: str | None) -> None:
    if sha256 is not None and (found := sha256_of(file)) != sha256.lower():
        raise InputRejected(
            f"{called} has the SHA-256 {found}, and {sha256.lower()} was asked for.",
            hint="It is another file, or was changed on the way; nothing was added.",
        )
