"""What is a bucket's alone among the keepers of artifacts: several nodes, damage, links, and uploads that broke off."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from urllib3 import HTTPResponse

from pitchey_cli.artifacts.bucket_uploads import PART_BYTES, upload
from pitchey_cli.artifacts.buckets import Bucket as PlainBucket
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.s3 import S3Artifacts
from pitchey_cli.domain.buckets import Profile
from pitchey_cli.domain.errors import (
    ArtifactsDenied,
    BucketAway,
    InputNotFound,
    InputRejected,
    NetworkError,
    PitcheyError,
    StoreError,
)
from tests.servers.s3 import OWNER, WRITER, Bucket, damaged

LIMIT = 1 << 30
CONTENT = os.urandom(100_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LATER = timedelta(days=1)  # a cutoff that is still to come: whatever is there is old enough

Open = Callable[[str], S3Artifacts]


@pytest.fixture
def plain(bucket: Bucket) -> PlainBucket:
    profile = Profile(
        endpoint_url=bucket.server.endpoint, access_key=OWNER.access, secret_key=OWNER.secret, path_style=True
    )
    return PlainBucket(profile, bucket.name)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def node(plain: PlainBucket, tmp_path: Path, said: list[str]) -> Open:
    """The artifacts as a node sees them, whose cache is its own."""

    def open_(name: str, cache_bytes: int = 1 << 30) -> S3Artifacts:
        cache = LocalArtifacts(tmp_path / name)
        return S3Artifacts(plain, "kept/", cache, cache_bytes=cache_bytes, report=said.append)

    return open_


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def test_what_one_node_brings_in_another_has(node: Open, source: Path):
    node("one").add(source, limit_bytes=LIMIT)
    assert node("two").path(SHA256).read_bytes() == CONTENT
    assert [each.sha256 for each in node("two").kept()] == [SHA256]


def test_a_content_that_is_brought_in_by_two_lies_there_once(node: Open, bucket: Bucket, source: Path):
    for name in ("one", "two"):
        node(name).add(source, limit_bytes=LIMIT)
    assert len(bucket.names("kept/content/")) == 1


def test_a_damaged_object_is_reported_and_does_not_get_in(node: Open, bucket: Bucket, source: Path, said: list[str]):
    artifacts = node("one")
    artifacts.add(source, limit_bytes=LIMIT)
    (key,) = bucket.names("kept/content/")
    bucket.put(key, CONTENT[:-1] + b"?")
    assert not artifacts.is_whole(SHA256)
    with pytest.raises(StoreError, match=f"{SHA256} is damaged in the bucket {bucket.name}"):
        node("two").path(SHA256)
    assert said and all(key in line for line in said)
    bucket.put(key, CONTENT)
    assert node("two").path(SHA256).read_bytes() == CONTENT


def test_a_content_whose_checksum_the_server_knows_and_that_reads_otherwise_is_damaged_and_no_trouble_of_the_network(
    node: Open, bucket: Bucket, plain: PlainBucket, source: Path
):
    artifacts = node("one")
    artifacts.add(source, limit_bytes=LIMIT)
    (key,) = bucket.names("kept/content/")
    assert plain.head(key)["ChecksumSHA256"]
    with damaged(plain.client, key, CONTENT[:-1] + b"?"):
        assert not artifacts.is_whole(SHA256)
        with pytest.raises(StoreError, match=f"{SHA256} is damaged in the bucket {bucket.name}"):
            node("two").path(SHA256)
    assert artifacts.is_whole(SHA256)


def test_a_writer_who_comes_between_the_look_and_the_removal_is_not_robbed(node: Open, source: Path):
    """The remover has read an old mark; before it writes its tombstone, another node brings the content in again."""
    remover, writer = node("one"), node("two")
    writer.add(source, limit_bytes=LIMIT)
    seen = remover._marks.read(SHA256)
    writer.add(source, limit_bytes=LIMIT)
    assert remover._marks.write(SHA256, "", seen) is None
    assert node("three").path(SHA256).read_bytes() == CONTENT


def test_a_writer_who_finds_a_tombstone_brings_a_content_that_the_remover_does_not_reach(node: Open, source: Path):
    """The remover has written its tombstone; before it deletes the content, another node brings it in again."""
    remover, writer = node("one"), node("two")
    writer.add(source, limit_bytes=LIMIT)
    seen = remover._marks.read(SHA256)
    assert seen is not None and remover._marks.write(SHA256, "", seen) is not None
    writer.add(source, limit_bytes=LIMIT)
    remover._bucket.delete([remover._content(SHA256, seen.generation)])
    assert node("three").path(SHA256).read_bytes() == CONTENT


def test_a_content_that_a_write_under_way_may_still_name_is_left(
    node: Open, bucket: Bucket, plain: PlainBucket, source: Path
):
    """The server says of a mark that somebody else is writing it, which is boto3's own first try."""
    told: list[AWSRequest] = []

    def conflict(request: AWSRequest, **_: object) -> AWSResponse | None:
        if "/use/" not in request.url or told:
            return None
        told.append(request)
        body = b"<Error><Code>ConditionalRequestConflict</Code></Error>"
        return AWSResponse(request.url, 409, {}, HTTPResponse(BytesIO(body), preload_content=False))

    event = "before-send.s3.PutObject"
    plain.client.meta.events.register(event, conflict, "conflict")
    try:
        node("one").add(source, limit_bytes=LIMIT)
    finally:
        plain.client.meta.events.unregister(event, unique_id="conflict")
    assert len(told) == 1
    assert len(bucket.names("kept/content/")) == 2
    assert node("two").path(SHA256).read_bytes() == CONTENT


def test_a_remover_that_was_interrupted_leaves_nothing_that_counts(node: Open, bucket: Bucket, source: Path):
    artifacts = node("one")
    artifacts.add(source, limit_bytes=LIMIT)
    seen = artifacts._marks.read(SHA256)
    assert seen is not None and artifacts._marks.write(SHA256, "", seen) is not None  # and there it ends
    assert artifacts.refresh([SHA256]) == {SHA256}
    with pytest.raises(InputNotFound):
        node("two").path(SHA256)
    assert not artifacts.remove(SHA256, unless_used_since=datetime.now(UTC) + LATER)


def test_no_content_is_lost_between_nodes_that_bring_it_in_and_one_that_removes_it(node: Open, source: Path):
    """Two bring it in again and again, and look whether it is there at once; a third removes it whenever it can."""
    is_over, removed = threading.Event(), 0

    def sweep() -> None:
        nonlocal removed
        remover = node("sweeper")
        while not is_over.is_set():
            removed += remover.remove(SHA256, unless_used_since=datetime.now(UTC) + LATER)

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    missing = 0
    try:
        writer = node("one")
        for _ in range(12):
            writer.add(source, limit_bytes=LIMIT)
            mark = writer._marks.read(SHA256)
            if mark is not None and mark.generation:
                # What a living mark names is there, or the mark has just been turned into a tombstone.
                try:
                    writer._bucket.head(writer._content(SHA256, mark.generation))
                except InputNotFound:
                    again = writer._marks.read(SHA256)
                    missing += again is not None and again.generation == mark.generation
    finally:
        is_over.set()
        sweeper.join()
    assert removed and not missing


def test_what_two_databases_share_is_removed_by_the_first_alone(node: Open, bucket: Bucket, source: Path):
    node("one").add(source, limit_bytes=LIMIT)
    for _ in range(2):
        node("one").check_owner("production")
    with pytest.raises(StoreError, match="has the artifacts of the database production as well"):
        node("two").check_owner("staging")
    assert [each.sha256 for each in node("two").kept()] == [SHA256]
    bucket.client.delete_object(Bucket=bucket.name, Key="kept/use/owner")
    node("two").check_owner("staging")


def test_a_removed_content_leaves_nothing_in_the_bucket(node: Open, bucket: Bucket, source: Path):
    artifacts = node("one")
    artifacts.add(source, limit_bytes=LIMIT)
    assert artifacts.remove(SHA256, unless_used_since=datetime.now(UTC) + LATER)
    assert bucket.names() == []


def test_keys_that_may_not_read_are_refused_as_such(node: Open, bucket: Bucket, plain: PlainBucket, tmp_path: Path):
    node("a").place_id(make=True)
    blind = PlainBucket(replace(plain.profile, access_key=WRITER.access, secret_key=WRITER.secret), bucket.name)
    artifacts = S3Artifacts(blind, "kept/", LocalArtifacts(tmp_path / "b"), cache_bytes=1 << 30)
    with pytest.raises(PitcheyError, match="kept/use/id may not be read"):
        artifacts.place_id(make=True)


def test_the_server_heeds_conditions(node: Open, bucket: Bucket):
    node("one").check_conditions()
    assert bucket.names() == []


def test_the_cache_is_as_large_as_it_may_be(
    node: Open, plain: PlainBucket, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    node("one").add(source, limit_bytes=LIMIT)
    other = tmp_path / "other"
    other.write_bytes(CONTENT * 2)
    second = node("one").add(other, limit_bytes=LIMIT)
    cache = LocalArtifacts(tmp_path / "two")
    small = S3Artifacts(plain, "kept/", cache, cache_bytes=len(CONTENT) * 2)
    old = small.path(SHA256)
    os.utime(old, (0, 0))  # its time is when it was last used
    assert small.path(second.sha256).exists()
    assert not old.exists()


@pytest.mark.parametrize("way", ["add", "collect", "put", "take"])
def test_what_a_node_brings_in_itself_does_not_fill_its_disk(node: Open, source: Path, tmp_path: Path, way: str):
    artifacts = node("one", cache_bytes=len(CONTENT) * 2)
    cached = tmp_path / "one" / "sha256"
    old: list[Path] = []
    for number in range(4):
        content = os.urandom(len(CONTENT))
        if way == "put":
            (made,) = artifacts.put([content])
        elif way == "take":
            httpx.put(artifacts.put_url(f"job.1/{number}", seconds=60), content=content)
            made = artifacts.take(f"job.1/{number}", limit_bytes=LIMIT)
        else:
            (source.parent / f"{number}").write_bytes(content)
            if way == "add":
                made = artifacts.add(source.parent / f"{number}", limit_bytes=LIMIT)
            else:
                made = artifacts.collect(source.parent, f"{number}", limit_bytes=LIMIT)
        path = cached / made.sha256[:2] / made.sha256
        os.utime(path, (number, number))  # long ago
        old.append(path)
    assert [each.exists() for each in old] == [False, False, True, True]
    assert {each.sha256 for each in artifacts.kept()} == {each.name for each in old}, "all of them are in the bucket"


def test_the_cache_is_not_looked_at_for_every_little_thing(node: Open, monkeypatch: pytest.MonkeyPatch):
    artifacts = node("one", cache_bytes=20 * 10_000)
    looks: list[int] = []
    kept = artifacts._cache.kept
    monkeypatch.setattr(artifacts._cache, "kept", lambda: looks.append(1) or kept())
    for _ in range(30):
        artifacts.put([os.urandom(1000)])
    assert 2 <= len(looks) <= 3


def test_what_is_wrong_with_the_bucket_is_said_in_words_of_the_settings(plain: PlainBucket, tmp_path: Path):
    own = replace(plain, is_own=True)

    def refused(bucket: PlainBucket) -> PitcheyError:
        artifacts = S3Artifacts(bucket, "kept/", LocalArtifacts(tmp_path / "cache"), cache_bytes=0)
        with pytest.raises(PitcheyError) as raised:
            artifacts.path(SHA256)
        return raised.value

    S3Artifacts(own, "kept/", LocalArtifacts(tmp_path / "one"), cache_bytes=1 << 30).put([CONTENT])
    may_not_read = replace(plain.profile, access_key=WRITER.access, secret_key=WRITER.secret)
    away = replace(plain.profile, endpoint_url="http://127.0.0.1:9")
    wrong = [replace(own, profile=may_not_read), replace(own, profile=away), replace(own, name="gone-1")]
    found = [refused(replace(each, is_hurried=True)) for each in wrong]
    own.delete([each.key for each in own.listed("kept/content/")])
    found.append(refused(own))
    assert [type(each) for each in found] == [ArtifactsDenied, BucketAway, ArtifactsDenied, InputNotFound]
    assert "there is no bucket gone-1 " in str(found[2])
    for each in found:
        assert "(artifacts.url)" in str(each) and "use/" not in str(each) and "content/" not in str(each)


# --- links


def test_a_link_gives_the_content_and_what_was_put_becomes_an_artifact(node: Open, bucket: Bucket, source: Path):
    artifacts = node("one")
    artifacts.add(source, limit_bytes=LIMIT)
    assert httpx.get(artifacts.get_url(SHA256, seconds=60)).content == CONTENT
    answer = httpx.put(artifacts.put_url("job1.1/0", seconds=60), content=b"result")
    assert answer.status_code == 200
    taken = artifacts.take("job1.1/0", limit_bytes=10)
    assert (taken.sha256, taken.size) == (hashlib.sha256(b"result").hexdigest(), 6)
    assert node("two").path(taken.sha256).read_bytes() == b"result"
    assert bucket.names("kept/put/") == []


def test_what_was_put_and_is_too_large_is_refused_and_goes(node: Open, bucket: Bucket):
    artifacts = node("one")
    httpx.put(artifacts.put_url("job1.1/0", seconds=60), content=b"result")
    with pytest.raises(InputRejected, match="has 6 bytes; the limit is 5"):
        artifacts.take("job1.1/0", limit_bytes=5)
    assert bucket.names() == []
    with pytest.raises(InputNotFound):
        artifacts.take("job1.1/0", limit_bytes=5)
    artifacts.discard("job1.1/0")


def test_what_was_put_and_nobody_took_is_found_when_it_is_old(node: Open, bucket: Bucket):
    httpx.put(node("one").put_url("job1.1/0", seconds=60), content=b"result")
    bucket.put("kept/put/a b", b"no output of ours")
    assert list(node("two").left(older_than=timedelta(days=1))) == []
    assert list(node("two").left(older_than=timedelta(0))) == ["job1.1/0"]


@pytest.mark.parametrize("key", ["", "../kept/use", "a/../../b", "a b", "a\0"])
def test_a_key_that_leads_elsewhere_is_refused(node: Open, key: str):
    with pytest.raises(InputRejected):
        node("one").put_url(key, seconds=60)


def test_a_link_to_what_is_not_there_is_refused(node: Open):
    with pytest.raises(InputNotFound):
        node("one").get_url("0" * 64, seconds=60)


# --- uploads


def test_an_upload_that_broke_off_goes_on_with_the_parts_that_are_there(
    plain: PlainBucket, bucket: Bucket, tmp_path: Path
):
    large = tmp_path / "large"
    large.write_bytes(os.urandom(PART_BYTES * 3 + 5))
    sha256 = hashlib.sha256(large.read_bytes()).hexdigest()

    def break_off(done: int, total: int | None) -> None:
        if done:
            raise PitcheyError("Enough.")

    with pytest.raises(PitcheyError, match="Enough"):
        upload(plain, "large", large, sha256=sha256, progress=break_off)
    (left,) = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
    assert bucket.names() == []
    sent: list[int] = []
    plain.client.meta.events.register("before-call.s3.UploadPart", lambda **kwargs: sent.append(1), "count")
    try:
        upload(plain, "large", large, sha256=sha256)
    finally:
        plain.client.meta.events.unregister("before-call.s3.UploadPart", unique_id="count")
    assert len(sent) < 4
    assert hashlib.sha256(bucket.get("large")).hexdigest() == sha256
    assert "Uploads" not in bucket.client.list_multipart_uploads(Bucket=bucket.name)
    assert left["Key"] == "large"


def test_parts_of_another_content_are_not_gone_on_with(plain: PlainBucket, bucket: Bucket, tmp_path: Path):
    content = os.urandom(PART_BYTES + 5)
    begun = bucket.client.create_multipart_upload(Bucket=bucket.name, Key="large", ChecksumAlgorithm="CRC32")
    bucket.client.upload_part(
        Bucket=bucket.name, Key="large", UploadId=begun["UploadId"], PartNumber=1, Body=bytes(PART_BYTES)
    )
    large = tmp_path / "large"
    large.write_bytes(content)
    upload(plain, "large", large, sha256=hashlib.sha256(content).hexdigest())
    assert bucket.get("large") == content


def test_what_is_said_of_an_object_is_said_of_its_own_content(plain: PlainBucket, bucket: Bucket, tmp_path: Path):
    contents = [bytes(PART_BYTES) + os.urandom(PART_BYTES) for _ in range(2)]
    one, other = (tmp_path / name for name in ("one", "other"))
    for path, content in zip((one, other), contents, strict=True):
        path.write_bytes(content)
    names = [hashlib.sha256(content).hexdigest() for content in contents]

    def break_off(done: int, total: int | None) -> None:
        if done:
            raise PitcheyError("Enough.")

    with pytest.raises(PitcheyError, match="Enough"):
        upload(plain, "large", one, sha256=names[0], media_type="video/mp4", progress=break_off)
    upload(plain, "large", other, sha256=names[1], media_type="video/webm")
    head = bucket.client.head_object(Bucket=bucket.name, Key="large")
    assert (head["Metadata"], head["ContentType"]) == ({"sha256": names[1]}, "video/webm")
    assert bucket.get("large") == contents[1]


def test_two_who_send_different_things_under_one_key_may_try_again(plain: PlainBucket, bucket: Bucket, tmp_path: Path):
    large = tmp_path / "large"
    large.write_bytes(bytes(PART_BYTES + 5))

    def name_another_part(params: dict[str, Any], **_: object) -> None:  # as if somebody had sent one over ours
        params["MultipartUpload"]["Parts"][1]["ETag"] = f'"{hashlib.md5(b"other").hexdigest()}"'

    event = "provide-client-params.s3.CompleteMultipartUpload"
    plain.client.meta.events.register(event, name_another_part, "another")
    try:
        with pytest.raises(NetworkError, match="was ended"):
            upload(plain, "large", large, sha256="0" * 64)
    finally:
        plain.client.meta.events.unregister(event, unique_id="another")
    assert bucket.names() == []


def test_who_may_write_and_nothing_else_stores_large_files_as_well(bucket: Bucket, tmp_path: Path):
    keys = {"access_key": WRITER.access, "secret_key": WRITER.secret}
    profile = Profile(endpoint_url=bucket.server.endpoint, path_style=True, **keys)
    large = tmp_path / "large"
    large.write_bytes(os.urandom(PART_BYTES + 5))
    upload(PlainBucket(profile, bucket.name), "large", large, sha256="0" * 64)
    assert bucket.get("large") == large.read_bytes()


def test_a_server_that_answers_nothing_is_an_error_that_may_pass(plain: PlainBucket, tmp_path: Path, source: Path):
    nowhere = PlainBucket(Profile(endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b"), "bucket")
    with pytest.raises(NetworkError, match="does not answer"):
        upload(nowhere, "key", source, sha256=SHA256)
