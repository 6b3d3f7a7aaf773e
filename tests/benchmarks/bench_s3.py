"""How fast files go into a bucket and come out of it, beside boto3's own transfer with the settings that it has.

Prints a table. The server is on this machine and takes its share of it; both sides meet the same one, by turns.

    python tests/benchmarks/bench_s3.py [MEGABYTES]
"""

from __future__ import annotations

import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the server is one of the tests' own

from pitchey_cli.artifacts.bucket_downloads import download
from pitchey_cli.artifacts.bucket_uploads import upload
from pitchey_cli.artifacts.buckets import Bucket
from pitchey_cli.domain.buckets import Profile
from tests.servers.s3 import OWNER, S3Server

MEGABYTES = 1024
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    size = (int(sys.argv[1]) if len(sys.argv) > 1 else MEGABYTES) * 2**20
    with tempfile.TemporaryDirectory(prefix="bench-s3-", dir="/var/tmp") as folder:
        server = S3Server(Path(folder) / "server")
        server.start()
        try:
            _measure(server, Path(folder), size)
        finally:
            server.stop()


def _measure(server: S3Server, folder: Path, size: int) -> None:
    name = server.new_bucket().name
    keys = {"access_key": OWNER.access, "secret_key": OWNER.secret}
    bucket = Bucket(Profile(endpoint_url=server.endpoint, region=server.region, path_style=True, **keys), name)
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=server.region,
        aws_access_key_id=OWNER.access,
        aws_secret_access_key=OWNER.secret,
    )
    source, target = folder / "source", folder / "target"
    sha256 = _fill(source, size)
    ways: dict[str, Callable[[], object]] = {
        "upload": lambda: upload(bucket, "ours", source, sha256=sha256),
        "upload, boto3": lambda: client.upload_file(str(source), name, "theirs"),
        "download": lambda: download(bucket, "ours", bucket.head("ours"), target),
        "download, boto3": lambda: client.download_file(name, "ours", str(target)),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, act in ways.items():
            began = time.perf_counter()
            act()
            seconds[way].append(time.perf_counter() - began)
            if way == "download" and _hashed(target) != sha256:
                raise AssertionError("what came back is not what was sent")
            target.unlink(missing_ok=True)
        bucket.delete(["theirs"])
    for way, taken in seconds.items():
        print(f"{way:18} {size / 2**20 / statistics.median(taken):8.0f} MB/s")  # noqa: T201
    for way in ("upload", "download"):
        ratios = [theirs / ours for ours, theirs in zip(seconds[way], seconds[f"{way}, boto3"], strict=True)]
        print(f"{way}: {statistics.median(ratios):.2f} of boto3's own speed")  # noqa: T201


def _fill(path: Path, size: int) -> str:
    block, digest = os.urandom(2**20), hashlib.sha256()
    with path.open("wb") as file:
        for number in range(size // 2**20):
            piece = number.to_bytes(8, "big") + block[8:]
            file.write(piece)
            digest.update(piece)
    return digest.hexdigest()


def _hashed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
