"""The description of the API (OpenAPI 3.1), made of the table of routes and of the pydantic models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from pitchey_cli import __version__
from pitchey_cli.api import models, said
from pitchey_cli.api.endpoint import parameters
from pitchey_cli.api.problems import MEDIA_TYPE
from pitchey_cli.api.route import Answer, Route
from pitchey_cli.api.table import ROUTES
from pitchey_cli.domain.access import Role
from processors.specs import SPECS
from processors.vocabulary import Service

_REFS = "#/components/schemas/"
_PART = re.compile(r"\{(\w+)(?::path)?\}")
_PROBLEMS = (400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503, 504)  #: that any route may answer
_CHANGING = (409, 502)  #: and what changes something: it is not as it was thought to be, or something else is away
_UPLOADING = (412, 423)  #: and uploads: another version of tus, or somebody else writes to it
_OPEN_PROBLEMS = (400, 404, 405, 408, 422, 500, 503, 504)


@cache
def document() -> dict[str, Any]:
    """The whole description."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(_PART.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Pitchey",
            "version": __version__,
            "description": "Media jobs on warm, limited containers. Times are ISO 8601 in UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "pitchey_..."}},
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    summary, _, rest = (route.handler.__doc__ or "").strip().partition("\n")
    query, _ = parameters(route.handler)
    takes = [_path_part(name) for name in _PART.findall(route.path)]
    takes += _of_query(query) if query is not None else []
    takes += [_header(name, what) for name, what in route.notes.items()]
    who = f"Takes the role `{route.role}`" if route.role else "Anybody may"
    whole = ", and a token of all organisations" if route.is_of_all else ""
    more = re.sub(r"\s+", " ", rest).strip()
    found: dict[str, Any] = {
        "operationId": route.name,
        "tags": [route.area.value],
        "summary": summary,
        "description": f"{more} {who}{whole}.".strip(),
        "parameters": takes,
        "responses": dict(_responses(route)),
        "security": [{"token": []}] if route.role else [],
        "x-role": route.role.value if route.role else None,
    }
    if (body := _body(route)) is not None:
        found["requestBody"] = body
    return found


def _path_part(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "minLength": 1}
    if name == "service":
        schema["enum"] = [each.value for each in Service]
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _header(name: str, what: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": what, "schema": {"type": "string"}}


def _of_query(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema(ref_template=f"{_REFS}{{model}}")
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": item.get("description", ""),
            "schema": _without_null({key: value for key, value in item.items() if key != "description"}),
        }
        for name, item in schema["properties"].items()
    ]


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A query cannot say null: what is not there is not said."""
    kinds = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default") or value is not None}
    return {**{key: value for key, value in rest.items() if key != "anyOf"}, **kinds[0]} if len(kinds) == 1 else rest


def _body(route: Route) -> dict[str, Any] | None:
    _, body = parameters(route.handler)
    if route.takes_files:
        wanted = _SUBMITTED[route.name]
        parts = {"type": "object", "properties": {"job": wanted}, "additionalProperties": {"format": "binary"}}
        content = {"application/json": {"schema": wanted}, "multipart/form-data": {"schema": parts}}
        return {"required": True, "content": content}
    if body is None:
        return None
    is_needed = any(field.is_required() for field in body.model_fields.values())
    return {"required": is_needed, "content": {"application/json": {"schema": {"$ref": f"{_REFS}{body.__name__}"}}}}


#: of the handlers that read their bodies themselves, because they take files as well
_SUBMITTED: Mapping[str, dict[str, Any]] = {
    "submit": {"oneOf": [{"$ref": f"{_REFS}SubmitJob"}, {"$ref": f"{_REFS}SubmitJobs"}]},
    "submit_to_service": {"$ref": f"{_REFS}ServiceJob"},
    "run_pipeline": {"$ref": f"{_REFS}RunPipeline"},
    "probe": {"$ref": f"{_REFS}ProbeFile"},
}


def _responses(route: Route) -> Iterator[tuple[str, dict[str, Any]]]:
    for status, answer in route.answers.items():
        yield str(status), {"description": HTTPStatus(status).phrase, **_content(answer)}
    problems = set(_PROBLEMS if route.role else _OPEN_PROBLEMS)
    problems |= {416} if 206 in route.answers else set()
    problems |= set(_CHANGING) if route.method not in ("GET", "HEAD") else set()
    problems |= set(_UPLOADING) if route.path.startswith("/v1/uploads") else set()
    for status in sorted(problems):
        if status not in route.answers:
            found = {MEDIA_TYPE: {"schema": {"$ref": f"{_REFS}ProblemSaid"}}}
            yield str(status), {"description": HTTPStatus(status).phrase, "content": found}


def _content(answer: Answer) -> dict[str, Any]:
    if answer is None:
        return {}
    if isinstance(answer, str):
        return {"content": {answer.partition(";")[0]: {}}}
    return {"content": {"application/json": {"schema": {"$ref": f"{_REFS}{answer.__name__}"}}}}


def _schemas() -> dict[str, Any]:
    answers = {each for route in ROUTES for each in route.answers.values() if isinstance(each, type)}
    asked: set[type[BaseModel]] = {body for route in ROUTES if (body := parameters(route.handler)[1]) is not None}
    asked |= {
        models.SubmitJob,
        models.SubmitJobs,
        models.ServiceJob,
        models.RunPipeline,
        models.ProbeFile,
        *SPECS.values(),
    }
    wanted = [*_in_mode(answers | {said.ProblemSaid}, "serialization"), *_in_mode(asked, "validation")]
    _, found = models_json_schema(wanted, ref_template=f"{_REFS}{{model}}")
    schemas: dict[str, Any] = found["$defs"]
    specs = [{"$ref": f"{_REFS}{SPECS[service].__name__}"} for service in Service]
    for name in ("SubmitJob", "ServiceJob", "AddSchedule"):
        schemas[name]["properties"]["spec"] = {"description": "What is asked of the service.", "anyOf": specs}
    return schemas


def _in_mode(kinds: Iterable[type[BaseModel]], mode: JsonSchemaMode) -> list[tuple[type[BaseModel], JsonSchemaMode]]:
    return [(each, mode) for each in sorted(kinds, key=lambda kind: kind.__name__)]


def roles() -> Iterator[tuple[str, str, Role | None]]:
    """The table of routes, for the documents."""
    for route in ROUTES:
        yield route.method, route.path, route.role
