"""Where artifacts are, as all nodes of a queue have to agree. Pure.

A bucket or a folder that has them keeps an id of its own, made at random. So two nodes agree that reach one bucket by
two addresses, or share one folder, and a mistyped bucket is another place, whatever its name.
"""

from __future__ import annotations

from collections.abc import Collection

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.nodes import NodeRecord
from pitchey_cli.values import dataclass

_SAME = "Set artifacts.url here as it is there"
_NAME = (
    "`pitchey config set node.name NAME` gives this one another name; where both read one settings file, the variable"
    " PITCHEY_NODE_NAME does."
)


@dataclass(frozen=True)
class Whereabouts:
    """Where artifacts are."""

    id: str
    said: str  #: for people

    def check(self, here: Whereabouts) -> None:
        """Make sure that artifacts here are where those of the queue are.

        Raises:
            UsageError: no node would find them.
        """
        if here.id != self.id:
            text = f"The artifacts of this queue are in {self.said}, and here they would be in {here.said}"
            hint = f"{_SAME}. If they are to be here, stop all daemons, and start one here first."
            raise UsageError(f"{text}: no node would find them.", hint=hint)


def clash(
    name: str, here: Whereabouts | None, there: Whereabouts | None, others: Collection[NodeRecord]
) -> UsageError | None:
    """Why a daemon may not join those that are up; None when it may.

    Args:
        name: of its node.
        here: where its artifacts are; None: nobody can say now.
        there: where those of the queue are; None: nobody has said.
        others: that are up; a `pitchey run` among them does not count.
    """
    lasting = [each for each in others if not each.facts.is_foreground]
    same = next((each for each in lasting if each.facts.name == name), None)
    if same is not None:
        text = f"There is a node {name!r} already, which is up: it has the id {same.id}."
        return UsageError(text, hint=_NAME)
    if here is None or there is None or here.id == there.id or not lasting:
        return None
    text = f"The artifacts of this queue are in {there.said}, and those of this node would be in {here.said}"
    hint = f"{_SAME} (node {lasting[0].facts.name} is up); or stop all daemons, and start this one first."
    return UsageError(f"{text}: no node would find the files of the other.", hint=hint)
