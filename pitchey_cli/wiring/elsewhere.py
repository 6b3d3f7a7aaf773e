"""What a server does by itself, where a command at this machine would do it with parts of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pitchey_cli.domain.access import ApiToken
    from pitchey_cli.domain.capacity import Size
    from pitchey_cli.domain.job import Job, JobId, Output
    from pitchey_cli.domain.overview import Overview
    from pitchey_cli.domain.pipeline import Pipeline
    from pitchey_cli.domain.webhooks import Webhook
    from pitchey_cli.operations.drafts import Draft
    from pitchey_cli.operations.logs import LogLine
    from pitchey_cli.operations.models.listing import Listed
    from pitchey_cli.operations.pipelines import Run
    from pitchey_cli.operations.requests import Request
    from pitchey_cli.operations.sources import Source
    from pitchey_cli.operations.submit import StageProgress


class Elsewhere(Protocol):
    """What a server does by itself, where a daemon at this machine would be given the parts for it."""

    @property
    def where(self) -> str:
        """What people call the server."""

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

    def add_schedule(self, asked: Request, *, name: str, cron: str, timezone: str, misfire: str) -> None:
        """Keep a schedule."""

    def run_schedule(self, name: str) -> list[JobId]:
        """Submit the jobs of a schedule once more."""

    def add_token(self, **said: Any) -> tuple[ApiToken, str]:
        """Make a token."""

    def add_webhook(self, **said: Any) -> tuple[Webhook, str]:
        """Add an endpoint; the endpoint and its secret."""

    def rotate_webhook(self, hook: str, *, overlap: str) -> tuple[Webhook, str]:
        """Give an endpoint another secret; the endpoint and the secret."""

    def overview(self) -> Overview:
        """Everything at a glance."""

    def size(self) -> Size:
        """Of its machine."""

    def why(self, job_id: JobId) -> list[str]:
        """Why a job is where it is."""

    def links(self, expires: str, job: Job, outputs: Sequence[Output]) -> list[tuple[Output, str]]:
        """Links with which anybody can fetch the outputs of a job."""

    def log_lines(self, job_id: JobId, *, attempt: int | None, follow: bool) -> Iterator[LogLine]:
        """What the programs of a job wrote."""

    def models(self) -> list[Listed]:
        """Every version of every model."""
