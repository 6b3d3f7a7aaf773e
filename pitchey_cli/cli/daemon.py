"""pitchey daemon: the process that runs the queue."""

from __future__ import annotations

import contextlib
import getpass
import math
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.daemon import lock
from pitchey_cli.domain.errors import DaemonError, ExitCode, TimedOut
from pitchey_cli.domain.job import TERMINAL
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

app = typer.Typer(
    help="Run the queue: start, stop, look, drain.", add_completion=False, rich_markup_mode=None, no_args_is_help=True
)

_START_SECONDS = 30.0
_LOOK_SECONDS = 0.02
READY_LINE = "ready"
EngineOption = Annotated[str | None, typer.Option("--engine", help="docker, podman or process.", metavar="ENGINE")]

ApiOption = Annotated[
    str,
    typer.Option("--api", help="Serve the API there: HOST:PORT, or unix:PATH.", metavar="ADDRESS", show_default=False),
]
CertificateOption = Annotated[
    str, typer.Option("--tls-cert", help="Its certificate, for https; renewed ones are noticed.", metavar="FILE")
]
KeyOption = Annotated[
    str, typer.Option("--tls-key", help="The key, where that is not in the same file.", metavar="FILE")
]


@app.command()
def run(
    engine: EngineOption = None, api: ApiOption = "", tls_cert: CertificateOption = "", tls_key: KeyOption = ""
) -> None:
    """Run in the foreground. TERM drains; a second TERM hands running jobs back to the queue at once.

    While nobody has made a token (`pitchey token add`), the API is served to this machine alone, to anybody on it.
    """
    wiring = reach.here()
    wiring.make_state_dir()
    _refuse_second(wiring)
    chosen = wiring.engines.connect(engine)
    info = chosen.info()
    _log(f"engine {info.kind} {info.version} at {info.endpoint}, {info.cpus:g} CPUs")
    for lost in info.not_enforced:
        _log(f"not enforced: {lost}")
    import asyncio  # late, and the rest: it is most of the program, and only this verb runs it

    from pitchey_cli.wiring import node

    tls = (tls_cert, tls_key)
    asyncio.run(node.serve(wiring, chosen, api=api, tls=tls, on_ready=lambda: _log(READY_LINE), report=_log))
    _log("stopped")


@app.command()
def start(
    engine: EngineOption = None, api: ApiOption = "", tls_cert: CertificateOption = "", tls_key: KeyOption = ""
) -> None:
    """Start in the background, and return when it is ready."""
    wiring = reach.here()
    wiring.make_state_dir()
    _refuse_second(wiring)
    log = _log_file(wiring)
    command = [sys.executable, "-m", "pitchey_cli", "daemon", "run", *(["--engine", engine] if engine else [])]
    for option, value in (("--api", api), ("--tls-cert", tls_cert), ("--tls-key", tls_key)):
        command += [option, value] if value else []
    with log.open("ab") as file:
        begin = file.tell()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
    deadline = time.monotonic() + _START_SECONDS
    while not _said_ready(log, begin):
        if child.poll() is not None:
            said = log.read_bytes()[begin:].decode(errors="replace").strip()
            failure = DaemonError(f"The daemon did not start: {said.rpartition('error: ')[2]}")
            if child.returncode in set(ExitCode):
                failure.exit_code = ExitCode(child.returncode)
            raise failure
        if time.monotonic() > deadline:
            child.terminate()
            raise TimedOut(f"The daemon was not ready within {_START_SECONDS:.0f} s.", hint=f"Its log is {log}.")
        time.sleep(_LOOK_SECONDS)
    terminal.say(f"The daemon runs as process {child.pid}; its log is {log}.")


@app.command()
def stop(
    timeout: Annotated[float | None, typer.Option("--timeout", help="Wait at most so many seconds.", min=0)] = None,
    now: Annotated[bool, typer.Option("--now", help="Hand running jobs back to the queue at once.")] = False,
) -> None:
    """Stop it: running jobs get the drain time to end, then they go back to the queue."""
    wiring = reach.here()
    deadline = _deadline(timeout)
    holder = _running(wiring)
    os.kill(holder.pid, signal.SIGTERM)
    if now:  # not by a second signal: it is none while the first waits to be taken, and that may be long
        lock.tell(wiring.state_dir, lock.AT_ONCE, lambda: _is_there(wiring, holder, deadline))
    _until_gone(wiring, holder, deadline)


@app.command()
def drain(
    timeout: Annotated[float | None, typer.Option("--timeout", help="Wait at most so many seconds.", min=0)] = None,
) -> None:
    """Stop it when everything that runs has ended, however long that takes; nothing new is taken."""
    wiring = reach.here()
    deadline = _deadline(timeout)
    holder = _running(wiring)
    lock.tell(wiring.state_dir, lock.DRAIN, lambda: _is_there(wiring, holder, deadline))
    _until_gone(wiring, holder, deadline)


@app.command()
def status(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Say whether it runs. Exit code 8 if not."""
    wiring = reach.here()
    holder = wiring.holder()
    is_running = holder is not None and holder.is_daemon
    if json:
        found = {"schema": 1, "running": is_running, "stateDir": str(wiring.state_dir), "log": str(_log_file(wiring))}
        if holder is not None and is_running:
            found |= {"pid": holder.pid, "engine": holder.engine, "startedAt": holder.started_at}
        terminal.show_json(found)
    elif holder is not None and is_running:
        since = datetime.fromtimestamp(holder.started_at, UTC)
        typer.echo(f"running as process {holder.pid} on {holder.engine} since {since:%Y-%m-%d %H:%M:%S} UTC")
        typer.echo(f"state {wiring.state_dir}, log {_log_file(wiring)}")
    else:
        typer.echo("not running")
    if not is_running:
        raise typer.Exit(ExitCode.NO_ENGINE)


@app.command()
def unit(
    system: Annotated[
        bool, typer.Option("--system", help="For /etc/systemd/system: stopped before a Docker of the system.")
    ] = False,
) -> None:
    """Print a systemd unit for this user's daemon."""
    wiring = reach.here()
    lines = {"python": sys.executable, "state": wiring.state_dir, "drain": _stop_seconds(wiring)}
    if system:
        place, user, target = "/etc/systemd/system/pitchey.service", f"User={getpass.getuser()}\n", "multi-user.target"
    else:
        place, user, target = "~/.config/systemd/user/pitchey.service", "", "default.target"
    typer.echo(_UNIT.format(place=place, user=user, target=target, **lines), nl=False)
    if not system:
        terminal.say(
            "A user's systemd knows only a rootless Docker or Podman: with a Docker of the system, which is stopped at "
            "the same time when the machine goes down, take `pitchey daemon unit --system`."
        )


_UNIT = """\
# {place}
[Unit]
Description=Pitchey job daemon
After=network-online.target docker.service podman.socket
Wants=network-online.target

[Service]
{user}ExecStart="{python}" -m pitchey_cli daemon run
Environment="PITCHEY_STATE_DIR={state}"
# TERM drains; only what does not end by itself is handed back to the queue.
KillMode=mixed
TimeoutStopSec={drain}
Restart=on-failure
RestartSec=2

[Install]
WantedBy={target}
"""


def _stop_seconds(wiring: Wiring) -> int:
    daemon = wiring.settings.daemon
    return round(daemon.drain_seconds + daemon.grace_seconds + 30)


def _refuse_second(wiring: Wiring) -> None:
    holder = wiring.holder()
    if holder is not None:
        raise lock.held_by(wiring.state_dir, holder)


def _running(wiring: Wiring) -> lock.Holder:
    holder = wiring.holder()
    if holder is None or not holder.is_daemon or holder.pid == 0:
        raise DaemonError(f"No daemon runs for {wiring.state_dir}.", hint="`pitchey daemon start` starts one.")
    return holder


def _deadline(timeout_seconds: float | None) -> float:
    """When it is over, by the monotonic clock."""
    return math.inf if timeout_seconds is None else time.monotonic() + timeout_seconds


def _is_there(wiring: Wiring, holder: lock.Holder, deadline: float) -> bool:
    """Whether a daemon still runs.

    Raises:
        TimedOut: it does, and the time (of the monotonic clock) is over.
    """
    current = wiring.holder()
    if current is None or current.pid != holder.pid:
        return False
    if time.monotonic() > deadline:
        raise TimedOut(f"Process {holder.pid} still drains.", hint="`pitchey daemon stop --now` hands its jobs back.")
    return True


def _until_gone(wiring: Wiring, holder: lock.Holder, deadline: float) -> None:
    while _is_there(wiring, holder, deadline):
        time.sleep(_LOOK_SECONDS)
    store = wiring.store()
    if others := wiring.at_work(store):
        terminal.say(printable(f"The daemon has stopped. Up on this queue: {', '.join(others)}."))
        return
    waiting = _waiting(store)
    jobs = "1 job waits" if waiting == 1 else f"{waiting:,} jobs wait"
    left = f" {jobs} for the next one." if waiting else ""
    terminal.say(f"The daemon has stopped.{left}")


def _waiting(store: Store) -> int:
    """How many jobs have not run to their end."""
    by_service = store.counts().by_service.values()
    return sum(jobs for states in by_service for state, jobs in states.items() if state not in TERMINAL)


def _log_file(wiring: Wiring) -> Path:
    return wiring.state_dir / "daemon.log"


def _said_ready(log: Path, begin: int) -> bool:
    with log.open("rb") as file:
        file.seek(begin)
        return any(line.rstrip().endswith(f" {READY_LINE}".encode()) for line in file)


def _log(text: str) -> None:
    # A log that cannot be written, as on a full disk, must not end the daemon that it speaks of.
    with contextlib.suppress(OSError):
        terminal.say(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + f"Z {text}")
