"""Graphics cards for instances: how an engine is asked for them, and what it means when it has none to give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pitchey_cli.domain.errors import EngineError, GpuMissing
from pitchey_cli.engines.port import EngineKind

#: Docker's request for all cards, as its API has it
DOCKER_REQUEST = {"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}
#: the name of all cards in the Container Device Interface, by which Podman finds them
PODMAN_DEVICE = "nvidia.com/gpu=all"

_NODES = ("/dev/nvidiactl", "/dev/kfd")  # of NVIDIA's driver, and of AMD's
_TELLING = ("gpu", "nvidia", "cdi device")  # of what an engine says that has none
_HINT = "Install the driver and its container toolkit, or leave the card out: `pitchey config set inference.gpu false`."


@contextmanager
def asked_for(kind: EngineKind, *, is_wanted: bool) -> Iterator[None]:
    """While a container is started that is to have the cards.

    Raises:
        GpuMissing: there is none that the engine could give.
    """
    try:
        yield
    except EngineError as error:
        said = str(error)
        if is_wanted and any(word in said.lower() for word in _TELLING):
            raise _missing(kind) from error
        raise


def refuse_without(kind: EngineKind, *, is_wanted: bool) -> None:
    """Raise GpuMissing where the machine has no card, for an engine that would start anything without it."""
    if is_wanted and not any(Path(node).exists() for node in _NODES):
        raise _missing(kind)


def _missing(kind: EngineKind) -> GpuMissing:
    where = "This machine has" if kind is EngineKind.PROCESS else f"{kind.title()} has"
    return GpuMissing(f"{where} no graphics card for instances, and one is asked for.", hint=_HINT)
