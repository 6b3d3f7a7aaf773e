"""Artifacts in a bucket that several nodes share, with a cache on the disk of each.

Below a prefix lie `content/ab/<sha256>/<generation>`, the contents, and `use/ab/<sha256>`, a small mark for each: which
generation counts, or that the content was removed. When a content was last brought in is the time of its mark, as the
server keeps it: no writer's clock has a say.

Why removing a content is safe while other nodes bring it in. A mark is only ever written on the condition that it is
still the one that was read (If-Match, If-None-Match; each has a random part, so no two have one ETag). Whoever brings
in a content that is there writes its mark anew; one that is not there is uploaded under a generation of its own, and
the mark names that afterwards. Whoever removes first turns the mark into a tombstone, if it is older than the cutoff
and still the same, and then deletes the one generation that it named. So of two who meet at a mark one is told to read
it again: a writer finds a tombstone and uploads a generation that the remover knows nothing of, or the remover finds a
young mark and leaves it. Nobody holds a lock, and one who stops anywhere leaves at most a content that no mark names,
which goes after two days. Tombstones stay where the server knows no conditional deletes: they have a hundred bytes.

The cutoff is a time of the clock here, and marks have the server's: the difference is taken from the date that the
server answers with. Dates have whole seconds, so a mark counts as a second younger than it says. The rest of the rule
of grace, who refreshes when and what the cutoff is, is that of local.py.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from pitchey_cli.artifacts.bucket_downloads import download
from pitchey_cli.artifacts.bucket_uploads import upload
from pitchey_cli.artifacts.buckets import THREADS, Bucket, Object
from pitchey_cli.artifacts.copying import hashed, is_name
from pitchey_cli.artifacts.http import spool
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.marks import Mark, Marks
from pitchey_cli.artifacts.port import Artifact, Kept, ProgressCallback
from pitchey_cli.domain.errors import InputNotFound, InputRejected, NetworkError, PitcheyError, StoreError

_TRIES = 10  # at a mark that others write as well
_FETCHES = 2  # of a content that comes damaged
_SECOND = timedelta(seconds=1)
_FORGOTTEN = timedelta(days=2)  # nobody uploads one content for so long
_LOOKS = 20  # at the cache, while as much is added to it as it may have
_IN_USE = timedelta(minutes=10)  # that a file in the cache is left alone after its path was told
_COPIED_BYTES = 5 * 2**30  # Amazon S3 API Reference, CopyObject: at most, in one step


class S3Artifacts:
    """Keeps artifacts in a bucket; signs links to them as well."""

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        cache: LocalArtifacts,
        *,
        cache_bytes: int,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Keep them below a prefix.

        Args:
            report: told of what an operator should know, a line each.
        """
        self._bucket, self._prefix, self._cache = bucket, prefix, cache
        self._marks = Marks(bucket, prefix)
        self._cache_bytes, self._report = cache_bytes, report
        # To look at the whole cache at each addition would take longer than the addition. The first look comes at any
        # point of a step: of many commands that add little and end, one looks as often as a daemon would.
        self._step = max(1, cache_bytes // _LOOKS)
        self._unseen = secrets.randbelow(self._step)
        self._counting = threading.Lock()

    # --- what comes in

    def add(
        self,
        source: Path,
        *,
        limit_bytes: int,
        may_be_empty: bool = False,
        called: str = "",
        progress: ProgressCallback | None = None,
    ) -> Artifact:
        """Take a user's file: into the cache, and from there into the bucket."""
        artifact = self._cache.add(
            source, limit_bytes=limit_bytes, may_be_empty=may_be_empty, called=called, progress=progress
        )
        self._bring_in(artifact)
        self._make_room(artifact.size)
        return artifact

    def collect(self, root: Path, relative: str, *, limit_bytes: int) -> Artifact:
        """Take a file that an instance left below `root`, without following a link and without leaving `root`."""
        artifact = self._cache.collect(root, relative, limit_bytes=limit_bytes)
        self._bring_in(artifact)
        self._make_room(artifact.size)
        return artifact

    def put(self, contents: Sequence[bytes]) -> list[Artifact]:
        """Take short contents that are in memory, in their order."""
        found = self._cache.put(contents)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="pitchey-put") as pool:
            list(pool.map(self._bring_in, set(found)))
        self._make_room(sum(each.size for each in set(found)))
        return found

    def refresh(self, names: Collection[str]) -> set[str]:
        """Let the grace of artifacts that are about to be referred to begin anew; those that are not there any more."""
        with ThreadPoolExecutor(THREADS, thread_name_prefix="pitchey-refresh") as pool:
            return {name for name, is_there in zip(names, pool.map(self._refresh, names), strict=True) if not is_there}

    # --- what goes out

    def place(self, sha256: str, target: Path) -> None:
        """Put an artifact where an instance can read it: a hard link to the cache, read-only; no second copy."""
        self.path(sha256)
        self._cache.place(sha256, target)

    def export(self, sha256: str, target: Path, *, overwrite: bool) -> None:
        """Give an artifact to the user: written beside the target and renamed over it, so it is whole or absent."""
        self.path(sha256)
        self._cache.export(sha256, target, overwrite=overwrite)

    def path(self, sha256: str) -> Path:
        """Where the artifact lies in the cache, into which it is fetched if need be.

        Raises:
            InputNotFound: there is no such artifact.
            StoreError: it is damaged in the bucket.
            NetworkError, Denied: the bucket cannot be reached.
        """
        _check_name(sha256)
        if self._cache.refresh([sha256]):
            self._make_room(self._fetch(sha256))
        return self._cache.path(sha256)

    def _fetch(self, sha256: str) -> int:
        """Bring an artifact from the bucket into the cache; its size."""
        for _ in range(_FETCHES):
            key = self._key_of(sha256)
            head = self._bucket.head(key)
            size = int(head["ContentLength"])
            with spool() as file:
                if size:
                    download(self._bucket, key, head, file)
                else:
                    file.touch()
                found = self._cache.add(file, limit_bytes=size, may_be_empty=True)
            if found.sha256 == sha256:
                return found.size
            self._cache.remove(found.sha256, unless_used_since=datetime.now(UTC) + _SECOND)
            self._report(f"s3://{self._bucket.name}/{key} is damaged: its content is {found.sha256}")
        hint = "Restore it from a backup or an older version; jobs that need it can be submitted anew."
        raise StoreError(f"The artifact {sha256} is damaged in the bucket {self._bucket.name}.", hint=hint)

    def _make_room(self, added: int) -> None:
        """Let the cache be as large as it may, or a step larger: what was used longest ago goes.

        Args:
            added: bytes that are new in it.
        """
        with self._counting:
            self._unseen += added
            if self._unseen < self._step:
                return
            self._unseen = 0
        there = sorted(self._cache.kept(), key=lambda each: each.used_at)
        total = sum(each.size for each in there)
        for each in there:
            if total <= self._cache_bytes:
                return
            if self._cache.remove(each.sha256, unless_used_since=datetime.now(UTC) - _IN_USE):
                total -= each.size

    # --- housekeeping

    def kept(self) -> Iterator[Kept]:
        """Every artifact that there is, in the order of their names. Contents that were forgotten are removed."""
        marks = {_name(each): each.modified_at for each in self._bucket.listed(self._marks.folder)}  # and the owner's
        contents = self._bucket.listed(f"{self._prefix}content/")
        for sha256, group in groupby(contents, key=lambda each: each.key.rsplit("/", 2)[1]):
            generations = list(group)
            used_at = marks.get(sha256)
            if len(generations) > 1 or used_at is None:
                self._remove_forgotten(sha256, generations)
            if used_at is not None:
                yield Kept(sha256, generations[-1].size, used_at)

    def is_whole(self, sha256: str, *, progress: ProgressCallback | None = None) -> bool:
        """Read it in the bucket, and say whether its content is what its name says."""
        try:
            _check_name(sha256)
            key = self._key_of(sha256)
            head = self._bucket.head(key)
            if not int(head["ContentLength"]):
                return sha256 == hashlib.sha256().hexdigest()
            with spool() as file:
                download(self._bucket, key, head, file, progress=progress)
                with file.open("rb") as content:
                    return hashed(content.fileno(), progress=None) == sha256
        except InputNotFound:
            return False

    def place_id(self, *, make: bool) -> str:
        """The id of this part of the bucket, kept in it; empty where it has none, and none is to be made."""
        return self._marks.place_id(make=make)

    def check_owner(self, owner: str) -> None:
        """Make sure that they are of one database alone, before what it does not refer to is removed."""
        known = self._marks.owner(owner)
        if known != owner:
            where = f"s3://{self._bucket.name}/{self._prefix}"
            hint = f"Give each a prefix of its own. If {known} is no more, remove {where}use/owner."
            raise StoreError(f"{where} has the artifacts of the database {known} as well: none is removed.", hint=hint)

    def remove(self, sha256: str, *, unless_used_since: datetime) -> bool:
        """Remove an artifact that nothing refers to; False when it has been brought in since, or is not there."""
        _check_name(sha256)
        mark = self._marks.read(sha256)
        if mark is None:
            return False
        if not mark.generation:  # somebody has removed it, and may have been interrupted
            self._bury(sha256, mark)
            return False
        if mark.used_at + _SECOND > _by_the_server(unless_used_since, mark.server_now):
            return False
        buried = self._marks.write(sha256, "", mark)
        if buried is None:
            return False
        self._bucket.delete([self._content(sha256, mark.generation)])
        self._bury(sha256, buried)
        with suppress(PitcheyError):
            self._cache.remove(sha256, unless_used_since=datetime.now(UTC) - _IN_USE)
        return True

    def _bury(self, sha256: str, tombstone: Mark) -> None:
        """Remove what a tombstone stands for, and the tombstone itself where nobody can have changed it meanwhile."""
        forgotten = list(self._bucket.listed(f"{self._prefix}content/{sha256[:2]}/{sha256}/"))
        if forgotten:
            self._remove_forgotten(sha256, forgotten)
        else:
            self._marks.forget(sha256, tombstone)

    def _remove_forgotten(self, sha256: str, generations: Collection[Object]) -> None:
        """Remove contents that no mark names, once nobody can be about to name them."""
        mark = self._marks.read(sha256)
        now = datetime.now(UTC) if mark is None else mark.server_now
        named = "" if mark is None else mark.generation
        for each in generations:
            if each.key.rpartition("/")[2] != named and now - each.modified_at > _FORGOTTEN:
                self._bucket.delete([each.key])

    # --- links

    def get_url(self, sha256: str, *, seconds: int) -> str:
        """A link to the content of an artifact, good for so long."""
        _check_name(sha256)
        return self._bucket.link(self._key_of(sha256), seconds=seconds)

    def put_url(self, key: str, *, seconds: int) -> str:
        """A link to which the content of a file can be PUT, good for so long."""
        return self._bucket.link(self._put(key), seconds=seconds, method="put_object")

    def take(self, key: str, *, limit_bytes: int) -> Artifact:
        """Let what was PUT become an artifact, after it was read and hashed here; it is gone from its key then."""
        place = self._put(key)
        head = self._bucket.head(place)
        size = int(head["ContentLength"])
        if size > limit_bytes:
            self.discard(key)
            raise InputRejected(f"The output {key} has {size:,} bytes; the limit is {limit_bytes:,}.")
        with spool() as file:
            if size:
                download(self._bucket, place, head, file)
            else:
                file.touch()
            artifact = self._cache.add(file, limit_bytes=limit_bytes, may_be_empty=True)
        self._bring_in(artifact, Object(place, size, str(head["ETag"]), head["LastModified"]))
        self.discard(key)
        self._make_room(artifact.size)
        return artifact

    def discard(self, key: str) -> None:
        """Remove what was PUT, if there is anything."""
        self._bucket.delete([self._put(key)])

    def left(self, *, older_than: timedelta) -> Iterator[str]:
        """The keys of what was PUT so long ago, and neither taken nor discarded since."""
        root = f"{self._prefix}put/"
        before = datetime.now(UTC) - older_than
        for each in self._bucket.listed(root):
            key = each.key.removeprefix(root)
            if each.modified_at < before and _is_output(key):  # anything else is nobody's that we know
                yield key

    # --- marks

    def _bring_in(self, artifact: Artifact, source: Object | None = None) -> None:
        """See to it that the bucket has the content, and that its grace begins now.

        Args:
            source: an object of the same content, which needs not be sent again.
        """
        sha256 = artifact.sha256
        for number in range(_TRIES):
            mark = self._marks.read(sha256)
            if mark is not None and mark.generation:
                # Somebody else who has written it since the first look has done what was to be done.
                if number or self._marks.write(sha256, mark.generation, mark) is not None:
                    return
                continue
            generation = secrets.token_hex(8)
            key = self._content(sha256, generation)
            if source is None or artifact.size > _COPIED_BYTES:
                upload(self._bucket, key, self._cache.path(sha256), sha256=sha256)
            else:
                self._copy(source, key)
            if self._marks.write(sha256, generation, mark) is not None:
                return
            there = self._marks.read(sha256)
            if there is not None and there.generation == generation:
                return  # an answer that was lost made boto3 ask twice, and refuse itself
            if there is not None and (mark is None or there.etag != mark.etag):
                self._bucket.delete([key])
            # Else nobody was quicker yet: the write may still be under way at the server, and name it all the same.
        raise NetworkError(f"The artifact {sha256} is brought in and removed by others at once.")

    def _refresh(self, sha256: str) -> bool:
        _check_name(sha256)
        for number in range(_TRIES):
            mark = self._marks.read(sha256)
            if mark is None or not mark.generation:
                return False
            if number or self._marks.write(sha256, mark.generation, mark) is not None:
                return True
        raise NetworkError(f"The artifact {sha256} is used by too many at once.")

    def _key_of(self, sha256: str) -> str:
        """The object that has the content now."""
        mark = self._marks.read(sha256)
        if mark is None or not mark.generation:
            raise InputNotFound(f"There is no artifact {sha256}.", hint="It may have been removed to make room.")
        return self._content(sha256, mark.generation)

    def _copy(self, source: Object, key: str) -> None:
        with self._bucket.translated(source.key, "be copied"):
            self._bucket.client.copy_object(
                Bucket=self._bucket.name,
                Key=key,
                CopySource={"Bucket": self._bucket.name, "Key": source.key},
                CopySourceIfMatch=source.etag,
            )

    def check_conditions(self) -> None:
        """Make sure that there is such a bucket, that it can be written, and heeds what removing relies on.

        Raises:
            PitcheyError: says why not.
        """
        self._bucket.check_there(self._prefix)
        self._marks.check_conditions()

    # --- keys

    def _content(self, sha256: str, generation: str) -> str:
        return f"{self._prefix}content/{sha256[:2]}/{sha256}/{generation}"

    def _put(self, key: str) -> str:
        if not _is_output(key):
            raise InputRejected(f"{key[:80]!r} is no key of an output.")
        return f"{self._prefix}put/{key}"


def _is_output(key: str) -> bool:
    return bool(key) and ".." not in key.split("/") and all(char.isalnum() or char in "._-/" for char in key)


def _name(each: Object) -> str:
    return each.key.rpartition("/")[2]


def _check_name(sha256: str) -> None:
    if not is_name(sha256):
        raise InputNotFound(f"{sha256!r} is not the name of an artifact.")


def _by_the_server(moment: datetime, server_now: datetime) -> datetime:
    """A moment of the clock here, by the server's. What whole seconds and a slow answer explain is no difference."""
    apart = server_now - datetime.now(UTC)
    return moment + apart if abs(apart) > 2 * _SECOND else moment
