"""Whether an engine has the runtime that is asked for: one that ignores the question must not pass for one that has it.

Podman 4.3 does just that: its service takes one runtime for all containers, and starts a container that names another,
even one that there is not, with its own.
"""

from __future__ import annotations

from pitchey_cli.domain.errors import RuntimeMissing
from pitchey_cli.engines.port import EngineInfo, EngineKind

_WAYS_OUT = {
    EngineKind.DOCKER: "Name it under `runtimes` in /etc/docker/daemon.json, or change `services.NAME.runtime`.",
    EngineKind.PODMAN: "Podman has one runtime for all containers: `runtime` under [engine] in its containers.conf, or "
    "`podman --runtime ... system service`.",
    EngineKind.PROCESS: "Use Docker or Podman, or leave `services.NAME.runtime` empty.",
}


def check(info: EngineInfo, wanted: str) -> None:
    """Raise RuntimeMissing when the engine cannot start containers with a runtime; none is always there."""
    if wanted and wanted not in info.runtimes:
        has = f"has {', '.join(info.runtimes)}" if info.runtimes else "has none"
        text = f"There is no runtime {wanted!r} for containers: {info.kind.title()} {has}."
        raise RuntimeMissing(text, hint=_WAYS_OUT[info.kind])
