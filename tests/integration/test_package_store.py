"""Packages on the disk: what an archive from a slot may do there, and how directories come and go."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import secrets
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchey_cli.domain.errors import InputRejected
from pitchey_cli.packages.store import IN_USE, PackageStore
from pitchey_cli.packages.unpacking import unpack
from processors.code.frames import encode_document, encode_raw
from processors.code.packages import PackageLimits

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY, OTHER = "a" * 64, "b" * 64
SMALL = PackageLimits(unpacked_bytes=1000, files=5)


def archive(*files: tuple[Any, bytes], **changes: Any) -> io.BytesIO:
    data = b""
    for name, content in files:
        fields = {"name": name, "size": len(content), "isExecutable": False, **changes}
        data += encode_document(fields) + b"".join(encode_raw(content))
    return io.BytesIO(gzip.compress(data))


def below(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.fixture
def store(tmp_path: Path) -> PackageStore:
    return PackageStore(tmp_path / "packages")


def test_what_was_published_is_found_and_can_be_read_by_anybody(store: PackageStore) -> None:
    assert store.find(KEY, NOW) is None
    old = os.umask(0o077)
    try:
        path = store.publish(KEY, archive(("python/a.py", b"x = 1\n"), ("python/b/c", b""), isExecutable=True), NOW)
    finally:
        os.umask(old)
    assert store.find(KEY, NOW) == path
    assert below(path) == {"python/a.py": b"x = 1\n", "python/b/c": b""}
    assert {oct(p.stat().st_mode & 0o777) for p in (path, *path.rglob("*"))} == {"0o755"}


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../../x", "a//b", "a/./b", "", "a\\b", "a\x1b[31m", "a\n", ".", "x" * 300,
     "/".join("a" * 40), 7, None, "a\0b"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_or_hides_itself_is_refused(name: Any, store: PackageStore, tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="cannot be taken"):
        store.publish(KEY, archive(("good", b"1"), (name, b"evil")), NOW)
    assert store.find(KEY, NOW) is None
    assert below(tmp_path) == {}


@pytest.mark.parametrize(
    "data",
    [
        archive(("a", b"1"), ("a", b"2")),
        archive(("a", b"1"), ("a/b", b"2")),
        archive(("a/b", b"1"), ("a", b"2")),
        archive(("a", b"123"), size=5),
        archive(("a", b"123"), size=2),
        archive(("a", b""), size=-1),
        archive(("a", b""), size=1 << 60),
        archive(("a", b"x" * 1001)),
        archive(*((f"a{n}", b"") for n in range(6))),
        archive(("a", b"1"), isExecutable="yes"),
        io.BytesIO(gzip.compress(b"J\xff\xff\xff\xff")),
        io.BytesIO(gzip.compress(b"R\0\0\0\1x")),
        io.BytesIO(gzip.compress(b"J\0\0\0\2{}")),
        io.BytesIO(gzip.compress(bytes(50_000_000))),
        io.BytesIO(archive(("a", b"1")).getvalue()[:-9]),
        io.BytesIO(b"PK\x03\x04"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_leaves_nothing(data: io.BytesIO, tmp_path: Path) -> None:
    store = PackageStore(tmp_path / "packages")
    with pytest.raises(InputRejected):
        store.publish(KEY, data, NOW, SMALL)
    assert below(tmp_path) == {}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_makes_it_stumble_or_escape(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    whole = gzip.decompress(archive(("a/b", b"12345"), ("c", b"6")).getvalue())
    start = data.draw(st.integers(0, len(whole)))
    changed = whole[:start] + data.draw(st.binary(max_size=9)) + whole[start + data.draw(st.integers(0, 20)) :]
    outer = tmp_path_factory.mktemp("outer")
    (outer / "inner").mkdir()
    with contextlib.suppress(InputRejected):
        unpack(io.BytesIO(gzip.compress(changed)), outer / "inner", SMALL)
    assert [p.name for p in outer.iterdir()] == ["inner"]


def test_who_publishes_second_finds_the_first(store: PackageStore) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append(store.publish(KEY, archive(("n", b"%d" % n)), NOW)))
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert [p.name for p in found[0].parent.iterdir()] == [KEY]
    before = below(found[0])
    store.publish(KEY, archive(("n", b"late")), NOW)
    assert below(found[0]) == before


def test_an_empty_archive_is_published_too(store: PackageStore) -> None:
    assert below(store.publish(KEY, archive(), NOW)) == {}


def test_the_secret_stays_the_same_and_is_nobody_elses(store: PackageStore, tmp_path: Path) -> None:
    assert store.secret() == PackageStore(tmp_path / "packages").secret()
    assert store.secret() != PackageStore(tmp_path / "others").secret()
    assert (tmp_path / "packages" / ".secret").stat().st_mode & 0o077 == 0


def test_what_nobody_asks_for_goes_and_what_may_be_in_use_stays(store: PackageStore) -> None:
    store.publish(KEY, archive(("a", b"1" * 9000)), NOW)
    store.publish(OTHER, archive(("a", b"1" * 9000)), NOW + timedelta(days=5))
    assert store.prune(NOW, limit_bytes=0, older_than=timedelta(0)) == []
    later = NOW + timedelta(days=6)
    assert store.prune(later, limit_bytes=1 << 30, older_than=timedelta(days=3)) == [KEY]
    assert store.find(OTHER, later) is not None
    assert store.prune(later + IN_USE / 2, limit_bytes=0, older_than=timedelta(days=3)) == []
    assert store.prune(later + IN_USE, limit_bytes=0, older_than=timedelta(days=3)) == [OTHER]


def test_the_longest_forgotten_goes_first_when_all_take_too_much(store: PackageStore) -> None:
    for at, key in enumerate((KEY, OTHER)):
        store.publish(key, archive(("a", b"1" * 9000)), NOW + timedelta(hours=at))
    store.find(KEY, NOW + timedelta(hours=2))
    gone = store.prune(NOW + timedelta(days=1), limit_bytes=20_000, older_than=timedelta(days=30))
    assert gone == [OTHER]


def test_what_is_asked_for_in_the_moment_of_its_removal_stays(
    store: PackageStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.publish(KEY, archive(("a", b"1")), NOW)
    later = NOW + timedelta(days=40)
    choose = secrets.token_hex

    def choose_meanwhile(size: int) -> str:  # the name that it is removed under
        assert store.find(KEY, later) == path
        return choose(size)

    monkeypatch.setattr(secrets, "token_hex", choose_meanwhile)
    assert store.prune(later, limit_bytes=0, older_than=timedelta(days=30)) == []
    assert below(path) == {"a": b"1"}


def test_what_another_process_takes_away_meanwhile_is_passed_over(
    store: PackageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.publish(KEY, archive(("a", b"1")), NOW)
    listed = [*Path.iterdir(tmp_path / "packages"), tmp_path / "packages" / ".new-published"]
    monkeypatch.setattr(Path, "iterdir", lambda path: iter(reversed(listed)))
    assert store.prune(NOW + timedelta(days=40), limit_bytes=0, older_than=timedelta(days=30)) == [KEY]


def test_what_a_crash_has_left_goes_with_time(store: PackageStore, tmp_path: Path) -> None:
    store.secret()
    left = tmp_path / "packages" / ".new-left"
    left.mkdir()
    (left / "file").write_bytes(b"1")
    os.utime(left, (NOW.timestamp(), NOW.timestamp()))
    assert store.prune(NOW, limit_bytes=1 << 30, older_than=timedelta(days=30)) == []
    assert left.exists()
    store.prune(NOW + IN_USE, limit_bytes=1 << 30, older_than=timedelta(days=30))
    assert sorted(p.name for p in (tmp_path / "packages").iterdir()) == [".secret"]


def test_a_key_is_no_path(store: PackageStore) -> None:
    for key in ("..", "a", KEY + "/x", KEY.upper(), ""):
        with pytest.raises(ValueError, match="no key"):
            store.find(key, NOW)
