"""The log lines of a job's attempts: from the log folder once an attempt has ended, from its spool while it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from pitchey_cli.artifacts.beneath import read_beneath
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import TERMINAL, Attempt, JobId, Token
from pitchey_cli.store.port import Store
from processors import protocol

NOTICES = "pitchey"  #: the stream of lines that no attempt wrote: where its log is
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that an attempt wrote."""

    attempt: int
    at: datetime
    stream: str
    line: str


@dataclass
class Tail:
    """Gives out the lines of a job as they come, each once."""

    state_dir: Path
    job_id: JobId
    attempt: int | None = None  #: only this one; None: all of them
    _read: dict[Token, int] = field(default_factory=dict)  # bytes of each attempt's events that have been given out

    def new(self, store: Store) -> Iterator[LogLine]:
        """Those that have not been given out."""
        for item in store.attempts(self.job_id):
            if self.attempt is None or item.number == self.attempt:
                yield from _new_lines(self.state_dir, item, self._read)


def elsewhere(store: Store, state_dir: Path, job_id: JobId, *, attempt: int | None, is_of_all: bool) -> list[LogLine]:
    """Which attempts have their log on another node, as lines of the stream `NOTICES`; none where it is here.

    Args:
        store: as one of the whole installation has it.
        is_of_all: whether machines may be named.
    """
    try:
        own = layout.node_id(state_dir).read_text(encoding="ascii", errors="replace").strip()
    except OSError:  # no daemon has ever run here
        own = ""
    found = []
    for each in store.attempts(job_id):
        is_kept = layout.kept_events(state_dir, each.token).exists()
        if attempt not in (None, each.number) or not each.node or each.node == own or is_kept:
            continue
        text = f"The log of attempt {each.number} is on another machine of the installation."
        if is_of_all:
            name = each.node_name or each.node
            text = (
                f"The log of attempt {each.number} is on the node {name}:"
                f" `pitchey logs {job_id}` there prints it, and so does the API of its daemon."
            )
        found.append(LogLine(each.number, each.started_at, NOTICES, text))
    return found


def lines(store: Store, state_dir: Path, job_id: JobId, *, attempt: int | None, follow: bool) -> Iterator[LogLine]:
    """Log lines in order; with `follow`, until the job has ended.

    Args:
        attempt: only this one; None means all of them.
    """
    tail = Tail(state_dir, job_id, attempt)
    while True:
        # The state is looked at before the files: what a job wrote before its end is there when the end is.
        has_ended = store.job(job_id).state in TERMINAL
        yield from tail.new(store)
        if has_ended or not follow:
            yield from elsewhere(store, state_dir, job_id, attempt=attempt, is_of_all=True)
            return
        time.sleep(_LOOK_SECONDS)


def _places(state_dir: Path, attempt: Attempt) -> tuple[tuple[Path, str], tuple[Path, str]]:
    """The kept file, and the live one; what is below an instance's directory is the instance's to write."""
    kept = layout.kept_events(state_dir, attempt.token)
    live = layout.in_spool(attempt.token, protocol.EVENTS_NAME)
    return (kept.parent, kept.name), (layout.instance(state_dir, attempt.instance_id), live)


def _new_lines(state_dir: Path, attempt: Attempt, read: dict[Token, int]) -> Iterator[LogLine]:
    begin = read.get(attempt.token, 0)
    for root, relative in _places(state_dir, attempt):
        # The kept file is a copy of the live one: the same bytes at the same place.
        data = read_beneath(root, relative, limit_bytes=layout.EVENTS_BYTES, begin=begin)
        if data is None:  # it moves from the spool to the log folder at its end; and it may not have begun
            continue
        whole, newline, _ = data.rpartition(b"\n")  # a line may be half written
        read[attempt.token] = begin + len(whole) + len(newline)
        for raw in whole.splitlines():
            try:
                event = protocol.EVENT.validate_json(raw)
            except ValidationError:
                continue
            if isinstance(event, protocol.LogEvent):
                yield LogLine(attempt.number, datetime.fromtimestamp(event.at, UTC), event.stream, event.line)
        return
