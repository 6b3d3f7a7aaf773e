"""Which names files may have, on the way in and on the way out. Pure.

A name is a relative path with forward slashes. Whatever could leave the directory, hide itself or confuse a terminal is
refused, and not repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

MAX_SEGMENT_BYTES = 255  # of every Linux file system
MAX_NAME_BYTES = 1024
MAX_DEPTH = 16

ANY_DEPTH = "**"


def problem_with(name: object) -> str | None:
    """Say what is wrong with a name; None when nothing is."""
    if not isinstance(name, str):
        return "is no text"
    if not name:
        return "is empty"
    if not name.isprintable():  # control characters, marks of direction, halves of pairs
        return "has characters that cannot be printed"
    if "\\" in name:
        return "has a backslash"
    if name.startswith("/"):
        return "is absolute"
    segments = name.split("/")
    if any(not segment.strip(" .") for segment in segments):
        return "has a part of dots or blanks, or an empty one"
    if len(segments) > MAX_DEPTH:
        return f"is deeper than {MAX_DEPTH} directories"
    if len(name.encode()) > MAX_NAME_BYTES or any(len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments):
        return "is too long"
    return None


def problem_among(names: Iterable[str], reserved: Iterable[str] = ()) -> str | None:
    """Say which of several names cannot stand beside the others.

    Args:
        reserved: names that nobody but us may give.
    """
    taken: set[str] = set()
    directories: set[str] = set()
    kept = set(reserved)
    for name in names:
        if problem := problem_with(name):
            return f"the name {name!r} {problem}"
        if name in kept:
            return f"the name {name!r} is used by the service itself"
        if name in taken:
            return f"the name {name!r} comes twice"
        taken.add(name)
        parts = name.split("/")
        directories.update("/".join(parts[:count]) for count in range(1, len(parts)))
    for name in sorted(directories & (taken | kept)):
        return f"the name {name!r} is a file and a directory"
    return None


def may_hold(directory: str, pattern: str) -> bool:
    """Whether something below a directory can be meant by a pattern."""
    parts, patterns = directory.split("/"), pattern.split("/")
    for part, wanted in zip(parts, patterns, strict=False):
        if wanted == ANY_DEPTH:
            return True
        if not fnmatchcase(part, wanted):
            return False
    return len(patterns) > len(parts)


def matches(name: str, pattern: str) -> bool:
    """Whether a name is meant by a pattern: `*` and `?` within a directory, `**` for any number of them."""
    return _matches(name.split("/"), pattern.split("/"))


def _matches(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    if not patterns:
        return not parts
    if patterns[0] == ANY_DEPTH:
        rest = patterns[1:]
        while rest and rest[0] == ANY_DEPTH:  # several mean no more than one, and cost far more
            rest = rest[1:]
        if not rest:
            return bool(parts)
        return any(_matches(parts[skipped:], rest) for skipped in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], patterns[0]) and _matches(parts[1:], patterns[1:])
