"""A worker in an instance of its service, as the daemon starts one: its image, its limits, its isolation.

What is measured there is measured where jobs run. Needs PITCHEY_TEST_DOCKER, and the docker command.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path
from typing import Self

from pitchey_cli.domain.limits import INSTANCE_TYPES, grant
from pitchey_cli.engines import images
from pitchey_cli.engines.docker import DockerEngine
from pitchey_cli.engines.hardening import container_name
from pitchey_cli.engines.port import InstanceSpec, InstanceStatus, Mount
from processors.protocol import INPUTS_DIR, RUN_DIR, SPOOL_DIR
from processors.vocabulary import Service
from tests.resources.waiting import until
from tests.resources.workers import Worker

SHARED = "/bench"  #: a directory of the host, inside
_ORPHAN_SECONDS = "900"  # after which an instance ends whose benchmark was killed
_UNPRIVILEGED = (10001, 10001)  # what an instance runs as where the daemon is root


class Housed(Worker):
    """A worker in a Docker container of type standard-2; commands can be run beside it."""

    def __init__(self, home: Path, *, service: str, shared: Path) -> None:
        """Prepare one.

        Args:
            shared: a directory that is `SHARED` inside, and can be written there.
        """
        super().__init__(home, service=service)
        self._shared = shared
        self._url = os.environ["PITCHEY_TEST_DOCKER"]
        self._engine = DockerEngine(self._url)
        self._id = f"bench-{uuid.uuid4().hex[:8]}"

    def start(self) -> Self:
        """Build its image, start it, and wait until it takes attempts."""
        service = Service(self._service)
        for _ in images.ensure(self._engine, service, images.find_ca_bundle(None)):
            pass
        user = (os.geteuid(), os.getegid()) if os.geteuid() else _UNPRIVILEGED
        for directory in (self.run, self.spool, self._shared):
            os.chown(directory, *user)
        host = self._engine.info()
        granted = grant(INSTANCE_TYPES["standard-2"], host_cpus=host.cpus, host_memory_bytes=host.memory_bytes)
        places = ("--run", RUN_DIR, "--inputs", INPUTS_DIR, "--spool", SPOOL_DIR)
        spec = InstanceSpec(
            instance_id=self._id,
            image=images.current_tag(service),
            command=("--service", self._service, *places, "--idle-exit", _ORPHAN_SECONDS),
            limits=granted.granted,
            mounts=(
                Mount(self.inputs, INPUTS_DIR, is_read_only=True),
                Mount(self.spool, SPOOL_DIR),
                Mount(self.run, RUN_DIR),
                Mount(self._shared, SHARED),
            ),
            user=user,
        )
        self._engine.start(spec)
        until(lambda: self._accepts() or self._has_ended(), "the worker is ready")
        assert not self._has_ended(), self._engine.logs(self._id)
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.remove(self._id)
        self._engine.close()
        super().__exit__()

    def execute(self, script: str) -> tuple[float, str]:
        """Run a script of sh in `SHARED`; give the seconds that it took by the clock inside, and its stderr."""
        moment = "date +%s.%N"  # without what it takes to get in
        docker = ["docker", "-H", self._url, "exec", "-w", SHARED, container_name(self._id)]
        done = subprocess.run(
            [*docker, "sh", "-ec", f"{moment}\n{script}\n{moment}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        began, ended = (float(line) for line in done.stdout.split())
        return ended - began, done.stderr

    @property
    def cpu_seconds(self) -> float:
        """What all in it has used of the processors so far."""
        return self._engine.usage(self._id).cpu_seconds

    def _has_ended(self) -> bool:
        return self._engine.inspect(self._id).status is InstanceStatus.EXITED
