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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import containerfiles
import processors
from pitchey_cli.domain.errors import EngineError, InputNotFound
from pitchey_cli.engines.bootstrap import ensure_debian
from pitchey_cli.engines.port import LABEL_IMAGE, BuildStep, Engine
from pitchey_cli.engines.wheelhouse import wheels_in
from processors.vocabulary import VARIANTS, Service, variant_name

BASE = "base"
FRAMEWORKS = tuple(sorted({*VARIANTS.values()}))  #: what the image of inference may have beside its own

_REPOSITORY = "pitchey"
_SHARED = ("worker", "porter", "specs")  # folders of processors/ that every instance has
_SHARED_BY = {
    **dict.fromkeys(("video", "media"), ("ffmpeg", "streaming")),
    **dict.fromkeys(("document", "inference"), ("pictures",)),
}
_HASH_DIGITS = 12
_WHEELHOUSE = "wheelhouse"  # always in the context as well, and empty where none was handed over
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
    frameworks: tuple[str, ...] = ()  #: of FRAMEWORKS: what the image of inference has beside its own

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
    containerfile: str  #: its name in the context


SOURCES = Sources()


def available(sources: Sources = SOURCES) -> tuple[Service, ...]:
    """The services that this version has an image for."""
    return tuple(service for service in Service if (sources.containerfiles / f"{service}.Containerfile").exists())


def plan(services: Iterable[Service], sources: Sources = SOURCES) -> list[Image]:
    """The images that services need, each after the one it is built on."""
    base = _image(BASE, None, sources)
    return [base, *(each for service in services for each in _images(service, base.tag, sources))]


def variants() -> dict[str, tuple[str, ...]]:
    """The frameworks of every image of inference that can be built beside the plain one, by its name."""
    several = (chosen for count in range(1, len(FRAMEWORKS) + 1) for chosen in combinations(FRAMEWORKS, count))
    return {variant_name(chosen): chosen for chosen in several}


def built(engine: Engine, sources: Sources = SOURCES) -> Sources:
    """The same, with as many of the frameworks as an image that is there has: jobs for the others are refused there,
    and those for none of them need not wait for an image that nobody has built.
    """
    for count in range(len(sources.frameworks), 0, -1):
        for chosen in combinations(sources.frameworks, count):
            some = replace(sources, frameworks=chosen)
            if engine.has_image(current_tag(Service.INFERENCE, some)):
                return some
    return replace(sources, frameworks=())


def current_tag(service: Service, sources: Sources = SOURCES) -> str:
    """The tag of the image that this version runs a service in."""
    return plan([service], sources)[-1].tag


def ensure(
    engine: Engine,
    service: Service | None,
    ca_bundle: Path | None = None,
    *,
    wheelhouse: Path | None = None,
    sources: Sources = SOURCES,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[BuildStep]:
    """Build what is missing of a service's images, or of the base alone. Nothing happens unless it is iterated over.

    Args:
        ca_bundle: what a proxy before the package index signs with; see `find_ca_bundle`.
        wheelhouse: a folder of wheels that frameworks are installed from; then they are, even if the image is there.
    """
    wheels = wheels_in(wheelhouse, sources.frameworks) if wheelhouse is not None else []
    for image in plan([service] if service else [], sources):
        if engine.has_image(image.tag) and not (wheels and image.name in variants()):
            continue
        if image.parent is None:
            yield from ensure_debian(engine)
        arguments = {name: environ[name] for name in _PASSED_VARIABLES if environ.get(name)} | {**image.arguments}
        if image.parent is not None:
            arguments["BASE"] = image.parent
        with build_context(image, ca_bundle, wheels if image.name in variants() else ()) as context:
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
    current = current_tags(sources)
    stale = [image for image in engine.images() if image.tag not in current]
    gone: list[str] = []
    for image in sorted(stale, key=lambda image: image.labels.get(LABEL_IMAGE) == BASE):  # children first
        with contextlib.suppress(EngineError):
            engine.remove_image(image.tag)
            gone.append(image.tag)
    remove_remnants(engine, now)
    return gone


def current_tags(sources: Sources = SOURCES) -> set[str]:
    """The tags of all images that this version runs, or could."""
    plain = {image.tag for image in plan(available(), sources)}
    more = (plan([Service.INFERENCE], replace(sources, frameworks=chosen)) for chosen in variants().values())
    return plain | {image.tag for images in more for image in images}


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


def _images(service: Service, base: str, sources: Sources) -> Iterator[Image]:
    """The image of a service, and where more frameworks are wanted those that have them, each on the one before."""
    own = _image(service, base, sources)
    yield own
    if service is Service.INFERENCE:
        for count in range(1, len(sources.frameworks) + 1):
            chosen = sorted(sources.frameworks)[:count]
            own = _image(variant_name(chosen), own.tag, sources, made_as=variant_name(chosen[-1:]))
            yield own


def _image(name: str, parent: str | None, sources: Sources, *, made_as: str = "") -> Image:
    """One image.

    Args:
        made_as: what its files are called, where that is not its name.
    """
    stem = made_as or name
    of_others = {f"{each}.lock" for each in variants() if each != stem}
    paths = (sources.containerfiles / f"{stem}.Containerfile", *sources.containerfiles.glob(f"{stem}*.lock"))
    files = {  # the code service has no libraries, so no lock
        f"containerfiles/{path.name}": path for path in paths if path.exists() and path.name not in of_others
    }
    if name != BASE and not made_as:
        files |= _code(name, sources.processors)
    digest = hashlib.sha256((parent or "").encode())
    for arcname, path in sorted(files.items()):
        content = path.read_bytes()
        digest.update(f"\0{arcname}\0{len(content)}\0".encode())
        digest.update(content)
    arguments = sources.arguments(name)
    for argument, value in arguments.items():
        digest.update(f"\0{argument}={value}\0".encode())
    tag = f"{_REPOSITORY}/{name}:{digest.hexdigest()[:_HASH_DIGITS]}"
    return Image(name, tag, parent, files, arguments, f"containerfiles/{stem}.Containerfile")


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
def build_context(image: Image, ca_bundle: Path | None, wheels: Sequence[Path] = ()) -> Iterator[Path]:
    """What an image is built from, in a folder."""
    with tempfile.TemporaryDirectory(prefix="pitchey-build-") as directory:
        context = Path(directory)
        for arcname, path in image.files.items():
            target = context / arcname
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        (context / _WHEELHOUSE).mkdir()
        for wheel in wheels:
            shutil.copyfile(wheel, context / _WHEELHOUSE / wheel.name)
        bundle = context / _CA_BUNDLE
        bundle.parent.mkdir()
        try:
            bundle.write_bytes(ca_bundle.read_bytes() if ca_bundle else b"")
        except OSError as error:
            raise InputNotFound(f"The CA bundle {ca_bundle} cannot be read: {error.strerror}.") from error
        yield context
