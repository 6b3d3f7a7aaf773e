"""The requests of processors/protocol.py, as the porter answers them."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from processors.porter.attempt import CarriedAttempt
from processors.porter.worker import Worker, WorkerGone
from processors.protocol import TOKEN_PATTERN, Links, Service
from processors.worker.attempts import Attempts
from processors.worker.http import Request, Response, refusal
from processors.worker.routes import Routes

_PATH = re.compile(rf"^/attempts/(?P<token>{TOKEN_PATTERN.strip('^$')})/(?P<what>links|spool)$")


class PorterRoutes(Routes):
    """Those of a worker, and two more; the worker behind it is asked how it is."""

    def __init__(
        self,
        service: Service,
        attempts: Attempts,
        carried: Mapping[str, CarriedAttempt],
        worker: Worker,
        directories: tuple[Path, ...],
    ) -> None:
        """Answer for a table of attempts.

        Args:
            carried: those that run, by their tokens.
            directories: where each has a folder.
        """
        super().__init__(service, attempts)
        self._carried = carried
        self._worker = worker
        self._directories = directories

    def answer(self, request: Request) -> Response:
        """Answer one request."""
        found = _PATH.match(request.path)
        if found is not None and (request.method, found["what"]) == ("POST", "links"):
            return self._links(found["token"], request.body)
        if found is not None and (request.method, found["what"]) == ("DELETE", "spool"):
            return self._forget(found["token"])
        return super().answer(request)

    def _links(self, token: str, body: bytes) -> Response:
        try:
            links = Links.model_validate_json(body)
        except ValidationError:  # which would repeat what it was given
            return refusal(400, "bad_request", "These are no links.")
        attempt = self._carried.get(token)
        if attempt is not None:
            attempt.give(links)
        return Response(200)

    def _forget(self, token: str) -> Response:
        if token in self._carried:
            return refusal(409, "running", f"Attempt {token} has not ended.")
        for directory in self._directories:
            shutil.rmtree(directory / token, ignore_errors=True)
        return Response(200)

    def _health(self) -> Response:
        """The worker's answer, with the attempts that are here: some of them it does not know yet, or no more."""
        return Response(200, stream=self._ask_worker())

    async def _ask_worker(self) -> AsyncIterator[bytes]:
        try:
            health = await self._worker.health()
        except WorkerGone as error:
            raise ConnectionError("the worker does not answer") from error  # the answer breaks off
        own = {
            "service": self._service,
            "slots": self._attempts.slots,
            "attempts": self._attempts.running,
            "draining": health.draining or self._attempts.is_draining,
        }
        yield health.model_copy(update=own).wire()
