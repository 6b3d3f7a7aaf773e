"""Passwords of documents: they open and lock what they are to, and nobody is shown them."""

from __future__ import annotations

from pathlib import Path

import pikepdf
import pytest

from tests.conftest import RESOURCES, Pitchey
from tests.resources.pdfs import Leaf, written

OPENS, LOCKS = "Tr0ub4dor-opens", "correct-horse-locks"
ASKED = ("--output-formats", "pdf", "--password", OPENS, "--output-password", LOCKS)


@pytest.fixture
def locked(pitchey: Pitchey) -> Path:
    """A document that a password opens."""
    plain, path = pitchey.cwd / "plain.pdf", pitchey.cwd / "locked.pdf"
    written(plain, [Leaf().text(50, 60, "Nobody else is to read this.")])
    with pikepdf.open(plain) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner=OPENS, user=OPENS, R=6))
    plain.unlink()
    return path


def shown(pitchey: Pitchey, *arguments: str | Path) -> str:
    """All that a command prints; it may end as it likes."""
    answer = pitchey(*arguments)
    text = answer.out + answer.err
    assert OPENS not in text and LOCKS not in text, arguments
    return text


def kept(pitchey: Pitchey) -> list[Path]:
    """The files of the state directory that have one of the passwords in them."""
    files = [path for path in pitchey.state_dir.rglob("*") if path.is_file()]
    assert any(path.suffix in (".db", ".sqlite", ".sqlite3") for path in files)
    return [path for path in files if any(word.encode() in path.read_bytes() for word in (OPENS, LOCKS))]


def test_whatever_shows_a_job_shows_no_password(pitchey: Pitchey, locked: Path) -> None:
    (job_id,) = pitchey.ok("submit", "document", locked, *ASKED, "--batch", "b").lines
    assert pitchey.job(job_id)["spec"]["password"] == "***"
    assert pitchey.job(job_id)["spec"]["outputPassword"] == "***"
    assert "password ***" in shown(pitchey, "status", job_id)
    assert '"password": "***"' in shown(pitchey, "jobs", "--json").replace('":"', '": "')
    assert "***" in shown(pitchey, "db", "export", "container_jobs")
    for command in (("why", job_id), ("jobs",), ("events", job_id), ("pipeline", "show", "b"), ("logs", job_id)):
        shown(pitchey, *command)


def test_when_a_job_has_ended_well_its_passwords_are_kept_nowhere(pitchey: Pitchey, locked: Path) -> None:
    for word, text in (("opens", OPENS), ("locks", LOCKS)):
        (pitchey.cwd / word).write_text(f"{text}\n")
    files = ("--password-file", "opens", "--output-password-file", "locks")
    pitchey.ok("run", "document", locked, "--output-formats", "pdf", *files, "-o", "out")
    with pikepdf.open(pitchey.cwd / "out" / "locked.pdf", password=LOCKS) as pdf:
        assert len(pdf.pages) == 1
    assert pitchey.job("@last")["spec"]["outputPassword"] == "***"
    assert kept(pitchey) == []
    again = pitchey.ok("result", "@last", "-o", "again")
    assert (pitchey.cwd / "again" / "locked.pdf").exists(), again.err


def test_another_password_gives_no_result_of_an_earlier_job(pitchey: Pitchey, locked: Path) -> None:
    asked = ("run", "document", locked, "-o", "out", "--overwrite")
    pitchey.ok(*asked, "--password", OPENS)
    refused = pitchey(*asked, "--password", "guessed")
    assert refused.code != 0 and "The password does not open locked.pdf." in refused.err
    said = pitchey.ok(*asked, "--password", OPENS, "--explain-cache").err
    assert "not cached: it has a password, of which nothing is kept" in said


def test_a_job_that_is_cancelled_keeps_no_password(pitchey: Pitchey, locked: Path) -> None:
    (job_id,) = pitchey.ok("submit", "document", locked, *ASKED).lines
    assert kept(pitchey) != [], "a job that waits needs them"
    pitchey.ok("cancel", job_id)
    assert kept(pitchey) == []


def test_a_dead_letter_keeps_its_password_for_another_try_and_shows_it_nowhere(pitchey: Pitchey, locked: Path) -> None:
    whole = locked.read_bytes()
    locked.write_bytes(whole[: len(whole) // 3])
    dead = pitchey("run", "document", locked, "--password", OPENS, "--max-attempts", "1", "-o", "out")
    assert dead.code != 0
    assert OPENS not in dead.out + dead.err
    job_id = pitchey.job("@last")["id"]
    for command in (("dlq", "list"), ("dlq", "list", "--json"), ("dlq", "show", job_id), ("status", job_id)):
        shown(pitchey, *command)
    assert kept(pitchey) != []
    pitchey.ok("dlq", "purge", job_id)
    assert kept(pitchey) == []


def test_a_schedule_shows_no_password(pitchey: Pitchey, locked: Path) -> None:
    pitchey.ok("schedule", "add", "document", locked, "--name", "nightly", "--cron", "@daily", *ASKED)
    assert '"***"' in shown(pitchey, "schedule", "list", "--json")
    assert "***" in shown(pitchey, "db", "export", "job_schedules")
    shown(pitchey, "schedule", "list")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--password", "x", "--password-file", "empty"), "--password and --password-file say the same thing."),
        (("--password-file", "empty"), "empty is to hold a secret, and its first line is empty."),
        (("--password-file", "nowhere"), "There is no file at 'nowhere'."),
        (("--password", "long-" * 200), "password '***' does not fit"),
    ],
)
def test_a_password_that_cannot_be_is_refused_and_not_repeated(
    pitchey: Pitchey, arguments: tuple[str, ...], said: str
) -> None:
    (pitchey.cwd / "empty").touch()
    refused = pitchey("submit", "document", RESOURCES / "documents" / "multi_page.pdf", *arguments)
    assert refused.code != 0 and said in refused.err
    assert "long-" not in refused.err
