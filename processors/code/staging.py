"""The job's files are written by a helper that is the job's user, straight from the supervisor's frames.

No program of the job has run yet, so there is nothing in the way but what the job itself names; names have been looked
at.
"""

from __future__ import annotations

import contextlib
import os

from processors.code import children
from processors.code.pipes import FrameReader
from processors.code.slot_protocol import JOB_DIR, OUT_DIR_NAME, Job

_PRIVATE = 0o700
_REASON_BYTES = 4096


class NotStaged(Exception):
    """The files cannot be written; says why."""


def stage(job: Job, frames: FrameReader, uid: int) -> None:
    """Take the bytes of the files from where the supervisor sends them.

    Raises:
        NotStaged: the supervisor sends something else, or there is no room.
    """

    def work(answer: int) -> None:
        try:
            _write_files(job, frames)
        except OSError as error:
            os.write(answer, f"the files cannot be written: {error.strerror}".encode())
        except Exception as error:
            os.write(
                answer, f"the files do not come as announced: {error!r}".encode("utf-8", "replace")[:_REASON_BYTES]
            )

    helper = children.start_helper(uid, work)
    answer = os.read(helper.fd, _REASON_BYTES)  # nothing, when all went well
    if not children.wait_for_helper(helper) or answer:
        raise NotStaged(answer.decode("utf-8", "replace") or "the files could not be written")


def _write_files(job: Job, frames: FrameReader) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(f"{JOB_DIR}/{OUT_DIR_NAME}", _PRIVATE)  # noqa: PTH102  # pathlib costs a slot that waits a megabyte
    for file in job.files:
        _make_parents(file.name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(f"{JOB_DIR}/{file.name}", flags, 0o600)
        left = file.size
        while left:
            data = frames.raw(left)
            left -= len(data)
            while data:
                data = data[os.write(fd, data) :]
        os.close(fd)


def _make_parents(name: str) -> None:
    parts = name.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        with contextlib.suppress(FileExistsError):
            os.mkdir("/".join((JOB_DIR, *parts[:count])), _PRIVATE)  # noqa: PTH102
