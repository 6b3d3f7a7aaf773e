"""What an s3:// URL says, what leads to a bucket, and whose jobs may go there. Pure.

A URL names its profile itself, as `s3://profile@bucket/key`: one job may read from one provider and write to another,
and a URL means the same on the command line, in a manifest, in a schedule and over the API.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from pitchey_cli.domain.errors import Denied, ProfileMissing, UsageError
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION

SCHEME = "s3://"
DEFAULT_PROFILE = "default"  #: what the profile is called that URLs mean which name none
JOB = "{job}"  #: of a destination: the id of the job
NAME = "{name}"  #: its name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")  # Amazon's rules, with the underscores of older buckets
_KEY_BYTES = 1024  # Amazon S3 User Guide, "Naming Amazon S3 objects"
_FORM = "s3://bucket/key, or s3://profile@bucket/key with a profile of the settings."
_OWN_FOLDERS = ("content/", "use/", "put/", "probe/")  # of artifacts/s3.py and artifacts/marks.py


@dataclass(frozen=True)
class BucketUrl:
    """Where an object lies, or those that begin alike."""

    profile: str  #: empty: the default one
    bucket: str
    key: str

    def __str__(self) -> str:
        profile = f"{self.profile}@" if self.profile else ""
        return f"{SCHEME}{profile}{self.bucket}/{self.key}"

    @property
    def is_prefix(self) -> bool:
        """Whether it means all objects that begin so."""
        return not self.key or self.key.endswith("/")

    def below(self, name: str) -> BucketUrl:
        """What has this name there."""
        return BucketUrl(self.profile, self.bucket, f"{self.key}{name}")


@dataclass(frozen=True)
class Profile:
    """How a provider is reached, and as whom. Without keys boto3 looks for them where it always does."""

    name: str = DEFAULT_PROFILE
    endpoint_url: str = ""  #: empty: Amazon's own
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    access_key_env: str = ""  #: the name of the variable that has it
    secret_key_env: str = ""
    path_style: bool = False  #: the bucket is part of the path, and not of the host's name
    checksums: bool = True  #: False for servers that know nothing of them
    ca_bundle: str = ""  #: that has signed the certificate of the server; empty: the usual ones


def is_bucket_url(text: str) -> bool:
    """Whether it looks like one."""
    return text.startswith(SCHEME)


def bucket_url(text: str) -> BucketUrl:
    """Read a URL.

    A folder begins without a slash, however many there are: `s3://bucket//films/` means `films/`. The key of one object
    is what it is: there may be objects whose keys begin so.

    Raises:
        UsageError: it is none.
    """
    rest = text.removeprefix(SCHEME)
    place, _, key = rest.partition("/")
    profile, at, bucket = place.rpartition("@")
    if not text.startswith(SCHEME) or (at and not _NAME.fullmatch(profile)) or not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{text[:200]!r} names no bucket.", hint=_FORM)
    if not key.isprintable() or len(key.encode("utf-8", "surrogatepass")) > _KEY_BYTES:
        raise UsageError(
            f"{text[:200]!r} has a key that no bucket takes.", hint="At most 1024 bytes, no control signs."
        )
    return BucketUrl(profile, bucket, key.lstrip("/") if key.endswith("/") else key)


def destination(text: str) -> BucketUrl:
    """Read where a job's outputs are to go.

    Raises:
        UsageError: it is no place of many files.
    """
    url = bucket_url(text)
    if not url.is_prefix:
        raise UsageError(
            f"{text[:200]!r} is one object, and a job may have several outputs.", hint=f"End it with {JOB}/."
        )
    if JOB not in url.key and NAME not in url.key:
        raise UsageError(f"In {text[:200]!r} jobs would overwrite each other's outputs.", hint=f"End it with {JOB}/.")
    if ".." in url.key.split("/"):
        raise UsageError(f"{text[:200]!r} goes up in its key.", hint=_FORM)
    return url


def destination_of(text: str, job_id: str, name: str) -> BucketUrl:
    """Where the outputs of one job go, below which each has its own name."""
    url = destination(text)
    # A job's name may have come from anybody: it never goes up, and never begins anew.
    safe = "/".join(part for part in name.split("/") if part.strip(". ") and part.isprintable()) or job_id
    key = url.key.replace(JOB, job_id).replace(NAME, safe)
    return BucketUrl(url.profile, url.bucket, key)


def kept_at(text: str) -> BucketUrl:
    """Read where artifacts are kept.

    Raises:
        UsageError: it is no place of many files.
    """
    try:
        return bucket_url(text if text.endswith("/") else f"{text}/")
    except UsageError as error:
        raise UsageError(f"artifacts.url: {text!r} names no bucket.", hint=_FORM) from error


def profiles_of(own: Profile, table: Mapping[str, Any], *, where: str) -> dict[str, Profile]:
    """Profiles by name, as the settings have them.

    Args:
        own: the default one, as it is where the table has none of that name.

    Raises:
        UsageError: names the key that makes no sense.
    """
    known = {item.name: item for item in fields(Profile) if item.name != "name"}
    _check(own, "s3")
    found = {DEFAULT_PROFILE: own}
    for name, said in table.items():
        if not _NAME.fullmatch(name) or not isinstance(said, Mapping):
            raise UsageError(f"{where}.{name} is no profile.", hint=f"[{where}.NAME] with {', '.join(known)}.")
        for key, value in said.items():
            if key not in known:
                raise UsageError(f"{where}.{name} has no setting {key!r}.", hint=f"There are {', '.join(known)}.")
            if type(value) is not type(known[key].default):
                wanted = "true or false" if isinstance(known[key].default, bool) else "text"
                raise UsageError(f"{where}.{name}.{key} takes {wanted}.")
        found[name] = Profile(name=name, **said)
        _check(found[name], f"{where}.{name}")
        _check_pair(found[name], f"{where}.{name}")
    return found


def _check(profile: Profile, where: str) -> None:
    if profile.endpoint_url and not profile.endpoint_url.startswith(("http://", "https://")):
        raise UsageError(
            f"{where}.endpoint_url: {profile.endpoint_url!r} is no URL.", hint="https://s3.example.com, for one."
        )
    if profile.region and not _NAME.fullmatch(profile.region):
        raise UsageError(f"{where}.region: {profile.region!r} is no region.", hint="eu-central-1, auto.")


def _check_pair(profile: Profile, where: str) -> None:
    if bool(profile.access_key or profile.access_key_env) != bool(profile.secret_key or profile.secret_key_env):
        raise UsageError(f"{where} has one of access_key and secret_key.", hint="Set both, or none: boto3 looks then.")


def grants(text: str) -> dict[str, frozenset[str]]:
    """Read whose jobs may use which profiles: `acme=media+archive,others=media`.

    Raises:
        UsageError: it does not read so.
    """
    found: dict[str, frozenset[str]] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        organisation, equals, names = part.partition("=")
        chosen = frozenset(filter(None, names.split("+")))
        if not organisation or not equals or not all(_NAME.fullmatch(name) for name in chosen):
            raise UsageError(f"s3.organisations: {part!r} is not ORGANISATION=PROFILE+PROFILE.")
        found[organisation] = chosen
    return found


def check_known(name: str, known: Collection[str]) -> None:
    """Make sure that there is a profile.

    Raises:
        ProfileMissing: there is none.
    """
    if name not in known:
        text = f"There is no S3 profile {name!r} here: there are {', '.join(sorted(known))}."
        raise ProfileMissing(text, hint=f"[s3.profiles.{name}] in the settings file makes one.")


@dataclass(frozen=True)
class Kept:
    """Where artifacts are kept: all of everybody's, and what says which of them count."""

    profiles: frozenset[str]  #: that lead to the same provider
    bucket: str
    prefix: str

    def holds(self, profile: str, bucket: str, key: str) -> bool:
        """Whether an object is one of them."""
        if bucket != self.bucket or profile not in self.profiles:
            return False
        plain = posixpath.normpath(f"/{key}").lstrip("/")  # as servers read it whose objects are files
        return f"{plain}/".startswith(tuple(f"{self.prefix}{folder}" for folder in _OWN_FOLDERS))


@dataclass(frozen=True)
class Grants:
    """Whose jobs may use which profiles."""

    default: str  #: the profile that URLs mean which name none
    granted: Mapping[str, frozenset[str]]
    kept: Kept | None = None  #: what no job may name, whichever profile leads there
    known: frozenset[str] | None = None  #: the profiles that there are here; None: nobody knows

    def check(self, url: str, organisation: str) -> None:
        """Make sure that a job may go to a bucket.

        The organisation `default` is that of whoever runs this installation: it may use every profile, unless it is
        granted some by name. Anybody else may use what is granted to them, and nothing else: the keys are not theirs.

        Raises:
            Denied: says what to set; or it is where artifacts are kept, which no job reads or writes by itself.
            UsageError: it is no URL of a bucket, or names a profile that is not known here.
        """
        place = bucket_url(url)
        profile = place.profile or self.default
        if self.kept is not None and self.kept.holds(profile, place.bucket, place.key):
            hint = "Name another folder of the bucket, or a job's own output by its link."
            raise Denied(f"{url} is where Pitchey keeps the artifacts of everybody (artifacts.url).", hint=hint)
        allowed = self.granted.get(organisation)
        if (allowed is None and organisation == DEFAULT_ORGANISATION) or (allowed is not None and profile in allowed):
            if self.known is not None:
                check_known(profile, self.known)
            return
        hint = f"The operator can allow it: s3.organisations = {organisation}={profile}."
        raise Denied(f"{url}: {organisation} may not use the S3 profile {profile}.", hint=hint)
