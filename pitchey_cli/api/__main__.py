"""`python -m pitchey_cli.api [--tls CERT KEY] FD HOST PORT`, or `FD PATH`: what the daemon starts beside itself.

Standard input is a pipe from the daemon. A process of its own, because requests are work: while JSON is read and made
here, the daemon's loop goes on with its ticks, and whatever a stranger's request breaks is not the daemon.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

from pitchey_cli.api.server import serve
from pitchey_cli.domain.listening import Address
from pitchey_cli.network.certificates import Certificate
from pitchey_cli.wiring import Wiring


def main(arguments: list[str]) -> None:
    """Serve until the daemon ends."""
    # Ctrl-C goes to all processes of a terminal: the daemon drains, and says when this one is to end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    certificate = None
    if arguments[0] == "--tls":
        certificate = Certificate(Path(arguments[1]), Path(arguments[2]))
        arguments = arguments[3:]
    descriptor, *where = arguments
    has_tls = certificate is not None
    address = Address(path=where[0]) if len(where) == 1 else Address(where[0], int(where[1]), has_tls=has_tls)
    listener = socket.socket(fileno=int(descriptor))
    listener.setblocking(False)
    asyncio.run(serve(Wiring.from_environment(), listener, address, sys.stdin.fileno(), certificate))


if __name__ == "__main__":
    main(sys.argv[1:])
