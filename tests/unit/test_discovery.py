"""Where engines are looked for, and what is said when none answers."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import Denied, EngineUnavailable
from pitchey_cli.engines.discovery import candidates, connect
from pitchey_cli.engines.failures import unreachable
from pitchey_cli.engines.port import EngineKind
from pitchey_cli.engines.process import ProcessEngine

STATE = Path("/state")
DOCKER, PODMAN, PROCESS = EngineKind.DOCKER, EngineKind.PODMAN, EngineKind.PROCESS

USUAL_DOCKER = [
    (DOCKER, "unix:///var/run/docker.sock"),
    (DOCKER, "unix:///run/user/1000/docker.sock"),
    (DOCKER, "unix:///state/engine/docker.sock"),
]
USUAL_PODMAN = [
    (PODMAN, "unix:///run/podman/podman.sock"),
    (PODMAN, "unix:///run/user/1000/podman/podman.sock"),
    (PODMAN, "unix:///state/engine/podman.sock"),
]
NAMED = {"DOCKER_HOST": "unix:///d.sock", "CONTAINER_HOST": "unix:///c.sock"}


@pytest.mark.parametrize(
    ("kind", "url", "environ", "expected"),
    [
        ("auto", None, {}, [*USUAL_DOCKER, *USUAL_PODMAN]),
        ("docker", None, {}, USUAL_DOCKER),
        ("podman", None, {}, USUAL_PODMAN),
        ("auto", "tcp://far:2375", NAMED, [(PODMAN, "tcp://far:2375"), (DOCKER, "tcp://far:2375")]),
        ("docker", "unix:///mine.sock", NAMED, [(DOCKER, "unix:///mine.sock")]),
        ("docker", None, {"DOCKER_HOST": "unix:///d.sock"}, [(DOCKER, "unix:///d.sock"), *USUAL_DOCKER]),
        ("podman", None, NAMED, [(PODMAN, "unix:///d.sock"), (PODMAN, "unix:///c.sock"), *USUAL_PODMAN]),
        ("process", None, NAMED, [(PROCESS, "/state/processes")]),
    ],
)
def test_engines_are_looked_for_in_this_order(
    kind: str, url: str | None, environ: dict[str, str], expected: list[tuple[EngineKind, str]]
) -> None:
    assert candidates(kind, url, environ=environ, state_dir=STATE, uid=1000) == expected


def test_the_runtime_directory_is_where_the_environment_says() -> None:
    found = candidates("podman", None, environ={"XDG_RUNTIME_DIR": "/rt"}, state_dir=STATE, uid=1000)
    assert (PODMAN, "unix:///rt/podman/podman.sock") in found


def test_plain_processes_are_never_taken_unasked(tmp_path: Path) -> None:
    assert all(kind is not PROCESS for kind, _ in candidates("auto", None, environ={}, state_dir=STATE, uid=0))
    assert isinstance(connect("process", state_dir=tmp_path, environ={}), ProcessEngine)


def test_what_was_tried_is_listed(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        connect("auto", f"unix://{tmp_path}/none.sock", state_dir=tmp_path, environ={})
    assert f"docker at unix://{tmp_path}/none.sock: there is no socket" in str(caught.value)
    assert f"podman at unix://{tmp_path}/none.sock: there is no socket" in str(caught.value)


@pytest.mark.parametrize("kind", [DOCKER, PODMAN])
def test_a_socket_that_nobody_listens_on_is_said_to_refuse(tmp_path: Path, kind: EngineKind) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left_over:
        left_over.bind(str(path))
    with pytest.raises(EngineUnavailable, match=f"does not answer at unix://{path}: Connection refused"):
        connect(kind, f"unix://{path}", state_dir=tmp_path, environ={})


def test_a_closed_socket_is_a_matter_of_permission() -> None:
    library = ConnectionError("Connection aborted.", PermissionError(13, "Permission denied"))
    error = unreachable(DOCKER, "unix:///var/run/docker.sock", library)
    assert isinstance(error, Denied)
    assert "usermod -aG docker" in error.hint
