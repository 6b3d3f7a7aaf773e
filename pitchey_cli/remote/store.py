"""The store of a server: reads are its views, changes are its routes.

Of what the port can do, only that is here which somebody at a distance may do: all else is the daemon's own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.domain.job import Job, JobId, JobState, Output
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.remote.client import Client
from pitchey_cli.store import views
from pitchey_cli.store.port import CancelResult, JobFilter, Store

if TYPE_CHECKING:
    from pitchey_cli.domain.access import AuditEntry, Quota, Role
    from pitchey_cli.domain.alerts import Rule, Silence
    from pitchey_cli.domain.budget import AsOf, Budget, Standing
    from pitchey_cli.domain.observation import WarmRequest
    from pitchey_cli.domain.periods import Period
    from pitchey_cli.domain.pools import PoolKey
    from pitchey_cli.domain.scope import Scope
    from pitchey_cli.domain.webhooks import Delivery, DeliveryState
    from pitchey_cli.store.nodes import TakenOver

_PAGE = 500
_WAIT_SECONDS = 1.0  # that the server holds a question for news: what ticks meanwhile is no later than that
_PAUSE_SECONDS = 0.1  # between two of them, on a queue where something is always new
_OUTCOMES = {"cancelled": CancelResult.CANCELLED, "stopping": CancelResult.REQUESTED, "ended": CancelResult.FINISHED}


def remote_store(client: Client, found: Callable[[JobId, Sequence[Output]], None]) -> Store:
    """The store of a server, as the operations have one.

    Args:
        found: told which outputs a job has, so that they can be fetched.
    """
    return cast(Store, _Elsewhere(client, found))


def _part(text: str) -> str:
    return quote(text, safe="")


class _Elsewhere:
    def __init__(self, client: Client, found: Callable[[JobId, Sequence[Output]], None]) -> None:
        self._client = client
        self._found = found
        self._version = 0
        self._last_event: int | None = None

    def __getattr__(self, name: str) -> Any:
        if name in views.VIEWS:
            return partial(self._view, name)
        if not hasattr(Store, name):
            raise AttributeError(name)
        raise UsageError(f"This works at the machine of {self._client.where} alone.", hint="Do it there.")

    def _view(self, name: str, *positional: Any, **named: Any) -> Any:
        answer = self._client.view(name, views.asked(name, positional, named))
        try:
            return views.read(name, answer.content)
        except ValueError as error:
            raise self._client.misunderstood(answer) from error

    def transaction(self, *, is_lasting: bool = True) -> AbstractContextManager[None]:
        del is_lasting
        return nullcontext()  # each request is one, at the server

    def close(self) -> None:
        self._client.close()

    def data_version(self) -> int:
        """Waits for news at the server, a second at most: whoever looks for changes hears at once, and seldom asks."""
        if self._last_event is not None:
            time.sleep(_PAUSE_SECONDS)
        wait = None if self._last_event is None else _WAIT_SECONDS
        self._last_event = self._client.get("/v1/changes", after=self._last_event, wait=wait)["lastEvent"]
        self._version += 1  # something may have changed that is no event, as how far a job is
        return self._version

    # --- jobs

    def jobs(self, wanted: JobFilter) -> list[Job]:
        found: list[Job] = []
        while len(found) < wanted.limit:
            limit = min(_PAGE, wanted.limit - len(found))
            before = found[-1].seq if found else wanted.before_seq
            page = self._view("jobs", replace(wanted, limit=limit, before_seq=before))
            found += page
            if len(page) < limit:
                break
        return found

    def batch_jobs(
        self, batch: str, states: Iterable[JobState] = JobState, *, organisation: str | None = None
    ) -> Iterator[Job]:
        for state in states:
            wanted = JobFilter(batch=batch, states=(state,), organisation=organisation, limit=2**31)
            yield from reversed(self.jobs(wanted))

    def outputs(self, job_id: JobId) -> list[Output]:
        outputs: list[Output] = self._view("outputs", job_id)
        self._found(job_id, outputs)
        return outputs

    def cancel(self, job_id: JobId, *, why: str, now: datetime) -> CancelResult:
        del now
        return _OUTCOMES[self._client.post(f"/v1/jobs/{job_id}/cancel", {"reason": why}, is_read=True)["outcome"]]

    def redrive(self, job_id: JobId, *, now: datetime) -> bool:
        del now
        if self._view("job", job_id).state is not JobState.DEAD:
            return False
        self._client.post(f"/v1/jobs/{job_id}/retry", {})
        return True

    def purge(self, job_id: JobId) -> bool:
        return self._is_removed(f"/v1/dead-letters/{job_id}")

    def _is_removed(self, path: str, **query: Any) -> bool:
        try:
            self._client.delete(path, **query)
        except InputNotFound:
            return False
        return True

    # --- schedules

    def pause_schedule(self, name: str, *, is_paused: bool, next_at: datetime) -> bool:
        del next_at  # the server's own clock says when
        is_changed: bool = self._view("schedule", name).is_paused is not is_paused
        self._client.post(f"/v1/schedules/{_part(name)}/{'pause' if is_paused else 'resume'}", {}, is_read=True)
        return is_changed

    def remove_schedule(self, name: str) -> bool:
        return self._is_removed(f"/v1/schedules/{_part(name)}")

    # --- pools

    def keep_warm(self, request: WarmRequest) -> None:
        seconds = max(1, round(request.until.timestamp() - time.time()))
        self._client.post(
            "/v1/instances/warm",
            {**_pool(request.pool), "instances": request.instances, "lasting": f"{seconds}s"},
            is_read=True,
        )

    def stop_warming(self, pool: PoolKey) -> bool:
        return bool(self._client.post("/v1/instances/cool", _pool(pool), is_read=True)["wasWarm"])

    # --- money

    def budgets(self) -> Sequence[Budget]:
        try:
            found: Sequence[Budget] = self._view("budgets")
        except Denied:  # a token for schedules alone: to whom there are no budgets
            return []
        return found

    def standings(self, as_of: AsOf) -> list[Standing]:
        return self._view("standings", as_of)  # type: ignore[no-any-return]

    def set_budget(self, budget: Budget, *, now: datetime) -> None:
        del now
        whole, rest = divmod(budget.nanodollars, NANODOLLARS)
        said = {**_scope(budget.scope), "period": budget.period, "amount": f"{whole}.{rest:09d}"}
        self._client.put("/v1/budgets", said)

    def remove_budget(self, scope: Scope, period: Period) -> bool:
        return self._is_removed("/v1/budgets", **_scope(scope), period=period)

    # --- who there is

    def audit_log(
        self, *, organisation: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[AuditEntry]:
        found: list[AuditEntry] = []
        while len(found) < limit:
            asked, before = min(_PAGE, limit - len(found)), found[-1].id if found else before_id
            page = self._view("audit_log", organisation=organisation, before_id=before, limit=asked)
            found += page
            if len(page) < asked:
                break
        return found

    def add_organisation(self, name: str, *, now: datetime) -> bool:
        del now
        is_new = all(each.name != name for each in self._view("organisations"))
        self._client.post("/v1/organisations", {"name": name}, is_read=True)
        return is_new

    def set_quota(self, name: str, quota: Quota) -> None:
        bounds = {"queued": quota.queued, "running": quota.running, "bytes": quota.bytes}
        self._client.put(f"/v1/organisations/{_part(name)}/quota", bounds)

    def remove_organisation(self, name: str, *, now: datetime) -> bool:
        del now
        return self._is_removed(f"/v1/organisations/{_part(name)}")

    def set_member(self, organisation: str, member: str, role: Role, *, now: datetime) -> None:
        del now
        self._client.put(f"/v1/members/{_part(member)}", {"role": role, "organisation": organisation})

    def remove_member(self, organisation: str, member: str) -> bool:
        return self._is_removed(f"/v1/members/{_part(member)}", organisation=organisation)

    def revoke_token(self, token_id: str, *, now: datetime) -> bool:
        del now
        return self._is_removed(f"/v1/tokens/{_part(token_id)}")

    # --- nodes

    def drain_node(self, node_id: str, *, is_drained: bool, now: datetime) -> bool:
        del now
        before = next((each.is_drained for each in self._view("nodes") if each.id == node_id), is_drained)
        self._client.post(f"/v1/nodes/{_part(node_id)}/{'drain' if is_drained else 'undrain'}", {}, is_read=True)
        return before is not is_drained

    def remove_node(self, node_id: str, *, now: datetime) -> TakenOver | None:
        del now
        from pitchey_cli.store.nodes import TakenOver  # late: hardly any verb needs it

        # Who asks has looked whether it is up.
        said = self._client.document(self._client.delete(f"/v1/nodes/{_part(node_id)}", force="true"))
        return TakenOver(tuple(said["jobs"]), tuple(said["instances"]))

    # --- webhooks

    def enable_webhook(self, webhook_id: str) -> bool:
        return self._turn(webhook_id, "enable", {}, is_disabled=False)

    def disable_webhook(self, webhook_id: str, why: str, *, now: datetime) -> bool:
        del now
        return self._turn(webhook_id, "disable", {"reason": why}, is_disabled=True)

    def _turn(self, webhook_id: str, way: str, said: Any, *, is_disabled: bool) -> bool:
        path = f"/v1/webhooks/{_part(webhook_id)}"
        was_disabled = self._client.get(path)["disabledAt"] is not None
        self._client.post(f"{path}/{way}", said, is_read=True)
        return was_disabled is not is_disabled

    def remove_webhook(self, webhook_id: str) -> bool:
        return self._is_removed(f"/v1/webhooks/{_part(webhook_id)}")

    def add_delivery(self, delivery: Delivery) -> Delivery:
        """A test: nothing else is sent because somebody asks for it. The server gives it its id."""
        hook = delivery.webhook_id
        sent = self._client.post(f"/v1/webhooks/{_part(hook)}/test", {})
        return replace(delivery, message_id=sent["id"])

    def deliveries(
        self, webhook_id: str, *, state: DeliveryState | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        found: list[Delivery] = []
        while len(found) < limit:
            asked, before = min(_PAGE, limit - len(found)), found[-1].id if found else before_id
            page = self._view("deliveries", webhook_id, state=state, before_id=before, limit=asked)
            found += page
            if len(page) < asked:
                break
        return found

    def replay(self, webhook_id: str, message_id: str, *, until: datetime, now: datetime) -> bool:
        del until, now
        return bool(self._replayed(webhook_id, {"messages": [message_id]}))

    def replay_failed(self, webhook_id: str, *, until: datetime, now: datetime) -> int:
        del until, now
        return self._replayed(webhook_id, {"failed": True})

    def _replayed(self, webhook_id: str, said: Any) -> int:
        return int(self._client.post(f"/v1/webhooks/{_part(webhook_id)}/replay", said)["messages"])

    # --- alerts

    def test_alert(self, rule: Rule, *, now: datetime) -> None:
        del now
        self._client.post(f"/v1/alerts/{_part(rule.name)}/test", {})

    def silence_alert(self, rule: str, silence: Silence | None) -> None:
        if silence is None:
            self._is_removed(f"/v1/alerts/{_part(rule)}/silence")
            return
        seconds = max(1, round(silence.until.timestamp() - time.time()))
        self._client.put(f"/v1/alerts/{_part(rule)}/silence", {"lasting": f"{seconds}s", "reason": silence.reason})


def _pool(pool: PoolKey) -> dict[str, Any]:
    return {"service": pool.service, "organisation": pool.organisation or None}


def _scope(scope: Scope) -> dict[str, Any]:
    return {"organisation": scope.organisation or None, "service": scope.service}
