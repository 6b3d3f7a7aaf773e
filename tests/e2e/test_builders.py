"""The Containerfiles under BuildKit: what comes out is what the classic builder makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pitchey_cli.engines import images
from pitchey_cli.engines.discovery import connect
from processors.vocabulary import Service

CONTENT = (
    "find /opt/pitchey -type f -not -name direct_url.json -not -name RECORD -exec sha256sum {} + | sort | sha256sum; "
    "dpkg-query -W | sha256sum; id -u; pwd; echo $PYTHONPATH"
)


def _docker(url: str, *arguments: str | Path) -> str:
    # The distribution's client has BuildKit in itself; others need a plugin for it.
    client = "/usr/bin/docker" if Path("/usr/bin/docker").exists() else shutil.which("docker")
    assert client is not None, "the docker command is missing"
    done = subprocess.run(
        [client, "-H", url, *map(str, arguments)],
        env=os.environ | {"DOCKER_BUILDKIT": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [0, 1], ids=["base", "video"])
def test_buildkit_makes_the_same_image(number: int, tmp_path: Path) -> None:
    url = os.environ["PITCHEY_TEST_DOCKER"]
    bundle = images.find_ca_bundle(None)
    for _ in images.ensure(connect("docker", url, state_dir=tmp_path), Service.VIDEO, bundle):
        pass
    image = images.plan([Service.VIDEO])[number]
    tag = f"{image.tag}-buildkit"
    arguments = ["--build-arg", f"BASE={image.parent}"] if image.parent else []
    with images.build_context(image, bundle) as context:
        command = ["build", "--network", "host", "-q", "-t", tag, "-f", context / image.containerfile]
        _docker(url, *command, *arguments, context)
    try:
        made = [_docker(url, "run", "--rm", "--entrypoint", "sh", each, "-c", CONTENT) for each in (image.tag, tag)]
        assert made[0] == made[1]
        assert made[0].split()[-3:] == ["10001", "/tmp", "/opt/pitchey"]
    finally:
        _docker(url, "rmi", tag)
