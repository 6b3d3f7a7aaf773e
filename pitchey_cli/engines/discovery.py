"""Where engines may listen, and the first of them that answers.

`candidates` is pure. Adapters are imported when one is tried, because each library takes a tenth of a second to load.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pitchey_cli.domain.errors import Denied, EngineUnavailable, PitcheyError
from pitchey_cli.engines.failures import unreachable
from pitchey_cli.engines.port import Engine, EngineKind

AUTO = "auto"


def candidates(
    kind: str, explicit_url: str | None, *, environ: Mapping[str, str], state_dir: Path, uid: int
) -> list[tuple[EngineKind, str]]:
    """Where to look, in order: what was named, the usual sockets, the engines that `scripts/engine` starts.

    Args:
        kind: an EngineKind, or auto for Docker, else Podman. The process engine has to be asked for by name.
        explicit_url: an address that was given; then there is no other.
    """
    if kind == EngineKind.PROCESS:
        return [(EngineKind.PROCESS, str(state_dir / "processes"))]
    # A socket does not say whose it is, and DOCKER_HOST often names Podman's. Only Podman knows Podman's own requests,
    # so it is tried first; it would answer most of Docker's as well.
    either = (EngineKind.PODMAN, EngineKind.DOCKER)
    runtime_dir = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    engine_dir = state_dir / "engine"
    named = (environ.get("DOCKER_HOST"), environ.get("CONTAINER_HOST"))
    usual = {
        EngineKind.DOCKER: ("/var/run/docker.sock", f"{runtime_dir}/docker.sock", engine_dir / "docker.sock"),
        EngineKind.PODMAN: (
            "/run/podman/podman.sock",
            f"{runtime_dir}/podman/podman.sock",
            engine_dir / "podman.sock",
        ),
    }
    if explicit_url:
        found = [(engine, explicit_url) for engine in either]
    else:
        found = [(engine, url) for url in named if url for engine in either]
        found += [(engine, f"unix://{path}") for engine, paths in usual.items() for path in paths]
    return [item for item in dict.fromkeys(found) if kind in (AUTO, item[0])]


def connect(
    kind: str, explicit_url: str | None = None, *, state_dir: Path, environ: Mapping[str, str] = os.environ
) -> Engine:
    """Give the first engine that answers.

    Raises:
        EngineUnavailable: none does; says what was tried and why each failed.
        Denied: the only one that there is does not let this user in.
    """
    failures: list[tuple[EngineKind, str, PitcheyError]] = []
    for found, url in candidates(kind, explicit_url, environ=environ, state_dir=state_dir, uid=os.getuid()):
        try:
            return _answering(found, url)
        except PitcheyError as error:
            failures.append((found, url, error))
    denied = [error for _, _, error in failures if isinstance(error, Denied)]
    if denied and all(isinstance(error, (Denied, _NoSocket)) for _, _, error in failures):
        raise denied[0]
    tried = "\n".join(f"  {found} at {url}: {error}" for found, url, error in failures)
    raise EngineUnavailable(f"No container engine answers. Tried:\n{tried}", hint=denied[0].hint if denied else None)


class _NoSocket(EngineUnavailable):
    """There is nothing at the address."""


def _answering(kind: EngineKind, url: str) -> Engine:
    if kind is EngineKind.PROCESS:
        from pitchey_cli.engines.process import ProcessEngine

        return ProcessEngine(Path(url))
    engine = _adapter(kind, _reachable(kind, url))
    try:
        engine.info()
    except PitcheyError:
        engine.close()
        raise
    return engine


def _adapter(kind: EngineKind, url: str) -> Engine:
    if kind is EngineKind.DOCKER:
        from pitchey_cli.engines.docker import DockerEngine

        return DockerEngine(url)
    from pitchey_cli.engines.podman import PodmanEngine

    return PodmanEngine(url)


def _reachable(kind: EngineKind, url: str) -> str:
    """Look before loading a library, and go through links: a socket's own path has at most 107 bytes."""
    address = urlsplit(url)
    if address.scheme != "unix":
        return url
    try:
        return f"unix://{Path(address.path).resolve(strict=True)}"
    except PermissionError as error:
        raise unreachable(kind, url, error) from error
    except OSError as error:
        raise _NoSocket("there is no socket.") from error
