"""A store in somebody's hands: whatever they change is in the audit log, in the transaction that changes it.

Everything that people and programs change goes through here, from the command line as from the API, so no operation has
to think of it. What the daemon does by itself is no action of anybody's, and is told by events. It has no place here:
what the store can do beside the reads named below is noted or refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.store.port import CancelResult, Store

if TYPE_CHECKING:  # what `pitchey status` does not need is loaded when it is called
    from pitchey_cli.domain.access import ApiToken, Quota, Role
    from pitchey_cli.domain.alerts import Alert, Reading, Rule, Silence
    from pitchey_cli.domain.budget import Budget
    from pitchey_cli.domain.observation import WarmRequest
    from pitchey_cli.domain.periods import Period
    from pitchey_cli.domain.recurrence import Schedule
    from pitchey_cli.domain.scope import Scope
    from pitchey_cli.domain.webhooks import Delivery, Webhook
    from pitchey_cli.store.nodes import TakenOver

P = ParamSpec("P")
T = TypeVar("T")
#: what changes nothing
READS = frozenset({
    "close", "data_version", "state_id", "schema_version", "database_version", "integrity", "transaction",
    "queue", "waiting_pools", "size_hint", "cached_job", "keyed_job", "dependencies",
    "batches", "batch_counts", "batch_jobs",
    "next_due", "cancel_requested", "running", "job", "jobs", "oldest_jobs", "job_ids", "counts", "ahead_of",
    "attempts", "last_nodes", "arrivals", "completed",
    "outputs", "details", "length_of_result", "events", "last_event_id",
    "schedules", "schedule", "next_firing", "due_schedules", "coming_schedules",
    "last_decisions", "scaling_events", "pool_samples", "measurements", "came", "forecasts", "warm_requests",
    "holdings", "artifact_sizes", "known_time", "known_jobs", "artifacts_at",
    "instances", "costs", "spent", "first_booked", "cost_totals",
    "alert_facts", "budgets", "standings", "waiting_jobs",
    "organisations", "organisation", "use_of", "members", "member", "tokens", "token", "has_tokens", "audit_log",
    "nodes", "node", "pools_elsewhere", "may_take", "time_there", "check_schema",
    "webhooks", "deliveries", "delivery", "due_webhooks", "due_deliveries",
})  # fmt: skip
_NAMED = 20  # jobs of a submission that the log names; it counts the others


def noted(store: Store, *, actor: Callable[[], str], now: Callable[[], datetime]) -> Store:
    """A store that notes what is changed.

    Args:
        actor: who changes it; asked when something is.
        now: for what is changed without a time.
    """
    return cast(Store, _Noted(store, actor, now))


class _Noted:
    """Reads are the store's own."""

    def __init__(self, store: Store, actor: Callable[[], str], now: Callable[[], datetime]) -> None:
        self._store = store
        self._actor = actor
        self._now = now

    def __getattr__(self, name: str) -> Any:
        if name not in READS:
            raise AttributeError(f"{name} is no read, and nothing notes it: it is the daemon's own.")
        return getattr(self._store, name)

    def _note(self, at: datetime, organisation: str, action: str, target: str, **data: object) -> None:
        from pitchey_cli.domain.access import AuditEntry  # late: verbs that only look note nothing

        told = {name: value for name, value in data.items() if value not in (None, "", [])}
        self._store.note_action(AuditEntry(at, self._actor(), organisation, action, target, told))

    # --- jobs

    def enqueue(self, jobs: Sequence[NewJob], *, now: datetime) -> list[JobId]:
        with self._store.transaction():
            ids = self._store.enqueue(jobs, now=now)
            new = [job for job, job_id in zip(jobs, ids, strict=True) if job.id == job_id]
            for organisation, count in Counter(job.organisation for job in new).items():
                its = [job for job in new if job.organisation == organisation]
                target = its[0].id if count == 1 else f"{count} jobs"
                named = [job.id for job in its[:_NAMED]] if count > 1 else []
                services = sorted({job.service.value for job in its})
                self._note(now, organisation, "submit", target, services=services, batch=its[0].batch, jobs=named)
        return ids

    def cancel(self, job_id: JobId, *, why: str, now: datetime) -> CancelResult:
        with self._store.transaction():
            before = self._store.job(job_id)
            done = self._store.cancel(job_id, why=why, now=now)
            if done is not CancelResult.FINISHED and before.cancel_requested_at is None:
                self._note(now, before.organisation, "cancel", job_id, why=why)
        return done

    def redrive(self, job_id: JobId, *, now: datetime) -> bool:
        with self._store.transaction():
            if has_changed := self._store.redrive(job_id, now=now):
                self._note(now, self._store.job(job_id).organisation, "retry", job_id)
        return has_changed

    def purge(self, job_id: JobId) -> bool:
        with self._store.transaction():
            organisation = self._store.job(job_id).organisation
            if has_changed := self._store.purge(job_id):
                self._note(self._now(), organisation, "purge", job_id)
        return has_changed

    # --- schedules

    def add_schedule(self, schedule: Schedule) -> None:
        with self._store.transaction():
            self._store.add_schedule(schedule)
            self._note(
                schedule.created_at, _organisation_of(schedule), "schedule.add", schedule.name, cron=schedule.cron
            )

    def pause_schedule(self, name: str, *, is_paused: bool, next_at: datetime) -> bool:
        with self._store.transaction():
            if has_changed := self._store.pause_schedule(name, is_paused=is_paused, next_at=next_at):
                action = "schedule.pause" if is_paused else "schedule.resume"
                self._note(self._now(), _organisation_of(self._store.schedule(name)), action, name)
        return has_changed

    def remove_schedule(self, name: str) -> bool:
        with self._store.transaction():
            known = next((each for each in self._store.schedules() if each.name == name), None)
            if has_changed := self._store.remove_schedule(name):
                self._note(self._now(), _organisation_of(known) if known else "", "schedule.remove", name)
        return has_changed

    # --- budgets, alerts, warm instances

    def set_budget(self, budget: Budget, *, now: datetime) -> None:
        with self._store.transaction():
            self._store.set_budget(budget, now=now)
            scope = budget.scope
            told = {"period": budget.period.value, "nanodollars": budget.nanodollars}
            self._note(now, scope.organisation, "budget.set", str(scope), **told)

    def remove_budget(self, scope: Scope, period: Period) -> bool:
        with self._store.transaction():
            if has_changed := self._store.remove_budget(scope, period):
                self._note(self._now(), scope.organisation, "budget.remove", str(scope), period=period.value)
        return has_changed

    def silence_alert(self, rule: str, silence: Silence | None) -> None:
        with self._store.transaction():
            self._store.silence_alert(rule, silence)
            self._note(self._now(), "", "alert.unsilence" if silence is None else "alert.silence", rule)

    def judge_alerts(
        self, rules: Sequence[Rule], readings: Mapping[str, Reading], *, now: datetime, dry_run: bool = False
    ) -> list[Alert]:
        if dry_run:
            return self._store.judge_alerts(rules, readings, now=now, dry_run=True)
        with self._store.transaction():
            last = self._store.last_event_id()
            done = self._store.judge_alerts(rules, readings, now=now)
            if self._store.last_event_id() > last:  # somebody is told of something
                firing = [rule.name for rule, alert in zip(rules, done, strict=True) if alert.firing_since is not None]
                self._note(now, "", "alert.check", "", firing=firing)
        return done

    def test_alert(self, rule: Rule, *, now: datetime) -> None:
        with self._store.transaction():
            self._store.test_alert(rule, now=now)
            self._note(now, "", "alert.test", rule.name)

    def keep_warm(self, request: WarmRequest) -> None:
        with self._store.transaction():
            self._store.keep_warm(request)
            pool = request.pool
            self._note(self._now(), pool.organisation, "instances.warm", str(pool), instances=request.instances)

    def stop_warming(self, pool: PoolKey) -> bool:
        with self._store.transaction():
            if has_changed := self._store.stop_warming(pool):
                self._note(self._now(), pool.organisation, "instances.cool", str(pool))
        return has_changed

    # --- organisations, members, tokens

    def add_organisation(self, name: str, *, now: datetime) -> bool:
        with self._store.transaction():
            if has_changed := self._store.add_organisation(name, now=now):
                self._note(now, name, "org.add", name)
        return has_changed

    def set_quota(self, name: str, quota: Quota) -> None:
        with self._store.transaction():
            self._store.set_quota(name, quota)
            bounds = {"queued": quota.queued, "running": quota.running, "bytes": quota.bytes}
            self._note(self._now(), name, "org.quota", name, **bounds)

    def remove_organisation(self, name: str, *, now: datetime) -> bool:
        with self._store.transaction():
            if has_changed := self._store.remove_organisation(name, now=now):
                self._note(now, name, "org.remove", name)
        return has_changed

    def set_member(self, organisation: str, member: str, role: Role, *, now: datetime) -> None:
        with self._store.transaction():
            self._store.set_member(organisation, member, role, now=now)
            self._note(now, organisation, "role.grant", member, role=role.value)

    def remove_member(self, organisation: str, member: str) -> bool:
        with self._store.transaction():
            if has_changed := self._store.remove_member(organisation, member):
                self._note(self._now(), organisation, "role.revoke", member)
        return has_changed

    def add_token(self, token: ApiToken) -> None:
        with self._store.transaction():
            self._store.add_token(token)
            told = {"name": token.name, "role": token.role.value, "areas": sorted(token.areas), "member": token.member}
            self._note(token.created_at, token.organisation, "token.add", token.id, **told)

    def revoke_token(self, token_id: str, *, now: datetime) -> bool:
        with self._store.transaction():
            if has_changed := self._store.revoke_token(token_id, now=now):
                token = self._store.token(token_id)
                self._note(now, token.organisation if token else "", "token.revoke", token_id)
        return has_changed

    # --- nodes

    def drain_node(self, node_id: str, *, is_drained: bool, now: datetime) -> bool:
        with self._store.transaction():
            if has_changed := self._store.drain_node(node_id, is_drained=is_drained, now=now):
                self._note(now, "", "node.drain" if is_drained else "node.undrain", node_id)
        return has_changed

    def remove_node(self, node_id: str, *, now: datetime) -> TakenOver | None:
        with self._store.transaction():
            taken = self._store.remove_node(node_id, now=now)
            if taken is not None:
                self._note(now, "", "node.remove", node_id, jobs=list(taken.jobs), instances=list(taken.instances))
        return taken

    # --- webhooks

    def add_webhook(self, webhook: Webhook) -> None:
        with self._store.transaction():
            self._store.add_webhook(webhook)
            told = {"name": webhook.name, "types": list(webhook.types), "services": list(webhook.services)}
            self._note(webhook.created_at, webhook.organisation, "webhook.add", webhook.id, **told)

    def rotate_webhook(self, webhook_id: str, secret: str, *, until: datetime, now: datetime) -> bool:
        return self._note_webhook(
            webhook_id, "webhook.rotate", now, self._store.rotate_webhook, webhook_id, secret, until=until, now=now
        )

    def enable_webhook(self, webhook_id: str) -> bool:
        return self._note_webhook(webhook_id, "webhook.enable", self._now(), self._store.enable_webhook, webhook_id)

    def disable_webhook(self, webhook_id: str, why: str, *, now: datetime) -> bool:
        return self._note_webhook(
            webhook_id, "webhook.disable", now, self._store.disable_webhook, webhook_id, why, now=now
        )

    def remove_webhook(self, webhook_id: str) -> bool:
        return self._note_webhook(webhook_id, "webhook.remove", self._now(), self._store.remove_webhook, webhook_id)

    def add_delivery(self, delivery: Delivery) -> Delivery:
        webhook_id = delivery.webhook_id
        return self._note_webhook(webhook_id, "webhook.test", delivery.at, self._store.add_delivery, delivery)

    def replay(self, webhook_id: str, message_id: str, *, until: datetime, now: datetime) -> bool:
        return self._note_webhook(
            webhook_id, "webhook.replay", now, self._store.replay, webhook_id, message_id, until=until, now=now
        )

    def replay_failed(self, webhook_id: str, *, until: datetime, now: datetime) -> int:
        return self._note_webhook(
            webhook_id, "webhook.replay", now, self._store.replay_failed, webhook_id, until=until, now=now
        )

    def _note_webhook(
        self, webhook_id: str, action: str, at: datetime, change: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Change something about an endpoint; where that has changed nothing, nothing is noted."""
        with self._store.transaction():
            known = next((each for each in self._store.webhooks() if each.id == webhook_id), None)
            if (done := change(*args, **kwargs)) and known is not None:
                self._note(at, known.organisation, action, webhook_id, name=known.name)
        return done


def _organisation_of(schedule: Schedule) -> str:
    from pitchey_cli.domain.recurrence import organisation_of

    return organisation_of(schedule)
