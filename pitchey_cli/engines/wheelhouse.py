"""A folder of wheels that an image's frameworks are installed from: by their names, whether that can be at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from pitchey_cli.domain.errors import InputNotFound, InputRejected

PYTHON = (3, 13)  #: of the images: Debian 13's

_TAG = re.compile(r"(?:cp|py)(\d)(\d*)")
_PACKAGES = {"torch": "torch", "tensorflow": "tensorflow"}  # how the name of a framework's own wheel begins


def wheels_in(folder: Path, frameworks: Sequence[str]) -> list[Path]:
    """The wheels of a folder.

    Args:
        frameworks: that are to be installed from it.

    Raises:
        InputNotFound: there is none.
        InputRejected: a framework has none, or none for the Python of the images.
    """
    found = sorted(folder.glob("*.whl"))
    if not found:
        raise InputNotFound(f"There is no wheel in {folder}.", hint="`pip download` fills a folder with wheels.")
    for framework in frameworks:
        package = _PACKAGES[framework]
        own = [each.name for each in found if re.match(rf"{package}(_cpu)?-\d", each.name)]
        if any(map(_is_for_images, own)):
            continue
        version = ".".join(map(str, PYTHON))
        what = f"{', '.join(own)}, and images have Python {version}" if own else f"no wheel of {package}"
        command = f"pip download --only-binary :all: --python-version {version} --dest {folder} {package}"
        hint = f"`{command}` brings one; some indices have smaller ones, for processors alone."
        raise InputRejected(f"In {folder} is {what}.", hint=hint)
    return found


def _is_for_images(name: str) -> bool:
    """Whether a wheel is for the Python of the images, as far as `name-version-python-abi-platform.whl` says."""
    pythons, abi = name.removesuffix(".whl").split("-")[-3:-1]
    for tag in pythons.split("."):
        if (match := _TAG.fullmatch(tag)) is None:
            continue
        version = int(match[1]), int(match[2] or 0)
        if version == PYTHON or (version[0] == PYTHON[0] and version < PYTHON and abi in ("abi3", "none")):
            return True
    return False
