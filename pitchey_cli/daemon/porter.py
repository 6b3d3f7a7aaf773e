"""What belongs to an instance that shares no files with this host: its porter, the secret, and the way to it."""

from __future__ import annotations

import os
import secrets
from functools import partial
from pathlib import Path

from pitchey_cli.daemon.line import Line, PorterLine, SocketLine
from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.engines.port import GIVEN_DIR, KEPT_DIR, TAKEN_DIR, PorterSpec

_PORT = 7117
_SECRET_NAME = "secret"  # in the instance's directory, of which such an instance sees nothing
_SECRET_BYTES = 32
_OWN = f"{KEPT_DIR}/porter"
_INPUTS, _SPOOL, _RUN = f"{GIVEN_DIR}/inputs", f"{TAKEN_DIR}/spool", f"{TAKEN_DIR}/run"

#: Where worker and porter meet: options of both.
MEETING = ("--run", _RUN, "--inputs", _INPUTS, "--spool", _SPOOL)


def prepare_porter(node: Node, config: ServiceConfig, directory: Path, *, idle_exit_seconds: float) -> PorterSpec:
    """Make the secret, and say what stands in front of the worker. Blocks."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    descriptor = os.open(directory / _SECRET_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)
    command = ["--service", config.service, "--slots", str(config.slots), *MEETING]
    command += ["--listen", f"0.0.0.0:{_PORT}", "--secret", f"{_OWN}/secret", "--journal", f"{_OWN}/journal"]
    command += ["--idle-exit", str(idle_exit_seconds)]
    files = {f"{_OWN}/secret": secret.encode()}
    if node.config.ca_file is not None:
        files[f"{_OWN}/ca.pem"] = node.config.ca_file.read_bytes()
        command += ["--ca-file", f"{_OWN}/ca.pem"]
    return PorterSpec(
        command=tuple(command),
        port=_PORT,
        files=files,
        directories=(_INPUTS, _SPOOL, _RUN, _OWN, f"{_OWN}/journal"),
        network=node.config.porter_network,
    )


def shares_files(directory: Path) -> bool:
    """Whether the instance of a directory has its files there."""
    return not (directory / _SECRET_NAME).exists()


def line_to(node: Node, instance_id: str, directory: Path) -> Line:
    """The way to an instance."""
    if shares_files(directory):
        return SocketLine(directory / "run")
    secret = (directory / _SECRET_NAME).read_text(encoding="ascii")
    return PorterLine(partial(node.engine.address, instance_id), secret)
