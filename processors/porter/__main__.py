"""Options, the secret and the key: read once, from files that are removed before anybody is listened to."""

from __future__ import annotations

import argparse
import asyncio
import socket
import ssl
from pathlib import Path

from processors.porter.attempt import CarriedAttempt, Means
from processors.porter.exchange import Client
from processors.porter.routes import PorterRoutes
from processors.porter.server import serve
from processors.porter.worker import Worker
from processors.protocol import AttemptRequest, Service
from processors.worker.attempts import Attempts
from processors.worker.spool import Spool

_BACKLOG = 128


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="processors.porter", description=__doc__)
    parser.add_argument("--service", type=Service, required=True, help="which service's attempts to take")
    parser.add_argument("--slots", type=int, default=1, help="attempts at once")
    parser.add_argument("--listen", default="0.0.0.0:7117", metavar="ADDRESS:PORT", help="where to be asked")
    parser.add_argument("--secret", type=Path, required=True, metavar="FILE", help="what whoever asks has to know")
    parser.add_argument("--identity", type=Path, required=True, metavar="FILE",
                        help="its key and certificate, by which whoever asks knows it")  # fmt: skip
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificate authorities, for links of https")
    parser.add_argument("--run", type=Path, required=True, help="directory of the worker's socket")
    parser.add_argument("--inputs", type=Path, required=True, help="directory that the worker has inputs from")
    parser.add_argument("--spool", type=Path, required=True, help="directory in which the worker leaves outputs")
    parser.add_argument("--journal", type=Path, required=True, help="directory for events, which is nobody else's")
    parser.add_argument("--idle-exit", type=float, default=0, metavar="SECONDS",
                        help="end when nothing has run and nobody has asked for so long; 0 is never")  # fmt: skip
    return parser.parse_args()


def main() -> None:
    """Run the porter."""
    options = _options()
    secret = options.secret.read_text(encoding="ascii").strip()
    options.secret.unlink()
    if not secret:
        raise SystemExit("The secret is empty.")
    known = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    known.minimum_version = ssl.TLSVersion.TLSv1_3
    known.load_cert_chain(options.identity)
    options.identity.unlink()
    host, _, port = options.listen.rpartition(":")
    listening = socket.create_server((host, int(port)), backlog=_BACKLOG)
    ca_file = options.ca_file if options.ca_file is not None and options.ca_file.exists() else None
    worker = Worker(options.run)
    means = Means(Client(ca_file), worker, options.inputs, options.spool)
    carried: dict[str, CarriedAttempt] = {}

    def attempt(request: AttemptRequest, spool: Spool) -> CarriedAttempt:
        made = carried[request.token] = CarriedAttempt(request, means, spool, lambda: carried.pop(request.token, None))
        return made

    def made(tasks: asyncio.TaskGroup) -> tuple[Attempts, PorterRoutes]:
        attempts = Attempts(attempt, slots=options.slots, spool=options.journal, tasks=tasks)
        directories = (options.journal, options.spool, options.inputs)
        return attempts, PorterRoutes(options.service, attempts, carried, worker, directories)

    asyncio.run(serve(listening, known, secret, made, idle_exit=options.idle_exit))


if __name__ == "__main__":
    main()
