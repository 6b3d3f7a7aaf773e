"""What goes wrong with buckets, and the one error that each has: it names the object, the profile and the way out."""

from __future__ import annotations

import datetime as dates
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pitchey_cli.artifacts.bucket_downloads import download
from pitchey_cli.artifacts.bucket_uploads import upload
from pitchey_cli.artifacts.buckets import Bucket as PlainBucket
from pitchey_cli.artifacts.buckets import found_below, meaning
from pitchey_cli.artifacts.inputs import Inputs
from pitchey_cli.artifacts.known import Known
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.domain.buckets import Grants, Profile, bucket_url
from pitchey_cli.domain.errors import (
    BucketAway,
    BucketFull,
    BucketMissing,
    Denied,
    InputNotFound,
    InputRejected,
    NetworkError,
    PitcheyError,
    ProfileMissing,
    UsageError,
)
from tests.servers.s3 import OWNER, READER, Bucket, damaged

LIMIT = 10_000


@pytest.fixture
def profile(bucket: Bucket) -> Profile:
    keys = {"access_key": OWNER.access, "secret_key": OWNER.secret}
    return Profile(endpoint_url=bucket.server.endpoint, path_style=True, **keys)


@pytest.fixture
def keeper(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


def inputs(keeper: LocalArtifacts, profile: Profile, tmp_path: Path, **granted: str) -> Inputs:
    grants = Grants("default", {name: frozenset([one]) for name, one in granted.items()})
    return Inputs(keeper, Known(tmp_path / "known", keeper), {"default": profile}, grants, LIMIT, True)


def refused(fetch: Inputs, url: str) -> PitcheyError:
    with pytest.raises(PitcheyError) as raised:
        fetch(url)
    return raised.value


def test_each_refusal_says_what_and_whose(keeper: LocalArtifacts, bucket: Bucket, profile: Profile, tmp_path: Path):
    there = bucket.put("a.mp4", b"content")
    wrong = replace(profile, secret_key="wrong")
    cases: list[tuple[Profile, str, type[PitcheyError], str]] = [
        (profile, "s3://no-such-bucket/a.mp4", BucketMissing, "there is no bucket no-such-bucket"),
        (profile, f"{bucket.url}/gone.mp4", InputNotFound, "There is no object"),
        (wrong, there, Denied, "the keys are wrong"),
        (replace(profile, access_key="nobody"), there, Denied, "the keys are wrong"),
        (profile, bucket.put("empty.mp4", b""), InputRejected, "is empty"),
        (profile, bucket.put("large.mp4", bytes(LIMIT + 1)), InputRejected, "the limit is 10,000"),
        (profile, f"{bucket.url}/folder/", InputRejected, "is a folder"),
        (profile, "s3://other@bucket/a.mp4", ProfileMissing, "There is no S3 profile 'other'"),
        (profile, "s3://UPPER/a.mp4", UsageError, "names no bucket"),
    ]
    for chosen, url, kind, words in cases:
        error = refused(inputs(keeper, chosen, tmp_path), url)
        assert type(error) is kind, (url, error)
        assert words in str(error)
        assert url in str(error) or "other" in url
    assert not list(keeper.kept())


def test_a_clock_that_is_wrong_is_named(
    keeper: LocalArtifacts, bucket: Bucket, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    there = bucket.put("a.mp4", b"content")
    behind = dates.datetime.now(dates.UTC).replace(tzinfo=None) - dates.timedelta(hours=2)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: behind)
    error = refused(inputs(keeper, profile, tmp_path), there)
    assert type(error) is Denied
    assert "clock" in str(error)


def test_a_link_that_has_expired_is_denied(
    keeper: LocalArtifacts, bucket: Bucket, profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bucket.put("a.mp4", b"content")
    behind = dates.datetime.now(dates.UTC).replace(tzinfo=None) - dates.timedelta(minutes=5)
    plain = PlainBucket(profile, bucket.name)
    good = plain.link("a.mp4", seconds=60)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: behind)
    expired = plain.link("a.mp4", seconds=60)
    monkeypatch.undo()
    fetch = inputs(keeper, profile, tmp_path)
    assert fetch(good)[1] == "a.mp4"
    error = refused(fetch, expired)
    assert type(error) is Denied
    assert "answers 403" in str(error)


def test_an_object_that_vanishes_or_changes_after_it_was_looked_at(bucket: Bucket, profile: Profile, tmp_path: Path):
    plain = PlainBucket(profile, bucket.name)
    bucket.put("a.mp4", b"content")
    head = plain.head("a.mp4")
    bucket.put("a.mp4", b"another")
    with pytest.raises(InputRejected, match="changed while it was read"):
        download(plain, "a.mp4", head, tmp_path / "out")
    plain.delete(["a.mp4"])
    with pytest.raises(InputNotFound, match="There is no object"):
        download(plain, "a.mp4", head, tmp_path / "out")


@pytest.mark.parametrize("algorithm", ["SHA256", "CRC32"])
def test_an_object_that_is_not_what_its_checksum_says_is_not_taken(
    keeper: LocalArtifacts, bucket: Bucket, profile: Profile, tmp_path: Path, algorithm: Literal["SHA256", "CRC32"]
):
    plain, fetch = PlainBucket(profile, bucket.name), inputs(keeper, profile, tmp_path)
    url = bucket.put("a.mp4", b"content", ChecksumAlgorithm=algorithm)
    assert plain.head("a.mp4")[f"Checksum{algorithm}"]
    with damaged(plain.client, "a.mp4", b"CONTENT"):
        found = refused(fetch, url)
    assert isinstance(found, NetworkError) and "is not what its checksum says" in str(found)
    assert fetch(url)[0].size == len(b"content")


def test_a_folder_with_nothing_in_it_is_not_found(bucket: Bucket, profile: Profile):
    bucket.put("folder/", b"")
    for url in (f"{bucket.url}/nothing/", f"{bucket.url}/folder/"):
        with pytest.raises(InputNotFound, match="holds no object"):
            found_below(profile, bucket_url(url))


def test_who_may_only_read_cannot_write(bucket: Bucket, profile: Profile, tmp_path: Path):
    reader = PlainBucket(replace(profile, access_key=READER.access, secret_key=READER.secret), bucket.name)
    source = tmp_path / "source"
    source.write_bytes(b"content")
    with pytest.raises(Denied, match="may not be written"):
        upload(reader, "key", source, sha256="ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73")


@pytest.mark.parametrize("organisation", ["acme", "others"])
def test_a_stranger_uses_only_what_is_granted_to_them(
    keeper: LocalArtifacts, bucket: Bucket, profile: Profile, tmp_path: Path, organisation: str
):
    there = bucket.put("a.mp4", b"content")
    fetch = inputs(keeper, profile, tmp_path, acme="default")
    if organisation == "acme":
        assert fetch(there, organisation=organisation)[1] == "a.mp4"
    else:
        with pytest.raises(Denied, match="others may not use the S3 profile default"):
            fetch(there, organisation=organisation)


@pytest.mark.parametrize(
    ("code", "status", "kind", "words"),
    [
        ("ExpiredToken", 400, Denied, "credentials have expired"),
        ("QuotaExceeded", 403, BucketFull, "bucket is full"),
        ("SlowDown", 503, BucketAway, "answers 503 SlowDown"),
        ("InternalError", 500, BucketAway, "answers 500"),
        ("BadDigest", 400, NetworkError, "damaged on the way"),
        ("AccessDenied", 403, Denied, "may not be written"),
        ("InvalidArgument", 400, UsageError, "InvalidArgument: Odd"),
    ],
)
def test_every_code_has_its_meaning(code: str, status: int, kind: type[PitcheyError], words: str):
    said = {"Error": {"Code": code, "Message": "Odd."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = meaning(ClientError(said, "PutObject"), Profile("media"), "s3://bucket/key", "be written")  # type: ignore[arg-type]
    assert type(error) is kind
    assert words in str(error)
    assert "s3://bucket/key" in str(error) and "(profile media)" in str(error)
    assert error.hint
    assert ("quota" in error.hint) == (code in ("QuotaExceeded", "InternalError"))


class Full(BaseHTTPRequestHandler):
    """A server whose disk is full."""

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(507)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Full)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_full_bucket_is_trouble_that_may_pass(tmp_path: Path):
    source = tmp_path / "source"
    source.write_bytes(b"content")
    with served() as endpoint:
        full = PlainBucket(Profile("media", endpoint, access_key="a", secret_key="b", path_style=True), "bucket")
        with pytest.raises(BucketFull, match=r"the bucket is full \(profile media\)") as caught:
            upload(full, "key", source, sha256="00" * 32)
    assert caught.value.exit_code == 9 and isinstance(
        caught.value, BucketAway
    )  # attempts wait, as for one that is away


def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dates.datetime.now(dates.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dates.timedelta(days=1))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    both = tmp_path / "both.pem"
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    both.write_bytes(certificate + key.private_bytes(serialization.Encoding.PEM, form, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with served(context) as endpoint:
        strange = PlainBucket(Profile("media", endpoint, access_key="a", secret_key="b", path_style=True), "bucket")
        with pytest.raises(Denied, match=r"certificate of https://127\.0\.0\.1:\d+ is not trusted") as raised:
            strange.head("key")
        assert "s3.profiles.media.ca_bundle" in raised.value.hint
