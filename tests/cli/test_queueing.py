"""When and how jobs queue, as a person asks for it: batches, dead letters, dependencies, the cache."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.conftest import Pitchey

THUMBNAIL = ("--output-format", "thumbnail")


@pytest.fixture
def broken(pitchey: Pitchey) -> Path:
    file = pitchey.cwd / "broken.mp4"
    file.write_bytes(b"no video at all")
    return file


def test_a_batch_is_waited_for_and_reported_on_as_one(pitchey: Pitchey, clip: Path, broken: Path) -> None:
    pitchey.ok("submit", "video", clip, broken, *THUMBNAIL, "--batch", "night")
    assert pitchey("batch", "wait", "night").code == 8  # nobody runs them
    pitchey.start_daemon()
    waited = pitchey("batch", "wait", "night")
    assert waited.code == 1 and "2 of 2 ended (1 succeeded, 1 dead)" in waited.err
    status = pitchey.ok("batch", "status", "night", "--json").json
    assert (status["jobs"], status["states"]) == (2, {"dead": 1, "succeeded": 1})
    pitchey.ok("batch", "report", "night", "--junit", "report.xml")
    suite = ElementTree.parse(pitchey.cwd / "report.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.get("type") == "not_media"
    assert pitchey("batch", "status", "day").code == 3


def test_dead_letters_are_listed_counted_queued_again_and_removed(pitchey: Pitchey, broken: Path) -> None:
    assert pitchey("run", "video", broken, "-o", "out").code == 1
    (job_id,) = pitchey.ok("jobs", "--ids").lines
    (listed,) = pitchey.ok("dlq", "list", "--json").lines
    assert json.loads(listed)["error"]["code"] == "not_media"
    assert "attempt 1 on video-" in pitchey.ok("dlq", "show", job_id).out
    assert pitchey("dlq", "retry").code == 2  # never everything by an empty command
    assert pitchey.ok("dlq", "retry", "--error", "not_m*", "--dry-run").out == "1 would be queued again\n"
    assert pitchey.ok("dlq", "retry", "--error", "oom", "--dry-run").out == "0 would be queued again\n"
    assert pitchey.ok("dlq", "retry", job_id).out == "1 queued again\n"
    job = pitchey.job(job_id)
    assert (job["state"], job["attemptsUsed"], len(job["attempts"])) == ("queued", 0, 1)
    assert pitchey("dlq", "purge", job_id).code == 2  # it waits again
    pitchey.start_daemon()
    assert pitchey("wait", job_id).code == 1
    assert pitchey.ok("dlq", "purge", "--all").out == "1 removed\n"
    assert pitchey("status", job_id).code == 3


def test_a_job_after_another_waits_for_it_and_goes_with_it(pitchey: Pitchey, clip: Path, broken: Path) -> None:
    (first,) = pitchey.ok("submit", "video", broken).lines
    (second,) = pitchey.ok("submit", "video", clip, *THUMBNAIL, "--after", first).lines
    (third,) = pitchey.ok("submit", "video", clip, *THUMBNAIL, "--after", first, "--if-failed", "run").lines
    assert pitchey.ok("why", second).out == f"It waits for job {first}, which is queued.\n"
    pitchey.start_daemon()
    assert pitchey("wait", first, second, third).code == 1
    assert [pitchey.job(each)["state"] for each in (first, second, third)] == ["dead", "cancelled", "succeeded"]
    assert first in pitchey.job(second)["error"]["message"]


def test_the_same_work_is_not_done_twice(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "one")
    again = pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "two", "--explain-cache")
    assert "sample_10s: cached: as job" in again.err
    (picture,) = (pitchey.cwd / "one").iterdir()
    assert (pitchey.cwd / "two" / picture.name).read_bytes() == picture.read_bytes()
    assert pitchey.job("@last")["attempts"] == []
    other = pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "three", "--quality", "low", "--explain-cache")
    assert "not cached: no job with the same spec" in other.err
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "four", "--no-cache")
    assert len(pitchey.job("@last")["attempts"]) == 1


def test_a_job_that_was_answered_from_the_cache_says_so_and_by_which_job(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "one")
    first = pitchey.job("@last")
    run = pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "two")
    assert f"cached, the result of job {first['id']}" in run.out
    assert (first["cachedFrom"], pitchey.job("@last")["cachedFrom"]) == (None, first["id"])
    assert f"the result of job {first['id']}" in pitchey.ok("status", "@last").out
    for listed in (pitchey.ok("jobs"), pitchey.ok("status")):
        assert " cached " in listed.out and "0/3" not in listed.out


def test_a_result_that_was_removed_is_made_again(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "one")
    (output,) = pitchey.job("@last")["outputs"]
    (kept,) = (pitchey.state_dir / "artifacts").rglob(output["sha256"])
    kept.unlink()
    again = pitchey.ok("run", "video", clip, *THUMBNAIL, "-o", "two", "--explain-cache")
    assert "has been removed" in again.err
    assert len(pitchey.job("@last")["attempts"]) == 1


def test_an_idempotency_key_makes_a_submission_safe_to_repeat(pitchey: Pitchey, clip: Path) -> None:
    submit = ("submit", "video", clip, "--idempotency-key", "upload-7")
    assert pitchey.ok(*submit).lines == pitchey.ok(*submit).lines
    other = pitchey(*submit, "--quality", "low")
    assert other.code == 2 and "upload-7" in other.err
    assert len(pitchey.ok("jobs", "--ids").lines) == 1


def test_a_job_that_is_not_started_in_time_is_a_dead_letter(pitchey: Pitchey, clip: Path) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip, "--key", "cam", "--ttl", "0.01s").lines
    pitchey.start_daemon()
    pitchey("wait", job_id)
    assert pitchey.job(job_id)["error"]["code"] == "expired"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--run-at", "soon"], "--run-at: 'soon' is no time"),
        (["--deadline", "2020-01-01"], "--deadline: '2020-01-01' has passed"),
        (["--run-at", "2h", "--ttl", "banana"], "--ttl: 'banana'"),
        (["--run-at", "2h", "--deadline", "1h"], "could never start"),
        (["--backoff", "often"], "--backoff: 'often'"),
        (["--slots", "9"], "--slots 9: an instance of the video service has 3"),
        (["--batch", "a\nb"], "--batch"),
        (["--after", "nothing"], "There is no job 'nothing'"),
        (["--after", "@last", "--if-failed", "explode"], "--if-failed: there is no 'explode'"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_is_queued(
    pitchey: Pitchey, clip: Path, options: list[str], says: str
) -> None:
    pitchey.ok("submit", "video", clip)
    answer = pitchey("submit", "video", clip, *options)
    assert answer.code in (2, 3) and says in answer.err
    assert len(pitchey.ok("jobs", "--ids").lines) == 1


def test_a_wrong_policy_is_named_when_the_daemon_starts(pitchey: Pitchey) -> None:
    answer = pitchey("daemon", "run", PITCHEY_QUEUE_KEYS="camera=many")
    assert answer.code == 2 and "queue.keys: the limit of 'camera' is 'many'" in answer.err


def test_everything_of_an_organisation_is_cancelled_and_nothing_else(pitchey: Pitchey, clip: Path) -> None:
    mine = pitchey.ok("submit", "video", clip, *THUMBNAIL, "--organisation", "acme").lines
    mine += pitchey.ok("submit", "video", clip, *THUMBNAIL, "--organisation", "acme", "--run-at", "2h").lines
    (other,) = pitchey.ok("submit", "video", clip, *THUMBNAIL).lines
    assert (
        pitchey.ok("cancel", "--organisation", "acme", "--reason", "they left").out == "2 cancelled, or being stopped\n"
    )
    assert {pitchey.job(job_id)["state"] for job_id in mine} == {"cancelled"}
    assert pitchey.job(other)["state"] == "queued"
    for wrong in ((), (other, "--all"), (other, "--batch", "x"), ("--batch", ""), ("--all", "--batch", "x")):
        assert pitchey("cancel", *wrong).code == 2
    assert pitchey("cancel", "--batch", "nobody").code == 3
    assert pitchey.job(other)["state"] == "queued"


def test_a_manifest_is_submitted_whole_or_not_at_all(pitchey: Pitchey, clip: Path) -> None:
    manifest = pitchey.cwd / "jobs.csv"
    manifest.write_text(f"input,name,outputFormat,priority\n{clip},one,thumbnail,high\n{clip},two,thumbnail,best\n")
    answer = pitchey("submit", "video", "--manifest", manifest)
    assert answer.code == 2 and "jobs.csv, line 3: There is no priority 'best'" in answer.err
    assert pitchey.ok("jobs", "--ids").out == ""
    manifest.write_text(manifest.read_text().replace("best", "1"))
    ids = pitchey.ok("submit", "video", "--manifest", manifest, "--batch", "night").lines
    assert [(pitchey.job(each)["name"], pitchey.job(each)["priority"]) for each in ids] == [("one", 4), ("two", 1)]


def test_a_line_of_a_manifest_with_its_own_key_gives_the_same_job_whatever_stands_beside_it(
    pitchey: Pitchey, clip: Path
) -> None:
    manifest = pitchey.cwd / "jobs.csv"
    head, lines = "input,outputFormat,idempotency-key\n", [f"{clip},thumbnail,k{number}\n" for number in (1, 2)]
    manifest.write_text(head + "".join(lines))
    both = pitchey.ok("submit", "video", "--manifest", manifest).lines
    manifest.write_text(head + lines[1])
    assert pitchey.ok("submit", "video", "--manifest", manifest).lines == [both[1]]


def test_a_batch_that_is_held_for_a_dead_letter_is_not_waited_for_for_ever(
    pitchey: Pitchey, clip: Path, broken: Path
) -> None:
    pitchey.start_daemon()
    (first,) = pitchey.ok("submit", "video", broken, "--batch", "night").lines
    pitchey.ok("submit", "video", clip, *THUMBNAIL, "--batch", "night", "--after", first, "--if-failed", "hold")
    waited = pitchey("batch", "wait", "night")
    assert waited.code == 1 and "1 held for dead letters" in waited.err
    held = pitchey.ok("jobs", "--ids", "-s", "held").lines[0]
    assert pitchey.ok("why", held).out == f"It waits for job {first}, which is dead: `pitchey dlq retry {first}`.\n"
