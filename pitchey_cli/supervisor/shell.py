"""A slot with somebody at its terminal: made for one shell, spoken to, removed.

Its container removes itself when it ends, and it ends when the connection does: nothing is left behind, however the
process goes that this runs in.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Iterator

from pitchey_cli.domain.errors import EngineError
from pitchey_cli.engines.port import EngineKind, SlotSpec
from pitchey_cli.engines.slots import SlotEngine, random_uid
from pitchey_cli.supervisor.pieces import Pieces, Stream
from processors.code.frames import Frame, FrameDecoder
from processors.code.slot_protocol import HEADROOM_BYTES, UID_VARIABLE

LABEL = "pitchey.shell"  #: the state directory whose settings made it

_FORGOTTEN_SECONDS = 60.0


class ShellSlot:
    """One container, for one shell."""

    def __init__(
        self,
        kind: EngineKind,
        endpoint: str,
        *,
        image: str,
        memory_bytes: int,
        cpus: float,
        label: str,
        runtime: str = "",
    ) -> None:
        """Start it.

        Args:
            memory_bytes: of the shell and all that it starts.
            runtime: empty for the engine's own.

        Raises:
            ImageMissing: there is no image.
            EngineError: the engine cannot do it.
        """
        self._pieces = Pieces()
        self._decoder = FrameDecoder()
        self._said = b""
        self._id = f"shell-{secrets.token_hex(6)}"
        self._engine = SlotEngine(kind, endpoint)
        self._engine.remove_forgotten({LABEL: label}, older_than_seconds=_FORGOTTEN_SECONDS)
        spec = SlotSpec(
            slot_id=self._id,
            image=image,
            memory_bytes=memory_bytes + HEADROOM_BYTES,
            cpus=cpus,
            labels={LABEL: label},
            environment={UID_VARIABLE: str(random_uid())},
            runtime=runtime,
            is_removed_at_its_end=True,
        )
        self.connection: socket.socket = self._engine.start(spec)

    def frames(self, data: bytes) -> Iterator[Frame]:
        """What the slot says in what was read from the connection."""
        for piece in self._pieces.feed(data):
            if piece.stream == Stream.STDOUT:
                yield from self._decoder.feed(piece.data)
            else:
                self._said += piece.data

    @property
    def complaint(self) -> str:
        """What its first process had to say, if it could not do its work."""
        return self._said.decode(errors="replace").strip()

    def close(self) -> None:
        """End it, and leave nothing behind."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.connection.close()
        with contextlib.suppress(EngineError):  # the engine is gone; the container ends and goes by itself
            self._engine.remove(self._id)
        self._engine.close()
