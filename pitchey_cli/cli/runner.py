"""Who does the work of `run`: the daemon where there is one, this process where there is none."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.cli.progress import show_build
from pitchey_cli.daemon import lock
from pitchey_cli.domain.errors import BudgetReached, DaemonError, ExitCode, PitcheyError, TimedOut, UsageError
from pitchey_cli.domain.job import Job, JobId
from pitchey_cli.engines import images
from pitchey_cli.engines.port import Engine
from pitchey_cli.operations import follow
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring
from processors.vocabulary import Service

if TYPE_CHECKING:  # a quarter of the command's start, and of no use to one that has a daemon
    from pitchey_cli.daemon.embedded import EmbeddedNode


class Runner:
    """Lets the daemon do the work where there is one, and does it in this process where there is none.

    Another `pitchey run` may hold the state directory: it runs our jobs too, and when it ends, this one takes over.
    """

    def __init__(self, wiring: Wiring, services: Sequence[Service], engine_kind: str | None) -> None:
        self._wiring = wiring
        self._services = services
        self._kind = engine_kind
        self._engine: Engine | None = None
        self._node: EmbeddedNode | None = None
        other = wiring.holder()
        if engine_kind is not None:
            wiring.engines.check_kind(engine_kind)
        if other is not None and other.is_daemon:
            if engine_kind is not None and engine_kind != other.engine:
                raise UsageError(
                    f"The daemon runs jobs on {other.engine}, not on {engine_kind}.",
                    hint="`pitchey daemon stop` ends it, or leave --engine out.",
                )
        else:
            self._prepare()

    def poke(self) -> None:
        """Wake whoever runs the jobs."""
        self._wiring.poke()

    @property
    def is_own(self) -> bool:
        """Whether the work is done in this process."""
        return self._node is not None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        if self._node is not None:
            self._node.__exit__()

    def tick(self) -> None:
        """Take over when nobody runs the jobs; raise what keeps them from running."""
        if self._node is None and self._wiring.holder() is None:
            self._take_over()
        if self._node is not None:
            self._node.check()
            for service in self._services:
                if (error := self._node.start_error(service)) is not None:
                    raise error

    def _take_over(self) -> None:
        self._refuse_elsewhere()
        from pitchey_cli.wiring import node  # late: where a daemon runs the jobs, nobody waits for it

        embedded = node.embedded(self._wiring, self._prepare(), report=terminal.say_debug)
        with contextlib.suppress(lock.StateHeld):  # another one of those that wait was quicker: go on waiting
            self._node = embedded.__enter__()

    def give_up(self, store: Store, cancel: Callable[[str], Sequence[JobId]]) -> None:
        """Cancel our jobs where nobody else would carry them on, and wait for the end of those that run here."""
        if not self.is_own and (self._wiring.elsewhere is not None or self._wiring.holder() is not None):
            return
        limit = self._wiring.settings.daemon.grace_seconds + 5
        with contextlib.suppress(PitcheyError):  # whatever ended the run is what the user has to see
            ids = cancel("`pitchey run` ended early")
            if self.is_own:
                self._wiring.poke()
                follow.until_finished(store, ids, on_change=lambda job: None, timeout_seconds=limit)

    def _refuse_elsewhere(self) -> None:
        if (server := self._wiring.elsewhere) is not None:
            text = f"No daemon runs jobs at {server.where}, so these would never end."
            raise DaemonError(text, hint="`pitchey daemon start` starts one, there.")

    def _prepare(self) -> Engine:
        self._refuse_elsewhere()
        if self._engine is None:
            self._engine = self._wiring.engines.connect(self._kind)
            lost = self._engine.info().not_enforced
            if lost:
                terminal.say(f"warning: the {self._engine.kind} engine does not enforce: {'; '.join(lost)}")
            for service in self._services:
                steps = images.ensure(
                    self._engine, service, self._wiring.engines.ca_bundle(), sources=self._wiring.engines.sources()
                )
                show_build(steps, title=f"building the {service} image (once)")
        return self._engine


def carry_out(
    runner: Runner,
    store: Store,
    finished: Callable[[], list[Job]],
    *,
    cancel: Callable[[str], Sequence[JobId]],
    again: str,
) -> list[Job]:
    """Wait for jobs while the runner sees to it that they run. Where that ends early, they are given up.

    Args:
        finished: waits, and calls the runner's tick at every look.
        cancel: cancels the jobs, for a reason; those that have to be waited for.
        again: the command that waits for them once more.
    """
    runner.poke()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI system that gives up must not leave work behind
    try:
        with runner:
            try:
                return finished()
            except BudgetReached:  # the jobs stay
                raise
            except KeyboardInterrupt:
                if runner.is_own:
                    terminal.say("\ninterrupted: the jobs are being cancelled")
                runner.give_up(store, cancel)
                raise
            except BaseException:
                runner.give_up(store, cancel)
                raise
    except TimedOut as error:
        fate = "they are cancelled: no daemon runs that could carry them on" if runner.is_own else "the daemon goes on"
        raise TimedOut(f"{str(error).removesuffix('.')}; {fate}.") from error
    except KeyboardInterrupt:
        if runner.is_own:
            terminal.say("The jobs are cancelled.")
        else:
            terminal.say(f"\nThe daemon goes on. `{again}` waits again.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
