"""How much room is left where this machine keeps files."""

from __future__ import annotations

import shutil
from pathlib import Path

from pitchey_cli.domain import layout


def disk_free_bytes(state_dir: Path) -> int | None:
    """Of the disk of a state directory, or of the cache in it where that is on another one with less; None: unknown."""
    found: list[int] = []
    for each in (state_dir, layout.cache(state_dir)):
        try:
            found.append(shutil.disk_usage(each).free)
        except OSError:  # most have no cache
            continue
    return min(found, default=None)
