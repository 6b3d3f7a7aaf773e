"""A store as one organisation sees it: what belongs to others is not there, whoever asks and whatever for.

Operations are given such a store and need not think of it. It closes by itself: of what the store can do, only that is
let through which is named here; all else belongs to the whole installation, and is denied. Which machines there are is
the owner's as well: no node is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pitchey_cli.domain.errors import Denied, InputNotFound
from pitchey_cli.domain.job import Attempt, Instance, Job, JobEvent, JobId, JobState, Need, NewJob, Output
from pitchey_cli.domain.recurrence import organisation_of
from pitchey_cli.store.accounts import Costs
from pitchey_cli.store.port import CancelResult, Counts, JobFilter, Store
from processors.vocabulary import Service

if TYPE_CHECKING:
    from pitchey_cli.domain.access import ApiToken, AuditEntry, Member, Organisation, Quota, Role, Use
    from pitchey_cli.domain.budget import AsOf, Budget, Standing
    from pitchey_cli.domain.estimate import Past
    from pitchey_cli.domain.periods import Period
    from pitchey_cli.domain.recurrence import Schedule
    from pitchey_cli.domain.scope import Scope
    from pitchey_cli.domain.webhooks import Delivery, DeliveryState, Webhook
    from pitchey_cli.store.budgets import WaitingJobs

#: what belongs to nobody, and tells nothing of anybody
SHARED = frozenset({"data_version", "last_event_id", "size_hint", "has_tokens", "artifacts_at"})


def apart(store: Store, organisation: str) -> Store:
    """A store in which there is nothing but what belongs to one organisation."""
    return cast(Store, _Apart(store, organisation))


def _without_node(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name != "node"}


class _Apart:
    def __init__(self, store: Store, organisation: str) -> None:
        self._store = store
        self._organisation = organisation
        self._own_jobs: set[JobId] = set()  # that have been looked at: a job stays whose it is

    def __getattr__(self, name: str) -> Any:
        if name in SHARED:
            return getattr(self._store, name)
        if not hasattr(self._store, name):
            raise AttributeError(name)
        raise Denied(
            f"That belongs to the whole installation, and not to {self._organisation}.",
            hint="It takes a token of all organisations: `pitchey token add NAME --all-organisations`.",
        )

    def transaction(self, *, is_lasting: bool = True) -> AbstractContextManager[None]:
        return self._store.transaction(is_lasting=is_lasting)

    def _own(self, organisation: str) -> None:
        if organisation != self._organisation:
            raise Denied(
                f"This is about {organisation or 'all organisations'!r}, and who asks is of {self._organisation!r}.",
                hint="Leave the organisation out.",
            )

    # --- jobs

    def job(self, job_id: JobId) -> Job:
        found = self._store.job(job_id)
        if found.organisation != self._organisation:
            raise InputNotFound(
                f"There is no job {job_id}.", hint="`pitchey jobs` and GET /v1/jobs list them."
            )  # the words for one that is not there at all
        self._own_jobs.add(job_id)
        return found

    def _own_job(self, job_id: JobId) -> JobId:
        return job_id if job_id in self._own_jobs else self.job(job_id).id

    def jobs(self, wanted: JobFilter) -> list[Job]:
        if wanted.organisation not in (None, self._organisation):
            return []
        return self._store.jobs(replace(wanted, organisation=self._organisation))

    def job_ids(self, prefix: str, *, limit: int = 10, organisation: str | None = None) -> list[JobId]:
        return self._store.job_ids(prefix, limit=limit, organisation=self._organisation)

    def enqueue(self, jobs: Sequence[NewJob], *, now: datetime) -> list[JobId]:
        for job in jobs:
            self._own(job.organisation)
            for need in job.after:
                self.job(need.job_id)
            if job.cached_from is not None:
                self.job(job.cached_from)
        return self._store.enqueue(jobs, now=now)

    def cached_job(self, cache_key: str, organisation: str) -> Job | None:
        return self._store.cached_job(cache_key, self._organisation)

    def keyed_job(self, key: str, organisation: str) -> Job | None:
        return self._store.keyed_job(key, self._organisation)

    def completed(self, service: Service, *, limit: int) -> list[Past]:
        return []  # how long others' jobs took is theirs: what is expected of these is not known

    def cancel(self, job_id: JobId, *, why: str, now: datetime) -> CancelResult:
        return self._store.cancel(self.job(job_id).id, why=why, now=now)

    def redrive(self, job_id: JobId, *, now: datetime) -> bool:
        return self._store.redrive(self.job(job_id).id, now=now)

    def purge(self, job_id: JobId) -> bool:
        return self._store.purge(self.job(job_id).id)

    def counts(self, *, organisation: str | None = None) -> Counts:
        return self._store.counts(organisation=self._organisation)

    def attempts(self, job_id: JobId) -> list[Attempt]:
        found = self._store.attempts(self._own_job(job_id))
        return [replace(each, node="", node_name="") for each in found]

    def outputs(self, job_id: JobId) -> list[Output]:
        return self._store.outputs(self._own_job(job_id))

    def details(self, job_id: JobId) -> dict[str, Any]:
        return self._store.details(self._own_job(job_id))

    def length_of_result(self, job_id: JobId) -> int:
        return self._store.length_of_result(self._own_job(job_id))

    def dependencies(self, job_id: JobId) -> list[Need]:
        return self._store.dependencies(self._own_job(job_id))

    def ahead_of(self, job: Job) -> int:
        return self._store.ahead_of(self.job(job.id))

    def events(
        self, *, after: int, job_ids: Sequence[JobId] = (), limit: int = 500, organisation: str | None = None
    ) -> list[JobEvent]:
        for job_id in job_ids:
            self.job(job_id)
        found = self._store.events(after=after, job_ids=job_ids, limit=limit, organisation=self._organisation)
        return [replace(each, data=_without_node(each.data)) for each in found]

    # --- batches

    def batches(self, *, organisation: str | None = None) -> list[str]:
        return self._store.batches(organisation=self._organisation)

    def batch_counts(self, batch: str, *, organisation: str | None = None) -> dict[JobState, int]:
        return self._store.batch_counts(batch, organisation=self._organisation)

    def batch_jobs(
        self, batch: str, states: Iterable[JobState] = JobState, *, organisation: str | None = None
    ) -> Iterator[Job]:
        return self._store.batch_jobs(batch, states, organisation=self._organisation)

    # --- schedules

    def schedules(self) -> Sequence[Schedule]:
        return [each for each in self._store.schedules() if organisation_of(each) == self._organisation]

    def schedule(self, name: str) -> Schedule:
        found = self._store.schedule(name)
        if organisation_of(found) != self._organisation:
            raise InputNotFound(f"There is no schedule {name!r}.", hint="`pitchey schedule list` names them.")
        return found

    def add_schedule(self, schedule: Schedule) -> None:
        self._own(organisation_of(schedule))
        self._store.add_schedule(schedule)

    def pause_schedule(self, name: str, *, is_paused: bool, next_at: datetime) -> bool:
        return self._store.pause_schedule(self.schedule(name).name, is_paused=is_paused, next_at=next_at)

    def remove_schedule(self, name: str) -> bool:
        is_own = any(each.name == name for each in self.schedules())
        return is_own and self._store.remove_schedule(name)

    # --- budgets and costs

    def budgets(self) -> Sequence[Budget]:
        return [each for each in self._store.budgets() if each.scope.organisation == self._organisation]

    def set_budget(self, budget: Budget, *, now: datetime) -> None:
        self._own(budget.scope.organisation)
        self._store.set_budget(budget, now=now)

    def remove_budget(self, scope: Scope, period: Period) -> bool:
        self._own(scope.organisation)
        return self._store.remove_budget(scope, period)

    def standings(self, as_of: AsOf) -> list[Standing]:
        return [each for each in self._store.standings(as_of) if each.budget.scope.organisation == self._organisation]

    def waiting_jobs(self) -> list[WaitingJobs]:
        return [each for each in self._store.waiting_jobs() if each.scope.organisation == self._organisation]

    def instances(
        self,
        *,
        active_only: bool = True,
        organisation: str | None = None,
        node: str | None = None,
        limit: int | None = None,
    ) -> list[Instance]:
        found = self._store.instances(active_only=active_only, organisation=self._organisation, node=node, limit=limit)
        return [replace(each, node="") for each in found]

    def spent(self, *, organisation: str | None, service: Service | None, since: datetime) -> int:
        return self._store.spent(organisation=self._organisation, service=service, since=since)

    def first_booked(self, *, organisation: str | None, service: Service | None) -> datetime | None:
        return self._store.first_booked(organisation=self._organisation, service=service)

    def costs(
        self, *, since: datetime, until: datetime, organisation: str | None = None, limit: int | None = None
    ) -> Costs:
        found = self._store.costs(since=since, until=until, organisation=self._organisation, limit=limit)
        attempts = [each for each in found.attempts if each.account.organisation == self._organisation]
        return Costs(found.booked, [], attempts)

    # --- who there is

    def organisations(self) -> Sequence[Organisation]:
        return [each for each in self._store.organisations() if each.name == self._organisation]

    def organisation(self, name: str) -> Organisation:
        self._own(name)
        return self._store.organisation(name)

    def use_of(self, name: str, quota: Quota) -> Use:
        self._own(name)
        return self._store.use_of(name, quota)

    def set_member(self, organisation: str, member: str, role: Role, *, now: datetime) -> None:
        self._own(organisation)
        self._store.set_member(organisation, member, role, now=now)

    def remove_member(self, organisation: str, member: str) -> bool:
        self._own(organisation)
        return self._store.remove_member(organisation, member)

    def members(self, organisation: str) -> Sequence[Member]:
        self._own(organisation)
        return self._store.members(organisation)

    def member(self, organisation: str, name: str) -> Member | None:
        self._own(organisation)
        return self._store.member(organisation, name)

    def add_token(self, token: ApiToken) -> None:
        self._own(token.organisation)
        self._store.add_token(token)

    def tokens(self, *, organisation: str | None = None) -> Sequence[ApiToken]:
        return self._store.tokens(organisation=self._organisation)

    def token(self, token_id: str) -> ApiToken | None:
        found = self._store.token(token_id)
        return found if found is not None and found.organisation == self._organisation else None

    def revoke_token(self, token_id: str, *, now: datetime) -> bool:
        return self.token(token_id) is not None and self._store.revoke_token(token_id, now=now)

    def audit_log(
        self, *, organisation: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[AuditEntry]:
        return self._store.audit_log(organisation=self._organisation, before_id=before_id, limit=limit)

    # --- webhooks

    def add_webhook(self, webhook: Webhook) -> None:
        self._own(webhook.organisation)
        self._store.add_webhook(webhook)

    def webhooks(self, *, organisation: str | None = None) -> Sequence[Webhook]:
        return self._store.webhooks(organisation=self._organisation)

    def _own_webhook(self, webhook_id: str) -> str:
        if not any(each.id == webhook_id for each in self.webhooks()):
            raise InputNotFound(f"There is no webhook {webhook_id!r}.", hint="`pitchey webhooks list` shows them.")
        return webhook_id

    def rotate_webhook(self, webhook_id: str, secret: str, *, until: datetime, now: datetime) -> bool:
        return self._store.rotate_webhook(self._own_webhook(webhook_id), secret, until=until, now=now)

    def enable_webhook(self, webhook_id: str) -> bool:
        return self._store.enable_webhook(self._own_webhook(webhook_id))

    def disable_webhook(self, webhook_id: str, why: str, *, now: datetime) -> bool:
        return self._store.disable_webhook(self._own_webhook(webhook_id), why, now=now)

    def remove_webhook(self, webhook_id: str) -> bool:
        return self._store.remove_webhook(self._own_webhook(webhook_id))

    def add_delivery(self, delivery: Delivery) -> Delivery:
        self._own_webhook(delivery.webhook_id)
        return self._store.add_delivery(delivery)

    def deliveries(
        self, webhook_id: str, *, state: DeliveryState | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        return self._store.deliveries(self._own_webhook(webhook_id), state=state, before_id=before_id, limit=limit)

    def delivery(self, webhook_id: str, message_id: str) -> Delivery | None:
        return self._store.delivery(self._own_webhook(webhook_id), message_id)

    def replay(self, webhook_id: str, message_id: str, *, until: datetime, now: datetime) -> bool:
        return self._store.replay(self._own_webhook(webhook_id), message_id, until=until, now=now)

    def replay_failed(self, webhook_id: str, *, until: datetime, now: datetime) -> int:
        return self._store.replay_failed(self._own_webhook(webhook_id), until=until, now=now)
