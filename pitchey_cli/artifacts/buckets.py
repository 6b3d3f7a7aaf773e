"""A bucket, as everything here reaches it: boto3's client of a profile, and what its errors mean to people.

Nothing else imports boto3. To import it takes a quarter of a second, so whoever needs a bucket imports this late.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore import exceptions
from botocore.config import Config

from pitchey_cli.domain.buckets import BucketUrl, Profile
from pitchey_cli.domain.errors import (
    ArtifactsDenied,
    BucketAway,
    BucketFull,
    BucketMissing,
    Denied,
    InputNotFound,
    InputRejected,
    NetworkError,
    PitcheyError,
    UsageError,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

THREADS = 8  #: of one transfer
_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0  # of silence
_HURRIED_CONNECT_SECONDS = 3.0
_HURRIED_READ_SECONDS = 5.0
_TRIES = 4  # of one request, with boto3's own back-off between them
_LOOK = "Check endpoint_url, region and path_style of the profile."
#: SeaweedFS 4.48 says of a bucket over its quota that it has an internal error.
_OWN_LOG = "Try again. If it stays so, the server's own log says why: with some a bucket over its quota answers so."
_LISTED = 100_000  # objects of a prefix at most
_TOLD_SECONDS = 0.2  # between two words about how far a transfer is
_MAKING = threading.Lock()  # boto3 makes one client at a time

_MISSING_BUCKET = frozenset({"NoSuchBucket"})
_MISSING = frozenset({"NoSuchKey", "NotFound", "404", "NoSuchVersion"})
_WRONG_KEYS = frozenset({"InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthorizationHeaderMalformed", "InvalidToken"})
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestInTheFuture"})
_FULL = frozenset({"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"})
_CHANGED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
_BAD = frozenset({"InvalidBucketName", "InvalidArgument", "PermanentRedirect", "IllegalLocationConstraintException"})
_DAMAGED = frozenset({"BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest"})
_MAY_NOT_LIST = frozenset({"AccessDenied", "AllAccessDisabled", "NotImplemented"})
#: What is between here and a provider, or what gives this machine its keys, does not work for the moment. Anything else
#: of boto3 may be a setting that is wrong, and nobody waits for that.
_CUT_OFF = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.IncompleteReadError,
    exceptions.MetadataRetrievalError,
)
_PASSING = frozenset(
    {"RequestTimeout", "SlowDown", "Throttling", "InternalError", "ServiceUnavailable", "IncompleteBody"}
)


@dataclass(frozen=True, slots=True)
class Object:
    """An object, as a bucket tells of it."""

    key: str
    size: int
    etag: str
    modified_at: datetime  #: by the clock of the server


@dataclass(frozen=True)
class Bucket:
    """A bucket at a provider, reached as somebody. Every call blocks; a client may be used by several threads."""

    profile: Profile
    name: str
    is_own: bool = False  #: it has all artifacts: a job never named it, and is not to blame for what is wrong with it
    is_hurried: bool = False  #: whoever asks will not wait for one that does not answer

    @property
    def client(self) -> S3Client:
        """The client of boto3."""
        return _client(self.profile, is_hurried=self.is_hurried)

    def called(self, key: str) -> str:
        """What people call an object: of those that have the artifacts they know no more than where all of them are."""
        return f"s3://{self.name}/ (artifacts.url)" if self.is_own else f"s3://{self.name}/{key}"

    @contextmanager
    def translated(self, key: str, doing: str = "be read") -> Iterator[None]:
        """Turn what boto3 raises into errors that name the object and the profile."""
        try:
            yield
        except (exceptions.BotoCoreError, exceptions.ClientError, exceptions.HTTPClientError) as error:
            meant = meaning(error, self.profile, self.called(key), doing)
            if self.is_own and type(meant) is InputNotFound:
                text = f"What is looked for in {self.called(key)} is not there (profile {self.profile.name})."
                meant = InputNotFound(text, hint="It may have been removed by hand.")
            if self.is_own and isinstance(meant, Denied | UsageError | BucketMissing):
                meant = ArtifactsDenied(str(meant), hint=meant.hint)
            raise meant from error

    def check_there(self, prefix: str) -> None:
        """Make sure that there is such a bucket, and that it knows the keys: some servers make one of any name that is
        written to. Whether these keys may list it is another question.

        Raises:
            PitcheyError: says why not.
        """
        with self.translated(prefix, "be listed"):
            try:
                self.client.head_bucket(Bucket=self.name)
            except exceptions.ClientError as error:
                if not _status(error) or _status(error) >= 500:
                    raise
                # The answer to a HEAD has no body, and so no reason: that to a GET has.
                try:
                    self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1)
                except exceptions.ClientError as reason:
                    if code_of(reason) not in _MAY_NOT_LIST:
                        raise

    def head(self, key: str) -> dict[str, Any]:
        """What is known of an object, its checksums too.

        Raises:
            InputNotFound: there is no such object, or no such bucket.
            Denied, NetworkError, UsageError: it may not be looked at, or not now.
        """
        with self.translated(key):
            try:
                return dict(self.client.head_object(Bucket=self.name, Key=key, ChecksumMode="ENABLED"))
            except exceptions.ClientError as error:
                if not _status(error) or _status(error) >= 500:
                    raise
                # The answer to a HEAD has no body, and so no reason: that to a GET has.
                self.client.get_object(Bucket=self.name, Key=key, Range="bytes=0-0")["Body"].close()
                raise

    def listed(self, prefix: str) -> Iterator[Object]:
        """What begins so, in the order of the keys."""
        with self.translated(prefix, "be listed"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
            for page in pages:
                for each in page.get("Contents", []):
                    yield Object(each["Key"], each["Size"], each.get("ETag", ""), each["LastModified"])

    def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those that are not there are no error."""
        for key in keys:
            with self.translated(key, "be removed"):
                self.client.delete_object(Bucket=self.name, Key=key)

    def link(self, key: str, *, seconds: int, method: str = "get_object", **more: str) -> str:
        """A link with which anybody can do one thing to one object, for so long."""
        with self.translated(key):
            wanted = {"Bucket": self.name, "Key": key, **more}
            return str(self.client.generate_presigned_url(method, Params=wanted, ExpiresIn=seconds))

    def check_writable(self, prefix: str) -> None:
        """Make sure that something can be written there, without writing it.

        Raises:
            PitcheyError: says why nothing can.
        """
        key = f"{prefix}.pitchey-may-write"
        with self.translated(key, "be written"):
            begun = self.client.create_multipart_upload(Bucket=self.name, Key=key)
            self.client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=begun["UploadId"])


def check_keys(profile: Profile) -> None:
    """Make sure that a provider answers, and knows the keys; that they may list no buckets says nothing of one.

    Raises:
        PitcheyError: it does not.
    """
    try:
        _client(profile, is_hurried=True).list_buckets()
    except exceptions.ClientError as error:
        if code_of(error) not in _MAY_NOT_LIST:
            raise meaning(error, profile, "s3://", "be listed") from error
    except (exceptions.BotoCoreError, exceptions.HTTPClientError) as error:
        raise meaning(error, profile, "s3://", "be listed") from error


def found_below(profile: Profile, url: BucketUrl) -> list[str]:
    """The keys of a prefix, those that stand for folders left out.

    Raises:
        InputNotFound: there is nothing.
        InputRejected: there is too much for one command.
    """
    keys: list[str] = []
    for each in Bucket(profile, url.bucket).listed(url.key):
        if not each.key.endswith("/") and each.size:
            keys.append(each.key)
        if len(keys) > _LISTED:
            raise InputRejected(f"{url} holds more than {_LISTED:,} objects.", hint="Name the folders in it.")
    if not keys:
        raise InputNotFound(f"{url} holds no object (profile {profile.name}).", hint="Check the bucket and the prefix.")
    return keys


def watched(tasks: Collection[Future[Any]], tell: Callable[[], None]) -> None:
    """Wait for all parts of a transfer, or for the first that fails, which raises.

    Args:
        tell: called now and then, by this thread alone; what it raises ends the waiting.
    """
    left = set(tasks)
    while left:
        done, left = wait(left, timeout=_TOLD_SECONDS, return_when=FIRST_EXCEPTION)
        for task in done:
            task.result()
        tell()


def meaning(error: Exception, profile: Profile, url: str, doing: str) -> PitcheyError:
    """What a foreign error means: which object, whose keys, and the way out."""
    who = f"(profile {profile.name})"
    if isinstance(error, exceptions.ClientError):
        return _refusal(error, profile, url, doing, who)
    where = profile.endpoint_url or "the endpoint"
    if isinstance(error, exceptions.SSLError):
        hint = f"Let s3.profiles.{profile.name}.ca_bundle name the bundle that has signed it."
        return Denied(f"{url}: the certificate of {where} is not trusted {who}.", hint=hint)
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        hint = "Set access_key and secret_key of the profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        return Denied(f"{url}: there are no keys to sign with {who}.", hint=hint)
    if isinstance(error, exceptions.NoRegionError | exceptions.ParamValidationError | ValueError):
        return UsageError(f"{url} cannot {doing} {who}: {error}.", hint=_LOOK)
    if isinstance(error, exceptions.EndpointConnectionError | exceptions.ConnectTimeoutError):
        hint = "Check endpoint_url of the profile, and that the server runs."
        return BucketAway(f"{url} cannot {doing}: {where} does not answer {who}.", hint=hint)
    kind = BucketAway if isinstance(error, _CUT_OFF) else NetworkError
    return kind(f"{url} could not {doing} {who}: {str(error).rstrip('.')}.")


def _refusal(error: exceptions.ClientError, profile: Profile, url: str, doing: str, who: str) -> PitcheyError:
    said = error.response.get("Error", {})
    code, status = str(said.get("Code", "")), _status(error)
    if code in _MISSING_BUCKET:
        bucket = url.removeprefix("s3://").partition("/")[0]
        return BucketMissing(
            f"{url}: there is no bucket {bucket} {who}.", hint="Check its name, or make it; nothing here does."
        )
    if code in _WRONG_KEYS:
        return Denied(
            f"{url}: the keys are wrong {who}: {code}.", hint="Check access_key and secret_key of the profile."
        )
    if code in _EXPIRED:
        return Denied(f"{url}: the credentials have expired {who}.", hint="Renew them, and redrive what has failed.")
    if code in _SKEWED:
        return Denied(f"{url}: the clock here is wrong, says the server {who}.", hint="Set the clock of this machine.")
    if code in _FULL or status == 507:
        return BucketFull(f"{url} cannot {doing}: the bucket is full {who}.", hint="Make room, or raise its quota.")
    if code in _MISSING or status == 404:
        return InputNotFound(f"There is no object {url} {who}.", hint="Check the key; it may have been removed.")
    if code in _CHANGED or status == 412:
        return InputRejected(
            f"{url} changed while it was read {who}.", hint="Wait until it is complete, then try again."
        )
    if code in _DAMAGED:
        return NetworkError(f"{url} was damaged on the way {who}.")
    if code in _PASSING or status == 429 or (status >= 500 and status != 501):
        text = f"{url} could not {doing} {who}: the server answers {status} {code}."
        return BucketAway(text, hint=_OWN_LOG if status == 500 and doing == "be written" else None)
    if code in _BAD or status in (301, 400):
        text = str(said.get("Message", "")).rstrip(".")
        return UsageError(f"{url} cannot {doing} {who}: {code}{': ' if text else ''}{text}.", hint=_LOOK)
    if status in (401, 403):
        return Denied(f"{url} may not {doing} {who}.", hint="Whoever owns the bucket can allow it to these keys.")
    return NetworkError(f"{url} could not {doing} {who}: the server answers {status} {code}.")


def _status(error: exceptions.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) or 0)


def code_of(error: exceptions.ClientError) -> str:
    """The server's own word for what is wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_conflict(error: exceptions.ClientError) -> bool:
    """Whether somebody else was quicker."""
    return code_of(error) in _CHANGED or _status(error) in (409, 412)


def is_refused(error: exceptions.ClientError) -> bool:
    """Whether these keys may not do it, or nobody can at this server."""
    return _status(error) in (403, 405, 501)


def is_missing(error: exceptions.ClientError) -> bool:
    """Whether there is no such object; that there is no such bucket is something else."""
    return code_of(error) not in _MISSING_BUCKET and (code_of(error) in _MISSING or _status(error) == 404)


@functools.lru_cache(maxsize=32)
def _client(profile: Profile, *, is_hurried: bool = False) -> S3Client:
    config = Config(
        connect_timeout=_HURRIED_CONNECT_SECONDS if is_hurried else _CONNECT_SECONDS,
        read_timeout=_HURRIED_READ_SECONDS if is_hurried else _READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 1 if is_hurried else _TRIES},
        max_pool_connections=2 * THREADS,
        signature_version="s3v4",
        s3={"addressing_style": "path" if profile.path_style else "auto"},
        request_checksum_calculation="when_supported" if profile.checksums else "when_required",
        response_checksum_validation="when_supported" if profile.checksums else "when_required",
    )
    access = profile.access_key or os.environ.get(profile.access_key_env, "")
    secret = profile.secret_key or os.environ.get(profile.secret_key_env, "")
    if (profile.access_key_env or profile.secret_key_env) and not (access and secret):
        names = " and ".join(filter(None, (profile.access_key_env, profile.secret_key_env)))
        raise Denied(f"The variables {names} of the S3 profile {profile.name} are not set.", hint="Set them.")
    with _MAKING:
        try:
            return boto3.Session().client(
                "s3",
                endpoint_url=profile.endpoint_url or None,
                region_name=profile.region or (None if not profile.endpoint_url else "us-east-1"),
                aws_access_key_id=access or None,
                aws_secret_access_key=secret or None,
                aws_session_token=profile.session_token or None,
                verify=profile.ca_bundle or None,
                config=config,
            )
        except (exceptions.BotoCoreError, ValueError) as error:
            raise UsageError(f"The S3 profile {profile.name} cannot be used: {error}.") from error
