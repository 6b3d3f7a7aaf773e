"""pitchey shell: a language's interactive mode, in a slot of its own."""

from __future__ import annotations

import os
import re
import sys
from typing import Annotated, Literal, cast

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.progress import show_build
from pitchey_cli.domain import program
from pitchey_cli.domain.errors import ExitCode, UsageError
from pitchey_cli.domain.moments import span
from pitchey_cli.engines import images, runtimes
from pitchey_cli.engines.port import EngineKind
from processors.vocabulary import Service

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_MIB = 1 << 20
_CPUS = 1.0
_DAY_SECONDS = 86400.0
_TERMINAL_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,40}")


@app.command()
def shell(
    language: Annotated[str, typer.Argument(metavar="LANGUAGE", help="python or javascript.")],
    memory: Annotated[int, typer.Option("--memory", help="Megabytes.", metavar="MB", min=16, max=65536)] = 256,
    timeout: Annotated[str, typer.Option("--timeout", help="It ends after so long.", metavar="SPAN")] = "1h",
    engine: Annotated[str | None, typer.Option("--engine", help="docker or podman.", metavar="ENGINE")] = None,
) -> None:
    """Open LANGUAGE's interactive mode in a slot: no network, nothing of this machine, nothing left afterwards.

    Ctrl-C interrupts what runs in it, Ctrl-D ends it. Its exit code is that of the command.
    """
    from processors.code.languages import FILE_NAMES, SHELL_LANGUAGES, shell_phase

    if language not in SHELL_LANGUAGES:
        known = " and ".join(SHELL_LANGUAGES)
        if language in FILE_NAMES:
            text = f"{language.title()} has no interactive mode: its programs are compiled."
            raise UsageError(text, hint=f"`pitchey run code FILE` runs one; {known} have a shell.")
        raise UsageError(f"There is no shell for {language!r}.", hint=f"There is one for {known}.")
    seconds = span(timeout, what="--timeout").total_seconds()
    if not 0 < seconds <= _DAY_SECONDS:
        raise UsageError(f"--timeout: {timeout!r} is not within a day.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("A shell needs a terminal.", hint="`pitchey run code -e TEXT --language NAME` needs none.")
    from pitchey_cli.cli.terminal_relay import HungUp, relay
    from pitchey_cli.supervisor.shell import ShellSlot
    from processors.code.shell_protocol import Shell

    wiring = reach.here()
    found = wiring.engines.connect(engine)
    try:
        info = found.info()
        if info.kind is EngineKind.PROCESS:
            raise UsageError("The process engine isolates nothing, so it has no shell.", hint="Use Docker or Podman.")
        runtime = wiring.policies.service(Service.CODE).runtime
        runtimes.check(info, runtime)
        show_build(
            images.ensure(found, Service.CODE, wiring.engines.ca_bundle()), title="building the code image (once)"
        )
    finally:
        found.close()
    name = os.environ.get("TERM", "")
    phase = shell_phase(
        cast("Literal['python', 'javascript']", language),
        memory_bytes=memory * _MIB,
        seconds=seconds,
        terminal=name if _TERMINAL_NAME.fullmatch(name) else "dumb",
    )
    slot = ShellSlot(
        info.kind,
        info.endpoint,
        image=images.current_tag(Service.CODE),
        memory_bytes=memory * _MIB,
        cpus=min(_CPUS, info.cpus),
        label=str(wiring.state_dir.resolve()),
        runtime=runtime,
    )
    try:
        ended = relay(slot, Shell(phase))
    except HungUp:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    finally:
        slot.close()
    if ended.verdict not in (program.OK, "NONZERO_EXIT"):
        terminal.say(f"\n{ended.verdict}: {ended.message}")
    details = {"verdict": ended.verdict, "exitCode": ended.exit_code, "signal": ended.signal}
    raise typer.Exit(program.exit_code(details))
