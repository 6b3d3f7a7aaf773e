"""The document service's handler. Light, so that an instance is ready early: its libraries take their time to load."""

from __future__ import annotations

import importlib.util
from socket import socket

from processors.protocol import Result
from processors.specs import DocumentSpec
from processors.worker.beside import Host
from processors.worker.context import Context

_PACKAGES = (
    ("pypdfium2", "pypdfium2"),
    ("pypdf", "pypdf"),
    ("PIL", "pillow"),
    ("pikepdf", "pikepdf"),
    ("fontTools", "fonttools"),
    ("selectolax", "selectolax"),
    ("defusedxml", "defusedxml"),
    ("python_calamine", "python-calamine"),
    ("pytesseract", "pytesseract"),
)


def check() -> None:
    """Find out before the first attempt what every attempt would fail for."""
    for module, package in _PACKAGES:
        if importlib.util.find_spec(module) is None:
            raise SystemExit(f"the Python package {package} cannot be found; pip install {package}")


def warm() -> None:
    """Load what every attempt needs."""
    import processors.document.work  # noqa: F401


def beside(listening: socket, worker: Host) -> None:
    """Have LibreOffice loaded for all attempts, from when the first needs it."""
    from processors.document.office.server import serve

    serve(listening)


def handle(context: Context[DocumentSpec]) -> Result:
    """Do what the spec asks for."""
    from processors.document.work import result

    return result(context)
