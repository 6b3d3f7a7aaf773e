"""Packages that ship models, through the clients of their registries as this machine has set them up.

Nothing of a package is run: pip takes wheels only, and npm packs without scripts.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pitchey_cli.domain.errors import InputNotFound, InputRejected, NetworkError, PitcheyError, UsageError

PIP, NPM = "pip:", "npm:"

_PIP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(==[A-Za-z0-9][A-Za-z0-9._+!-]*)?")
_NPM_NAME = re.compile(r"(@[a-z0-9][a-z0-9._~-]*/)?[a-z0-9][a-z0-9._~-]*(@[A-Za-z0-9][A-Za-z0-9._+-]*)?")
_SECONDS = 1800.0
_MOST_CHARACTERS = 200  # of a name
_NOT_THERE = ("No matching distribution found", "E404", "ETARGET", "404 Not Found")


def is_package(source: str) -> bool:
    """Whether a source names a package."""
    return source.startswith((PIP, NPM))


def fetch(source: str, folder: Path) -> Path:
    """Have a package fetched into an empty folder: the wheel, or npm's archive.

    Args:
        source: `pip:NAME`, `pip:NAME==VERSION`, `npm:NAME` or `npm:NAME@VERSION`.

    Raises:
        UsageError: that is no name of a package.
        InputNotFound: there is no such package, or none that comes built.
        NetworkError: the client could not fetch it.
    """
    is_pip = source.startswith(PIP)
    said = source.removeprefix(PIP if is_pip else NPM)
    if len(said) > _MOST_CHARACTERS or not (_PIP_NAME if is_pip else _NPM_NAME).fullmatch(said):
        form = "pip:NAME or pip:NAME==VERSION" if is_pip else "npm:NAME or npm:NAME@VERSION"
        raise UsageError(f"{said!r} is not the name of a package.", hint=f"Packages are named as {form}.")
    _run(_pip(said, folder) if is_pip else _npm(said, folder), source, folder)
    found = [path for path in folder.iterdir() if path.is_file()]
    if len(found) != 1:
        raise InputRejected(f"{source} came as {len(found)} files, and one is expected.")
    return found[0]


def install(requirements: list[str], folder: Path) -> None:
    """Unpack Python packages below a folder, without what they need themselves."""
    command = [*_pip_command(), "install", *_QUIET, "--no-deps", "--no-compile", "--only-binary", ":all:"]
    _run([*command, "--target", str(folder), "--", *requirements], " ".join(requirements), folder)


_QUIET = ("--quiet", "--disable-pip-version-check", "--no-input")


def _pip_command() -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if found := shutil.which("pip") or shutil.which("pip3"):
        return [found]
    raise PitcheyError("There is no pip on this machine.", hint="Download the wheel yourself, and add the file.")


def _pip(said: str, folder: Path) -> list[str]:
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    return [*_pip_command(), "download", *_QUIET, *options, "--", said]


def _npm(said: str, folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise PitcheyError("There is no npm on this machine.", hint="Download the .tgz yourself, and add the file.")
    return [npm, "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", str(folder), "--", said]


def _run(command: list[str], source: str, folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NetworkError(f"{source} could not be fetched within {_SECONDS / 60:.0f} minutes.") from error
    if done.returncode == 0:
        return
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if "rror" in line or "ERR" in line]
    if any(text in line for text in _NOT_THERE for line in lines):
        hint = "Check its name and version. Of Python packages only wheels are taken: others would run their own code."
        raise InputNotFound(f"There is no package {source} here.", hint=hint)
    raise NetworkError(f"{source} could not be fetched: {lines[-1] if lines else 'its client failed'}.")
