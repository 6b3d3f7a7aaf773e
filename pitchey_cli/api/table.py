"""Every route, and the least role that it takes. What is not in this table is not there."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pitchey_cli.api import jobs, models, results, system
from pitchey_cli.api.results import NDJSON
from pitchey_cli.api.route import Route
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.operations.metrics import CONTENT_TYPE

VIEWER, SUBMITTER, OPERATOR, ADMIN = Role.VIEWER, Role.SUBMITTER, Role.OPERATOR, Role.ADMIN
_KEY: Mapping[str, str] = MappingProxyType({"Idempotency-Key": "The same key gives the same jobs again."})
_ETAG: Mapping[str, str] = MappingProxyType({"If-None-Match": "The ETag of what one has: 304 if it is still that."})
_RANGE: Mapping[str, str] = MappingProxyType({**_ETAG, "Range": "A part, as bytes=0-1023.", "If-Range": "Its ETag."})

ROUTES: tuple[Route, ...] = (
    # --- jobs
    Route(
        "POST", "/v1/jobs", SUBMITTER, Area.JOBS, jobs.submit, {201: models.JobsSaid, 200: models.JobsSaid},
        takes_files=True, is_long=True, notes=_KEY,
    ),
    Route("GET", "/v1/jobs", VIEWER, Area.JOBS, jobs.list_jobs, {200: models.JobPageSaid}),
    Route(
        "GET", "/v1/jobs/{job}", VIEWER, Area.JOBS, jobs.get_job, {200: models.WholeJobSaid, 304: None},
        is_long=True, notes=_ETAG,
    ),
    Route(
        "POST", "/v1/jobs/{job}/cancel", SUBMITTER, Area.JOBS, jobs.cancel,
        {200: models.CancelSaid, 202: models.CancelSaid},
    ),
    Route("POST", "/v1/jobs/{job}/retry", SUBMITTER, Area.JOBS, jobs.retry, {200: models.JobSaid}),
    Route(
        "GET", "/v1/jobs/{job}/outputs", VIEWER, Area.JOBS, results.list_outputs,
        {200: models.OutputsSaid, 304: None}, notes=_ETAG,
    ),
    Route(
        "GET", "/v1/jobs/{job}/outputs/{path:path}", VIEWER, Area.JOBS, results.get_output,
        {200: "application/octet-stream", 206: "application/octet-stream", 304: None}, is_long=True, notes=_RANGE,
    ),
    Route("GET", "/v1/jobs/{job}/logs", VIEWER, Area.JOBS, results.get_logs, {200: NDJSON}, is_long=True),
    # --- the system
    Route("GET", "/healthz", None, Area.SYSTEM, system.healthz, {200: models.HealthSaid}),
    Route(
        "GET", "/readyz", None, Area.SYSTEM, system.readyz, {200: models.ReadinessSaid, 503: models.ReadinessSaid}
    ),
    Route("GET", "/metrics", VIEWER, Area.SYSTEM, system.get_metrics, {200: CONTENT_TYPE}, is_of_all=True),
    Route("GET", "/openapi.json", None, Area.SYSTEM, system.get_openapi, {200: "application/json"}),
    # --- a service; last, because its path is any word
    Route(
        "POST", "/v1/{service}", SUBMITTER, Area.JOBS, jobs.submit_to_service,
        {200: models.WholeJobSaid, 202: models.WholeJobSaid}, takes_files=True, is_long=True, notes=_KEY,
    ),
)  # fmt: skip
