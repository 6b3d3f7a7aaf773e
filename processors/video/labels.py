"""Pure: which tags do not go from a file into another kind of file."""

from __future__ import annotations

#: what MP4, QuickTime and Matroska say of themselves; elsewhere it would stand among the tags of the work
_OF_CONTAINERS = (
    "major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id", "encoder", "duration", "bps",
    "number_of_frames", "number_of_bytes",
)  # fmt: skip


def without_stale(*places: str) -> list[str]:
    """Options of ffmpeg that take these tags away, however they are written.

    Args:
        places: as ffmpeg calls them: g for the whole file, s:a:0 for its first sound.
    """
    return [word for place in places for key in _OF_CONTAINERS for word in (f"-metadata:{place}", f"{key}=")]
