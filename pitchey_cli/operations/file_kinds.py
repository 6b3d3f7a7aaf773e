"""Whether a file beside the input is of a kind that its field takes, as far as its first bytes tell.

So a mistake is met before a job is queued; all of the file is looked at where the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pitchey_cli.domain.errors import InputRejected

_HEAD_BYTES = 4096
_UTF8_MARK = b"\xef\xbb\xbf"


def _is_png(head: bytes) -> bool:
    return head.startswith(b"\x89PNG\r\n\x1a\n")


def _is_jpeg(head: bytes) -> bool:
    return head.startswith(b"\xff\xd8\xff")


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _is_object(head: bytes) -> bool:
    return head.removeprefix(_UTF8_MARK).lstrip().startswith(b"{")


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What a field takes."""

    name: str
    tests: tuple[Callable[[bytes], bool], ...]


_KINDS: Mapping[str, _Kinds] = {
    "cover_url": _Kinds("JPEG or PNG", (_is_jpeg, _is_png)),
    "watermark.image_url": _Kinds("PNG, JPEG or WebP", (_is_png, _is_jpeg, _is_webp)),
    "chapters_url": _Kinds("Podcasting 2.0 JSON", (_is_object,)),
}


def check(field: str, location: str, name: str) -> None:
    """Look at the beginning of a file on this machine.

    Args:
        field: in snake_case, of a part as `watermark.image_url`.
        name: what to call it in messages.

    Raises:
        InputRejected: it is of no kind that the field takes.
    """
    kinds = _KINDS.get(field)
    if kinds is None:
        return
    try:
        with Path(location).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:  # whoever takes the file says so
        return
    if not any(test(head) for test in kinds.tests):
        raise InputRejected(f"{name} is no {kinds.name}.", hint=f"Only {kinds.name} can be taken here.")
