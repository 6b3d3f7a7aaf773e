"""What a server does by itself: submissions, tokens, logs, and what is looked at at its machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from pitchey_cli.domain.access import ALL_ORGANISATIONS, ApiToken, Area, Role
from pitchey_cli.domain.capacity import Size
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import Job, JobId, Output
from pitchey_cli.domain.overview import Overview
from pitchey_cli.domain.webhooks import Webhook
from pitchey_cli.operations.logs import LogLine
from pitchey_cli.remote.client import Client, Interrupted
from pitchey_cli.remote.ordering import Ordering
from pitchey_cli.remote.surroundings import Watched

if TYPE_CHECKING:
    from pitchey_cli.domain.pipeline import Pipeline
    from pitchey_cli.operations.alerts import Standing
    from pitchey_cli.operations.drafts import Draft
    from pitchey_cli.operations.models.listing import Listed
    from pitchey_cli.operations.pipelines import Run
    from pitchey_cli.operations.requests import Request
    from pitchey_cli.operations.sources import Source
    from pitchey_cli.operations.submit import StageProgress

T = TypeVar("T")


class Server:
    """A server, and for whom it is asked."""

    def __init__(self, client: Client, watched: Watched, organisation: str, now: Callable[[], datetime]) -> None:
        self._client, self._watched, self._organisation, self._now = client, watched, organisation, now

    @property
    def where(self) -> str:
        """What people call it."""
        return self._client.where

    # --- jobs

    def place(
        self,
        asked: Request,
        drafts: Sequence[Draft],
        *,
        is_waited_for: bool,
        progress: StageProgress | None,
        say: Callable[[str], None],
    ) -> list[JobId]:
        """Send files and orders; the ids of the jobs."""
        words = self._of_organisation(asked.queueing)
        ids, notices = self._ordering(progress).place(
            asked.service, drafts, words, now=self._now(), is_waited_for=is_waited_for
        )
        for notice in notices:
            say(notice)
        return ids

    def run_pipeline(
        self,
        pipeline: Pipeline,
        runs: Sequence[Run],
        inputs: Sequence[Source],
        words: Mapping[str, Any],
        batch: str,
        progress: StageProgress | None,
    ) -> str:
        """Send files and steps; the name of the batch."""
        said = self._of_organisation(words)
        return self._ordering(progress).run_pipeline(pipeline, runs, inputs, said, batch, now=self._now())

    def _ordering(self, progress: StageProgress | None) -> Ordering:
        return Ordering(self._client, self._watched.settings.limits.input_bytes, progress)

    def _of_organisation(self, words: Mapping[str, Any]) -> dict[str, Any]:
        """The words of the queue: the usual organisation is the context's, else whose the token is."""
        from pitchey_cli.operations.queueing import DEFAULTS

        said = {word: value for word, value in words.items() if value != DEFAULTS.get(word)}
        return {"organisation": self._organisation, **said} if self._organisation else said

    # --- schedules

    def add_schedule(self, asked: Request, *, name: str, cron: str, timezone: str, misfire: str) -> None:
        """Keep a schedule, whose jobs fetch what they work on from a URL each time."""
        from pitchey_cli.operations.requests import drafts
        from pitchey_cli.operations.specs import spellings
        from processors.specs import SPECS

        found = [] if asked.attached else drafts(asked)
        if not found or any(not source.is_url for draft in found for _, source in draft.sources):
            hint = "Name URLs, or add the schedule at the machine of the daemon, where its files are."
            raise UsageError("A schedule of a server cannot come back for files of this machine.", hint=hint)
        spec: dict[str, Any] = dict(found[0].spec)
        inputs = list(asked.inputs) if len(found) > 1 else []
        if inputs:  # each job has its own, and all else in common
            model = SPECS[asked.service]
            for word in spellings(model, model.input_fields[0]) & spec.keys():
                del spec[word]
        said = {"service": asked.service, "spec": spec, "inputs": inputs}
        said |= {"schedule": name, "cron": cron, "misfire": misfire}
        said |= {"timezone": timezone} if timezone else {}
        self._client.post("/v1/schedules", {**said, **self._of_organisation(asked.queueing)})

    def run_schedule(self, name: str) -> list[JobId]:
        """Submit the jobs of a schedule once more."""
        return [JobId(each["id"]) for each in self._client.post(f"/v1/schedules/{_part(name)}/run", {})["jobs"]]

    # --- people

    def add_token(self, **said: Any) -> tuple[ApiToken, str]:
        """Make a token; what it is, is in the answer and nowhere else."""
        organisation = said.pop("organisation")
        whose = {"allOrganisations": True} if organisation == ALL_ORGANISATIONS else {"organisation": organisation}
        made = self._client.post("/v1/tokens", {**said, **(whose if organisation is not None else {})})
        times = {key: _time(made.get(key)) for key in ("createdAt", "expiresAt")}
        token = ApiToken(
            made["id"],
            made["name"],
            made.get("organisation") or ALL_ORGANISATIONS,
            Role(made["role"]),
            frozenset(Area(each) for each in made.get("scopes", ())),
            made.get("member") or "",
            times["createdAt"] or self._now(),
            times["expiresAt"],
        )
        return token, made["token"]

    # --- whom to tell

    def add_webhook(self, **said: Any) -> tuple[Webhook, str]:
        """Add an endpoint; its secret is in the answer and nowhere else."""
        made = self._client.post("/v1/webhooks", said)
        return self._webhook(made["id"]), made["secret"]

    def rotate_webhook(self, hook: str, *, overlap: str) -> tuple[Webhook, str]:
        """Give an endpoint another secret, which is in the answer and nowhere else."""
        made = self._client.post(f"/v1/webhooks/{_part(hook)}/rotate", {"overlap": overlap})
        return self._webhook(made["id"]), made["secret"]

    def _webhook(self, webhook_id: str) -> Webhook:
        return next(each for each in self._view("webhooks", list[Webhook]) if each.id == webhook_id)

    # --- looking

    def overview(self) -> Overview:
        """Everything at a glance."""
        return self._view("overview", Overview)

    def size(self) -> Size:
        """Of its machine."""
        return self._watched.size()

    def why(self, job_id: JobId) -> list[str]:
        """Why a job is where it is."""
        return list(self._client.get(f"/v1/jobs/{job_id}/why")["reasons"])

    def links(self, expires: str, job: Job, outputs: Sequence[Output]) -> list[tuple[Output, str]]:
        """Links with which anybody can fetch the outputs of a job, as the server makes them."""
        found = self._client.get(f"/v1/jobs/{job.id}/outputs", expires=expires)["outputs"]
        said = {each["path"]: str(each["link"]) for each in found}
        return [(each, said[each.path]) for each in outputs]

    def log_lines(self, job_id: JobId, *, attempt: int | None, follow: bool) -> Iterator[LogLine]:
        """What the programs of a job wrote. A stream that breaks off is read again, without what has been given out."""
        query: dict[str, Any] = {"follow": str(follow).lower()} | ({} if attempt is None else {"attempt": attempt})
        given, patience = 0, self._client.patience()
        while True:
            seen = 0
            try:
                with self._client.stream("GET", f"/v1/jobs/{job_id}/logs", params=query, timeout=None) as answer:
                    for line in answer.iter_lines():
                        seen += 1
                        if seen > given:
                            given, patience = seen, self._client.patience()
                            yield _log_line(line)
                return
            except Interrupted as broken:
                self._client.check_passing(broken.error, patience)
                patience.pause()

    def alerts(self, *, dry_run: bool) -> list[Standing]:
        """Where the alert rules stand."""
        from pitchey_cli.operations.alerts import Standing

        if dry_run:
            return self._view("alerts", list[Standing])
        told = {each["rule"] for each in self._client.post("/v1/alerts/check", {})["alerts"]}
        return [each for each in self._view("alerts", list[Standing]) if each.rule.name in told]

    def models(self) -> list[Listed]:
        """Every version of every model."""
        from pitchey_cli.operations.models.listing import Listed

        return self._view("models", list[Listed])

    def metrics(self) -> str:
        """Everything that is counted."""
        return self._client.request("GET", "/metrics").text

    def _view(self, name: str, kind: type[T]) -> T:
        answer = self._client.view(name, {})
        try:
            return TypeAdapter(kind).validate_json(answer.content)
        except ValidationError as error:
            raise self._client.misunderstood(answer) from error


def _log_line(line: str) -> LogLine:
    said = from_json(line)
    return LogLine(said["attempt"], datetime.fromisoformat(said["at"]), said["stream"], said["line"])


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _part(text: str) -> str:
    return quote(text, safe="")
