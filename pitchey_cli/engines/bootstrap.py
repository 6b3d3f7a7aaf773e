"""The Debian image under all others: from a registry, or made here out of the host's own Debian mirror.

Owns the call of mmdebstrap, which makes what the registry's image is: the smallest Debian that has apt.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pitchey_cli.domain.errors import EngineError, EngineUnavailable
from pitchey_cli.engines.port import BuildStep, Engine

SUITE = "trixie"
DEBIAN = f"debian:{SUITE}-slim"

#: As in the registry's slim image. Each pattern is an option of its own: dpkg knows no braces.
_EXCLUDED = ("man/*", "doc/*", "doc-base/*", "info/*", "locale/*", "lintian/*", "linda/*", "groff/*")
_INCLUDED = ("doc/*/copyright",)
_TAIL_LINES = 15


def ensure_debian(engine: Engine) -> Iterator[BuildStep]:
    """Pull the image, or make it; nothing when it is there."""
    if engine.has_image(DEBIAN):
        return
    yield BuildStep(f"Pulling {DEBIAN}")
    try:
        engine.pull(DEBIAN)
    except EngineUnavailable:
        raise
    except EngineError as error:
        yield BuildStep(f"{error} Making it with mmdebstrap.")
        yield from make_debian(engine)


def make_debian(engine: Engine) -> Iterator[BuildStep]:
    """Make the image with mmdebstrap, in about half a minute."""
    if shutil.which("mmdebstrap") is None:
        raise EngineError(
            f"{DEBIAN} can neither be pulled nor made: mmdebstrap is missing.",
            hint="sudo apt-get install mmdebstrap",
        )
    with tempfile.TemporaryDirectory(prefix="pitchey-debian-") as directory:
        tarball = Path(directory) / "root.tar"
        yield from _run(mmdebstrap_command(tarball), directory)
        yield BuildStep(f"Importing {DEBIAN}")
        engine.import_root(tarball, DEBIAN)


def mmdebstrap_command(tarball: Path) -> list[str]:
    """The command line. No mirror is named: mmdebstrap knows the default, and honours the host's apt proxy."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--include=ca-certificates",
        '--aptopt=Acquire::Languages "none"',
        '--aptopt=Acquire::Retries "3"',
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{pattern}" for pattern in _EXCLUDED),
        *(f"--dpkgopt=path-include=/usr/share/{pattern}" for pattern in _INCLUDED),
        SUITE,
        str(tarball),
    ]


def _run(command: list[str], directory: str) -> Iterator[BuildStep]:
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    process = subprocess.Popen(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        for line in process.stdout or ():
            tail.append(line.rstrip())
            yield BuildStep(line.rstrip())
        code = process.wait()
    finally:
        if process.poll() is None:  # nobody reads on
            process.terminate()
            process.wait()
    if code != 0:
        output = "\n".join(f"  {line}" for line in tail)
        raise EngineError(f"mmdebstrap could not make {DEBIAN}:\n{output}")
