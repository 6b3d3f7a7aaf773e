"""What the host gives and takes where no files are shared: links of a real S3 server, and content of any kind."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path

import httpx
import pytest

from pitchey_cli.artifacts.buckets import Bucket as PlainBucket
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.s3 import S3Artifacts
from pitchey_cli.daemon.carried import CarriedFiles
from pitchey_cli.domain import layout
from pitchey_cli.domain.buckets import Profile
from pitchey_cli.domain.errors import InputRejected, StoreError
from pitchey_cli.domain.job import Token
from processors.protocol import (
    EVENT,
    MOST_OUTPUTS,
    ErrorEvent,
    Failure,
    LinksEvent,
    LogEvent,
    Metrics,
    OutputFile,
    Reason,
    Result,
    StoredFile,
)
from tests.servers.s3 import OWNER, Bucket

TOKEN = Token("job.1")
DATA = b"an output"
LIMIT = 1000


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def kept(tmp_path: Path, bucket: Bucket) -> S3Artifacts:
    server = bucket.server
    profile = Profile(endpoint_url=server.endpoint, access_key=OWNER.access, secret_key=OWNER.secret, path_style=True)
    cache = LocalArtifacts(tmp_path / "cache")
    return S3Artifacts(PlainBucket(profile, bucket.name), "kept/", cache, cache_bytes=1 << 20)


@pytest.fixture
def files(tmp_path: Path, kept: S3Artifacts) -> CarriedFiles:
    for name in ("inputs", "spool"):
        (tmp_path / "instances" / "media-1" / name).mkdir(parents=True)
    return CarriedFiles(tmp_path, "media-1", TOKEN, kept, kept)


def again(files: CarriedFiles) -> CarriedFiles:
    """The same files, in the hands of a daemon that has just come."""
    return CarriedFiles(files.state_dir, files.instance_id, files.token, files.artifacts, files.presigner)


def asks(*contents: bytes, seq: int = 1, inputs: tuple[int, ...] = ()) -> LinksEvent:
    stored = [StoredFile(number=n, size=len(data), sha256=sha256(data)) for n, data in enumerate(contents)]
    return LinksEvent(seq=seq, at=0, ask=1, inputs=[*inputs], outputs=stored)


def says(*contents: bytes) -> Result:
    return Result(
        outputs=[
            OutputFile(path=f"{n}.bin", media_type="a/b", role="r", size=len(data), sha256=sha256(data))
            for n, data in enumerate(contents)
        ]
    )


def put(files: CarriedFiles, *contents: bytes, says: tuple[bytes, ...] = ()) -> None:
    """Be the porter: ask for links, and PUT."""
    event = asks(*(says or contents))
    files.keep(event)
    for url, data in zip(files.links(event, limit_bytes=LIMIT).outputs, contents, strict=True):
        httpx.put(url, content=data, trust_env=False).raise_for_status()


def test_what_was_put_becomes_artifacts_and_is_gone_from_where_it_was(files: CarriedFiles, bucket: Bucket) -> None:
    put(files, DATA, b"")
    outputs = files.collect(says(DATA, b""), limit_bytes=LIMIT)
    assert [(each.sha256, each.size) for each in outputs] == [(sha256(DATA), len(DATA)), (sha256(b""), 0)]
    assert files.artifacts.path(sha256(DATA)).read_bytes() == DATA
    files.remove()
    assert bucket.names("kept/put/") == []


@pytest.mark.parametrize("other", [b"AN OUTPUT", b"an outpu"])
def test_other_content_than_was_said_is_no_output(files: CarriedFiles, bucket: Bucket, other: bytes) -> None:
    put(files, other, says=(DATA,))
    with pytest.raises(InputRejected, match=r"0\.bin is not what its instance has said"):
        files.collect(says(DATA), limit_bytes=LIMIT)
    files.remove()
    assert bucket.names("kept/put/") == []


def test_more_than_was_said_is_not_read_to_its_end(files: CarriedFiles) -> None:
    put(files, DATA * 10, says=(DATA,))
    with pytest.raises(InputRejected):
        files.collect(says(DATA), limit_bytes=LIMIT)


def test_an_output_that_was_never_put_is_missed(files: CarriedFiles) -> None:
    event = asks(DATA)
    files.keep(event)
    files.links(event, limit_bytes=LIMIT)
    with pytest.raises(StoreError, match=r"0\.bin is not where"):
        files.collect(says(DATA), limit_bytes=LIMIT)


def test_an_output_for_which_nothing_was_asked_is_not_looked_for(files: CarriedFiles) -> None:
    with pytest.raises(InputRejected, match="asked no links"):
        files.collect(says(DATA), limit_bytes=LIMIT)


def test_links_for_more_than_the_job_may_leave_are_not_given(files: CarriedFiles) -> None:
    files.links(asks(b"x" * LIMIT), limit_bytes=LIMIT)
    more = LinksEvent(seq=2, at=0, ask=2, outputs=[StoredFile(number=1, size=1, sha256="0")])
    with pytest.raises(InputRejected, match="more than the 1,000 bytes") as refused:
        files.links(more, limit_bytes=LIMIT)
    assert "limits.output_bytes" in refused.value.hint
    many = LinksEvent(seq=2, at=0, ask=2, outputs=[StoredFile(number=MOST_OUTPUTS, size=0, sha256="0")])
    with pytest.raises(InputRejected, match="20000 outputs"):
        files.links(many, limit_bytes=LIMIT)


def test_a_link_to_an_input_is_renewed_and_no_other_is_given(files: CarriedFiles, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"input")
    artifact = files.artifacts.add(tmp_path / "a", limit_bytes=LIMIT)
    path, url = files.place(0, "holiday.MOV", artifact.sha256)
    assert path == "0.mov"
    assert httpx.get(str(url), trust_env=False).content == b"input"
    (renewed,) = again(files).links(asks(inputs=(0,)), limit_bytes=LIMIT).inputs
    assert httpx.get(renewed, trust_env=False).content == b"input"
    for number in (1, -1):
        with pytest.raises(InputRejected, match="was not given"):
            files.links(asks(inputs=(number,)), limit_bytes=LIMIT)


def test_a_daemon_that_comes_back_takes_and_discards_what_the_last_one_gave_links_for(
    files: CarriedFiles,
    bucket: Bucket,
) -> None:
    put(files, DATA, b"more")
    (output, *_) = again(files).collect(says(DATA), limit_bytes=LIMIT)
    assert output.sha256 == sha256(DATA)
    again(files).remove()
    assert bucket.names("kept/put/") == []


def test_what_a_daemon_took_before_it_was_killed_need_not_be_there_again(files: CarriedFiles) -> None:
    put(files, DATA, b"more")
    taken = files.collect(says(DATA, b"more"), limit_bytes=LIMIT)
    assert again(files).collect(says(DATA, b"more"), limit_bytes=LIMIT) == taken


def test_an_instance_that_names_what_another_job_has_made_does_not_get_it(files: CarriedFiles, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"another one's")
    files.artifacts.add(tmp_path / "secret", limit_bytes=LIMIT)
    put(files, b"", says=(b"another one's",))
    with pytest.raises(InputRejected):
        files.collect(says(b"another one's"), limit_bytes=LIMIT)


def test_an_input_that_is_placed_again_stands_where_it_stood(files: CarriedFiles, tmp_path: Path) -> None:
    names = []
    for data in (b"first", b"second"):
        (tmp_path / "input").write_bytes(data)
        names.append(files.artifacts.add(tmp_path / "input", limit_bytes=LIMIT).sha256)
    for _ in range(2):  # the object store was away for a moment
        files.place(0, "a.txt", names[0])
    files.place(1, "b.txt", names[1])
    for each in (files, again(files)):
        (url,) = each.links(asks(inputs=(1,)), limit_bytes=LIMIT).inputs
        assert httpx.get(url, trust_env=False).content == b"second"


def test_events_are_kept_once_and_in_order_whoever_reads_them_again(files: CarriedFiles) -> None:
    events = [LogEvent(seq=n, at=0, stream="stdout", line=f"line {n}") for n in (1, 2, 3)]
    ending = ErrorEvent(
        seq=4, at=0, metrics=Metrics(), error=Failure(code="c", message="m", retryable=True, reason=Reason.FAILED)
    )
    for event in events[:2]:
        files.keep(event)
    written = files.state_dir / "instances" / "media-1" / "spool" / TOKEN / "events.ndjson"
    with written.open("ab") as file:
        file.write(b'{"seq": 3, "at"')  # the daemon was killed as it wrote
    later = again(files)
    assert later.ending() is None
    for each in (*events, ending):
        later.keep(each)
    assert [EVENT.validate_json(line) for line in written.read_bytes().splitlines()] == [*events, ending]
    assert later.ending() == ending
    later.keep_log()
    later.remove()
    log = layout.kept_events(files.state_dir, TOKEN).read_text().splitlines()
    assert [json.loads(line)["seq"] for line in log] == [1, 2, 3, 4]
    assert not written.exists()


def test_events_that_a_full_disk_did_not_take_are_written_when_there_is_room(files: CarriedFiles) -> None:
    events = [LogEvent(seq=n, at=0, stream="stdout", line=f"line {n}") for n in range(1, 6)]
    written = files.state_dir / "instances" / "media-1" / "spool" / TOKEN / "events.ndjson"
    files.keep(events[0])
    files.keep(events[1])
    size, (soft, hard) = written.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + size * 3 // 4, hard))  # room for one, and for a part of the next
    try:
        for each in events[2:4]:
            files.keep(each)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not written.read_bytes().endswith(b"\n")
    files.keep(events[4])
    assert [EVENT.validate_json(line) for line in written.read_bytes().splitlines()] == events
