"""Buckets as inputs and as destinations, with a real server, the command line and the daemon."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest

from pitchey_cli.domain.access import Role
from tests.conftest import Pitchey
from tests.resources import onnx_models
from tests.resources.onnx_models import add_classifier
from tests.resources.served import CONTENT, served
from tests.resources.waiting import until_said
from tests.servers.s3 import READER, Bucket

THUMBNAIL = ("--output-format", "thumbnail")


@pytest.fixture
def at(pitchey: Pitchey, bucket: Bucket) -> Pitchey:
    """The command line whose default profile is the server's."""
    pitchey.environment |= bucket.environment
    return pitchey


def test_an_object_is_worked_on_and_the_outputs_are_where_they_were_asked_for(at: Pitchey, bucket: Bucket, clip: Path):
    url = bucket.put("in/my clip#1.mp4", clip.read_bytes())
    answer = at.ok("run", "video", url, *THUMBNAIL, "--output", f"{bucket.url}//out/{{job}}/")
    (key,) = bucket.names("out/")
    assert answer.lines == [f"{bucket.url}/{key}"]
    assert bucket.get(key).startswith(b"\xff\xd8")
    head = bucket.client.head_object(Bucket=bucket.name, Key=key)
    assert head["ContentType"] == "image/jpeg"
    assert len(head["Metadata"]["sha256"]) == 64


def test_the_daemon_stores_the_outputs_with_nobody_waiting_and_links_to_them(at: Pitchey, bucket: Bucket, clip: Path):
    url = bucket.put("in/clip.mp4", clip.read_bytes())
    at.start_daemon()
    (job,) = at.ok("submit", "video", url, *THUMBNAIL, "--output", f"{bucket.url}/{{name}}/{{job}}/").lines
    at.ok("wait", job)
    (key,) = bucket.names("clip/")
    assert at.ok("result", job).lines == [f"{bucket.url}/{key}"]
    (link,) = at.ok("result", job, "--link", "--expires", "2m").lines
    assert httpx.get(link).content == bucket.get(key)


def test_a_folder_in_a_bucket_is_a_batch(at: Pitchey, bucket: Bucket, clip: Path):
    for name in ("in/a.mp4", "in/deep/b.mp4", "in/notes.md", "in/.hidden/c.mp4", "other/d.mp4"):
        bucket.put(name, clip.read_bytes())
    at.ok("submit", "video", f"{bucket.url}/in/", *THUMBNAIL, "--batch", "films")
    assert sorted(json.loads(line)["name"] for line in at.ok("jobs", "--json").lines) == ["a", "deep/b"]


def test_the_same_object_is_fetched_once(at: Pitchey, bucket: Bucket, clip: Path):
    url = bucket.put("in/clip.mp4", clip.read_bytes())
    at.ok("run", "video", url, *THUMBNAIL, "-o", "one")
    (noted,) = (at.state_dir / "fetched").iterdir()
    before = noted.stat().st_mtime_ns
    at.ok("run", "video", url, *THUMBNAIL, "-o", "two")
    assert noted.stat().st_mtime_ns == before
    bucket.put("in/clip.mp4", clip.read_bytes() + b"\0")
    at.ok("run", "video", url, *THUMBNAIL, "-o", "three")
    assert noted.stat().st_mtime_ns > before


def test_a_bucket_that_cannot_be_written_is_found_out_before_the_work(at: Pitchey, bucket: Bucket, clip: Path):
    at.environment |= {"PITCHEY_S3_ACCESS_KEY": READER.access, "PITCHEY_S3_SECRET_KEY": READER.secret}
    answer = at("run", "video", clip, *THUMBNAIL, "--output", f"{bucket.url}/out/{{job}}/")
    assert answer.code == 1
    assert f"{bucket.url}/out/" in answer.err
    assert "may not be written" in answer.err
    assert "(profile default)" in answer.err


@pytest.mark.parametrize("url", ["s3://bucket/one.mp4", "s3://bucket/all/", "s3://UPPER/{job}/", "s3://b/../{job}/"])
def test_a_destination_that_makes_no_sense_is_refused_at_once(at: Pitchey, clip: Path, url: str):
    answer = at("submit", "video", clip, "--output", url)
    assert answer.code == 2
    assert url.split("/")[2] in answer.err


def test_who_is_granted_no_profile_may_use_none(at: Pitchey, bucket: Bucket, clip: Path):
    url = bucket.put("in/clip.mp4", clip.read_bytes())
    asked = ("submit", "video", url, *THUMBNAIL, "--organisation", "acme")
    answer = at(*asked)
    assert answer.code == 4
    assert "s3.organisations = acme=default" in answer.err
    at.ok(*asked, PITCHEY_S3_ORGANISATIONS="acme=default")


def test_a_daemon_that_was_killed_while_it_stored_does_not_do_the_work_again(
    at: Pitchey, bucket: Bucket, clip: Path, lasting_options: list[str]
):
    daemon = at.start_daemon()
    (job,) = at.ok("submit", "video", clip, *lasting_options, "--output", f"{bucket.url}/{{job}}/").lines
    at.until_working(job)
    bucket.server.freeze()
    try:
        at.until(job, lambda it: it["stage"] == "storing outputs")
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
    finally:
        bucket.server.thaw()
    assert bucket.names() == []
    at.start_daemon()
    at.ok("wait", job)
    assert bucket.names() == [f"{job}/video.webm"]
    assert len(at.job(job)["attempts"]) == 1


def test_an_organisation_gets_its_link_over_the_api_and_uses_no_profile_that_is_not_its_own(
    bucket: Bucket, tmp_path: Path
):
    settings = bucket.environment | {"PITCHEY_S3_ORGANISATIONS": "acme=default"}
    with served(tmp_path / "state", **settings) as api:
        spec = {"inputUrl": bucket.put("in/clip.mp4", b"content")}
        job = {"service": "video", "spec": spec, "output": f"{bucket.url}/{{job}}/"}
        refused = api.client(api.token(organisation="others")).post("/v1/jobs", json={"jobs": [job]})
        assert refused.status_code == 403
        assert "others may not use the S3 profile default" in refused.json()["detail"]
        client = api.client(api.token(organisation="acme"))
        (taken,) = client.post("/v1/jobs", json={"jobs": [job]}).json()["jobs"]
        api.succeed(taken["id"], tmp_path)
        bucket.put(f"{taken['id']}/video.mp4", b"result")
        (output,) = client.get(f"/v1/jobs/{taken['id']}/outputs").json()["outputs"]
        assert output["location"] == f"{bucket.url}/{taken['id']}/video.mp4"
        assert httpx.get(output["link"]).content == b"result"


def test_the_list_of_outputs_has_links_is_not_sent_twice_and_waits_for_no_bucket(bucket: Bucket, tmp_path: Path):
    settings = bucket.environment | {"PITCHEY_ARTIFACTS_URL": f"{bucket.url}/kept"}
    with served(tmp_path / "state", **settings) as api:
        job_id = api.add()
        api.succeed(job_id, tmp_path)
        client, path = api.client(api.token()), f"/v1/jobs/{job_id}/outputs"
        first = client.get(path)
        assert httpx.get(first.json()["outputs"][0]["link"]).content == CONTENT
        again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        bucket.server.freeze()
        try:
            answer = client.get(path)
        finally:
            bucket.server.thaw()
        assert (answer.status_code, answer.json()["outputs"][0]["link"]) == (200, None)
        assert answer.json()["outputs"][0]["sha256"] == first.json()["outputs"][0]["sha256"]


def test_a_server_signs_the_links_of_whoever_has_no_keys(bucket: Bucket, tmp_path: Path, pitchey: Pitchey):
    with served(tmp_path / "state", **bucket.environment) as api:
        plain, there = api.add(), api.add(output=f"{bucket.url}/{{job}}/")
        api.succeed(plain, tmp_path)
        api.succeed(there, tmp_path)
        bucket.put(f"{there}/video.mp4", b"result")
        far = {"PITCHEY_SERVER": str(api.address), "PITCHEY_TOKEN": api.token(Role.VIEWER)}
        (link,) = pitchey.ok("result", there, "--link", "--expires", "2m", **far).lines
        assert httpx.get(link).content == b"result" and "Expires=120" in link
        none = pitchey("result", plain, "--link", **far)
        assert none.code == 2 and f"The outputs of job {plain} are in no bucket" in none.err
        assert "7d at most" in pitchey("result", there, "--link", "--expires", "8d", **far).err


def test_the_doctor_asks_the_profiles(at: Pitchey, bucket: Bucket):
    at.environment["PITCHEY_ARTIFACTS_URL"] = f"{bucket.url}/kept"
    checks = {each["subject"]: each for each in at("doctor", "--json").json["checks"]}
    assert (checks["s3 default"]["verdict"], checks["artifacts"]["verdict"]) == ("ok", "ok")
    at.environment["PITCHEY_S3_SECRET_KEY"] = "wrong"
    checks = {each["subject"]: each for each in at("doctor", "--json").json["checks"]}
    assert "the keys are wrong (profile default)" in checks["s3 default"]["saw"]
    assert "access_key and secret_key" in checks["s3 default"]["way_out"]


def test_secrets_are_shown_nowhere(at: Pitchey):
    for asked in (("config", "show", "--json"), ("config", "show", "s3.secret_key"), ("config", "show")):
        assert "the-secret-of-the-owner" not in at.ok(*asked).out
    assert at.ok("config", "show", "s3.secret_key").lines == ["***"]


def test_a_machine_with_its_artifacts_in_a_bucket_does_the_same(at: Pitchey, bucket: Bucket, clip: Path):
    at.environment["PITCHEY_ARTIFACTS_URL"] = f"{bucket.url}/kept"
    at.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    assert len(bucket.names("kept/content/")) == 2
    assert [path.suffix for path in (at.cwd / "out").iterdir()] == [".jpg"]
    (link,) = at.ok("result", "@last", "--link").lines
    assert httpx.get(link).content.startswith(b"\xff\xd8")
    granted = {"PITCHEY_S3_ORGANISATIONS": "acme=default"}  # keys that may read all that others have brought in
    for key in bucket.names("kept/"):
        answer = at("submit", "video", f"{bucket.url}/{key}", *THUMBNAIL, "--organisation", "acme", **granted)
        assert (answer.code, "keeps the artifacts of everybody" in answer.err) == (4, True)


def test_what_lies_in_a_bucket_is_checked_and_found_again_without_fetching_it(at: Pitchey, bucket: Bucket, clip: Path):
    at.environment["PITCHEY_ARTIFACTS_URL"] = f"{bucket.url}/kept"
    at.ok("run", "video", clip, *THUMBNAIL, "-o", "out")
    job, cached = at.job("@last"), at.state_dir / "cache"
    (input_,), (output,) = ([each["sha256"] for each in job[which]] for which in ("inputs", "outputs"))
    shutil.rmtree(cached)
    assert "2 artifacts, none missing" in at.ok("db", "check").out
    at.ok("submit", "video", clip, *THUMBNAIL)
    assert at.job("@last")["cachedFrom"] == job["id"]
    assert not [*cached.rglob(output)], "no more is fetched than it takes"

    keys = {key.split("/")[-2]: key for key in bucket.names("kept/content/")}
    content = bucket.get(keys[output])
    bucket.put(keys[output], content[::-1])
    assert at("db", "check").code == 0, "it has its size"
    assert f"artifact {output}: its content is another" in at("db", "check", "--deep").out
    bucket.put(keys[output], content[:-1])
    bucket.client.delete_object(Bucket=bucket.name, Key=keys[input_])
    problems = at("db", "check", "--json").json["problems"]
    assert [text.split(", job")[0] for text in problems] == [
        f"artifact {output}: has {len(content) - 1:,} bytes, not {len(content):,}",
        f"artifact {input_}: missing",
    ]


def test_outputs_wait_for_the_bucket_of_the_artifacts_and_the_work_is_not_done_again(
    at: Pitchey, bucket: Bucket, clip: Path, lasting_options: list[str]
):
    at.environment["PITCHEY_ARTIFACTS_URL"] = f"{bucket.url}/kept"
    daemon = at.start_daemon()
    (job,) = at.ok("submit", "video", clip, *lasting_options).lines
    at.until_working(job)
    bucket.server.stop()
    try:
        until_said("waits for the artifacts", daemon.stderr)
    finally:
        bucket.server.start()
    at.ok("wait", job)
    assert len(at.job(job)["attempts"]) == 1


def test_a_model_comes_from_a_bucket_as_a_file_or_a_folder(at: Pitchey, bucket: Bucket, tmp_path: Path):
    add_classifier(tmp_path / "models", "colour", onnx_models.colours())
    folder = tmp_path / "models" / "colour" / "1"
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.put(f"models/colour/{path.relative_to(folder)}", path.read_bytes())
    at.ok("models", "add", "mine", f"{bucket.url}/models/colour/")
    assert "mine" in at.ok("models", "list").out


@pytest.mark.parametrize("given", ["input", "output"])
def test_a_profile_that_nobody_knows_is_refused_at_once(at: Pitchey, bucket: Bucket, clip: Path, given: str):
    place = [f"s3://nope@{bucket.name}/a.mp4"] if given == "input" else [clip, "--output", "s3://nope@house/{job}/"]
    answer = at("submit", "video", *place)
    assert answer.code == 2 and "There is no S3 profile 'nope' here" in answer.err
    assert at.ok("jobs").lines[1:] == []
