"""Short contents after a power cut: what was acknowledged is there again, and whole."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from pitchey_cli.artifacts.local import LocalArtifacts
from tests.resources.waiting import until

PUTS = """
import sys
from pathlib import Path
from pitchey_cli.artifacts.local import LocalArtifacts
artifacts = LocalArtifacts(Path(sys.argv[1]))
for number in range(3):
    artifacts.put([b"%d-%d" % (number, each) for each in range(3)])
"""
CONTENTS = [f"{number}-{each}".encode() for number in range(3) for each in range(3)]
NAMES = [hashlib.sha256(each).hexdigest() for each in CONTENTS]


def after_a_process_that_ended(root: Path) -> Path:
    subprocess.run([sys.executable, "-c", PUTS, str(root)], check=True)
    (journal,) = (root / "incoming").iterdir()
    return journal


def place(root: Path, name: str) -> Path:
    return root / "sha256" / name[:2] / name


def test_what_the_power_cut_took_is_made_anew_by_whoever_comes_next(tmp_path: Path) -> None:
    after_a_process_that_ended(tmp_path)
    for name in NAMES[:3]:
        place(tmp_path, name).unlink()
    torn = place(tmp_path, NAMES[4])
    torn.chmod(0o600)
    torn.write_bytes(b"")
    artifacts = LocalArtifacts(tmp_path)
    assert [artifacts.path(name).read_bytes() for name in NAMES] == CONTENTS
    assert list((tmp_path / "incoming").iterdir()) == []


def test_an_entry_that_was_being_written_is_none(tmp_path: Path) -> None:
    journal = after_a_process_that_ended(tmp_path)
    for name in NAMES:
        place(tmp_path, name).unlink()
    journal.write_bytes(journal.read_bytes()[:-1])
    artifacts = LocalArtifacts(tmp_path)
    assert [artifacts.is_whole(name) for name in NAMES] == [True] * 8 + [False]


def test_nobody_takes_the_journal_of_a_process_that_is_at_work(tmp_path: Path) -> None:
    at_work = LocalArtifacts(tmp_path)
    at_work.put([b"first"])
    (journal,) = (tmp_path / "incoming").iterdir()
    LocalArtifacts(tmp_path)
    at_work.put([b"second"])
    assert journal.read_bytes().endswith(b"second")


def test_a_full_journal_goes_once_its_files_are_on_disk(tmp_path: Path) -> None:
    artifacts = LocalArtifacts(tmp_path)
    found = [artifacts.put([bytes([number]) * 600_000])[0] for number in range(3)]
    until(lambda: len(list((tmp_path / "incoming").iterdir())) == 1, "the first journal has gone")
    (journal,) = (tmp_path / "incoming").iterdir()
    assert journal.stat().st_size < 700_000
    assert all(artifacts.is_whole(each.sha256) for each in found)


FAILS_ONCE = """
import resource, signal, sys
from pathlib import Path
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.domain.errors import PitcheyError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
artifacts = LocalArtifacts(Path(sys.argv[1]))
artifacts.put([b"before"])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # the journal takes a part of it
try:
    artifacts.put([b"x" * 60])
except PitcheyError:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
artifacts.put([b"after"])
"""


def test_what_comes_behind_an_entry_that_the_disk_did_not_take_is_not_lost(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FAILS_ONCE, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout == "refused\n"
    before, refused, after = (hashlib.sha256(each).hexdigest() for each in (b"before", b"x" * 60, b"after"))
    assert not place(tmp_path, refused).exists()  # what is in no journal has no name
    place(tmp_path, after).unlink()
    artifacts = LocalArtifacts(tmp_path)
    assert [artifacts.is_whole(name) for name in (before, refused, after)] == [True, False, True]


def test_a_length_without_sense_ends_a_journal(tmp_path: Path) -> None:
    journal = after_a_process_that_ended(tmp_path)
    for name in NAMES:
        place(tmp_path, name).unlink()
    journal.write_bytes(journal.read_bytes() + b"\xff" * 40)
    artifacts = LocalArtifacts(tmp_path)
    assert all(artifacts.is_whole(name) for name in NAMES)
    assert list((tmp_path / "incoming").iterdir()) == []
