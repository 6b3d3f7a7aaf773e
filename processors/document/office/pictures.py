"""The pictures in office files, as files of their own."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

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
            with (
                io.BytesIO(data) as file,
                Image.open(file, formats=("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")) as it,
            ):
                if it.width * it.height > _MOST_PIXELS:
                    return None
                suffix = _AS_THEY_ARE.get(it.format or "")
                if suffix is None or (suffix == "jpg" and it.mode not in ("RGB", "L")):
                    with io.BytesIO() as made:
                        it.convert("RGBA" if it.has_transparency_data else "RGB").save(made, format="PNG")
                        data, suffix = made.getvalue(), "png"
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # Pillow's plugins raise all of them
            return None
        directory.mkdir(exist_ok=True)
        name = f"image-{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"
        (directory / name).write_bytes(data)
        return f"{directory.name}/{name}"
