"""What others have written, for a terminal: it may have colours, and nothing else of what a terminal obeys. Pure.

A terminal obeys whoever writes to it: it moves the cursor over what was said before, sets its title, writes the
clipboard, and types answers to questions as if the user had. So control characters (C0 but newline and tab, DEL and C1)
are shown as `\\x1b`, but for a carriage return before a newline and, where colours may be, SGR (`ESC [ ... m`).
"""

from __future__ import annotations

import re

_RESET = "\x1b[0m"
_SGR = r"\x1b\[[0-9;:]*m"
_OBEYED = re.compile(rf"{_SGR}|\r\n|[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udc9f]")  # the last are bytes, see below
_RESETS = re.compile(r"\x1b\[[0;:]*m")


def escaped(text: str) -> str:
    """A text that has no colours of its own: a message, a name, a path."""
    return _OBEYED.sub(_shown, text)


def coloured(text: str) -> str:
    """A text that may have colours; they end with it."""
    last = ""

    def passed(found: re.Match[str]) -> str:
        nonlocal last
        if not found[0].startswith("\x1b["):
            return _shown(found)
        last = found[0]
        return last

    shown = _OBEYED.sub(passed, text)
    return shown if not last or _RESETS.fullmatch(last) else shown + _RESET


def coloured_bytes(data: bytes) -> bytes:
    """The same of bytes: those that are no UTF-8 stay as they are, unless they are control characters by themselves."""
    return coloured(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _shown(found: re.Match[str]) -> str:
    text = found[0]
    return text if text == "\r\n" else f"\\x{ord(text[0]) & 0xFF:02x}{text[1:]}"
