"""Who holds a state directory, seen at the moments at which that changes."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from pathlib import Path

from pitchey_cli.daemon import lock


def test_the_name_of_a_holder_that_has_died_is_not_taken_for_that_of_the_next(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    name = {"pid": dead.pid, "is_daemon": True, "started_at": 0.0, "engine": "docker"}
    (tmp_path / lock.LOCK_NAME).write_text(json.dumps(name))
    with (tmp_path / lock.LOCK_NAME).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # and has not written its name yet
        found = lock.holder(tmp_path)
    assert found is not None
    assert (found.pid, found.engine) == (0, "")


def test_the_holder_is_known_while_it_holds(tmp_path: Path) -> None:
    with lock.lock(tmp_path, is_daemon=False, engine="podman"):
        found = lock.holder(tmp_path)
        assert found is not None
        assert (found.pid, found.is_daemon, found.engine) == (os.getpid(), False, "podman")
    assert lock.holder(tmp_path) is None
