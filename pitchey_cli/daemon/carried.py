"""The files of one attempt on an instance that shares none with this host: they go by links.

What is said of the attempt is written down here as it comes, under the names that it would have in a shared spool: logs
are read from there while it runs, and a daemon that comes back knows which links it has given away.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from pitchey_cli.artifacts.port import LARGER_OUTPUT, Artifact, Presigner
from pitchey_cli.daemon.files import AttemptFiles, output_of
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import InputNotFound, InputRejected, NetworkError, PitcheyError, StoreError
from pitchey_cli.domain.job import Output, Token
from processors import protocol

T = TypeVar("T")

LINK_SECONDS = 900  #: that a link is good for; one that is needed for longer is asked for again
_AT_ONCE = 8  # requests to the object store, of one attempt
_TAKE_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between tries, where the store is away
_GIVEN_NAME = "given.json"  # the SHA-256 of every input, in their order
_TAKEN_NAME = "taken.ndjson"  # [number, SHA-256, size] of every output that is an artifact


@dataclass(slots=True)
class CarriedFiles(AttemptFiles):
    """The inputs, the outputs and the log of an attempt. Every call blocks."""

    presigner: Presigner
    _given: list[str] = field(default_factory=list)
    _asked: dict[int, int] = field(default_factory=dict)  # sizes of the outputs that links were asked for
    _taken: dict[int, Artifact] | None = None  # and are artifacts now
    _noting: threading.Lock = field(default_factory=threading.Lock)
    _seen: int | None = None  # events that have come
    _bytes: int = 0  # that they take
    _late: list[bytes] = field(default_factory=list)  # those that are not written down, because the disk was full

    def place(self, index: int, name: str, sha256: str) -> tuple[str, str | None]:
        """Name an input, and make the link to it."""
        self._given_dir.mkdir(exist_ok=True)
        self._given[index:] = [sha256]  # it is asked again where the object store was away
        (self._given_dir / _GIVEN_NAME).write_text(json.dumps(self._given), encoding="ascii")
        return self._name(index, name), self.presigner.get_url(sha256, seconds=LINK_SECONDS)

    def keep(self, event: protocol.Event) -> None:
        """Write an event down, unless it is there already; what a full disk does not take, with a later one."""
        events = self._spool / protocol.EVENTS_NAME
        with contextlib.suppress(OSError):  # a disk that stays full costs a log, and no job
            if self._seen is None:
                self._spool.mkdir(parents=True, exist_ok=True)
                self._seen = _cut(events)
                self._bytes = events.stat().st_size if self._seen else 0
            line = event.wire() + b"\n"
            if event.seq != self._seen + 1 or self._bytes + len(line) > layout.EVENTS_BYTES:
                return
            self._seen += 1
            self._bytes += len(line)
            self._late.append(line)
            if len(self._late) > 1:  # the disk may have taken a part of it
                self._late = self._late[len(self._late) - (self._seen - _cut(events)) :]
            with events.open("ab") as file:
                file.write(b"".join(self._late))
            self._late.clear()
            if isinstance(event, protocol.ResultEvent | protocol.ErrorEvent):
                (self._spool / protocol.ENDING_NAME).write_bytes(line)

    def links(self, event: protocol.LinksEvent, *, limit_bytes: int) -> protocol.Links:
        """Make the links that an attempt asks for.

        Raises:
            InputRejected: it asks for what it may not have.
            PitcheyError: they cannot be made.
        """
        given = self._given_inputs()
        asked = self._asked_outputs() | {each.number: each.size for each in event.outputs}
        if sum(asked.values()) > limit_bytes:
            text = f"The outputs take more than the {limit_bytes:,} bytes that the job may write."
            raise InputRejected(text, hint=LARGER_OUTPUT)
        if any(number >= protocol.MOST_OUTPUTS for number in asked):
            raise InputRejected(f"The attempt has more than the {protocol.MOST_OUTPUTS} outputs that it may have.")
        if any(not 0 <= number < len(given) for number in event.inputs):
            raise InputRejected("The instance asks for an input that it was not given.")
        self._asked = asked
        return protocol.Links(
            ask=event.ask,
            inputs=[self.presigner.get_url(given[number], seconds=LINK_SECONDS) for number in event.inputs],
            outputs=[self._put_url(each) for each in event.outputs],
        )

    def collect(self, result: protocol.Result, *, limit_bytes: int) -> tuple[Output, ...]:
        """Take the outputs into the artifacts, and keep the log.

        Raises:
            PitcheyError: one is not what it should be; StoreError when the object store is away.
        """
        asked = self._asked_outputs()
        self._given_dir.mkdir(exist_ok=True)
        self._taken_outputs()
        if sum(item.size for item in result.outputs) > limit_bytes:
            text = f"The outputs take more than the {limit_bytes:,} bytes that the job may write."
            raise InputRejected(text, hint=LARGER_OUTPUT)
        if any(number not in asked for number in range(len(result.outputs))):
            raise InputRejected("The instance names outputs for which it has asked no links.")
        outputs = tuple(_at_once(self._take, enumerate(result.outputs)))
        self.keep_log()
        return outputs

    def remove(self) -> None:
        """Remove all but the log; what was stored and not taken as well."""

        def discard(number: int) -> None:
            with contextlib.suppress(PitcheyError):  # the store is away: what it keeps is swept there
                self.presigner.discard(self._key(number))

        _at_once(discard, self._asked_outputs().keys() - self._taken_outputs().keys())
        AttemptFiles.remove(self)

    def _take(self, numbered: tuple[int, protocol.OutputFile]) -> Output:
        number, item = numbered
        artifact = self._taken_outputs().get(number)  # by a daemon that was killed before it could say so
        if artifact is None:
            try:
                artifact = self._patiently(number, item)
            except InputNotFound as error:
                raise StoreError(f"The output {item.path} is not where it was to be stored.") from error
            self._note_taken(number, artifact)
        if (artifact.sha256, artifact.size) != (item.sha256, item.size):
            text = f"The output {item.path} is not what its instance has said: its content has changed on the way."
            raise InputRejected(text)
        return output_of(item, artifact)

    def _note_taken(self, number: int, artifact: Artifact) -> None:
        """Write down that an output is an artifact now: it is gone from where it was stored."""
        line = json.dumps([number, artifact.sha256, artifact.size]) + "\n"
        with self._noting:
            self._taken_outputs()[number] = artifact
            with contextlib.suppress(OSError), (self._given_dir / _TAKEN_NAME).open("a", encoding="ascii") as file:
                file.write(line)

    def _taken_outputs(self) -> dict[int, Artifact]:
        if self._taken is None:
            self._taken = {}
            with contextlib.suppress(OSError, ValueError):  # a last line that is half written was taken all the same
                for line in (self._given_dir / _TAKEN_NAME).read_text(encoding="ascii").splitlines():
                    number, sha256, size = json.loads(line)
                    self._taken[number] = Artifact(sha256, size)
        return self._taken

    def _patiently(self, number: int, item: protocol.OutputFile) -> Artifact:
        for pause in _TAKE_PAUSES:
            try:
                return self.presigner.take(self._key(number), limit_bytes=item.size)
            except (StoreError, NetworkError):
                time.sleep(pause)
        return self.presigner.take(self._key(number), limit_bytes=item.size)

    def _put_url(self, file: protocol.StoredFile) -> str:
        return self.presigner.put_url(self._key(file.number), seconds=LINK_SECONDS)

    def _key(self, number: int) -> str:
        return f"{self.token}/{number}"  # as `attempt_of` reads it

    def _given_inputs(self) -> list[str]:
        if not self._given:
            with contextlib.suppress(OSError, ValueError):
                said = (self._given_dir / _GIVEN_NAME).read_text(encoding="ascii")
                self._given = json.loads(said)
        return self._given

    def _asked_outputs(self) -> dict[int, int]:
        """What links were asked for, by another daemon too."""
        if not self._asked:
            for line in (self._read(protocol.EVENTS_NAME, layout.EVENTS_BYTES) or b"").splitlines():
                if b'"links"' in line:
                    with contextlib.suppress(ValidationError):
                        event = protocol.EVENT.validate_json(line)
                        if isinstance(event, protocol.LinksEvent):
                            self._asked |= {each.number: each.size for each in event.outputs}
        return self._asked

    @property
    def _given_dir(self) -> Path:
        """Ours alone: the instance sees nothing of it."""
        return self._directory / "inputs" / self.token

    @property
    def _spool(self) -> Path:
        return self._directory / layout.in_spool(self.token, "")


def attempt_of(key: str) -> Token:
    """The attempt for which something was stored under a key."""
    return Token(key.partition("/")[0])


def _cut(events: Path) -> int:
    """Cut what is half written off the end; how many events there are."""
    if not events.exists():
        return 0
    data = events.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(events, len(whole))  # takes no room
    return whole.count(b"\n")


def _at_once(work: Callable[..., T], items: Iterable[object]) -> list[T]:
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="carried") as threads:
        return list(threads.map(work, items))
