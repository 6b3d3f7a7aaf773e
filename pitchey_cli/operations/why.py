"""Why a job is where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from pitchey_cli.domain.away import is_waiting
from pitchey_cli.domain.budget import Standing
from pitchey_cli.domain.job import Instance, InstanceState, Job, JobState
from pitchey_cli.domain.moments import worded
from pitchey_cli.domain.nodes import SPOT, NodeRecord, NodeState, asked, may_take, misfit
from pitchey_cli.domain.off_peak import OffPeak
from pitchey_cli.domain.placement import slots_needed
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.program import is_program
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import budgets
from pitchey_cli.operations.lookup import events_of
from pitchey_cli.store.port import Store

_NAMED = 5  # nodes that are down, of those that could have taken a job


def reasons(
    store: Store,
    job: Job,
    *,
    now: datetime,
    is_daemon_running: bool,
    has_image: Callable[[], bool | None],
    policy: QueuePolicy,
    capped: Sequence[Standing] = (),
    nodes: Sequence[NodeRecord] = (),
    is_of_all: bool = True,
) -> list[str]:
    """Sentences, the most telling one first.

    Args:
        has_image: whether the service's image is built; None when no engine can be asked. Called only if it matters.
        policy: of this node.
        capped: the budgets that are used up.
        nodes: all that share the queue.
        is_of_all: whether it is said to somebody of the whole installation: one organisation hears of no machines,
            nor of what others' jobs take.
    """
    if job.state is JobState.SUCCEEDED:
        details = store.details(job.id)
        ended = [f"Its program: {details['verdict']}. {details['message']}"] if is_program(details) else []
        return ["It has succeeded.", *ended]
    if job.state in (JobState.DEAD, JobState.CANCELLED):
        said = job.error.message if job.error else "nobody said why."
        how = f" ({job.reason or 'before it ran'})" if job.state is JobState.DEAD else ""
        return [
            f"It is {job.state}{how}: {_why_cancelled(store, job) or said}",
            f"It has used {_count(job.attempts_used, 'attempt')}.",
        ]
    if job.state is JobState.RUNNING:
        attempt = store.attempts(job.id)[-1]
        stage = f", at {job.stage}" if job.stage else ""
        asked = [] if job.cancel_requested_at is None else ["Its cancellation has been asked for."]
        several = attempt.node_name and len([each for each in nodes if each.is_up]) > 1
        where = f" of the node {attempt.node_name}" if several else ""
        return [
            f"It runs as attempt {job.attempt} on {attempt.instance_id}{where}{stage}.",
            *_why_there(store, job),
            *asked,
        ]
    if job.state is JobState.HELD:
        return _why_held(store, job) or ["It is held."]
    if job.state is JobState.SCHEDULED and job.run_at is not None:
        return _why_scheduled(job, job.run_at, policy.off_peak, now)
    if standings := budgets.holding(capped, job):
        return [budgets.sentence(standings), budgets.way_out(standings)]
    nowhere = _why_no_node(job, nodes, now, is_of_all=is_of_all)
    first = _why_passed_over(job, policy, now) + nowhere + _why_again(job)
    if nowhere:  # what others wait for, or have, is of no use to it
        return first
    if not is_of_all:
        return first + _why_queued_among_others(store, job, is_daemon_running=is_daemon_running)
    return first + _why_queued(store, job, is_daemon_running=is_daemon_running, has_image=has_image)


def _why_scheduled(job: Job, run_at: datetime, off_peak: OffPeak, now: datetime) -> list[str]:
    if not job.attempt and not job.is_off_peak and job.last_call_at == run_at:
        at = _local(run_at, now)
        return [f"Its {_limit(job)} comes before off-peak hours: it is to start at {at}, the cheapest time before."]
    left = max(0.0, (run_at - now).total_seconds())
    again = f" (attempt {job.attempt} ended as {job.reason})" if job.attempt else ""
    if is_waiting(error := job.error):
        waits = [f"It waits for a bucket, which is asked again in {left:.0f} s: {error.message}"]
        waits += [error.hint] if error.hint else []
    else:
        waits = [f"It waits for its time, in {left:.0f} s{again}."]
    return [*waits, *_why_not_yet(job, off_peak, max(now, run_at), now)]


def _why_passed_over(job: Job, policy: QueuePolicy, now: datetime) -> list[str]:
    """What keeps a queued job from its turn, whatever room there is."""
    found = _why_not_yet(job, policy.off_peak, now, now)
    if job.last_call_at is not None and not job.is_off_peak and policy.off_peak.hours:
        since = _local(job.last_call_at, now)
        found.append(
            f"It does not wait for off-peak hours, to meet its {_limit(job)}: since {since} it runs at any price."
        )
    if policy.is_spot and not job.is_spot_ok:
        found.append("This node may be taken away (node.is_spot), and the job was not submitted with --spot-ok.")
        found.append("Submit it again with --spot-ok and cancel this one, or set node.is_spot to false.")
    return found


def _why_again(job: Job) -> list[str]:
    """How it has come back into the queue."""
    return [f"Its attempt {job.attempt} ended as {job.reason}."] if job.attempt and job.reason else []


def _why_no_node(job: Job, nodes: Sequence[NodeRecord], now: datetime, *, is_of_all: bool) -> list[str]:
    """Which nodes there are, and why none of them may take it."""
    against = misfit(job.on_node, job.is_spot_ok, job.service, nodes)
    if not against or list(against.values()) == [SPOT]:  # that of one node alone is said with the way out
        return []
    wishes = asked(job.on_node)
    wanted = f" with {wishes}" if wishes else ""
    if not is_of_all:
        return [f"It waits for a node{wanted}, and none that is up may take it."]
    each = "; ".join(f"{name}: {why}" for name, why in sorted(against.items()))
    down = [
        f"The node {each.facts.name} is down; it was last heard of at {_local(each.beat_at, now)}."
        for each in nodes
        if each.state is NodeState.DOWN
        and not each.facts.is_foreground
        and may_take(job.on_node, job.is_spot_ok, job.service, each)
    ]
    return [f"It waits for a node{wanted}, and none that is up may take it ({each}).", *down[:_NAMED]]


def _why_not_yet(job: Job, off_peak: OffPeak, earliest: datetime, now: datetime) -> list[str]:
    """Which hours it waits for, and for how long."""
    begins = off_peak.begins(earliest)
    is_called = job.last_call_at is not None and job.last_call_at <= earliest
    if not job.is_off_peak or begins == earliest or is_called:
        return []
    hours = f"It waits for off-peak hours, which begin at {_local(begins, now)}"
    if job.last_call_at is None:
        return [f"{hours}."]
    call = _local(job.last_call_at, now)
    return [f"{hours}; from {call} it runs at any price, to meet its {_limit(job)}."]


def _limit(job: Job) -> str:
    return "time to live" if job.deadline is None else "deadline"


def _why_held(store: Store, job: Job) -> list[str]:
    """What it waits for; of what is held itself, in the end the dead letter that holds all of them."""
    found: list[str] = []
    left, seen = [job.id], {job.id}
    while left:
        for need in store.dependencies(left.pop()):
            if need.state is JobState.SUCCEEDED or need.job_id in seen:
                continue
            seen.add(need.job_id)
            way_out = f": `pitchey dlq retry {need.job_id}`" if need.state is JobState.DEAD else ""
            found.append(f"It waits for job {need.job_id}, which is {need.state}{way_out}.")
            if need.state is JobState.HELD:
                left.append(need.job_id)
    return found


def _why_queued_among_others(store: Store, job: Job, *, is_daemon_running: bool) -> list[str]:
    """What one organisation may know of the queue."""
    if not is_daemon_running:
        return ["No daemon runs."]
    return (
        [_ahead(job, ahead)] if (ahead := store.ahead_of(job)) else ["It is the next of its line, and waits for room."]
    )


def _ahead(job: Job, ahead: int) -> str:
    many = f"{ahead:,}" if ahead < 10_000 else "10,000 or more"
    verb = "job is" if ahead == 1 else "jobs are"
    return f"{many} {job.service} {verb} ahead of it in its line."


def _why_queued(store: Store, job: Job, *, is_daemon_running: bool, has_image: Callable[[], bool | None]) -> list[str]:
    found: list[str] = []
    if not is_daemon_running:
        found.append("No daemon runs: `pitchey daemon start` starts one.")
    elif has_image() is False:
        found.append(f"The image of the {job.service} service is not built: `pitchey images build {job.service}`.")
    if job.key:
        use = store.queue(job.pool).keys.get(job.key)
        if use is not None and use.running:
            found.append(f"Jobs with its key {job.key!r} that run: {use.running}.")
    every = [each for each in store.instances(active_only=False) if each.pool == job.pool]
    active = [instance for instance in every if instance.stopped_at is None]
    ready = [instance for instance in active if instance.state is InstanceState.READY]
    if ready:
        slots = sum(instance.slots for instance in ready)
        running = [each for each in store.running() if each.pool == job.pool]
        if sum(slots_needed(each, ready[0].slots) for each in running) >= slots:
            found.append(f"All {slots} slots are taken." if slots > 1 else "The only slot is taken.")
    if ahead := store.ahead_of(job):
        found.append(_ahead(job, ahead))
    if not active and is_daemon_running:
        found.append(f"No {job.service} instance runs{_last_failure(every)}.")
    elif active:
        starting = sum(instance.state is InstanceState.STARTING for instance in active)
        slots = sum(instance.slots for instance in active)
        still = f"; {starting} of them {'is' if starting == 1 else 'are'} starting" if starting else ""
        found.append(f"{_count(len(active), f'{job.service} instance')} with {_count(slots, 'slot')}{still}.")
    if is_daemon_running:
        found += _why_no_more(store, job.pool)
    return found


def _why_no_more(store: Store, pool: PoolKey) -> list[str]:
    """What keeps the pool from having more instances."""
    decision = next((each for each in reversed(store.last_decisions()) if each.pool == pool), None)  # the newest
    if decision is None:
        return []
    bounds = [f"{clamp['limit']}: {clamp['why']}" for clamp in decision.explanation["clamps"]]
    more = f"`pitchey scaling explain {pool.service}` says more."
    return [f"What bounds the number of its instances is {'; '.join(bounds)}. {more}"] if bounds else []


def _why_cancelled(store: Store, job: Job) -> str:
    """What was said by whoever cancelled it."""
    if job.state is not JobState.CANCELLED:
        return ""
    said = [event.data.get("why", "") for event in events_of(store, job.id) if event.type.startswith("cancel")]
    reason = next(filter(None, said), "").strip()
    return reason if not reason or reason.endswith((".", "!", "?")) else f"{reason}."


def _why_there(store: Store, job: Job) -> list[str]:
    """Why the attempt that runs was given this instance."""
    claims = [event for event in events_of(store, job.id) if event.type == "claimed"]
    return [f"It was placed there because of: {claims[-1].data['why']}."] if claims else []


def _local(moment: datetime, now: datetime) -> str:
    return worded(moment.astimezone(), now=now.astimezone())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _last_failure(instances: list[Instance]) -> str:
    if instances and instances[-1].state is InstanceState.LOST and instances[-1].note:
        return f"; the last one was lost: {instances[-1].note.removesuffix('.')}"
    return ""
