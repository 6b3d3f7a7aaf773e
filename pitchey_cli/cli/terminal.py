"""How the command line speaks: data on stdout, messages on stderr, colour only where somebody sees it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.reports.escaping import coloured, escaped

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_debug = False
_C1 = re.compile(r"[\x7f-\x9f]")


def set_debug(wanted: bool) -> None:
    """Whether errors come with a traceback."""
    global _debug
    _debug = wanted


@cache
def out() -> Console:
    """Where data goes. rich honours NO_COLOR and leaves colour out of a pipe by itself."""
    from rich.console import Console

    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 160, soft_wrap=False)


@cache
def messages() -> Console:
    """Where everything else goes."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, emoji=False)


def show(renderable: RenderableType) -> None:
    """Print a table or text."""
    out().print(renderable)


def show_line(text: str, *, has_colours: bool = False, end: str = "\n") -> None:
    """Print a line as it is, and on a terminal without what that would obey.

    Args:
        has_colours: it is a program's own, which may have some.
        end: what comes after it; nothing, where it goes on.
    """
    line = f"{text}{end}"
    if sys.stdout.isatty():
        line = coloured(line) if has_colours else escaped(line)
    sys.stdout.write(line)
    sys.stdout.flush()


def show_json(value: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(_json(value, indent=2) + "\n")


def show_json_lines(values: Iterable[Any]) -> None:
    """Print one JSON document per line, each as soon as it is there."""
    for value in values:
        sys.stdout.write(_json(value, separators=(",", ":")) + "\n")
        sys.stdout.flush()


def _json(value: Any, **form: Any) -> str:
    # JSON writes C0 as \u001b by itself; a terminal obeys DEL and C1 as well, and to a reader of JSON it is the same.
    return _C1.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False, **form))


def say(text: str) -> None:
    """Tell the user something that is not data."""
    sys.stderr.write((escaped(text) if sys.stderr.isatty() else text) + "\n")
    sys.stderr.flush()


def say_debug(text: str) -> None:
    """Tell what happens inside, to whoever asked for it with --debug."""
    if _debug:
        say(text)


def is_debugged() -> bool:
    """Whether somebody wants to see what happens inside."""
    return _debug


def show_error(error: PitcheyError) -> None:
    """One error: what happened, and the way out."""
    if _debug:
        import traceback

        traceback.print_exception(error)
    say(f"error: {error}")
    if error.hint:
        say(f"  {error.hint}")


def show_bug(error: Exception) -> None:
    """An error that nobody foresaw."""
    if _debug:
        import traceback

        traceback.print_exception(error)
    say(f"error: Something unforeseen: {type(error).__name__}: {error}")
    say("  `pitchey --debug ...` shows where. Please report it.")


def is_interactive() -> bool:
    """Whether a person sees what goes to stderr, as it happens."""
    return sys.stderr.isatty()
