"""The requests of processors/protocol.py, and what they answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from pydantic import ValidationError

from processors.protocol import TOKEN_PATTERN, AttemptGroup, AttemptRequest, Health, Refusal, Service, Told
from processors.worker import cgroup
from processors.worker.attempts import Attempts, Refused
from processors.worker.following import follow_all
from processors.worker.http import Request, Response, refusal
from processors.worker.spool import Spool

_GRACE_SECONDS = 10.0  # where a DELETE names none
_PATH = re.compile(r"^/attempts/(?P<token>[^/]+)(?P<events>/events)?$")
_TOKEN = re.compile(TOKEN_PATTERN)


class Routes:
    """Answers requests; remembers when the last one came."""

    def __init__(
        self, service: Service, attempts: Attempts, loaded_models: Callable[[], dict[str, int]] = dict
    ) -> None:
        self.last_request = time.monotonic()
        self._started = time.monotonic()
        self._service = service
        self._attempts = attempts
        self._loaded_models = loaded_models

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        self.last_request = time.monotonic()
        match request.method, request.path:
            case "GET", "/health":
                return self._health()
            case "POST", "/attempts":
                return self._start(request)
            case "POST", "/groups":
                return self._start_group(request)
            case "POST", "/drain":
                self._attempts.is_draining = True
                return Response(200)
        found = _PATH.match(request.path)
        if found is None:
            return refusal(404, "no_such_path", f"There is nothing at {request.path}.")
        token = found["token"]
        if request.method == "GET" and found["events"]:
            return self._events(token, request.query.get("after", "0"))
        if request.method == "DELETE" and not found["events"]:
            return self._cancel(token, request.query.get("grace", str(_GRACE_SECONDS)))
        return refusal(405, "no_such_method", f"{request.path} does not take {request.method}.")

    def _health(self) -> Response:
        loaded = self._loaded_models()
        health = Health(
            service=self._service,
            slots=self._attempts.slots,
            attempts=self._attempts.running,
            draining=self._attempts.is_draining,
            loaded_models=[*loaded],
            model_bytes=loaded or None,
            uptime_seconds=round(time.monotonic() - self._started, 3),
            usage=cgroup.read_usage(),
        )
        return Response(200, health.wire())

    def _start(self, request: Request) -> Response:
        try:
            attempt = AttemptRequest.model_validate_json(request.body)
        except ValidationError as error:
            return _not_understood(error)
        try:
            self._accept(attempt)
        except Refused as no:
            return refusal(no.status, no.code, str(no))
        spool = self._attempts.find(attempt.token) if request.query.get("follow") == "1" else None
        return Response(202, stream=None if spool is None else spool.follow(0))

    def _start_group(self, request: Request) -> Response:
        try:
            group = AttemptGroup.model_validate_json(request.body)
        except ValidationError as error:
            return _not_understood(error)
        followed: dict[str, Spool] = {}
        refused: list[Told] = []
        for attempt in group.attempts:
            try:
                self._accept(attempt)
            except Refused as no:
                said = Refusal(code=no.code, message=str(no))
                refused.append(Told(token=attempt.token, status=no.status, refusal=said))
            else:
                followed[attempt.token] = self._attempts.spool_of(attempt.token)
        return Response(202, stream=follow_all(refused, followed))

    def _accept(self, attempt: AttemptRequest) -> None:
        if attempt.service is not self._service:
            message = f"This instance serves {self._service}, not {attempt.service}."
            raise Refused(400, "wrong_service", message)
        self._attempts.accept(attempt)

    def _events(self, token: str, after: str) -> Response:
        if not after.isdecimal():
            return refusal(400, "bad_request", "after is a sequence number.")
        spool = self._attempts.find(token) if _TOKEN.fullmatch(token) else None
        return _unknown(token) if spool is None else Response(200, stream=spool.follow(int(after)))

    def _cancel(self, token: str, grace: str) -> Response:
        try:
            grace_seconds = float(grace)
        except ValueError:
            grace_seconds = -1.0
        if not 0 <= grace_seconds <= 3600:
            return refusal(400, "bad_request", "grace is a number of seconds, from 0 to 3600.")
        if not _TOKEN.fullmatch(token) or self._attempts.find(token) is None:
            return _unknown(token)
        return Response(202 if self._attempts.cancel(token, grace_seconds) else 200)


def _not_understood(error: ValidationError) -> Response:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    return refusal(400, "bad_request", f"{where}: {first['msg']}.")


def _unknown(token: str) -> Response:
    return refusal(404, "unknown_token", f"There is no attempt {token}.")
