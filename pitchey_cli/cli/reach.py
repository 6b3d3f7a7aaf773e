"""Where a command does its work: at this machine, or at a server that was named. The only place that knows both.

What makes no sense but at the machine of the daemon asks for `here()`, and says so when a server is chosen.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pitchey_cli.cli import terminal
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.values import dataclass
from pitchey_cli.wiring import Wiring

if TYPE_CHECKING:
    from pitchey_cli.remote.contexts import Chosen

LOCAL = "local"  #: the context that is this machine
SERVER_VARIABLE, CONTEXT_VARIABLE, TOKEN_VARIABLE = "PITCHEY_SERVER", "PITCHEY_CONTEXT", "PITCHEY_TOKEN"


@dataclass(frozen=True)
class Said:
    """What was said before the verb."""

    server: str = ""
    context: str = ""
    token_file: Path | None = None
    verb: str = ""


_said = Said()


def say(said: Said) -> None:
    """Note what was said before the verb."""
    global _said
    _said = said


def wiring() -> Wiring:
    """What a verb works with."""
    chosen = _chosen()
    if chosen is None:
        return Wiring.from_environment()
    from pitchey_cli.cli.fetching import fetch_progress
    from pitchey_cli.remote.wiring import RemoteWiring  # late: it loads httpx, which no other verb waits for

    if chosen.token and chosen.address.is_overheard:
        terminal.say(f"warning: {chosen.address} has no TLS: whoever is on the way can read the token.")
    return RemoteWiring.of(chosen, showing=fetch_progress)


def here() -> Wiring:
    """What a verb works with that is about this machine.

    Raises:
        UsageError: a server was chosen.
    """
    refuse_server()
    return Wiring.from_environment()


def refuse_server() -> None:
    """Raise UsageError when a server was chosen."""
    chosen = _chosen()
    if chosen is not None:
        of = f"`pitchey {_said.verb}`" if _said.verb else "This"
        text = f"{of} works at the machine of the daemon alone, and {chosen.address} is chosen."
        raise UsageError(text, hint="Do it there; `--context local` before the verb means this machine.")


def _chosen() -> Chosen | None:
    """The server that was named: on the line, in the environment, or by the context in use; None for this machine."""
    server, context = _said.server, _said.context
    if server and context:
        raise UsageError("--server and --context do not go together.", hint="Leave one of them out.")
    if not server and not context:
        server, context = os.environ.get(SERVER_VARIABLE, ""), os.environ.get(CONTEXT_VARIABLE, "")
        context = "" if server else context
    from pitchey_cli.remote import contexts

    return contexts.choose(
        server, context, token_file=_said.token_file, token=os.environ.get(TOKEN_VARIABLE, ""), environ=os.environ
    )
