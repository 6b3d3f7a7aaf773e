"""The faults of a storm. Each function injects one, brings the daemon back, and says in a few words what came of it.

What must never be seen goes to `ground.violations`; instances that a fault takes go to `ground.taken`, so that the
verdict can tell a loss that was injected from one that was not.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import ExitCode
from pitchey_cli.engines.port import EngineKind
from tests.chaos.ground import LEASE_SECONDS, Ground, ffmpegs, until
from tests.chaos.load import Load
from tests.chaos.storm import Fault

_HOUR = 3600
_REFUSAL_SECONDS = 20.0
_LOOK_SECONDS = 3.0  # for something to kill


def daemon_killed(ground: Ground, load: Load, dice: random.Random) -> str:
    """KILL to the daemon, and a new one."""
    ground.kill_daemon()
    ground.start()
    return "the next one took over"


def instance_killed(ground: Ground, load: Load, dice: random.Random) -> str:
    """The engine is told to kill an instance."""
    instance_id = _one_of(ground, dice)
    if not instance_id:
        return "none ran"
    ground.taken[instance_id] = "instance killed"
    ground.engine.kill(instance_id)
    return "killed"


def worker_killed(ground: Ground, load: Load, dice: random.Random) -> str:
    """KILL to the worker inside an instance."""
    instance_id = _one_of(ground, dice)
    pid = ground.worker_pid(instance_id) if instance_id else 0
    if not pid:
        return "none ran"
    ground.taken[instance_id] = "worker killed"
    return _kill(pid)


def a_program_killed(ground: Ground, load: Load, dice: random.Random) -> str:
    """KILL to an ffmpeg that works for one of our jobs."""
    return program_killed(load, dice)


def program_killed(load: Load, dice: random.Random) -> str:
    """The same, wherever it works."""
    deadline = time.monotonic() + _LOOK_SECONDS
    while time.monotonic() < deadline:
        ours = [pid for pid, line in ffmpegs() if any(job_id in line for job_id in list(load.ledger))]
        if ours:
            return _kill(dice.choice(ours))
    return "none ran"


def engine_restarted(ground: Ground, load: Load, dice: random.Random) -> str:
    """The engine goes away, in order or killed, and comes back; its containers die with it or do not."""
    assert ground.engine_root is not None
    ground.taken |= dict.fromkeys(ground.all_instances(), "engine restarted")
    is_killed = dice.random() < 0.5
    if is_killed:
        pid = (ground.engine_root / "engine" / f"{ground.kind}.pid").read_text().split()[0]
        os.kill(int(pid), signal.SIGKILL)
    else:
        ground.engine_script("stop")
    time.sleep(dice.uniform(0.5, 2))
    ground.engine_script("start")
    ground.taken |= dict.fromkeys(ground.all_instances(), "engine restarted")
    return "killed, came back" if is_killed else "stopped, came back"


def clock_jumped(ground: Ground, load: Load, dice: random.Random) -> str:
    """The daemon's wall clock jumps an hour, and some seconds later back."""
    hours = dice.choice((-1, 1))
    ground.shift_clock(hours * _HOUR)
    time.sleep(dice.uniform(1, 3))
    instance_killed(ground, load, dice)  # so that there are retries with a date of the wrong time ...
    time.sleep(dice.uniform(0.5, 1))  # ... some of which are still to come when the clock is right again
    ground.look_after(f"while its clock was {hours:+d} h off")
    ground.shift_clock(0)
    return f"{hours:+d} h and back"


def disk_filled(ground: Ground, load: Load, dice: random.Random) -> str:
    """The disk under the state directory is full for some seconds."""
    before = sum(load.refused.values())
    ground.disk.fill()
    load.hurry(6)
    time.sleep(dice.uniform(2, 5))
    ground.look_after("while the disk was full")
    ground.disk.free()
    return "submissions refused" if sum(load.refused.values()) > before else "none refused"


def daemon_stopped(ground: Ground, load: Load, dice: random.Random) -> str:
    """The daemon stands still for longer than its lease, and goes on."""
    assert ground.daemon is not None
    ground.daemon.send_signal(signal.SIGSTOP)
    time.sleep(LEASE_SECONDS + dice.uniform(1, 3))
    ground.daemon.send_signal(signal.SIGCONT)
    return "went on"


def second_daemon(ground: Ground, load: Load, dice: random.Random) -> str:
    """A second daemon is started beside the one that runs."""
    answer = ground.pitchey("daemon", "run")
    if answer.code != ExitCode.NO_ENGINE or "runs already" not in answer.err:
        ground.violations.append(f"a second daemon ended with {answer.code}: {answer.err.strip()}")
    ground.look_after("when a second one was started")
    return "refused"


def two_daemons(ground: Ground, load: Load, dice: random.Random) -> str:
    """Two daemons are started at once after a kill: exactly one wins."""
    ground.kill_daemon()
    started = [ground.launch(), ground.launch()]
    until(lambda: any(daemon.poll() is not None for daemon, _ in started), "one of two daemons has given up")
    losers = [daemon for daemon, _ in started if daemon.poll() is not None]
    winners = [(daemon, begin) for daemon, begin in started if daemon.poll() is None]
    if len(winners) != 1 or losers[0].returncode != ExitCode.NO_ENGINE:
        ground.violations.append(f"of two daemons {len(winners)} live, and one ended with {losers[0].returncode}")
    if not winners:
        ground.start()
        return "none won"
    ground.daemon, begin = winner, _ = winners[0]
    until(lambda: ground.is_ready(winner, begin), "the daemon that won is ready")
    return "one won"


def database_damaged(ground: Ground, load: Load, dice: random.Random) -> str:
    """With no daemon alive, half of the database is overwritten; it is found out, and a backup is put in its place."""
    with load.paused():
        backup = ground.back_up()
        kept = set(load.ledger)
    load.hurry(4)
    time.sleep(dice.uniform(0.5, 3))  # life goes on: what the backup does not know
    with load.paused():
        ground.kill_daemon()
        ground.taken |= dict.fromkeys(ground.all_instances(), "database restored")
        ground.fold_wal()
        _damage(layout.database(ground.state_dir), dice)
        _must_be_refused(ground)
        ground.restore(backup)
        ground.taken |= dict.fromkeys(ground.active_instances(), "database restored")
        lost = load.forget_after(kept)
        ground.start()
    return f"found, restored ({'some younger jobs lost' if lost else 'nothing lost'})"


def _damage(database: Path, dice: random.Random) -> None:
    page = 2048
    with database.open("r+b") as file:
        pages = file.seek(0, os.SEEK_END) // page
        for number in dice.sample(range(1, pages), (pages - 1) // 2 or 1):
            file.seek(number * page)
            file.write(dice.randbytes(page))


def _must_be_refused(ground: Ground) -> None:
    """Every verb says that the database is damaged, a daemon does not start, and nobody makes it worse."""
    database = layout.database(ground.state_dir)
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    for verb in (("jobs", "--limit", "100000"), ("daemon", "run")):
        with ground.log.open("a") as log:
            process = ground.pitchey.start(*verb, stderr=log if verb[0] == "daemon" else subprocess.PIPE)
        try:
            _, said = process.communicate(timeout=_REFUSAL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            ground.violations.append(f"`{' '.join(verb)}` went on with a damaged database")
            continue
        if process.returncode != ExitCode.STORE:
            ground.violations.append(f"`{' '.join(verb)}` on a damaged database ended with {process.returncode}")
        if said is not None and "damaged" not in said:
            ground.violations.append(f"`{' '.join(verb)}` on a damaged database said: {said.strip()[-200:]}")
    if hashlib.sha256(database.read_bytes()).hexdigest() != before:
        ground.violations.append("a damaged database was written to")


def _one_of(ground: Ground, dice: random.Random) -> str:
    deadline = time.monotonic() + _LOOK_SECONDS
    while time.monotonic() < deadline:
        if running := sorted(ground.running()):
            return dice.choice(running)
    return ""


def _kill(pid: int) -> str:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return "had just ended"
    return "killed"


#: how often each is injected for 500 jobs
PLAN: dict[str, tuple[Fault[Ground], int]] = {
    "daemon killed": (daemon_killed, 30),
    "instance killed": (instance_killed, 12),
    "worker killed": (worker_killed, 8),
    "program killed": (a_program_killed, 8),
    "engine restarted": (engine_restarted, 5),
    "clock jumped": (clock_jumped, 8),
    "disk filled": (disk_filled, 6),
    "daemon stopped": (daemon_stopped, 5),
    "second daemon": (second_daemon, 8),
    "two daemons": (two_daemons, 6),
    "database damaged": (database_damaged, 4),
}


def impossible(ground: Ground) -> dict[str, str]:
    """The faults that cannot be injected here, and why."""
    missing: dict[str, str] = {}
    if ground.shifter is None:
        missing["clock jumped"] = "Debian's package faketime is not installed"
    if not ground.disk.can_be_filled:
        missing["disk filled"] = "only root can mount a small disk"
    if ground.kind is not EngineKind.DOCKER or ground.engine_root is None:
        missing["engine restarted"] = "there is no private Docker to restart"
    return missing
