"""The faults of a storm over several daemons: their own ends, their servers', and the network's between them.

Each brings back what it has taken, and says in a few words what came of it.
"""

from __future__ import annotations

import random
import signal
import time

from tests.chaos.faults import program_killed
from tests.chaos.load import Load
from tests.chaos.shared_ground import LEASE_SECONDS, Node, SharedGround
from tests.chaos.storm import Fault

_LOOK_SECONDS = 3.0  # for something to kill


def daemon_killed(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """KILL to a daemon, and a new one at once: it finds its attempts as they were."""
    node = dice.choice(ground.nodes)
    ground.kill(node)
    ground.launch(node)
    ground.await_ready(node)
    return "the next one took over"


def all_daemons_killed(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """KILL to all daemons, and new ones."""
    for node in ground.nodes:
        ground.kill(node)
    time.sleep(dice.uniform(0, 1))
    ground.start()
    return "the next ones took over"


def node_lost(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """KILL to a daemon; the others take over, and some time later it comes back."""
    node = dice.choice(ground.nodes)
    ground.kill(node)
    time.sleep(LEASE_SECONDS + dice.uniform(2, 4))
    ground.launch(node)
    ground.await_ready(node)
    return "came back"


def daemon_stopped(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """A daemon stands still, its instances do not; for longer than its lease, and goes on."""
    node = dice.choice(ground.nodes)
    assert node.daemon is not None
    node.daemon.send_signal(signal.SIGSTOP)
    time.sleep(LEASE_SECONDS + dice.uniform(1, 4))
    node.daemon.send_signal(signal.SIGCONT)
    return "went on"


def database_restarted(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """PostgreSQL ends, in order or as in a crash, and comes back, before a lease is over or after."""
    mode = dice.choice(("fast", "immediate"))
    seconds = dice.choice((0.0, dice.uniform(1, 3), LEASE_SECONDS + dice.uniform(1, 3)))
    ground.database.stop(mode)
    load.hurry(2)
    time.sleep(seconds)
    ground.database.start()
    how = "ended" if mode == "fast" else "crashed"
    return f"{how}, back {'after a lease' if seconds > LEASE_SECONDS else 'soon'}"


def store_stopped(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """The S3 server is killed, and started again after a while."""
    ground.s3.stop()
    load.hurry(2)
    time.sleep(dice.uniform(1, 5))
    ground.s3.start()
    return "came back"


def store_silent(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """The S3 server takes connections and answers nothing for a while."""
    ground.s3.freeze()
    time.sleep(dice.uniform(2, 8))
    ground.s3.thaw()
    return "answers again"


def cut_from_database(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """What a node sends to PostgreSQL is lost; that to S3 is not."""
    assert ground.network is not None
    return _cut(ground, dice, ground.network.database)


def cut_from_all(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """A node has no network."""
    return _cut(ground, dice)


def _cut(ground: SharedGround, dice: random.Random, *addresses: str) -> str:
    assert ground.network is not None
    node = dice.choice(ground.nodes)
    seconds = dice.choice((dice.uniform(1, 3), LEASE_SECONDS + dice.uniform(2, 5)))
    ground.network.cut(node.name, *addresses)
    time.sleep(seconds)
    ground.network.heal(node.name)
    return f"back {'after a lease' if seconds > LEASE_SECONDS else 'soon'}"


def instance_killed(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """The engine of a node is told to kill an instance."""
    found = _one_of(ground, dice)
    if found is None:
        return "none ran"
    node, instance_id = found
    ground.taken[instance_id] = "instance killed"
    ground.kill_instance(node, instance_id)
    return "killed"


def a_program_killed(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """KILL to an ffmpeg that works for one of our jobs."""
    return program_killed(load, dice)


def node_drained(ground: SharedGround, load: Load, dice: random.Random) -> str:
    """A node takes nothing new for a while."""
    node = dice.choice(ground.nodes)
    ground.pitchey.ok("nodes", "drain", node.name)
    time.sleep(dice.uniform(1, 3))
    ground.pitchey.ok("nodes", "undrain", node.name)
    return "and back"


def _one_of(ground: SharedGround, dice: random.Random) -> tuple[Node, str] | None:
    deadline = time.monotonic() + _LOOK_SECONDS
    while time.monotonic() < deadline:
        if running := sorted(ground.running(), key=lambda each: each[1]):
            return dice.choice(running)
    return None


#: how often each is injected for 500 jobs
PLAN: dict[str, tuple[Fault[SharedGround], int]] = {
    "daemon killed": (daemon_killed, 16),
    "all daemons killed": (all_daemons_killed, 4),
    "node lost": (node_lost, 4),
    "daemon stopped": (daemon_stopped, 5),
    "PostgreSQL restarted": (database_restarted, 9),
    "S3 stopped": (store_stopped, 5),
    "S3 silent": (store_silent, 3),
    "cut from PostgreSQL": (cut_from_database, 6),
    "cut from all": (cut_from_all, 4),
    "instance killed": (instance_killed, 8),
    "program killed": (a_program_killed, 6),
    "node drained": (node_drained, 3),
}


def impossible(ground: SharedGround) -> dict[str, str]:
    """The faults that cannot be injected here, and why."""
    if ground.network is not None:
        return {}
    return dict.fromkeys(("cut from PostgreSQL", "cut from all"), "only root can make networks, with ip and nsenter")
