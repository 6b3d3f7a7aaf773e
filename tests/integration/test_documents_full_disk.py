"""Documents whose outputs find no room: the attempt says that, and not that the service is broken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from tests.integration.test_documents import Office
from tests.resources.workers import Worker


@pytest.mark.parametrize("form", ["pdf", "preview"])
def test_a_full_disk_is_told_as_such(tmp_path: Path, form: str) -> None:
    """The spool has one MiB: a file system of its own, in a mount namespace of its own."""
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    mount = f'mount -t tmpfs -o size=1m pitchey {tmp_path}/worker/spool && exec "$@"'
    noise = tmp_path / "noise.png"
    Image.effect_noise((1500, 1500), 80).save(noise)
    with Worker(tmp_path / "worker", service="document", prefix=[*unshare, "sh", "-c", mount, "sh"]) as worker:
        worker.spool = Path(f"/proc/{worker.pid}/root{worker.spool}")
        error = Office(worker).failure(noise, form)
    assert (error["code"], error["retryable"]) == ("disk_full", True)
