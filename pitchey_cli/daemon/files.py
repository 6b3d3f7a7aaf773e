"""The files of one attempt: what it is given, and what it leaves. What lies in its spool is the instance's to write."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pitchey_cli.artifacts.beneath import parts_within, read_beneath
from pitchey_cli.artifacts.port import LARGER_OUTPUT, Artifact, Artifacts
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import InputRejected, StoreError
from pitchey_cli.domain.job import Output, Token
from processors import protocol

_ENDING_BYTES = 4 * 2**20  # a longer result.json is not taken


@dataclass(slots=True)
class AttemptFiles:
    """The inputs, the spool and the log of an attempt. Every call blocks."""

    state_dir: Path
    instance_id: str
    token: Token
    artifacts: Artifacts

    def place(self, index: int, name: str, sha256: str) -> tuple[str, str | None]:
        """Put an input where the instance can read it; its name there, and a link where that is how it comes there."""
        path = self._name(index, name)
        directory = self._directory / "inputs" / self.token
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)  # whatever the umask: the instance is another user
        self.artifacts.place(sha256, directory / path)
        return path, None

    def ending(self) -> protocol.Ending | None:
        """How the attempt ended, if its spool says so."""
        data = self._read(protocol.ENDING_NAME, _ENDING_BYTES)
        try:
            return None if data is None else protocol.ENDING.validate_json(data)
        except ValidationError:
            return None

    def collect(self, result: protocol.Result, *, limit_bytes: int) -> tuple[Output, ...]:
        """Take the outputs into the artifacts, and keep the log: one visit to a thread for both.

        Raises:
            PitcheyError: one is not what it should be; StoreError when it is the disk.
        """
        outputs: list[Output] = []
        for item in result.outputs:
            if item.text is not None:
                (artifact,) = self.artifacts.put(short_contents([item], limit_bytes=limit_bytes))
            else:
                relative = layout.in_spool(self.token, f"{protocol.OUT_DIR_NAME}/{item.path}")
                artifact = self.artifacts.collect(self._directory, relative, limit_bytes=limit_bytes)
                if artifact.size != item.size:  # a power cut can leave the ending, and not what it is about
                    text = f"The output {item.path} has {artifact.size:,} of the {item.size:,} bytes that it had."
                    raise StoreError(text)
            limit_bytes -= artifact.size
            outputs.append(output_of(item, artifact))
        self.keep_log()
        return tuple(outputs)

    def keep_log(self) -> None:
        """Copy the events to where they stay; an attempt that never began has none, nor one that left nothing."""
        if not os.path.lexists(self._directory / "spool" / self.token):
            return
        data = self._read(protocol.EVENTS_NAME, layout.EVENTS_BYTES)
        if data is None:
            return
        target = layout.kept_events(self.state_dir, self.token)
        with contextlib.suppress(OSError):  # a full disk may cost a log, and no job
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_suffix(".new")
            try:
                beside.write_bytes(data)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all but the log."""
        for name in ("inputs", "spool"):
            if os.path.lexists(directory := self._directory / name / self.token):
                shutil.rmtree(directory, ignore_errors=True)

    def is_there(self) -> bool:
        """Whether it has left anything on disk, or was given anything."""
        directory = str(self._directory)  # of every short attempt: paths take three times as long
        return any(os.path.lexists(f"{directory}/{name}/{self.token}") for name in ("inputs", "spool"))

    @staticmethod
    def _name(index: int, name: str) -> str:
        """What an input is called there: a user's file name may hold anything. The suffix helps some demuxers."""
        suffix = Path(name).suffix.lower()
        return f"{index}{suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 8 else ''}"

    def _read(self, name: str, limit_bytes: int) -> bytes | None:
        return read_beneath(self._directory, layout.in_spool(self.token, name), limit_bytes=limit_bytes)

    @property
    def _directory(self) -> Path:
        return layout.instance(self.state_dir, self.instance_id)


def short_contents(outputs: Iterable[protocol.OutputFile], *, limit_bytes: int) -> list[bytes]:
    """What is in outputs that came within their result.

    Raises:
        InputRejected: together they are larger than they may be.
    """
    found = [(item.text or "").encode() for item in outputs]
    if (size := sum(map(len, found))) > limit_bytes:
        raise InputRejected(f"The outputs have {size:,} bytes; the limit is {limit_bytes:,}.", hint=LARGER_OUTPUT)
    return found


def output_of(item: protocol.OutputFile, artifact: Artifact) -> Output:
    """An output that has been taken.

    Its path becomes one on other people's disks, and a key in buckets; nobody has looked at that of a text.

    Raises:
        InputRejected: it leads out of its folder.
    """
    parts_within(item.path)
    return Output(item.path, item.role, item.media_type, artifact.sha256, artifact.size, item.details)
