"""An attempt's side of the companion: models that are loaded elsewhere, run as if they were here."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from processors.inference.frameworks.port import Generated, Prompt, Tensors
from processors.inference.serving.wire import HungUp, receive, send
from processors.worker import companion
from processors.worker.context import HandlerError, Rejected


@dataclass(slots=True)
class Timings:
    """Where the time of an attempt goes, in seconds."""

    load: float = 0.0  #: waiting for models to be loaded
    run: float = 0.0  #: in models


@dataclass(slots=True)
class Companion:
    """The connection of one attempt to what has the models."""

    address: str
    timings: Timings = field(default_factory=Timings)
    devices: set[str] = field(default_factory=set)  #: that models have run on
    _connection: socket.socket | None = None

    def session(self, reference: str) -> RemoteSession:
        """A model that is loaded there, when it is first run."""
        return RemoteSession(self, reference)

    def ask(
        self, head: Mapping[str, Any], tensors: Tensors | None = None, on_piece: Callable[[str], None] | None = None
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Send a request, and take its answer.

        Raises:
            HandlerError: what went wrong there; or that it is gone, which another attempt may not meet.
        """
        started = time.monotonic()
        try:
            connection = self._connected()
            send(connection, head, dict(tensors or {}))
            while True:
                answer, outputs = receive(connection)
                if "piece" not in answer:
                    break
                if on_piece is not None and answer["piece"]:
                    on_piece(answer["piece"])
        except HungUp as error:
            self._connection = None
            _raise_reason()
            message = f"The process that has the models went away while it ran {head['model']}."
            lost = HandlerError("models_lost", message, "It is started anew: try again.")
            lost.signal = signal.SIGKILL  # if the kernel killed for memory meanwhile, it was this
            raise lost from error
        if (failure := answer.get("error")) is not None:
            kind = Rejected if failure["is_final"] else HandlerError
            raise kind(failure["code"], failure["message"], failure["hint"])
        self._note(answer, seconds=time.monotonic() - started)
        return answer, outputs

    def _note(self, answer: Mapping[str, Any], seconds: float | None = None) -> None:
        """Where the time went: what was not waiting for the load was the run, on the way there and back as well."""
        load, run = (float(answer["seconds"][name]) for name in ("load", "run"))
        self.timings.load += load
        self.timings.run += run if seconds is None else seconds - load
        self.devices.add(answer["device"])

    def _connected(self) -> socket.socket:
        if self._connection is None:
            _raise_reason()
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.address)
            except OSError as error:
                raise HungUp(str(error)) from error
            self._connection = connection
        return self._connection


def _raise_reason() -> None:
    """Where the companion cannot begin, another attempt here would not help."""
    if why := companion.reason():
        message = f"The process that has the models cannot begin: {why.rstrip('.')}."
        hint = "The log of the instance has more; `pitchey images build inference` makes its image anew."
        raise HandlerError("models_not_served", message, hint, retryable=False)


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """A model there: a Session and a Generator."""

    companion: Companion
    reference: str
    device: str = ""  #: is known when it has run, to the companion

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all."""
        return self.companion.ask({"do": "run", "model": self.reference, "outputs": list(outputs)}, tensors)[1]

    def measure(self) -> dict[str, Any] | None:
        """How it is to be batched, found by running it; None where that cannot be found."""
        found: dict[str, Any] | None = self.companion.ask({"do": "measure", "model": self.reference})[0]["measured"]
        return found

    def generate(self, prompt: Prompt, say: Callable[[str], bool]) -> Generated:
        """Continue a conversation; it ends with the process that asks, too."""
        head = {"do": "generate", "model": self.reference, "prompt": asdict(prompt)}

        def on_piece(piece: str) -> None:
            say(piece)

        answer, _ = self.companion.ask(head, on_piece=on_piece)
        return Generated(**answer["done"])

    def close(self) -> None:
        """It stays loaded, for others."""
