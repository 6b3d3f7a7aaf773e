"""What `submit` and `run` were given to work on: files, patterns, folders, URLs -> one source per job."""

from __future__ import annotations

import glob
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches
from itertools import chain, count
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pitchey_cli.domain.buckets import SCHEME, BucketUrl, bucket_url, is_bucket_url
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from processors.specs import CodeSpec
from processors.vocabulary import Service

#: what is picked out of a folder; a file that is named is taken whatever its suffix
SUFFIXES: dict[Service, frozenset[str]] = {
    Service.VIDEO: frozenset(
        ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv".split()
    ),
    Service.MEDIA: frozenset(
        ".aac .aif .aiff .flac .m4a .mka .mov .mp3 .mp4 .mkv .oga .ogg .opus .wav .webm .wma".split()
    ),
    Service.DOCUMENT: frozenset(
        (
            ".bmp .doc .docx .epub .gif .htm .html .jpeg .jpg .markdown .md .odp .ods .odt .pdf .png .ppt .pptx .rtf "
            ".tif .tiff .txt .webp .xhtml .xls .xlsx"
        ).split()
    ),
    Service.INFERENCE: frozenset(
        ".bmp .csv .gif .jpeg .jpg .jsonl .md .ndjson .npy .npz .png .safetensors .tif .tiff .txt .webp".split()
    ),
    Service.CODE: frozenset(CodeSpec.by_suffix),
}


Listed = Callable[[BucketUrl], Sequence[str]]  #: the keys below a folder in a bucket; raises PitcheyError
MOST_ATTACHED = 100
_APART = "Files of one job have names of their own."
_NOT_IN_A_HOST = set(' "<>\\^`{|}')  # programs read such a URL each in its own way
_NOWHERE = set(" \\")  # before it neither: for some, a backslash ends the host. A password may have the others
_AS_A_URL = "https://host.example/path, without blanks."
_NEAR = 0.7  # of 1: how much a name has to have in common with one that is not there, to be offered for it


@dataclass(frozen=True, slots=True)
class Source:
    """One file or URL, and the name its job gets."""

    location: str  #: a path or a URL, as given
    name: str  #: of the job: the stem, with the folder below the one that was given
    is_url: bool = False
    called: str = ""  #: what the file is to be called, where that is not the last part of the location
    is_sent: bool = False  #: it came over a network: where it lies is not what its sender calls it
    is_picked: bool = False  #: out of a folder, or by a pattern: nobody has named it

    @property
    def file_name(self) -> str:
        """What the file is called."""
        if self.called:
            return self.called
        if is_bucket_url(self.location):
            return PurePosixPath(self.location).name
        return unquote(urlsplit(self.location).path.rpartition("/")[2]) if self.is_url else Path(self.location).name


def find(
    service: Service,
    arguments: Sequence[str],
    suffixes: Collection[str] | None = None,
    listed: Listed | None = None,
) -> list[Source]:
    """Expand arguments into sources, in the order given; what a folder or pattern holds is sorted.

    Args:
        suffixes: of the files that are picked out of a folder, where they are not the service's own.
        listed: what lies below a folder in a bucket; None: no folder in a bucket can be looked into.

    Raises:
        InputNotFound: offers the nearest name.
        Denied: a folder on the way may not be searched.
        InputRejected: a folder without anything for this service.
    """
    picked = SUFFIXES.get(service, frozenset()) if suffixes is None else suffixes
    found: list[Source] = []
    for argument in arguments:
        if listed is not None and is_bucket_url(argument) and bucket_url(argument).is_prefix:
            found += _in_bucket(service, bucket_url(argument), picked, listed)
        elif (source := elsewhere(argument)) is not None:
            found.append(source)
        else:
            with _looked_at(argument):
                found += _on_disk(service, argument, picked)
    return _named_apart(found)


def left_out(service: Service, arguments: Sequence[str], suffixes: Collection[str] | None = None) -> list[Path]:
    """What lies in the folders among the arguments, and was not picked; hidden files aside."""
    picked = SUFFIXES.get(service, frozenset()) if suffixes is None else suffixes
    here = (argument for argument in arguments if "://" not in argument)
    folders = (Path(argument) for argument in here if Path(argument).is_dir())
    return [
        file
        for folder in folders
        for file in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
        and not file.is_dir()
        and not (file.suffix.lower() in picked and file.is_file())
    ]


def named(location: str, called: str = "") -> Source:
    """The one file or URL that a field of a spec names.

    Args:
        called: what the file is to be called, where that is not the last part of the location.

    Raises:
        InputNotFound: offers the nearest name.
        InputRejected, UsageError, Denied: it is a folder, or can be neither fetched nor looked at.
    """
    if (source := elsewhere(location)) is not None:
        return replace(source, called=called)
    path = Path(location)
    with _looked_at(location):
        if path.is_dir():
            raise InputRejected(f"{location!r} is a folder, where one file is meant.", hint="Name the file in it.")
        if not (path.exists() or path.is_symlink()):
            raise InputNotFound(f"There is no file at {location!r}.", hint=_nearest(path))
    return Source(location, path.stem, called=called)


def elsewhere(location: str) -> Source | None:
    """What is behind a URL; None of what is a path."""
    if _is_web_url(location):
        try:
            parts = urlsplit(location)
            host, _ = parts.hostname, parts.port
        except ValueError as error:  # brackets that hold no address, for one
            raise UsageError(f"{location[:200]!r} is no URL: {error}.", hint=_AS_A_URL) from error
        if (
            not host
            or not location.isprintable()
            or _NOWHERE & set(parts.netloc)
            or _NOT_IN_A_HOST & set(parts.netloc.rpartition("@")[2])
        ):
            raise UsageError(f"{location[:200]!r} is no URL.", hint=_AS_A_URL)
        name = Path(unquote(parts.path)).stem or host
        return Source(location, name, is_url=True)
    if is_bucket_url(location):
        url = bucket_url(location)
        if url.is_prefix:
            raise InputRejected(f"{location!r} is a folder, where one object is meant.", hint="Name the object in it.")
        return Source(location, PurePosixPath(url.key).stem, is_url=True)
    if "://" in location:
        raise UsageError(f"{location} cannot be fetched.", hint="Inputs are files, http://, https:// and s3:// URLs.")
    return None


@contextmanager
def _looked_at(location: str) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise Denied(f"{location!r} may not be looked at.", hint="Check the modes of its folders.") from error
    except OSError as error:  # a name that is too long
        raise InputNotFound(f"There is no file at {location!r}.", hint=f"{error.strerror}.") from error
    except ValueError as error:  # one with a NUL in it
        raise InputNotFound(f"There is no file at {location!r}.", hint=f"{error}.") from error


def attached(paths: Sequence[str], suffixes: Collection[str] | None = None) -> dict[str, str]:
    """Files to lie beside the input, a location by name: what is in a folder has the folder's name before its own.

    Of `.` and of what ends in `/.` only that which is in the folder is meant, and not the folder. Hidden files in a
    folder are left out.

    Args:
        suffixes: of the files that are picked out of a folder; None: all of them.

    Raises:
        UsageError: two have one name, or there are too many.
        InputNotFound: there is none; offers the nearest name.
    """
    found: dict[str, str] = {}
    for text in paths:
        is_url, path = _is_web_url(text) or text.startswith(SCHEME), Path(text)
        if is_url:
            files = {Source(text, "", is_url=True).file_name: text}
        elif path.is_dir():
            name = "" if text.endswith("/.") else path.name
            files = {str(PurePosixPath(name, file.relative_to(path))): str(file) for file in _below(path, suffixes)}
        elif path.exists():
            files = {path.name: text}
        else:
            raise InputNotFound(f"There is no file at {text!r}.", hint=_nearest(path))
        if twice := files.keys() & found.keys():
            raise UsageError(f"--file {text}: there is a file {min(twice)!r} already.", hint=_APART)
        found |= files
        if len(found) > MOST_ATTACHED:
            raise UsageError(f"--file {text}: these are more than {MOST_ATTACHED} files.", hint="An archive is one.")
    return found


def is_same(location: str, other: str) -> bool:
    """Whether two locations are one file that is there."""
    try:
        return Path(location).samefile(other)
    except OSError:
        return False


def _below(folder: Path, suffixes: Collection[str] | None) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if not any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(folder).parts)
        and (suffixes is None or file.suffix.lower() in suffixes)
        and file.is_file()
    ]


def _in_bucket(service: Service, url: BucketUrl, suffixes: Collection[str], listed: Listed) -> list[Source]:
    """What lies below a folder in a bucket, as `_on_disk` finds it below one on a disk."""
    here = BucketUrl(url.profile, url.bucket, "")
    paths = [(key, PurePosixPath(key.removeprefix(url.key))) for key in sorted(listed(url))]
    chosen = [
        (key, path)
        for key, path in paths
        if path.suffix.lower() in suffixes and not any(part.startswith(".") for part in path.parts)
    ]
    if not chosen:
        hint = f"Objects are picked by their suffix: {' '.join(sorted(suffixes))}"
        raise InputRejected(f"The folder {url} holds nothing for the {service} service.", hint=hint)
    return [
        Source(str(here.below(key)), str(path.with_suffix("")), is_url=True, is_picked=True) for key, path in chosen
    ]


def _on_disk(service: Service, argument: str, suffixes: Collection[str]) -> list[Source]:
    path = Path(argument)
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in suffixes
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
            and file.is_file()
        )
        if not files:
            raise InputRejected(
                f"The folder {argument} holds nothing for the {service} service.",
                hint=f"Files are picked by their suffix: {' '.join(sorted(suffixes))}",
            )
        return [Source(str(file), str(file.relative_to(path).with_suffix("")), is_picked=True) for file in files]
    if path.exists() or path.is_symlink():
        return [Source(argument, path.stem)]
    if glob.has_magic(argument):
        matches = sorted(match for match in glob.glob(argument, recursive=True) if Path(match).is_file())
        if matches:
            return [Source(match, Path(match).stem, is_picked=True) for match in matches]
        raise InputNotFound(f"No file matches {argument!r}.", hint="Patterns are relative to the current folder.")
    raise InputNotFound(f"There is no file at {argument!r}.", hint=_nearest(path))


def _nearest(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path()
    try:
        names = [entry.name for entry in folder.iterdir()]
        # Names that share no more than their suffix are not near.
        near = [
            name
            for name in get_close_matches(path.name, names, n=3)
            if SequenceMatcher(None, path.stem.lower(), Path(name).stem.lower()).ratio() >= _NEAR
        ]
    except OSError:
        near = []
    if near:
        return f"Did you mean {str(folder / near[0])!r}?"
    return "Paths are relative to the folder you are in; quote one that has spaces or wildcards."


def _named_apart(sources: list[Source]) -> list[Source]:
    """Jobs whose names would be the same get their suffix into the name where that tells them apart, or a number."""
    files: dict[str, set[str]] = {}
    for source in sources:
        files.setdefault(source.name, set()).add(source.file_name)
    taken: set[str] = set()
    result: list[Source] = []
    for source in sources:
        is_told_by_suffix = len(files[source.name]) > 1
        first = str(Path(source.name).parent / source.file_name) if is_told_by_suffix else source.name
        names = chain([first], (f"{first}-{number}" for number in count(2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        result.append(replace(source, name=name))
    return result


def _is_web_url(text: str) -> bool:
    return text[:8].lower().startswith(("http://", "https://"))  # as RFC 3986, 3.1, has it
