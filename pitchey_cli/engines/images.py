"""The images of the services: what goes into each, its content-addressed tag, and building what is missing.

A tag is a hash of everything of ours that goes in, and of the parent's tag, so a changed handler is another image, and
an image that is there is the right one. Times and modes do not count. How to build is the engine's business.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import containerfiles
import processors
from pitchey_cli.domain.errors import EngineError, InputNotFound
from pitchey_cli.engines.bootstrap import ensure_debian
from pitchey_cli.engines.port import LABEL_IMAGE, BuildStep, Engine
from processors.vocabulary import Service

BASE = "base"

_REPOSITORY = "pitchey"
_SHARED = ("worker", "specs")  # folders of processors/ that every instance has
_SHARED_BY = {
    **dict.fromkeys(("video", "media"), ("ffmpeg", "streaming")),
    **dict.fromkeys(("document", "inference"), ("pictures",)),
}
_HASH_DIGITS = 12
_LONGEST_BUILD_SECONDS = 3600  # what is younger may be a stage of a build that runs
_CA_BUNDLE = "ca/ca-bundle.crt"  # always in the context, because COPY fails without it; empty where there is none
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
#: of the host, for what a build fetches: proxies, and a registry of npm where there is another than its own
_PASSED_VARIABLES = (
    "COREPACK_NPM_REGISTRY",
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the files lie that images are made of, and what was chosen for them."""

    containerfiles: Path = Path(containerfiles.__file__).parent
    processors: Path = Path(processors.__file__).parent
    ocr_languages: tuple[str, ...] = ()  #: more than those that the image of documents has, as `rus`

    def arguments(self, name: str) -> dict[str, str]:
        """What is chosen for the building of an image."""
        if name != Service.DOCUMENT or not self.ocr_languages:
            return {}
        return {"OCR_LANGUAGES": " ".join(self.ocr_languages)}


@dataclass(frozen=True, slots=True)
class Image:
    """One image to be."""

    name: str
    tag: str
    parent: str | None  #: tag of the image it is built on; None for base, which is built on Debian
    files: Mapping[str, Path]  #: name in the build context -> file
    arguments: Mapping[str, str]  #: what was chosen for its building

    @property
    def containerfile(self) -> str:
        """Its Containerfile's name in the context."""
        return f"containerfiles/{self.name}.Containerfile"


SOURCES = Sources()


def available(sources: Sources = SOURCES) -> tuple[Service, ...]:
    """The services that this version has an image for."""
    return tuple(service for service in Service if (sources.containerfiles / f"{service}.Containerfile").exists())


def plan(services: Iterable[Service], sources: Sources = SOURCES) -> list[Image]:
    """The images that services need, each after the one it is built on."""
    base = _image(BASE, None, sources)
    return [base, *(_image(service, base.tag, sources) for service in services)]


def current_tag(service: Service, sources: Sources = SOURCES) -> str:
    """The tag of the image that this version runs a service in."""
    return plan([service], sources)[-1].tag


def ensure(
    engine: Engine,
    service: Service | None,
    ca_bundle: Path | None = None,
    *,
    sources: Sources = SOURCES,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[BuildStep]:
    """Build what is missing of a service's images, or of the base alone. Nothing happens unless it is iterated over.

    Args:
        ca_bundle: what a proxy before the package index signs with; see `find_ca_bundle`.
    """
    for image in plan([service] if service else [], sources):
        if engine.has_image(image.tag):
            continue
        if image.parent is None:
            yield from ensure_debian(engine)
        arguments = {name: environ[name] for name in _PASSED_VARIABLES if environ.get(name)} | {**image.arguments}
        if image.parent is not None:
            arguments["BASE"] = image.parent
        with build_context(image, ca_bundle) as context:
            yield from engine.build(
                context, image.containerfile, image.tag, labels={LABEL_IMAGE: image.name}, arguments=arguments
            )


def prune(engine: Engine, sources: Sources = SOURCES, *, now: float) -> list[str]:
    """Remove the images of other versions, and what builds left without a tag. One that is in use stays.

    Args:
        now: Unix time.

    Returns:
        The tags that are gone.
    """
    current = {image.tag for image in plan(available(), sources)}
    stale = [image for image in engine.images() if image.tag not in current]
    gone: list[str] = []
    for image in sorted(stale, key=lambda image: image.labels.get(LABEL_IMAGE) == BASE):  # children first
        with contextlib.suppress(EngineError):
            engine.remove_image(image.tag)
            gone.append(image.tag)
    remove_remnants(engine, now)
    return gone


def remove_remnants(engine: Engine, now: float) -> None:
    """Remove what builds left without a tag, but for what may belong to one that runs."""
    for remnant in engine.images(tagged=False):
        if now - remnant.created_at > _LONGEST_BUILD_SECONDS:
            with contextlib.suppress(EngineError):  # one that others are made of goes with the last of them
                engine.remove_image(remnant.tag)


def find_ca_bundle(explicit: Path | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The CA bundle that was named, else the first that the environment names and that is there."""
    if explicit is not None:
        return explicit
    named = (Path(environ[name]) for name in _CA_VARIABLES if environ.get(name))
    return next((path for path in named if path.is_file()), None)


def _image(name: str, parent: str | None, sources: Sources) -> Image:
    files = {
        f"containerfiles/{path.name}": path  # the code service has no libraries, so no lock
        for path in (sources.containerfiles / f"{name}.Containerfile", *sources.containerfiles.glob(f"{name}*.lock"))
        if path.exists()
    }
    if name != BASE:
        files |= _code(name, sources.processors)
    digest = hashlib.sha256((parent or "").encode())
    for arcname, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"\0{arcname}\0{len(content)}\0".encode())
        digest.update(content)
    arguments = sources.arguments(name)
    for argument, value in arguments.items():
        digest.update(f"\0{argument}={value}\0".encode())
    return Image(name, f"{_REPOSITORY}/{name}:{digest.hexdigest()[:_HASH_DIGITS]}", parent, files, arguments)


def _code(name: str, root: Path) -> dict[str, Path]:
    """The worker, the protocol, the specs and one service's handler: another service's handler makes no new image."""
    folders = (*_SHARED, *_SHARED_BY.get(name, ()), name)
    paths = [*root.glob("*.py"), *(path for folder in folders for path in (root / folder).rglob("*"))]
    return {
        f"processors/{path.relative_to(root).as_posix()}": path
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


@contextlib.contextmanager
def build_context(image: Image, ca_bundle: Path | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pitchey-build-") as directory:
        context = Path(directory)
        for arcname, path in image.files.items():
            target = context / arcname
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        bundle = context / _CA_BUNDLE
        bundle.parent.mkdir()
        try:
            bundle.write_bytes(ca_bundle.read_bytes() if ca_bundle else b"")
        except OSError as error:
            raise InputNotFound(f"The CA bundle {ca_bundle} cannot be read: {error.strerror}.") from error
        yield context
