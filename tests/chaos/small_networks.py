"""Networks of the kernel: a namespace for each node, on a bridge behind which the servers are. Only root can make them.

A cut loses packets and tells nobody, as a cable that is pulled out does, and a firewall that forgets a connection.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache

import psutil

_NOBODY = "02:00:00:00:00:01"  # an address that no interface here has
_INSIDE = "up0"  # what a namespace calls its end of the cable


@cache
def can_be_made() -> bool:
    """Whether this machine and this user can make networks."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("nsenter") is None:
        return False
    name = f"pch{os.getpid()}t"
    made = subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True)
    subprocess.run(["ip", "link", "del", name], capture_output=True)
    return made.returncode == 0


class SmallNetwork:
    """A bridge of this machine with an address for each server, and a namespace for each node."""

    def __init__(self, nodes: Iterable[str]) -> None:
        """Make it.

        Args:
            nodes: short names, one letter each.
        """
        self._bridge = f"pch{os.getpid()}"
        taken = {each.address for all_of in psutil.net_if_addrs().values() for each in all_of}
        third = next(n for n in random.SystemRandom().sample(range(256), 256) if f"10.213.{n}.1" not in taken)
        base = f"10.213.{third}"
        self.range = f"{base}.0/24"
        self.database, self.bucket = f"{base}.1", f"{base}.2"
        _ip("link", "add", self._bridge, "type", "bridge")
        try:
            for address in (self.database, self.bucket):
                _ip("address", "add", f"{address}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for number, node in enumerate(nodes, start=11):
                self._add(node, f"{base}.{number}/24")
        except BaseException:
            self.close()
            raise

    def _add(self, node: str, address: str) -> None:
        name, outside = self._name(node), self._outside(node)
        _ip("netns", "add", name)
        _ip("link", "add", outside, "type", "veth", "peer", "name", _INSIDE, "netns", name)
        _ip("link", "set", outside, "master", self._bridge, "up")
        _ip("-n", name, "address", "add", address, "dev", _INSIDE)
        _ip("-n", name, "link", "set", _INSIDE, "up")
        _ip("-n", name, "link", "set", "lo", "up")

    def inside(self, node: str) -> tuple[str, ...]:
        """The program that starts another one in the network of a node."""
        return ("nsenter", f"--net=/run/netns/{self._name(node)}", "--")

    def cut(self, node: str, *addresses: str) -> None:
        """Lose what a node sends to these addresses; where none is said, all that it sends and all that it is sent."""
        if not addresses:
            _ip("link", "set", self._outside(node), "nomaster")
        for address in addresses:
            neighbour = ("neighbour", "replace", address, "lladdr", _NOBODY, "dev", _INSIDE, "nud", "permanent")
            _ip("-n", self._name(node), *neighbour)

    def heal(self, node: str) -> None:
        """Undo every cut."""
        _ip("link", "set", self._outside(node), "master", self._bridge)
        _ip("-n", self._name(node), "neighbour", "flush", "dev", _INSIDE, "nud", "permanent")

    def close(self) -> None:
        """Take it away; what still runs in it has no network any more."""
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
        for name in (line.split()[0] for line in listed.splitlines() if line.startswith(f"{self._bridge}-")):
            _ip("netns", "del", name)
        _ip("link", "del", self._bridge)

    def _name(self, node: str) -> str:
        return f"{self._bridge}-{node}"

    def _outside(self, node: str) -> str:
        return f"{self._bridge}{node}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
