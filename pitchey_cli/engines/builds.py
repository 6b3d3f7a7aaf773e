"""What an image build sends and what comes back; Docker and Podman agree on both. Knows no library.

A context is sent with fixed times, owners and modes, so that a builder's cache depends on content alone.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pitchey_cli.domain.errors import ImageBuildFailed
from pitchey_cli.engines.port import BuildStep

_STEP = re.compile(r"^(?:\[\d+/\d+\] )?step (\d+)/(\d+) ?:", re.IGNORECASE)  # Podman counts within each stage
_TAIL_LINES = 15
_LONGEST_LINE = 400  # characters: a step that installs packages is as long as a page, and an error may hold it thrice
_NO_SPACE = "no space left on device"


def context_archive(context: Path) -> IO[bytes]:
    """Pack a build context."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = 0
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    archive = tempfile.TemporaryFile()  # noqa: SIM115  # the caller closes it
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path in sorted(context.rglob("*")):
            tar.add(path, path.relative_to(context).as_posix(), recursive=False, filter=plain)
    archive.seek(0)
    return archive


def follow(messages: Iterable[Mapping[str, Any]], tag: str) -> Iterator[BuildStep]:
    """Read a build's output as it comes.

    Raises:
        ImageBuildFailed: names the step and has the last lines of its output; of a full disk it says just that.
    """
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    at = "before the first step"
    for message in messages:
        for line in str(message.get("stream", "")).splitlines():
            if not line.strip():
                continue
            match = _STEP.match(line)
            if match:
                tail.clear()
                at = f"at {line.strip()}"
                yield BuildStep(line, int(match[1]), int(match[2]))
            else:
                tail.append(line)
                yield BuildStep(line)
        if "error" in message:
            said = str(message["error"]).strip()
            if _NO_SPACE in said.lower():
                raise ImageBuildFailed(
                    f"The image {tag} could not be built: the disk that holds the engine's images is full.",
                    hint="pitchey images prune removes those of other versions, and what builds have left.",
                )
            output = "\n".join(f"  {_shortened(line)}" for line in (*tail, said))
            raise ImageBuildFailed(f"The image {tag} could not be built, {_shortened(at)}:\n{output}")


def _shortened(line: str) -> str:
    """A line's beginning and its end, where the reason stands."""
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} ... {line[-half:]}"
