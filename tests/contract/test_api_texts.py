"""Texts that a database may not be able to keep: whoever sends one is told, whichever database it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.resources.served import Served, served


@pytest.fixture(params=["postgres", "sqlite"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    of_postgres = request.param == "postgres"
    chosen = {"PITCHEY_STORE_URL": request.getfixturevalue("postgres_store_url")} if of_postgres else {}
    with served(tmp_path / "state", **chosen) as ready:
        yield ready


CODE = {"language": "python", "code": "print('a\0b')"}


def test_no_nul_character_is_the_servers_fault(api: Served) -> None:
    client, job_id = api.client(api.token()), api.add()
    asked: list[tuple[str, str, object]] = [
        ("GET", "/v1/jobs?batch=a%00", None),
        ("GET", "/v1/jobs/a%00", None),
        ("GET", "/v1/batches/a%00", None),
        ("GET", "/v1/schedules/a%00", None),
        ("GET", "/v1/cost?organisation=a%00", None),
        ("GET", "/v1/events?job=a%00", None),
        ("GET", "/v1/nodes/a%00", None),
        ("DELETE", "/v1/tokens/a%00", None),
        ("DELETE", "/v1/organisations/a%00", None),
        ("DELETE", "/v1/members/a%00", None),
        ("POST", f"/v1/jobs/{job_id}/cancel", {"reason": "a\0b"}),
        ("POST", "/v1/dead-letters/retry", {"error": "a\0b"}),
        ("POST", "/v1/code", {"spec": CODE, "idempotencyKey": "a\0b"}),
        ("POST", "/v1/code", {"spec": CODE, "name": "a\0b"}),
        ("POST", "/v1/code", {"spec": CODE}),
        ("PUT", "/v1/alerts/dead_letters/silence", {"lasting": "1h", "reason": "a\0b"}),
        ("POST", "/v1/views/job", {"job_id": "a\0b"}),
    ]
    answers = [client.request(method, path, json=body) for method, path, body in asked]
    for answer in answers:
        assert answer.status_code < 500, (str(answer.request.url), answer.text)
        assert answer.is_success or (answer.json()["detail"] and answer.json()["hint"]), answer.text


def test_no_idempotency_key_is_more_than_one_line(api: Served) -> None:
    client = api.client(api.token())
    sent = httpx.Headers([(b"Idempotency-Key", b"a\xc2\x80")])
    answer = client.post("/v1/code", json={"spec": {"language": "python", "code": "1"}}, headers=sent)
    assert answer.status_code == 422 and "printable" in answer.json()["detail"]
