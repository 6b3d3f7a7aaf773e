"""One attempt, from its claim to its end: stage the inputs, start it, follow its events, take what it left, finish.

Everything that decides how an attempt ended lies in its spool, so an execution can begin anywhere in this line: with a
claim, or after a crash of the daemon with an attempt that still runs (`adopt`) or one that has ended meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from pitchey_cli.daemon import outcomes
from pitchey_cli.daemon.carried import CarriedFiles
from pitchey_cli.daemon.delivery import Delivery
from pitchey_cli.daemon.exchange import WorkerRefused
from pitchey_cli.daemon.files import AttemptFiles, output_of, short_contents
from pitchey_cli.daemon.instance import PooledInstance
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.patience import patiently
from pitchey_cli.daemon.recording import Recording
from pitchey_cli.daemon.staging import Staging
from pitchey_cli.daemon.worker_client import Events
from pitchey_cli.domain.cost import TICKS_PER_SECOND
from pitchey_cli.domain.errors import (
    EngineError,
    InputRejected,
    InstanceGone,
    PitcheyError,
    StaleToken,
    StoreError,
)
from pitchey_cli.domain.job import Job, JobError, Outcome, Output, Token, due_at
from processors import protocol
from processors.vocabulary import Reason, Service

T = TypeVar("T")
_PROGRESS_SECONDS = 1.0  # how often progress becomes durable
_OVERDUE_SECONDS = 15.0  # the worker enforces the time limit; beyond this the host does not wait for it any longer
_PARTS_OF_CARRIED = 3  # the way there, the work, the way back: each may take as long as the job
_LEAST_SECONDS = 0.1  # of an attempt whose job's deadline has just passed
_RETRY_SECONDS = 0.2  # between them
_KILL_SECONDS = 1.0  # that the engine may take for it, when a job is handed back
_GONE_TRIES = 3  # a broken event stream is taken up again this often before the instance counts as gone
_WORDS_CHARS = 300  # of the last words of an instance
# Of services whose attempts may be over in moments: those leave no files, whose making would take as long.
_INLINE_BYTES = {Service.INFERENCE: 32 * 1024}


@dataclass(slots=True)
class Execution:
    """A live attempt of a job on an instance of this node."""

    node: Node
    job: Job
    instance: PooledInstance
    token: Token
    on_pickup: Callable[[float], None] | None = None  #: told the seconds from when it was due to its acceptance
    ending_as: Reason | None = None  #: CANCELLED or INTERRUPTED once the host has asked for the end
    ended_as: Reason | None = None  #: how it ended, once that is known
    is_finishing: bool = False  #: the attempt is over; what it left is being taken and recorded
    _found_tick: int | None = None  #: the end of one that ended while no daemon was there
    _progress_at: float = -_PROGRESS_SECONDS
    _deadline: asyncio.Timeout | None = None
    _staging: Staging | None = None
    _grace_seconds: float | None = None  # None: as is set
    _is_light: bool = False  #: it may be over in moments
    _has_left_nothing: bool = False  #: on disk: all that it has made came with its result
    _noting: asyncio.Task[None] | None = None  #: its acceptance, which nobody waits for
    _events: Events | None = None  #: from the worker that has taken the attempt
    _is_refusal_final: bool = False
    _refused: JobError | None = None  #: why the host has ended it: it has asked for what it may not have
    _made_files: AttemptFiles | None = None
    _adopted_at: float | None = None  #: Unix time

    @property
    def is_fetching(self) -> bool:
        """Whether an input is being downloaded: its worker knows nothing of it yet."""
        return self._staging is not None and self._staging.is_fetching

    @property
    def _files(self) -> AttemptFiles:
        if self._made_files is None:
            given = self.node.config.state_dir, self.instance.id, self.token, self.node.artifacts
            if self.instance.shares_files:
                self._made_files = AttemptFiles(*given)
            else:
                assert self.node.presigner is not None  # else no such instance was started
                self._made_files = CarriedFiles(*given, self.node.presigner)
        return self._made_files

    @property
    def _delivery(self) -> Delivery:
        return Delivery(self.node, self.job, self.token, self._is_ending)

    def _is_ending(self) -> bool:
        return self.ending_as is not None

    async def run(self) -> None:
        """Carry out an attempt that has just been claimed."""
        try:
            await self._begin()
        finally:
            await self._close_events()

    async def _begin(self) -> None:
        try:
            try:
                await self._start()
            except PitcheyError:
                raise
            except OSError as error:  # a full disk of ours, a directory that went with its instance
                raise StoreError(f"The inputs could not be made ready: {error}.") from error
            except Exception as error:  # a mistake of ours: it uses up an attempt, or it would be tried for ever
                raise outcomes.Unforeseen(f"The attempt could not be started: {error!r}.") from error
        except PitcheyError as error:
            if isinstance(error, InstanceGone):
                self.instance.retire(str(error), has_died=True)
                # One that only hung would find the request when it wakes, and start what has been given up: it finds
                # this behind it.
                await self._tell_end()
                if not await self._is_instance_running():
                    await self._kill_instance()
            if outcomes.is_refusal_for_now(error):  # asking it again at once would only turn in a circle
                self.instance.retire(str(error))
            if self.ending_as is not None:
                await self._finish(Outcome(self.ending_as, JobError(self.ending_as, "It was ended before it began.")))
            else:
                words = await self._last_words() if isinstance(error, InstanceGone) else None
                await self._finish(outcomes.of_start(error, words, is_foreground=self.job.is_foreground))
            return
        if self.ending_as is not None:  # asked for while the inputs were staged, when the worker knew nothing of it
            await self._tell_end()
        await self._carry_on()

    async def adopt(self) -> None:
        """Take up an attempt that another daemon has started."""
        self._adopted_at = self.node.clock.now().timestamp()
        ending = await asyncio.to_thread(self._files.ending)
        if ending is not None:
            self._note_found(ending)
        await self._carry_on()

    def _note_found(self, ending: protocol.Ending) -> None:
        """Learn when one has ended that ended while no daemon was there."""
        if self.instance.seen_tick is not None:
            # The worker's clock is the wall clock. However that was turned, it ended after the last daemon had seen the
            # instance, and before now.
            ago = round((self.node.clock.now().timestamp() - ending.at) * TICKS_PER_SECOND)
            self._found_tick = max(self.node.tick() - max(ago, 0), self.instance.seen_tick)

    async def _carry_on(self) -> None:
        """Follow an attempt that the worker has, or had, to its end, and finish it."""
        parts = 1 if self.instance.shares_files else _PARTS_OF_CARRIED
        limit = self.job.timeout_seconds * parts + self.node.config.grace_seconds + _OVERDUE_SECONDS
        try:
            async with asyncio.timeout(limit) as self._deadline:
                if self.ending_as is not None:
                    self._bring_deadline_forward()
                ending = await self._follow()
            self._deadline = None
        except TimeoutError:
            self._deadline = None
            # The worker should have ended the attempt by itself: an instance that fails to is not to be trusted.
            self.instance.retire(f"it did not end {self.token} in time", has_died=True)
            await self._kill_instance()
            text = "It did not end when it should have; its instance was killed."
            outcome = Outcome(self.ending_as or Reason.TIMEOUT, JobError("timeout", text))
        else:
            self.is_finishing = True
            outcome = await self._outcome(ending)
        await self._finish(outcome)

    async def end(self, reason: Reason, *, grace_seconds: float | None = None) -> None:
        """Ask for the end of the attempt: CANCELLED by somebody, or INTERRUPTED to be handed back."""
        if self.ending_as is None:
            self.ending_as, self._grace_seconds = reason, grace_seconds
            self._bring_deadline_forward()
            if self._staging is not None:
                self._staging.end()
            await self._tell_end()

    async def give_up(self) -> None:
        """Record the end that was asked for without the worker, which has not ended the attempt.

        Nobody may follow the attempt any more. The token keeps out whatever its worker still does.
        """
        if not self.is_fetching:  # else the worker knows nothing of it, and may be at work for others
            self.instance.retire(f"it did not end {self.token} in time", has_died=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_KILL_SECONDS):
                    await self._kill_instance()
        reason = self.ending_as or Reason.INTERRUPTED
        await self._finish(Outcome(reason, JobError(reason, "Its worker did not end it in time.")))

    def _bring_deadline_forward(self) -> None:
        """Wait for the end that was asked for as long as the worker may take for it, and no longer."""
        loop_time = asyncio.get_running_loop().time()
        due = loop_time + self._grace() + _OVERDUE_SECONDS
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(min(due, self._deadline.when() or due))

    async def _tell_end(self, *, grace_seconds: float | None = None) -> None:
        grace = self._grace() if grace_seconds is None else grace_seconds
        with contextlib.suppress(PitcheyError):  # one that does not answer is found out by whoever follows its events
            await self.instance.client.end(self.token, grace_seconds=grace)

    def _grace(self) -> float:
        return self.node.config.grace_seconds if self._grace_seconds is None else self._grace_seconds

    # --- the steps, in their order

    async def _start(self) -> None:
        if self.job.output:
            await self._delivery.check()
        self._staging = Staging(self.node, self.job, self.token, self._files, self._is_ending)
        staged = await self._staging.stage()
        request = protocol.AttemptRequest(
            token=self.token,
            service=self.job.service,
            spec=self.job.spec,
            inputs=staged,
            timeout_seconds=self._timeout_seconds(),
            output_limit_bytes=self.node.config.output_limit_bytes,
            inline_bytes=None if staged or not self.instance.shares_files else _INLINE_BYTES.get(self.job.service),
        )
        self._is_light = request.inline_bytes is not None
        self._events = await self.instance.client.start(request)

    def _timeout_seconds(self) -> float:
        """How long the attempt may run: not beyond the deadline of its job."""
        if self.job.deadline is None:
            return self.job.timeout_seconds
        left = (self.job.deadline - self.node.clock.now()).total_seconds()
        return min(self.job.timeout_seconds, max(_LEAST_SECONDS, left))

    async def _follow(self) -> protocol.Ending | None:
        """Follow the events to the last one; None when the instance is gone without having left an ending."""
        seen, broken = 0, 0
        while True:
            try:
                self._events = self._events or await self.instance.client.events(self.token, after=seen)
                async for event in self._events:
                    if not self.instance.shares_files:
                        await self._note_carried(event)
                    seen, broken = event.seq, 0
                    if isinstance(event, protocol.ResultEvent | protocol.ErrorEvent):
                        return event
                    try:
                        await self._note(event)
                    except StoreError as error:  # a disk that is full for a moment costs nothing that is worked at
                        self.node.report(f"{self.token} is being worked at, which cannot be noted: {error}")
                broken += 1  # the stream ended early, without an error
            except WorkerRefused as refusal:
                if refusal.status == 404:
                    return await asyncio.to_thread(self._files.ending) or outcomes.never_started()
                broken += 1
            except InstanceGone:
                broken += 1
            finally:
                await self._close_events()
            ending = await asyncio.to_thread(self._files.ending)
            if ending is not None:
                return ending
            if broken >= _GONE_TRIES or not await self._is_instance_running():
                self.instance.retire("it went away under an attempt", has_died=True)
                return await asyncio.to_thread(self._files.ending)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _note_carried(self, event: protocol.Event) -> None:
        """Keep an event of an instance that shares no files, and give it the links that it asks for.

        Raises:
            InstanceGone: it cannot be given them; the event is to be read again.
        """
        files = self._files
        assert isinstance(files, CarriedFiles)
        await asyncio.to_thread(files.keep, event)
        if isinstance(event, protocol.LinksEvent):
            await self._give_links(files, event)
        elif isinstance(event, protocol.ResultEvent | protocol.ErrorEvent) and event.at < (self._adopted_at or 0.0):
            self._note_found(event)

    async def _give_links(self, files: CarriedFiles, event: protocol.LinksEvent) -> None:
        limit_bytes = self.node.config.output_limit_bytes
        try:
            links = await asyncio.to_thread(files.links, event, limit_bytes=limit_bytes)
            await self.instance.client.give(self.token, links)
        except InstanceGone:
            raise
        except PitcheyError as error:
            self._refused = JobError("bad_output", str(error), error.hint)
            self._is_refusal_final = isinstance(error, InputRejected)
            await self._tell_end(grace_seconds=0)

    async def _close_events(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            await events.close()

    async def _note(self, event: protocol.Event) -> None:
        node = self.node
        if isinstance(event, protocol.AcceptedEvent):
            if self.on_pickup is not None:
                self.on_pickup(max(0.0, (node.clock.now() - due_at(self.job)).total_seconds()))
                self.on_pickup = None
            accepting = node.note(node.store.accepted, self.token, now=node.clock.now())
            if self._is_light:  # on disk before its end is, because calls are made in their order
                self._noting = asyncio.create_task(accepting)
                self._noting.add_done_callback(self._noted)
            else:
                await accepting
        elif isinstance(event, protocol.ProgressEvent):
            now = node.clock.monotonic()
            if now - self._progress_at >= _PROGRESS_SECONDS:
                self._progress_at = now
                await node.note(
                    node.store.progress,
                    self.token,
                    fraction=event.fraction,
                    stage=event.stage,
                    eta_seconds=event.eta_seconds,
                    now=node.clock.now(),
                )

    def _noted(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.node.report(f"{self.token} is being worked at, which cannot be noted: {error}")

    async def _is_instance_running(self) -> bool:
        if self.instance.is_elsewhere:
            return True  # our engine cannot know: it has as many tries as any other
        try:
            info = await asyncio.to_thread(self.node.engine.inspect, self.instance.id)
        except InstanceGone:
            return False
        except EngineError:
            return True  # the engine is away, which says nothing of the instance
        return info.exit_code is None

    async def _outcome(self, ending: protocol.Ending | None) -> Outcome:
        if ending is None:
            return await self._lost()
        usage = outcomes.usage_of(ending)
        if self._refused is not None and self.ending_as is None:
            return Outcome(Reason.FAILED, self._refused, is_retryable=not self._is_refusal_final, usage=usage)
        if isinstance(ending, protocol.ErrorEvent):
            outcome = outcomes.of_error(ending, self.ending_as)
            if outcome.reason is Reason.INSTANCE_LOST:  # somebody else has stopped it
                self.instance.retire("it was stopped under an attempt", has_died=True)
            return outcome
        try:
            outputs = await self._collect(ending.result)
            if self.job.output:
                await self._delivery.bring(outputs)
        except PitcheyError as error:
            return outcomes.of_taking(error, self.ending_as, usage)
        return Outcome(
            Reason.COMPLETED, outputs=outputs, details=ending.result.details, usage=usage, is_retryable=False
        )

    async def _collect(self, result: protocol.Result) -> tuple[Output, ...]:
        """Take what it has made, and its log."""
        limit_bytes = self.node.config.output_limit_bytes
        is_whole = self._is_light and all(item.text is not None for item in result.outputs)
        if not self.instance.shares_files:
            return await asyncio.to_thread(self._files.collect, result, limit_bytes=limit_bytes)
        self._has_left_nothing = is_whole and not self._files.is_there()
        if not self._has_left_nothing:
            collect = partial(self._files.collect, result, limit_bytes=limit_bytes)
            return await self._patiently(lambda: asyncio.to_thread(collect))
        contents = short_contents(result.outputs, limit_bytes=limit_bytes)
        found = await self._patiently(lambda: self.node.keeping.keep(contents))
        return tuple(output_of(item, artifact) for item, artifact in zip(result.outputs, found, strict=True))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await patiently(self.node, self.token, self._is_ending, ask)

    async def _lost(self) -> Outcome:
        """Say why an instance went away, as far as the engine knows, and see to it that it really has."""
        try:
            info = await asyncio.to_thread(self.node.engine.inspect, self.instance.id)
        except EngineError:
            info = None
        if info is not None and info.exit_code is None:
            await self._tell_end(grace_seconds=0)  # others may work there, and be well
        else:
            await self._kill_instance()
        if self.ending_as is not None:
            return Outcome(self.ending_as, JobError(self.ending_as, "Its instance went away while it was being ended."))
        if info is not None and info.is_oom_killed:
            text = "Its instance was killed by the kernel: the memory limit is too small for this input."
            return Outcome(Reason.OOM, JobError("oom", text))
        ended = f" with exit code {info.exit_code}" if info is not None and info.exit_code is not None else ""
        text = f"Instance {self.instance.id} went away{ended}."
        return Outcome(Reason.INSTANCE_LOST, JobError("instance_lost", text, await self._last_words()))

    async def _kill_instance(self) -> None:
        """End what is left of one that has died, before its job is another attempt's to work at.

        Where no container ends with it, its programs go on.
        """
        if not self.instance.is_of_another:
            with contextlib.suppress(EngineError):  # gone, or its engine is away: then the token alone stands between
                await asyncio.to_thread(self.node.engine.kill, self.instance.id)

    async def _last_words(self) -> str | None:
        """What the instance's worker said last, which may be why it went away."""
        try:
            said = await asyncio.to_thread(self.node.engine.logs, self.instance.id, lines=1)
        except EngineError:
            return None
        return f"Its last words: {said.strip()[:_WORDS_CHARS]}" if said.strip() else None

    async def _finish(self, outcome: Outcome) -> None:
        node = self.node
        now, tick = node.clock.now(), self._end_tick()
        self.ended_as = outcome.reason
        self.is_finishing = True
        if outcome.reason is not Reason.COMPLETED:  # else it was kept with the outputs
            await asyncio.to_thread(self._files.keep_log)
        try:
            await Recording(node, self.job.id, self.token, self.instance.config).record(outcome, now, tick)
        except StaleToken:
            node.report(f"{self.token} came too late: another attempt has taken over")
        if not self._has_left_nothing:
            await asyncio.to_thread(self._files.remove)
        if not self.instance.shares_files:
            with contextlib.suppress(PitcheyError):  # it goes with its instance, at the latest
                await self.instance.client.forget(self.token)

    def _end_tick(self) -> int:
        """Until when the attempt is paid for: not for the time in which nobody was there to see that it had ended."""
        known = (each for each in (self._found_tick, self.instance.ended_tick) if each is not None)
        return next(known, self.node.tick())
