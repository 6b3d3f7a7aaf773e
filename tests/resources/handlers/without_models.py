"""The inference service, whose companion cannot begin before somebody has mended what is wrong."""

from __future__ import annotations

import socket
from pathlib import Path

from processors.inference import handler
from processors.inference.handler import check, handle, use_models, warm
from processors.worker.beside import Host

MENDED = "mended"  #: a file in the worker's directory

__all__ = ["beside", "check", "handle", "use_models", "warm"]


def beside(listening: socket.socket, worker: Host) -> None:
    """Fail as a library does that is not there."""
    if not Path(MENDED).exists():
        raise ImportError("libgomp.so.1: cannot open shared object file")
    handler.beside(listening, worker)
