"""The API as a program meets it: submissions, results, pages, waits, and all that can be wrong with a request."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from pitchey_cli.api import server
from pitchey_cli.domain.access import Role
from pitchey_cli.domain.job import JobState, Output
from pitchey_cli.operations import access
from tests.resources.served import CONTENT, VIDEO, Served, served

PROGRAM = {"service": "code", "spec": {"language": "python", "code": "print(1)"}}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    small = {"PITCHEY_API_BODY_BYTES": "20000", "PITCHEY_LIMITS_INPUT_BYTES": "1000000"}
    with served(tmp_path_factory.mktemp("api"), PITCHEY_API_REQUEST_SECONDS="2", **small) as ready:
        yield ready


@pytest.fixture
def client(api: Served) -> httpx.Client:
    return api.client(api.token(Role.ADMIN))


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem detail of an answer that has to be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status and found["detail"].endswith((".", "?")) and found["requestId"]
    return found


# --- submit


def test_a_job_is_submitted_and_found_again(api: Served, client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={**PROGRAM, "name": "first", "priority": "high", "batch": "one"})
    (job,) = answer.json()["jobs"]
    assert (answer.status_code, answer.headers["location"]) == (201, f"/v1/jobs/{job['id']}")
    assert (job["state"], job["priority"], job["name"], job["batch"]) == ("queued", 4, "first", "one")
    assert client.get(f"/v1/jobs/{job['id']}").json()["spec"]["code"] == "print(1)"


def test_of_several_jobs_all_are_queued_or_none(api: Served, client: httpx.Client) -> None:
    before = api.store.counts()
    wrong = {"service": "code", "spec": {"language": "cobol", "code": ""}}
    found = problem(client.post("/v1/jobs", json={"jobs": [PROGRAM, wrong]}), 422)
    assert found["detail"].startswith("jobs, item 2: language 'cobol' is not one of")
    assert api.store.counts() == before
    assert len(client.post("/v1/jobs", json={"jobs": [PROGRAM, PROGRAM]}).json()["jobs"]) == 2


def test_the_same_idempotency_key_gives_the_same_job_and_another_request_with_it_is_refused(
    client: httpx.Client,
) -> None:
    keyed = {"Idempotency-Key": "order-4711"}
    first = client.post("/v1/jobs", json=PROGRAM, headers=keyed)
    again = client.post("/v1/jobs", json=PROGRAM, headers=keyed)
    assert first.json()["jobs"][0]["id"] == again.json()["jobs"][0]["id"]
    assert (first.status_code, again.status_code, again.headers["idempotency-replayed"]) == (201, 200, "true")
    other = {"service": "code", "spec": {"language": "python", "code": "print(2)"}}
    assert "which is another" in problem(client.post("/v1/jobs", json=other, headers=keyed), 422)["detail"]


def test_a_request_with_more_jobs_or_fewer_is_another_one(api: Served, client: httpx.Client) -> None:
    def send(key: str, count: int) -> httpx.Response:
        asked = {"jobs": [PROGRAM] * count} if count > 1 else PROGRAM
        return client.post("/v1/jobs", json=asked, headers={"Idempotency-Key": key})

    for first, others in ((1, (2, 3)), (2, (1, 3)), (3, (1, 2))):
        key = f"batch-{first}"
        assert send(key, first).status_code == 201
        before = api.store.counts()
        for count in others:
            found = problem(send(key, count), 422)
            assert "with more jobs or fewer" in found["detail"] and found["hint"], (first, count)
        assert api.store.counts() == before, "nothing of it is queued"
        assert send(key, first).headers["idempotency-replayed"] == "true"


def test_a_file_that_is_sent_along_becomes_the_input(api: Served, client: httpx.Client, clip: Path) -> None:
    with clip.open("rb") as file:
        answer = client.post(
            "/v1/video",
            files={"input": ("holiday.mp4", file)},
            data={"job": json.dumps({"spec": {"outputFormat": "thumbnail"}, "priority": 5})},
        )
    job = answer.json()
    assert (answer.status_code, job["name"], job["priority"]) == (202, "holiday", 5)
    (taken,) = job["inputs"]
    kept = api.wiring.artifacts().path(taken["sha256"])
    assert (kept.read_bytes(), taken["name"]) == (clip.read_bytes(), "holiday.mp4")
    assert not list((api.wiring.state_dir / "uploads").iterdir()), "what was sent is an artifact now, and nothing else"


def test_files_are_named_by_the_specs_of_several_jobs(client: httpx.Client, clip: Path) -> None:
    jobs = [{"service": "video", "spec": {"inputUrl": f"upload:{name}", "outputFormat": "probe"}} for name in "ab"]
    content = clip.read_bytes()
    files = [("a", ("a.mp4", content)), ("b", ("b.mp4", content)), ("jobs", (None, json.dumps({"jobs": jobs})))]
    answer = client.post("/v1/jobs", files=files)
    assert [each["name"] for each in answer.json()["jobs"]] == ["a", "b"]


def test_a_service_answers_with_the_result_when_it_is_there_in_time(
    api: Served, client: httpx.Client, tmp_path: Path
) -> None:
    job_id = api.add()
    waits = threading.Thread(target=lambda: api.succeed(job_id, tmp_path))
    waits.start()
    job = client.get(f"/v1/jobs/{job_id}", params={"wait": 20}).json()
    waits.join()
    assert job["state"] == "succeeded" and job["outputs"][0]["size"] == len(CONTENT)
    late = client.post("/v1/code", json={"spec": PROGRAM["spec"]}, params={"wait": 0.1})
    assert late.status_code == 202 and late.headers["location"] == f"/v1/jobs/{late.json()['id']}"


# --- look


def test_pages_lead_from_the_newest_to_the_oldest_and_leave_nobody_out(api: Served, client: httpx.Client) -> None:
    ids = [api.add(batch="pages") for _ in range(5)]
    found: list[str] = []
    url = "/v1/jobs?batch=pages&limit=2"
    while url:
        answer = client.get(url)
        found += [each["id"] for each in answer.json()["jobs"]]
        url = answer.links["next"]["url"] if "next" in answer.links else ""
        assert bool(url) == (answer.json()["next"] is not None)
    assert found == ids[::-1]


def test_jobs_are_chosen_by_state_and_service(api: Served, client: httpx.Client) -> None:
    job_id = api.add(batch="chosen")
    every = client.get("/v1/jobs?state=queued&state=running&service=video&batch=chosen").json()["jobs"]
    assert [each["id"] for each in every] == [job_id]
    assert client.get("/v1/jobs?state=succeeded&batch=chosen").json()["jobs"] == []


def test_what_has_not_changed_is_not_sent_again(api: Served, client: httpx.Client) -> None:
    job_id = api.add()
    first = client.get(f"/v1/jobs/{job_id}")
    again = client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    client.post(f"/v1/jobs/{job_id}/cancel", json={})
    changed = client.get(f"/v1/jobs/{job_id}", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200 and changed.json()["state"] == "cancelled"


def test_the_list_of_thousands_of_outputs_is_not_sent_again(api: Served, client: httpx.Client) -> None:
    job_id = api.add()
    names = [f"segments/{number:04d}.m4s" for number in range(3000)]
    api.give(job_id, [Output(name, "segment", "video/mp4", f"{len(name):064x}", 9) for name in names])
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/outputs"):
        first = client.get(path)
        assert [each["path"] for each in first.json()["outputs"]] == names
        assert client.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 304


def test_a_result_is_downloaded_as_a_whole_and_in_parts(api: Served, client: httpx.Client, tmp_path: Path) -> None:
    job_id = api.add()
    api.succeed(job_id, tmp_path)
    (output,) = client.get(f"/v1/jobs/{job_id}/outputs").json()["outputs"]
    whole = client.get(output["url"])
    assert whole.content == CONTENT and whole.headers["etag"] == f'"{output["sha256"]}"'
    assert whole.headers["content-disposition"].startswith("attachment") and "sandbox" in str(whole.headers)
    part = client.get(output["url"], headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, CONTENT[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(CONTENT)}"
    rest = client.get(output["url"], headers={"Range": "bytes=-10", "If-Range": whole.headers["etag"]})
    assert rest.content == CONTENT[-10:]
    other = client.get(output["url"], headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, CONTENT)
    beyond = client.get(output["url"], headers={"Range": f"bytes={len(CONTENT)}-"})
    assert beyond.headers["content-range"] == f"bytes */{len(CONTENT)}"
    problem(beyond, 416)
    for nothing in ("bytes=-0", "bytes=-", "bytes=5-2"):
        problem(client.get(output["url"], headers={"Range": nothing}), 416)
    assert client.get(output["url"], headers={"Range": f"bytes={'1' * 5000}-"}).content == CONTENT
    assert client.get(output["url"], headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert client.head(output["url"]).headers["content-length"] == str(len(CONTENT))


def test_a_job_without_a_result_says_why(api: Served, client: httpx.Client) -> None:
    waiting, failed = api.add(), api.add(max_attempts=1)
    assert "no result yet" in problem(client.get(f"/v1/jobs/{waiting}/outputs"), 422)["detail"]
    api.fail(failed)
    assert "It is no video." in problem(client.get(f"/v1/jobs/{failed}/outputs"), 404)["detail"]


# --- change


def test_a_dead_letter_is_queued_again_and_only_one(api: Served, client: httpx.Client) -> None:
    job_id = api.add(max_attempts=1)
    problem(client.post(f"/v1/jobs/{job_id}/retry"), 422)
    api.fail(job_id)
    assert [each["id"] for each in client.get("/v1/dead-letters").json()["jobs"]][:1] == [job_id]
    assert client.post(f"/v1/jobs/{job_id}/retry").json()["state"] == "queued"


def test_no_answer_has_the_password_of_a_document(client: httpx.Client) -> None:
    spec = {"documentUrl": "https://x.example/a.pdf", "password": "open sesame"}
    order, keyed = {"service": "document", "spec": spec, "batch": "papers"}, {"Idempotency-Key": "paper-1"}
    (job,) = client.post("/v1/jobs", json=order, headers=keyed).json()["jobs"]
    nightly = {**order, "schedule": "papers", "cron": "@daily"}
    assert client.post("/v1/schedules", json=nightly).json()["fields"]["password"] == "***"
    for path in (f"/v1/jobs/{job['id']}", "/v1/jobs", "/v1/schedules", "/v1/schedules/papers"):
        answer = client.get(path).text
        assert "***" in answer and "sesame" not in answer
    client.post(f"/v1/jobs/{job['id']}/cancel")
    again = client.post("/v1/jobs", json=order, headers=keyed)
    assert again.json()["jobs"][0]["id"] == job["id"]
    wrong = {"service": "document", "spec": {**spec, "password": 100 * "sesame"}}
    assert "sesame" not in problem(client.post("/v1/jobs", json=wrong), 422)["detail"]
    client.delete("/v1/schedules/papers")


def test_a_pipeline_is_a_batch_and_none_of_its_steps_reads_a_file_of_the_server(client: httpx.Client) -> None:
    steps = {
        "small": {"service": "video", "input": "@input", "resolution": "320x240"},
        "still": {"service": "video", "input": "@small/video.mp4", "outputFormat": "thumbnail"},
    }
    asked = {"name": "talk", "steps": steps, "inputs": ["https://media.example/a.mp4"]}
    answer = client.post("/v1/pipelines", json=asked)
    assert answer.json()["states"] == {"queued": 1, "held": 1}
    named = {**asked, "batch": "talk-1"}
    assert client.post("/v1/pipelines", json=named).headers["location"] == "/v1/batches/talk-1"
    assert "already" in problem(client.post("/v1/pipelines", json=named), 409)["detail"]
    problem(client.post("/v1/pipelines", json=asked, headers={"Idempotency-Key": "k"}), 422)
    steps["small"]["input"] = "/etc/passwd"
    found = problem(client.post("/v1/pipelines", json={**asked, "inputs": []}), 422)
    assert "file of the machine that serves this" in found["detail"]


def test_a_schedule_takes_urls_and_no_files_of_the_server(client: httpx.Client) -> None:
    asked = {
        "service": "video",
        "schedule": "nightly",
        "cron": "@daily",
        "spec": {"inputUrl": "https://x.example/a.mp4"},
    }
    assert client.post("/v1/schedules", json=asked).json()["inputs"] == ["https://x.example/a.mp4"]
    for where in ("/etc/passwd", "file:///etc/passwd", "clip.mp4", "upload:x"):
        problem(client.post("/v1/schedules", json={**asked, "schedule": "b", "spec": {"inputUrl": where}}), 422)
    assert client.delete("/v1/schedules/nightly").status_code == 204


# --- tokens


def test_a_token_ends_with_its_time_its_revocation_and_its_owners_membership(api: Served) -> None:
    yesterday = api.now - timedelta(days=1)
    expired = api.client(api.token(lasts="1h", now=yesterday))
    assert "has expired" in problem(expired.get("/v1/me"), 401)["detail"]
    admin = api.client(api.token(Role.ADMIN, "acme"))
    made = admin.post("/v1/tokens", json={"name": "ci", "role": "viewer"}).json()
    theirs = api.client(made["token"])
    assert theirs.get("/v1/me").json() | {"name": ""} == {
        "name": "", "organisation": "acme", "role": "viewer", "scopes": [],
    }  # fmt: skip
    assert admin.get("/v1/tokens").json()["tokens"][-1]["lastUsedAt"] is not None
    assert admin.delete(f"/v1/tokens/{made['id']}").status_code == 204
    assert "has been revoked" in problem(theirs.get("/v1/me"), 401)["detail"]
    access.grant(api.store, "acme", "ada", Role.VIEWER, now=api.now)
    adas = api.client(api.token(Role.ADMIN, "acme", member="ada"))
    assert adas.get("/v1/me").json()["role"] == "viewer", "no more than its owner"
    access.revoke_role(api.store, "acme", "ada")
    assert "no member of acme any more" in problem(adas.get("/v1/me"), 401)["detail"]


def test_a_token_makes_none_that_may_do_more(api: Served) -> None:
    admin = api.client(api.token(Role.ADMIN, "acme"))
    problem(admin.post("/v1/tokens", json={"name": "x", "allOrganisations": True}), 403)
    problem(admin.post("/v1/tokens", json={"name": "x", "organisation": "default"}), 403)


@pytest.mark.parametrize("forged", ["", "pitchey_", "x", "pitchey_000000000000_" + "0" * 52, "é", "pitchey_a_b_c"])
def test_a_forged_token_is_nobodys(api: Served, forged: str) -> None:
    with socket.create_connection((api.address.host, api.address.port)) as line:
        line.sendall(f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {forged}\r\n\r\n".encode("latin-1"))
        assert line.recv(4096).startswith(b"HTTP/1.1 401")


def test_a_secret_is_kept_nowhere(api: Served) -> None:
    secret = api.token().rpartition("_")[2]
    names = (api.wiring.database.name, f"{api.wiring.database.name}-wal")
    assert not any(secret.encode() in (api.wiring.state_dir / name).read_bytes() for name in names)


# --- bad input


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"", 422, "needs the field 'spec'"),
        (b'{"service": "code", "spec": {}, "service": "video"}', 400, "the field 'service' twice"),
        (b'{"service": "code", "spec": {"code": "1", "code": "2"}}', 400, "the field 'code' twice"),
        (b'{"service": "media", "spec": {"inputUrl": "http://a.example/a.wav"}}', 422, "no field 'inputUrl'"),
        (b'{"service": "code", "spec": {}, "priority": 1e400}', 422, "priority inf does not fit: it should be a text"),
        (b'{"service":', 400, "not JSON"),
        (b"\xff\xfe{}", 400, "not JSON"),
        (b'{"spec": NaN}', 400, "not JSON"),
        (b"[" * 10_000, 400, "not JSON"),
        (b'{"a":' * 3_000, 400, "not JSON"),
        (b"[]", 400, "a JSON object"),
        (b"{}", 422, "needs the field 'spec'"),
        (b'{"service": "vidoe", "spec": {}}', 422, "no service 'vidoe'"),
        (b'{"service": "code", "spec": []}', 422, "spec [] does not fit"),
        (b'{"service": "code", "spec": {}, "prioriy": 3}', 422, "no field 'prioriy'"),
        (b'{"service": "code", "spec": {"language": "python"}}', 422, "needs the field 'code'"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x", "a": 1}}', 422, "no field 'a'"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x"}, "slots": 1e400}', 422, "slots inf"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x"}, "batch": "a\\r\\nb"}', 422, "no name"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x"}, "after": ["none"]}', 404, "no job"),
        (b'{"service": "video", "spec": {"inputUrl": "/etc/passwd"}}', 422, "the machine that serves this"),
        (b'{"service": "video", "spec": {"inputUrl": "file:///etc/passwd"}}', 422, "cannot be fetched"),
        (b'{"service": "video", "spec": {"inputUrl": "upload:none"}}', 422, "no upload"),
        (
            b'{"service": "code", "spec": {"language": "python", "code": "x", "inputFiles": {"a": "/etc/passwd"}}}',
            422,
            "the machine that serves this",
        ),
        (
            b'{"service": "video", "spec": {"inputUrl": "http://a.example/b.mp4", "watermark": {"imageUrl": "/x"}}}',
            422,
            "the machine that serves this",
        ),
        (b'{"jobs": []}', 422, "jobs"),
        (b'{"service": "video", "spec": {"inputUrl": "http://[::1"}}', 422, "is no URL"),
        (b'{"service": "video", "spec": {"inputUrl": "http://"}}', 422, "is no URL"),
        (b'{"service": "video", "spec": {"inputUrl": "http://a.example/\\u0000"}}', 422, "is no URL"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x"}, "timeout": "0s"}', 422, "timeout: in"),
        (
            b'{"service": "code", "spec": {"language": "python", "code": "x"}, "runAt": "9999-12-31"}',
            422,
            "runAt: '9999",
        ),
        (b'{"jobs": ["AAA"]}', 422, "jobs (number 1) 'AAA' does not fit: it has fields of its own"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x"}, "slots": true}', 422, "slots True"),
        (b'{"service": "code", "spec": {"language": "python", "code": "x"}, "noCache": "no"}', 422, "noCache 'no'"),
        (b'{"service": "code", "spec": {}, "pad": "' + b"x" * 30_000 + b'"}', 413, "20,000 bytes"),
    ],
)
def test_a_body_that_cannot_be_is_a_problem_that_names_it(
    client: httpx.Client, body: bytes, status: int, said: str
) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert said in problem(answer, status)["detail"]


@pytest.mark.parametrize("path", ["/v1/jobs?limit=0", "/v1/jobs?limit=x", "/v1/jobs?cursor=x", "/v1/jobs?cursor=%00",
                                  "/v1/jobs?limt=3", "/v1/jobs?state=lost", "/v1/jobs?since=soon", "/healthz?x=1",
                                  "/v1/jobs?cursor=Yzk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "/v1/jobs/x?wait=-1",
                                  "/v1/cost?by=colour", "/v1/cost?until=9999-12-31T23:59:59Z",
                                  "/v1/audit?limit=1e9"])  # fmt: skip
def test_a_query_that_cannot_be_is_a_problem(client: httpx.Client, path: str) -> None:
    problem(client.get(path), 422)


@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x", "..", "a/b.mp4", "a\\b.mp4", "a\x00b.mp4", "", "x" * 300, "a\nb.mp4"]
)
def test_the_name_of_a_file_leads_nowhere(client: httpx.Client, name: str) -> None:
    quoted = name.replace("\\", "\\\\").encode()
    body = b'--B\r\nContent-Disposition: form-data; name="input"; filename="' + quoted + b'"\r\n\r\nx\r\n--B--\r\n'
    answer = client.post("/v1/video", content=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
    assert answer.status_code in (400, 422)
    problem(answer, answer.status_code)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=B", b"nothing of the kind"),
        (
            "multipart/form-data; boundary=B",
            b'--B\r\nContent-Disposition: form-data; name="input"; filename="a"\r\n\r\nx',
        ),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="job"\r\n\r\n{\r\n--B--\r\n'),
        ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--B--\r\n'),
        ("multipart/form-data; boundary=B", b"--B\r\nA: " + b"x" * 10_000 + b"\r\n\r\n1\r\n--B--\r\n"),
        ("text/plain", b"{}"),
        ("", b"{}"),
    ],
)
def test_a_form_that_cannot_be_is_a_problem(api: Served, client: httpx.Client, kind: str, body: bytes) -> None:
    answer = client.post("/v1/video", content=body, headers={"Content-Type": kind})
    assert 400 <= answer.status_code < 500
    problem(answer, answer.status_code)
    uploads = api.wiring.state_dir / "uploads"
    assert not uploads.exists() or not list(uploads.iterdir())


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(api: Served, client: httpx.Client) -> None:
    files = {"input": ("a.mp4", b"x" * 1_500_000)}
    assert "1,000,000 bytes" in problem(client.post("/v1/video", files=files), 413)["detail"]
    assert not list((api.wiring.state_dir / "uploads").iterdir())


def test_an_empty_file_is_called_what_its_sender_calls_it(api: Served, client: httpx.Client) -> None:
    found = problem(client.post("/v1/video", files={"input": ("talk.mp4", b"")}), 422)
    assert found["detail"] == "talk.mp4 is empty." and str(api.wiring.state_dir) not in str(found)
    assert not list((api.wiring.state_dir / "uploads").iterdir())


def test_a_body_that_stops_coming_is_given_up(api: Served) -> None:
    token = api.token()
    with socket.create_connection((api.address.host, api.address.port), timeout=20) as line:
        head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\n"
        line.sendall(f"{head}Content-Type: application/json\r\n\r\n{{".encode())
        assert line.recv(4096).startswith(b"HTTP/1.1 408")


def test_a_head_that_trickles_in_is_given_up(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_HEADER_SECONDS", 0.3)
    with socket.create_connection((api.address.host, api.address.port), timeout=20) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        assert line.recv(100) == b""


@pytest.mark.parametrize("raw", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
                                 b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"x" * 300_000])  # fmt: skip
def test_what_is_no_http_is_a_problem_too(api: Served, raw: bytes) -> None:
    with socket.create_connection((api.address.host, api.address.port), timeout=20) as line:
        line.sendall(raw)
        answer = line.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400") and b"application/problem+json" in answer


def test_a_header_of_the_client_gets_into_no_header_of_the_answer(api: Served, client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    strange = client.get("/healthz", headers={"X-Request-Id": "a b; c"}).headers["x-request-id"]
    assert strange != "a b; c" and strange.isalnum()


def test_what_somebody_sends_without_end_is_not_sent_back(client: httpx.Client) -> None:
    answer = client.post("/v1/jobs", json={"jobs": [{"service": "code", "a": 1}] * 700, "batch": "x"})
    assert problem(answer, 422) and len(answer.content) < 1000
    found = problem(client.post("/v1/jobs", json={"jobs": []}), 422)
    assert found["detail"] == "jobs [] does not fit: it should have at least 1 item."


def test_a_number_that_no_database_takes_is_a_problem(client: httpx.Client) -> None:
    problem(client.post("/v1/views/events", json={"after": 10**30}), 422)
    problem(client.get("/v1/events", params={"after": str(10**30)}), 422)


def test_a_change_that_needs_no_word_needs_no_body(api: Served, client: httpx.Client) -> None:
    job_id = api.add()
    answer = client.post(f"/v1/jobs/{job_id}/cancel")
    assert answer.is_success and api.store.job(job_id).state is JobState.CANCELLED


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        ("Idempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 2", 400, "idempotency-key twice"),
        ("Authorization: Bearer x\r\nContent-Length: 2", 400, "authorization twice"),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked", 400, "two lengths"),
        ("Content-Length: 2\r\nContent-Encoding: gzip", 415, "packed: 'gzip'"),
    ],
)
def test_a_request_that_others_may_read_otherwise_is_refused(api: Served, lines: str, status: int, said: str) -> None:
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token()}\r\nConnection: close\r\n"
    with socket.create_connection((api.address.host, api.address.port), timeout=20) as line:
        line.sendall(f"{head}Content-Type: application/json\r\n{lines}\r\n\r\n{{}}".encode())
        answer = b"".join(iter(lambda: line.recv(4096), b"")).decode()
    assert answer.startswith(f"HTTP/1.1 {status}") and said in answer


def test_a_program_is_told_of_fields_and_the_command_line_of_its_options(api: Served, client: httpx.Client) -> None:
    asked = {**PROGRAM, "runAt": "tomorrow 10:00", "deadline": "in 1 h"}
    assert problem(client.post("/v1/jobs", json=asked), 422)["detail"].startswith("runAt is after deadline")
    ours = client.post("/v1/jobs", json=asked, headers={"User-Agent": "pitchey/0"})
    assert problem(ours, 422)["detail"].startswith("--run-at is after --deadline")


def test_what_a_path_takes_is_all_of_it_and_a_near_one_is_offered(client: httpx.Client) -> None:
    answer = client.put("/v1/jobs")
    assert problem(answer, 405)["hint"] == "It takes GET, HEAD, POST."
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert problem(client.post("/v1/vidoe", json={}), 404)["hint"].startswith("Did you mean /v1/video?")


def test_what_is_not_there_and_what_is_not_taken_are_problems(client: httpx.Client) -> None:
    problem(client.get("/v2/jobs"), 404)
    assert problem(client.put("/v1/jobs"), 405)["hint"].startswith("It takes")
    problem(client.get("/v1/jobs/%2e%2e%2f%2e%2e"), 404)
    problem(client.get("/v1/jobs/"), 404)


# --- limits, and who is let in without a token


def test_whoever_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    with served(tmp_path / "s", PITCHEY_API_REQUESTS_PER_MINUTE="3") as api:
        client = api.client(api.token())
        answers = [client.get("/v1/me") for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert [each.headers["ratelimit"].split(";")[1] for each in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
        problem(answers[-1], 429)
        assert api.client(api.token()).get("/v1/me").status_code == 200, "another token has its own"


def test_without_any_token_this_machine_is_let_in_and_no_page_of_strangers(tmp_path: Path) -> None:
    with served(tmp_path / "s") as api:
        client = api.client()
        assert client.get("/v1/me").json()["role"] == "admin"
        problem(client.get("/v1/jobs", headers={"Host": "evil.example"}), 403)
        problem(client.post("/v1/jobs", json=PROGRAM, headers={"Origin": "http://evil.example"}), 403)
        here = str(api.address)
        assert client.post("/v1/jobs", json=PROGRAM, headers={"Origin": here}).status_code == 201
        token = api.token()
        problem(client.get("/v1/me"), 401)
        access.revoke_token(api.store, api.store.tokens()[0].id, now=api.now)
        problem(client.get("/v1/me"), 401)
        problem(api.client(token).get("/v1/me"), 401)


def test_where_others_can_reach_it_a_token_is_asked_for_from_the_first_request_on(tmp_path: Path) -> None:
    with (
        served(tmp_path / "s", host="0.0.0.0") as api,
        httpx.Client(base_url=f"http://127.0.0.1:{api.address.port}") as client,
    ):
        problem(client.get("/v1/me"), 401)
        assert client.get("/healthz").status_code == 200


def test_it_is_served_on_a_unix_socket(tmp_path: Path) -> None:
    with served(tmp_path / "s", path=str(tmp_path / "api.sock")) as api:
        assert api.client().get("/v1/me").json()["name"] == "somebody on this machine, without a token"


def test_a_job_of_the_command_line_and_one_of_the_api_are_of_one_queue(api: Served, client: httpx.Client) -> None:
    job_id = api.add()
    assert client.get(f"/v1/jobs/{job_id}").json()["service"] == VIDEO
    mine = client.post("/v1/jobs", json=PROGRAM).json()["jobs"][0]["id"]
    assert api.store.job(mine).state is JobState.QUEUED


def test_an_organisation_that_has_what_it_may_have_is_told_so(api: Served, client: httpx.Client) -> None:
    submitter = api.client(api.token(Role.SUBMITTER, "small"))
    assert client.put("/v1/organisations/small/quota", json={"queued": 1}).json()["quota"]["queued"] == 1
    assert submitter.post("/v1/jobs", json=PROGRAM).status_code == 201
    found = problem(submitter.post("/v1/jobs", json=PROGRAM), 429)
    assert found["code"] == "quota-reached" and "may have 1 jobs that wait" in found["detail"]
    assert client.put("/v1/organisations/small/quota", json={"queued": None}).json()["quota"]["queued"] is None
    assert submitter.post("/v1/jobs", json=PROGRAM).status_code == 201
