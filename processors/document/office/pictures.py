"""The pictures in office files, as files of their own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from processors.pictures.opening import in_eight_bits, opened, refuse_large
from processors.worker.context import Rejected

_MOST_PIXELS = 50_000_000
_AS_THEY_ARE = {"JPEG": "jpg", "PNG": "png"}


@dataclass(slots=True)
class Pictures:
    """Writes pictures below a directory, each once; without one, none."""

    directory: Path | None
    _known: dict[str, str | None] = field(default_factory=dict)

    def path_of(self, part: str, read: Callable[[str], bytes]) -> str | None:
        """Where a picture is, as the text names it; None where it is not extracted, or cannot be read.

        Args:
            part: its name in the archive.
            read: gives its bytes.
        """
        if self.directory is None:
            return None
        if part not in self._known:
            self._known[part] = self._saved(read(part), self.directory)
        return self._known[part]

    def _saved(self, data: bytes, directory: Path) -> str | None:
        try:
            with opened(data, "") as it:
                refuse_large(it, "", _MOST_PIXELS)
                suffix = _AS_THEY_ARE.get(it.format or "")
                if suffix is None or (suffix == "jpg" and it.mode not in ("RGB", "L")):
                    with io.BytesIO() as made:
                        _shown(it).save(made, format="PNG")
                        data, suffix = made.getvalue(), "png"
        except Rejected:
            return None
        directory.mkdir(exist_ok=True)
        name = f"image-{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"
        (directory / name).write_bytes(data)
        return f"{directory.name}/{name}"


def _shown(picture: Image.Image) -> Image.Image:
    """A picture in the colours of a screen."""
    return in_eight_bits(picture).convert("RGBA" if picture.has_transparency_data else "RGB")
