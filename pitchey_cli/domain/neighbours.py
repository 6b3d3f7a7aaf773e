"""Daemons of one queue that are on one machine. Each reckons with the whole of it, unless somebody has said otherwise.

They are told apart from other machines by the boot of the kernel that they run on, so daemons in containers of one
machine are neighbours, and virtual machines are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.nodes import NodeRecord

WAY_OUT = "Give each its part: host.memory_bytes."


def overbooked(nodes: Iterable[NodeRecord], host: str, memory_bytes: int) -> Sequence[NodeRecord]:
    """The daemons of a machine whose instances may have more memory together than it has; none where all is well.

    Args:
        host: its boot.
    """
    here = [
        each for each in nodes if each.is_up and each.is_known and each.facts.host == host and each.facts.host != ""
    ]
    promised = sum(each.room.memory_bytes for each in here)
    return here if len(here) > 1 and promised > memory_bytes else []


def sentence(found: Sequence[NodeRecord], memory_bytes: int) -> str:
    """What is the matter with nodes that are overbooked."""
    promised = sum(each.room.memory_bytes for each in found)
    names = ", ".join(sorted(each.facts.name for each in found))
    return (
        f"The nodes {names} are on one machine of {memory_bytes / GIB:.1f} GiB, and their instances may have"
        f" {promised / GIB:.1f} GiB together."
    )
