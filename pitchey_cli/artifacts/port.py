"""Where files are kept: by content, under their SHA-256, each content once. Adapters: local.py and s3.py."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol, runtime_checkable

from pitchey_cli.domain.buckets import BucketUrl
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION

LARGER_INPUT = "Is it the right file? `limits.input_bytes` says how large inputs may be."
LARGER_OUTPUT = "`limits.output_bytes` says how large the outputs of a job may be."
ProgressCallback = Callable[[int, int | None], None]  #: bytes done, bytes in all where known


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file, named by its content."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """An artifact as it lies there."""

    sha256: str
    size: int
    used_at: datetime  #: when its content was last brought in, for the first time or again


class Fetch(Protocol):
    """Brings the content of a URL into the artifacts. Adapter: inputs.py."""

    def __call__(
        self, url: str, *, organisation: str = DEFAULT_ORGANISATION, progress: ProgressCallback | None = None
    ) -> tuple[Artifact, str]:
        """Fetch; the artifact, and what to call it.

        Args:
            organisation: for whom: not everybody may use every profile of S3.

        Raises:
            PitcheyError: as http.fetch; what `progress` raises ends the fetching.
        """


class Deliver(Protocol):
    """Brings the outputs of jobs to buckets. Adapter: outputs.py."""

    def check(self, url: BucketUrl, *, organisation: str) -> None:
        """Make sure that outputs can be written below a URL, before the work is done.

        Raises:
            PitcheyError: says why they cannot; a NetworkError, that they may another time.
        """

    def deliver(
        self,
        sha256: str,
        url: BucketUrl,
        *,
        organisation: str,
        media_type: str,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Write an artifact as an object: whole, or not at all; a second try goes on where the first has ended.

        Raises:
            PitcheyError: as check; what `progress` raises ends it.
        """

    def link(self, url: BucketUrl, *, organisation: str, seconds: int) -> str:
        """A link with which anybody can fetch an object, for so long."""


class Artifacts(Protocol):
    """Keeps artifacts. Calls may block; the daemon makes them in threads."""

    def add(
        self,
        source: Path,
        *,
        limit_bytes: int,
        may_be_empty: bool = False,
        called: str = "",
        progress: ProgressCallback | None = None,
    ) -> Artifact:
        """Take a user's file: reflink where the file system can, else copy; hashed on the way, complete or not at all.

        Args:
            called: what errors call it, where whoever reads them does not know its path.

        Raises:
            InputNotFound: there is no such file.
            InputRejected: empty, not a regular file, above the limit, or changed while it was read.
            Denied: it may not be read.
            StoreError: the disk is full.
        """

    def refresh(self, names: Collection[str]) -> set[str]:
        """Let the grace of artifacts that are about to be referred to begin anew; those that are not there any more."""

    def put(self, contents: Sequence[bytes]) -> list[Artifact]:
        """Take short contents that are in memory, in their order.

        Raises:
            StoreError: the disk is full; some of them may have been taken, and nothing refers to those.
        """

    def collect(self, root: Path, relative: str, *, limit_bytes: int) -> Artifact:
        """Take a file that an instance left below `root`, without following a link and without leaving `root`."""

    def place(self, sha256: str, target: Path) -> None:
        """Put an artifact where an instance can read it: a hard link, read-only; no second copy."""

    def export(self, sha256: str, target: Path, *, overwrite: bool) -> None:
        """Give an artifact to the user: written beside the target and renamed over it, so it is whole or absent."""

    def path(self, sha256: str) -> Path:
        """Where the artifact lies; InputNotFound when it does not."""

    # --- housekeeping

    def kept(self) -> Iterator[Kept]:
        """Every artifact that there is, in no order."""

    def is_whole(self, sha256: str, *, progress: ProgressCallback | None = None) -> bool:
        """Read it, and say whether its content is what its name says. False as well when it is not there."""

    def place_id(self, *, make: bool) -> str:
        """An id of where they are, kept there: whoever finds the same one finds the same artifacts.

        Args:
            make: give it one where it has none; else it is empty then.
        """

    def check_owner(self, owner: str) -> None:
        """Make sure that they are of one database alone, before what it does not refer to is removed.

        Args:
            owner: the id of the database. Who asks first owns them.

        Raises:
            StoreError: another database has them: what it refers to is not known here.
        """

    def remove(self, sha256: str, *, unless_used_since: datetime) -> bool:
        """Remove an artifact that nothing refers to; False when it has been brought in since, or is not there."""


@runtime_checkable
class Presigner(Protocol):
    """Lets somebody without credentials fetch an artifact, or leave what may become one. Adapter: s3.py.

    A key is a name that the host chooses, of one file of one attempt: letters, digits, `.`, `_`, `-` and `/`.
    """

    def get_url(self, sha256: str, *, seconds: int) -> str:
        """A link to the content of an artifact, good for so long.

        Raises:
            InputNotFound: there is no such artifact.
        """

    def put_url(self, key: str, *, seconds: int) -> str:
        """A link to which the content of a file can be PUT, good for so long.

        No signature can hold anybody to a size: `take` refuses what is larger.
        """

    def take(self, key: str, *, limit_bytes: int) -> Artifact:
        """Let what was PUT become an artifact, after it was read and hashed here; it is gone from its key then.

        The link may be good still: what is PUT after this is not looked at, and `discard` removes it.

        Raises:
            InputNotFound: nothing was PUT.
            InputRejected: it is above the limit; nothing of it is kept.
            NetworkError, StoreError: it may work another time.
        """

    def discard(self, key: str) -> None:
        """Remove what was PUT, if there is anything."""

    def left(self, *, older_than: timedelta) -> Iterator[str]:
        """The keys of what was PUT so long ago, and neither taken nor discarded since."""
