"""The API against its own description: whatever schemathesis thinks of, no 5xx, and no answer that is not described.

A few examples of each operation; `make fuzz` asks for ten minutes, and what is wrong at the edges of every field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from pitchey_cli.api.openapi import document
from tests.conftest import Pitchey
from tests.fuzz.hooks import refusals_say_the_way_out, wrong_data_is_refused
from tests.integration.test_api_daemon import start

EXAMPLES = 3


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    wrong_data_is_refused,
    refusals_say_the_way_out,
    ignored_auth,
    unsupported_method,
]
schema = schemathesis.openapi.from_dict(document()).exclude(operation_id="stream_events")  # which has no end
# No `coverage`: pytest makes all of an operation before any is sent, and of all edges of the specs there is no end.
schema.config.phases.update(phases=["examples", "fuzzing"])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A daemon on the process engine; its address, and a token that may do everything."""
    folder = tmp_path_factory.mktemp("api")
    environment = {
        "PITCHEY_ENGINE_KIND": "process",
        "PITCHEY_API_WAIT_SECONDS": "0",
        "PITCHEY_API_REQUESTS_PER_MINUTE": "1000000",
    }
    pitchey = Pitchey(folder / "state", folder, environment)
    token = pitchey.ok("token", "add", "fuzz", "--role", "admin", "--all-organisations").lines[0]
    yield start(pitchey).address, token
    pitchey.end()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_whatever_is_asked_the_answer_is_one_that_is_described(case: Case[Any], api: tuple[str, str]) -> None:
    address, token = api
    if case.operation.definition.raw.get("operationId") == "get_logs":
        (case.query or {}).pop("follow", None)  # which has no end
    answer = case.call(base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=30)
    case.validate_response(answer, checks=CHECKS)
