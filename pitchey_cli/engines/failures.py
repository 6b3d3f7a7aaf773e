"""Turns what container libraries raise into Pitchey's errors. Shared by the adapters; knows no library."""

from __future__ import annotations

from pitchey_cli.domain.errors import Denied, EngineUnavailable, PitcheyError
from pitchey_cli.engines.port import EngineKind

_GROUP_HINT = "`sudo usermod -aG docker $USER` lets you in from the next login on; or start Podman as yourself."
_OWNER_HINT = "That service belongs to another user: start one as yourself with `systemctl --user start podman.socket`."


def unreachable(kind: EngineKind, endpoint: str, error: BaseException) -> PitcheyError:
    """The error for an engine that could not be spoken to."""
    for cause in _causes(error):
        if isinstance(cause, PermissionError):
            hint = _GROUP_HINT if kind is EngineKind.DOCKER else _OWNER_HINT
            return Denied(f"{kind.title()} at {endpoint} does not let this user in.", hint=hint)
    return EngineUnavailable(f"{kind.title()} does not answer at {endpoint}: {_reason(error)}.")


def _reason(error: BaseException) -> str:
    """The innermost error of the system, which says it in the fewest words."""
    systems = [cause for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror]
    return systems[-1].strerror or "" if systems else str(error).rstrip(".")


def _causes(error: BaseException) -> list[BaseException]:
    """An error, what caused it, and what it carries: urllib3 and requests put the true error into their arguments."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        item = waiting.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            waiting += [*item.args, item.__cause__, item.__context__, getattr(item, "reason", None)]
    return found
