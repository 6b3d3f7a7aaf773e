"""What every keeper of artifacts promises. A new adapter adds its name to OPENERS and runs all of it."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.artifacts.buckets import Bucket as PlainBucket
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.artifacts.s3 import S3Artifacts
from pitchey_cli.domain.buckets import Profile
from pitchey_cli.domain.errors import InputNotFound, InputRejected, UsageError
from tests.servers.s3 import OWNER, Bucket


def _in_a_bucket(root: Path, bucket: Bucket) -> Artifacts:
    profile = Profile(
        endpoint_url=bucket.server.endpoint, access_key=OWNER.access, secret_key=OWNER.secret, path_style=True
    )
    return S3Artifacts(PlainBucket(profile, bucket.name), "kept/", LocalArtifacts(root), cache_bytes=1 << 30)


OPENERS: dict[str, Callable[[Path, pytest.FixtureRequest], Artifacts]] = {
    "local": lambda root, request: LocalArtifacts(root),
    "s3": lambda root, request: _in_a_bucket(root, request.getfixturevalue("bucket")),
}
CONTENT = os.urandom(3 * 1024 * 1024 + 17)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
LIMIT = 10 * 1024 * 1024


@pytest.fixture(params=sorted(OPENERS))
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> Artifacts:
    return OPENERS[request.param](tmp_path / "artifacts", request)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.mp4"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    (path / "deep" / "er").mkdir(parents=True)
    (path / "deep" / "er" / "out.mp4").write_bytes(CONTENT)
    return path


def kept(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


# --- add


def test_a_file_is_kept_by_its_content_and_cannot_be_written(artifacts, source, tmp_path):
    told: list[tuple[int, int | None]] = []
    artifact = artifacts.add(source, limit_bytes=LIMIT, progress=lambda done, total: told.append((done, total)))
    assert (artifact.sha256, artifact.size) == (SHA256, len(CONTENT))
    path = artifacts.path(SHA256)
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.parts[-3:] == ("sha256", SHA256[:2], SHA256)
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_same_content_is_kept_once(artifacts, source, tmp_path):
    artifacts.add(source, limit_bytes=LIMIT)
    before = artifacts.path(SHA256).stat()
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(CONTENT)
    assert artifacts.add(copy, limit_bytes=LIMIT).sha256 == SHA256
    assert artifacts.path(SHA256).stat().st_ino == before.st_ino
    assert len(kept(tmp_path)) == 1


def test_later_changes_of_the_source_do_not_reach_the_artifact(artifacts, source):
    artifacts.add(source, limit_bytes=LIMIT)
    with source.open("r+b") as file:
        file.write(b"changed")
    assert artifacts.path(SHA256).read_bytes() == CONTENT


def test_a_users_own_link_is_followed(artifacts, source, tmp_path):
    (tmp_path / "link").symlink_to(source)
    assert artifacts.add(tmp_path / "link", limit_bytes=LIMIT).sha256 == SHA256


def test_what_is_no_input_is_refused_and_leaves_nothing(artifacts, source, tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    for name, sentence in [("empty", "is empty"), ("pipe", "not a regular file"), (".", "is a folder")]:
        with pytest.raises(InputRejected, match=sentence):
            artifacts.add(tmp_path / name, limit_bytes=LIMIT)
    with pytest.raises(InputRejected, match="limit"):
        artifacts.add(source, limit_bytes=len(CONTENT) - 1)
    with pytest.raises(InputNotFound, match="missing"):
        artifacts.add(tmp_path / "missing", limit_bytes=LIMIT)
    assert kept(tmp_path) == []


@pytest.mark.parametrize("change", [b"", b"more"], ids=["shrinks", "grows"])
def test_a_file_that_changes_while_it_is_read_is_refused(artifacts, source, tmp_path, change):
    def meddle(done: int, total: int | None) -> None:
        if change:
            with source.open("ab") as file:
                file.write(change)
        else:
            os.truncate(source, len(CONTENT) - 5)

    with pytest.raises(InputRejected, match="changed while it was read"):
        artifacts.add(source, limit_bytes=LIMIT, progress=meddle)
    assert kept(tmp_path) == []


def test_a_failure_half_way_leaves_nothing(artifacts, source, tmp_path):
    def give_up(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        artifacts.add(source, limit_bytes=LIMIT, progress=give_up)
    assert kept(tmp_path) == []


# --- collect


def test_an_output_is_collected_from_below_its_folder(artifacts, spool):
    artifact = artifacts.collect(spool, "deep/er/out.mp4", limit_bytes=LIMIT)
    assert (artifact.sha256, artifact.size) == (SHA256, len(CONTENT))
    assert artifacts.path(SHA256).stat().st_ino != (spool / "deep/er/out.mp4").stat().st_ino


def test_an_output_that_its_instance_still_holds_open_does_not_change_the_artifact(artifacts, spool):
    with (spool / "deep/er/out.mp4").open("r+b") as held:
        artifacts.collect(spool, "deep/er/out.mp4", limit_bytes=LIMIT)
        held.write(b"too late")
        held.flush()
    assert artifacts.path(SHA256).read_bytes() == CONTENT


def test_short_contents_are_kept_in_their_order_and_each_once(artifacts):
    contents = [b"one", b"two", b"one", b""]
    found = artifacts.put(contents)
    assert [each.sha256 for each in found] == [hashlib.sha256(each).hexdigest() for each in contents]
    assert [artifacts.path(each.sha256).read_bytes() for each in found] == contents
    assert [stat.S_IMODE(artifacts.path(each.sha256).stat().st_mode) for each in found] == [0o444] * 4
    assert artifacts.put([b"two", b"three"])[0] == found[1]
    assert all(artifacts.is_whole(each.sha256) for each in found)


@pytest.mark.parametrize("relative", ["", "/etc/hostname", "../holiday.mp4", "deep/../../holiday.mp4", "a\0b"])
def test_a_name_that_leaves_the_folder_is_refused(artifacts, spool, source, relative):
    with pytest.raises(InputRejected):
        artifacts.collect(spool, relative, limit_bytes=LIMIT)


def test_links_of_every_kind_are_refused(artifacts, spool, source, tmp_path):
    (spool / "symlink").symlink_to(source)
    (spool / "folder").symlink_to(tmp_path)
    (spool / "deep" / "inside").symlink_to(spool / "deep" / "er")
    os.link(source, spool / "hardlink")
    for relative in ("symlink", "folder/holiday.mp4", "deep/inside/out.mp4", "hardlink"):
        with pytest.raises(InputRejected):
            artifacts.collect(spool, relative, limit_bytes=LIMIT)
    assert kept(tmp_path) == []


def test_outputs_that_are_no_files_too_large_or_missing_are_refused(artifacts, spool):
    os.mkfifo(spool / "pipe")
    for relative in ("pipe", "deep"):
        with pytest.raises(InputRejected, match="not a regular file"):
            artifacts.collect(spool, relative, limit_bytes=LIMIT)
    with pytest.raises(InputRejected, match="limit") as refused:
        artifacts.collect(spool, "deep/er/out.mp4", limit_bytes=100)
    assert "limits.output_bytes" in refused.value.hint
    with pytest.raises(InputNotFound, match=r"gone\.mp4"):
        artifacts.collect(spool, "gone.mp4", limit_bytes=LIMIT)


# --- place and export


def test_a_placed_artifact_is_no_second_copy(artifacts, source, tmp_path):
    artifacts.add(source, limit_bytes=LIMIT)
    for _ in range(2):  # an attempt that was interrupted may have left the first one
        artifacts.place(SHA256, tmp_path / "0.mp4")
    assert (tmp_path / "0.mp4").samefile(artifacts.path(SHA256))


def test_an_artifact_is_placed_on_another_file_system_as_a_read_only_copy(artifacts, source):
    artifacts.add(source, limit_bytes=LIMIT)
    here = source.stat().st_dev  # the tests may themselves be in memory
    elsewhere = next(folder for folder in map(Path, ("/dev/shm", "/var/tmp")) if folder.stat().st_dev != here)
    other = elsewhere / f"pitchey-test-{os.getpid()}.mp4"
    try:
        artifacts.place(SHA256, other)
        assert other.read_bytes() == CONTENT
        assert stat.S_IMODE(other.stat().st_mode) == 0o444
    finally:
        other.unlink(missing_ok=True)


def test_an_exported_file_is_the_users_own(artifacts, source, tmp_path):
    artifacts.add(source, limit_bytes=LIMIT)
    target = tmp_path / "out" / "result.mp4"
    target.parent.mkdir()
    artifacts.export(SHA256, target, overwrite=False)
    assert target.read_bytes() == CONTENT
    assert not target.samefile(artifacts.path(SHA256))
    assert target.stat().st_mode & stat.S_IWUSR
    assert list(target.parent.iterdir()) == [target]


def test_an_export_overwrites_only_when_told(artifacts, source, tmp_path):
    artifacts.add(source, limit_bytes=LIMIT)
    target = tmp_path / "result.mp4"
    target.write_text("mine")
    with pytest.raises(UsageError, match=r"result\.mp4"):
        artifacts.export(SHA256, target, overwrite=False)
    assert target.read_text() == "mine"
    artifacts.export(SHA256, target, overwrite=True)
    assert target.read_bytes() == CONTENT
    with pytest.raises(InputNotFound):
        artifacts.export(SHA256, tmp_path / "no" / "folder.mp4", overwrite=True)


@pytest.mark.parametrize("name", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_an_artifact_that_does_not_exist_is_not_found(artifacts, tmp_path, name):
    for act in (artifacts.path, lambda sha256: artifacts.place(sha256, tmp_path / "x")):
        with pytest.raises(InputNotFound):
            act(name)


# --- housekeeping


def used_at(artifacts: Artifacts) -> datetime:
    (kept,) = artifacts.kept()
    return kept.used_at


def again_until_newer(act: Callable[[], object], artifacts: Artifacts, before: datetime) -> None:
    """Do something until it has made the artifact younger: a server's times have whole seconds."""
    deadline = time.monotonic() + 10
    while used_at(artifacts) <= before:
        assert time.monotonic() < deadline
        act()


def test_what_is_there_is_listed_with_its_size(artifacts, source):
    assert list(artifacts.kept()) == []
    artifacts.add(source, limit_bytes=LIMIT)
    assert [(each.sha256, each.size) for each in artifacts.kept()] == [(SHA256, len(CONTENT))]


def test_an_artifact_that_was_not_used_since_is_removed_and_a_younger_one_stays(artifacts, source):
    artifacts.add(source, limit_bytes=LIMIT)
    assert not artifacts.remove(SHA256, unless_used_since=used_at(artifacts) - timedelta(seconds=1))
    assert artifacts.path(SHA256).exists()
    assert artifacts.remove(SHA256, unless_used_since=used_at(artifacts) + timedelta(seconds=1))
    assert list(artifacts.kept()) == []
    assert not artifacts.remove(SHA256, unless_used_since=datetime.now(UTC))  # somebody else was quicker


@pytest.mark.parametrize("way", ["added", "collected"])
def test_a_content_that_is_brought_in_again_counts_as_new(artifacts, source, spool, way):
    artifacts.add(source, limit_bytes=LIMIT)
    before = used_at(artifacts)
    if way == "added":
        again_until_newer(lambda: artifacts.add(source, limit_bytes=LIMIT), artifacts, before)
    else:
        again_until_newer(lambda: artifacts.collect(spool, "deep/er/out.mp4", limit_bytes=LIMIT), artifacts, before)
    assert not artifacts.remove(SHA256, unless_used_since=used_at(artifacts) - timedelta(milliseconds=1))


def test_what_is_about_to_be_referred_to_counts_as_new_and_what_has_gone_is_named(artifacts, source):
    artifacts.add(source, limit_bytes=LIMIT)
    again_until_newer(lambda: artifacts.refresh([SHA256]), artifacts, used_at(artifacts))
    assert artifacts.refresh([SHA256, "0" * 64]) == {"0" * 64}
    assert artifacts.refresh([]) == set()
    assert artifacts.remove(SHA256, unless_used_since=used_at(artifacts) + timedelta(seconds=1))
    assert artifacts.refresh([SHA256]) == {SHA256}


def test_a_content_that_was_removed_can_be_brought_in_again(artifacts, source):
    for _ in range(2):
        artifacts.add(source, limit_bytes=LIMIT)
        assert artifacts.path(SHA256).read_bytes() == CONTENT
        assert artifacts.remove(SHA256, unless_used_since=used_at(artifacts) + timedelta(seconds=1))
        assert list(artifacts.kept()) == []


def test_what_is_not_there_is_not_whole(artifacts, source):
    artifacts.add(source, limit_bytes=LIMIT)
    told: list[tuple[int, int | None]] = []
    assert artifacts.is_whole(SHA256, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert not artifacts.is_whole("0" * 64)
