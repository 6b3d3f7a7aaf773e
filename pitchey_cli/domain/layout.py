"""Where things lie in the state directory. Pure: paths in, paths out.

pitchey.db            the queue
pitchey.db.before-restore-<time>  what it was before a backup was put in its place
artifacts/            files by content
cache/                of the artifacts that are kept in a bucket, those used last
fetched/              which content URLs had under which ETag
instances/<id>/       an instance's inputs/, spool/ and run/, for as long as it exists
supervisors/<id>/     the record of a supervisor, and what it has printed
uploads/<request>/    files that come with a request, until they are artifacts
incoming/<whose>/<upload>/  files that are uploaded piece by piece, until a job takes them or they expire
packages/<key>/       packages that were fetched for programs
models/<name>/<version>/  models that were added to those of the image
logs/<job>/<n>.ndjson the events of an attempt that has ended, log lines among them
node.id node.file     which node of several this is, and the number of that file: a copied one has another
daemon.lock wake.sock who runs the jobs, and how to wake them
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from pitchey_cli.domain.job import Token

EVENTS_BYTES = 64 * 2**20  #: a longer log of an attempt is not taken; the worker stops at a sixth of that


def database(state_dir: Path) -> Path:
    """The SQLite file."""
    return state_dir / "pitchey.db"


BESIDE_DATABASE = ("-wal", "-shm", "-journal")  #: what SQLite adds to a database's name for files of its own


def label(state_id: str, state_dir: Path) -> str:
    """What instances carry, to be found again: a copy of the database elsewhere has instances of its own.

    Args:
        state_id: of the database.
        state_dir: where it lies, without links.
    """
    from hashlib import sha256  # late: every verb loads this module, and none that only reads needs it

    return sha256(state_id.encode() + b"\0" + os.fsencode(state_dir)).hexdigest()[:16]


BEFORE_RESTORE = "pitchey.db.before-restore-"


def before_restore(state_dir: Path, at: datetime) -> Path:
    """Where a database is put aside when a backup takes its place."""
    return state_dir / f"{BEFORE_RESTORE}{at:%Y%m%dT%H%M%S%f}Z"


def artifacts(state_dir: Path) -> Path:
    """Where artifacts are kept."""
    return state_dir / "artifacts"


def cache(state_dir: Path) -> Path:
    """Artifacts that are kept in a bucket, and are here as well."""
    return state_dir / "cache"


def fetched(state_dir: Path) -> Path:
    """What is remembered of URLs that were fetched."""
    return state_dir / "fetched"


def instances(state_dir: Path) -> Path:
    """Where every instance has its directory."""
    return state_dir / "instances"


def node_id(state_dir: Path) -> Path:
    """Where the id of the node is."""
    return state_dir / "node.id"


def supervisors(state_dir: Path) -> Path:
    """Where the supervisors of instances that are groups are kept track of."""
    return state_dir / "supervisors"


def instance(state_dir: Path, instance_id: str) -> Path:
    """Where an instance's three directories are."""
    return instances(state_dir) / instance_id


def in_spool(token: Token, name: str) -> str:
    """A file of a live attempt, relative to its instance's directory: what is below it is the instance's to write."""
    return f"spool/{token}/{name}"


def packages(state_dir: Path) -> Path:
    """Where packages are kept that were fetched for programs."""
    return state_dir / "packages"


def models(state_dir: Path) -> Path:
    """Where models are kept that were added on this machine."""
    return state_dir / "models"


def uploads(state_dir: Path) -> Path:
    """Where files lie that come with requests, for as long as these take."""
    return state_dir / "uploads"


def incoming(state_dir: Path) -> Path:
    """Where files lie that are uploaded piece by piece: they outlive the process that takes them."""
    return state_dir / "incoming"


def logs(state_dir: Path) -> Path:
    """Where every job has a folder for the events of its attempts that have ended."""
    return state_dir / "logs"


def kept_events(state_dir: Path, token: Token) -> Path:
    """The events of an attempt that has ended."""
    job_id, _, number = token.partition(".")
    return logs(state_dir) / job_id / f"{number}.ndjson"
