"""What is asked of Pitchey while the storm rages, and what each job must come to."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pitchey_cli.domain.errors import ExitCode
from pitchey_cli.domain.job import JobState
from processors.vocabulary import Service
from tests.conftest import RESOURCES, Answer, Pitchey

_TRIES = 200  # of a submission that is refused: the disk is full for seconds
_PAUSE_SECONDS = 0.25
_NEED_SECONDS, _NEED_DOUBLINGS = 3, 4  # until a job begins that others are to wait for
_ORGANISATIONS = ("default", "acme", "initech")
_FILES = (
    RESOURCES / "video" / "carphone_pristine.mp4",
    RESOURCES / "video" / "sample_10s.mp4",
    RESOURCES / "audio" / "sample_10s.mp3",
    RESOURCES / "documents" / "crazyones.pdf",
    RESOURCES / "documents" / "formatting.html",
)
_ATTEMPTS = 12  # so many that injected faults hardly ever use them up


@dataclass(frozen=True)
class Kind:
    """A kind of job: what it asks for and what it must come to."""

    name: str
    share: int  #: of all jobs, in hundredths
    ends_in: JobState
    spec: dict[str, Any] = field(default_factory=dict)
    clip: str = "carphone_pristine.mp4"
    service: Service = Service.VIDEO
    outputs: int = 1
    seconds: float | None = None  #: how long its video or sound is
    holds: bytes = b""  #: what its output has in it, where that is a text
    after: str = ""  #: the kind of the job that it waits for
    options: tuple[str, ...] = ()


_PICTURES = {"outputFormat": "thumbnail", "thumbnailTimes": [0.5, 1, 2]}
KINDS = (
    Kind("pictures", 40, JobState.SUCCEEDED, _PICTURES, outputs=3),
    Kind("short", 18, JobState.SUCCEEDED, {"resolution": "88x72", "quality": "low"}, seconds=4.0),
    Kind(
        "lasting",
        18,
        JobState.SUCCEEDED,
        {"resolution": "160x160", "quality": "low", "framerate": 240},
        "sample_10s.mp4",
        seconds=10.0,
    ),
    Kind("no video", 8, JobState.DEAD, clip="letter.mp4", outputs=0),
    Kind("too large", 2, JobState.DEAD, {"quality": "high"}, "huge.mp4", outputs=0, options=("--max-attempts", "2")),
    Kind("after pictures", 7, JobState.SUCCEEDED, _PICTURES, outputs=3, after="pictures"),
    Kind("after no video", 4, JobState.CANCELLED, _PICTURES, outputs=0, after="no video"),
    Kind(
        "in spite of no video",
        3,
        JobState.SUCCEEDED,
        _PICTURES,
        outputs=3,
        after="no video",
        options=("--if-failed", "run"),
    ),
)
TOO_LARGE = "too large"  #: the kind that only runs out of memory where memory is limited
_INPUT_FIELDS = {Service.VIDEO: "inputUrl", Service.MEDIA: "inputMedia", Service.DOCUMENT: "documentUrl"}


class Asked(Protocol):
    """Whom jobs are submitted to."""

    pitchey: Pitchey  #: whose command line it is
    aside: Path  #: where inputs lie
    violations: list[str]  #: what should never have been seen


@dataclass(frozen=True)
class Entry:
    """A job that `pitchey submit` has acknowledged."""

    kind: Kind
    needs: str = ""  #: the job that it waits for


@dataclass
class Load:
    """Submits jobs in groups, and keeps the ledger of what was acknowledged."""

    ground: Asked
    dice: random.Random
    wanted: int
    kinds: Sequence[Kind] = KINDS
    refusals: Collection[int] = (ExitCode.STORE,)  #: exit codes of a submission that is made again
    most: int = 6  #: jobs of one submission
    ledger: dict[str, Entry] = field(default_factory=dict)
    refused: Counter[int] = field(default_factory=Counter)  #: submissions that were not taken, by exit code
    forgotten: set[str] = field(default_factory=set)  #: acknowledged after a backup that was then restored
    share_allowed: float = 0.0  #: how much of the load may be submitted by now: the storm lets it go on
    error: BaseException | None = None

    def __post_init__(self) -> None:
        self._gate = threading.Lock()  # held while a submission is under way
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")
        self._groups = 0
        self._inputs = self.ground.aside / "inputs"
        self._inputs.mkdir()
        for path in _FILES:
            (self._inputs / path.name).symlink_to(path)
        (self._inputs / "letter.mp4").write_text("Dear all, this is no video.\n" * 50)
        self._deck = self._shuffled_kinds()

    def _shuffled_kinds(self) -> list[Kind]:
        kinds = self.kinds
        counts = {kind.name: max(1, round(self.wanted * kind.share / 100)) for kind in kinds}
        counts[kinds[0].name] += self.wanted - sum(counts.values())
        if TOO_LARGE in counts:
            _make_huge(self._inputs / "huge.mp4")
        deck = [kind for kind in kinds for _ in range(counts[kind.name])]
        self.dice.shuffle(deck)
        return deck

    # --- for the storm

    def start(self) -> None:
        """Begin to submit, in a thread."""
        self._thread.start()

    def hurry(self, jobs: int) -> None:
        """Submit some jobs now: a fault wants company."""
        self.share_allowed = (len(self.ledger) + jobs) / self.wanted

    def finish(self) -> None:
        """Wait until everything has been submitted."""
        self.share_allowed = 1.0
        self._thread.join()
        if self.error is not None:
            raise self.error

    def abandon(self) -> None:
        """Submit no more."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """No submission is under way in here: the ledger is exactly what the database has."""
        with self._gate:
            yield

    def forget_after(self, kept: set[str]) -> int:
        """A backup of the time when only `kept` was acknowledged has been restored; how many were lost with it."""
        lost = self.ledger.keys() - kept
        self.forgotten |= lost
        self._deck += [self.ledger.pop(job_id).kind for job_id in sorted(lost)]
        return len(lost)

    # --- the thread

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                if len(self.ledger) >= self.wanted * self.share_allowed or not self._deck:
                    if self.share_allowed >= 1.0:
                        return
                    self._is_over.wait(_PAUSE_SECONDS)
                    continue
                self._submit_group(self._deck.pop())
        except BaseException as error:
            self.error = error

    def _submit_group(self, kind: Kind) -> None:
        """Some jobs of a kind with one command, tried again until it is acknowledged."""
        number = min(self.dice.randint(1, self.most), 1 + sum(each is kind for each in self._deck))
        for _ in range(number - 1):
            self._deck.remove(kind)
        self._groups += 1
        key = f"storm-{self._groups}"
        options = self._options()
        for again in range(_TRIES):
            with self._gate:
                if self._is_over.is_set():
                    return
                needs = self._submit_need(kind, f"{key}-need-{again}", again) if kind.after else ""
                wait = ("--after", needs) if needs else ()
                own_key = f"{key}-{needs}" if needs else key
                if bool(needs) == bool(kind.after) and self._submit(kind, own_key, number, *options, *wait):
                    return
            self._is_over.wait(_PAUSE_SECONDS)
        self.ground.violations.append(f"submissions of {kind.name!r} were refused {_TRIES} times")

    def _submit_need(self, kind: Kind, key: str, again: int) -> str:
        """A job to wait for, which begins only when those that wait for it are there; nothing when it was refused.

        Args:
            again: how often it was tried before: it begins later on a machine that was too slow.
        """
        seconds = _NEED_SECONDS * 2 ** min(again, _NEED_DOUBLINGS)
        need = next(each for each in self.kinds if each.name == kind.after)
        options = ("--no-cache", "--run-at", f"in {seconds} s", "--max-attempts", str(_ATTEMPTS))
        ids = self._submit(need, key, 1, *options)
        if ids and need in self._deck:
            self._deck.remove(need)
        return ids[0] if ids else ""

    def _submit(self, kind: Kind, key: str, number: int, *options: str) -> list[str]:
        """One command; the ids, or nothing when it was refused."""
        fields = {_INPUT_FIELDS[kind.service]: str(self._inputs / kind.clip), **kind.spec}
        specs = "".join(json.dumps(fields) + "\n" for _ in range(number))
        command = ["submit", kind.service, "-", "--idempotency-key", key, "--backoff", "2s", *options, *kind.options]
        answer = self.ground.pitchey(*command, stdin=specs)
        if answer.code != ExitCode.OK:
            self._note_refusal(answer, kind)
            return []
        if len(answer.lines) != number:
            self.ground.violations.append(f"submit printed {len(answer.lines)} ids for {number} jobs")
        needs = options[options.index("--after") + 1] if "--after" in options else ""
        self.ledger |= {job_id: Entry(kind, needs) for job_id in answer.lines}
        return answer.lines

    def _note_refusal(self, answer: Answer, kind: Kind) -> None:
        self.refused[answer.code] += 1
        # What it was to wait for may have ended meanwhile, and not well.
        is_late = answer.code == ExitCode.USAGE and bool(kind.after) and "which is to be waited for" in answer.err
        if answer.code not in self.refusals and not is_late:
            self.ground.violations.append(f"submit ended with {answer.code}: {answer.err.strip()}")

    def _options(self) -> list[str]:
        dice = self.dice
        options = ["--no-cache", "--max-attempts", str(_ATTEMPTS)]
        options += ["--priority", str(dice.randint(1, 5)), "--organisation", dice.choice(_ORGANISATIONS)]
        return options + (["--batch", "storm"] if dice.random() < 0.3 else [])


def expected_state(entry: Entry, state_of: Callable[[str], JobState]) -> JobState:
    """What a job must come to; one that waits for another goes its way."""
    if not entry.needs or "--if-failed" in entry.kind.options or entry.kind.ends_in is JobState.CANCELLED:
        return entry.kind.ends_in
    return entry.kind.ends_in if state_of(entry.needs) is JobState.SUCCEEDED else JobState.CANCELLED


def _make_huge(path: Path) -> None:
    """A short clip of 8K, whose encoder takes more memory than the two smallest instance types have."""
    frame = path.with_name("frame.mp4")  # one, repeated without another encoding
    draw = ["-f", "lavfi", "-i", "color=gray:size=7680x4320:rate=10", "-frames:v", "1", "-pix_fmt", "yuv420p"]
    subprocess.run(["ffmpeg", "-v", "error", *draw, "-preset", "ultrafast", frame], check=True)
    subprocess.run(["ffmpeg", "-v", "error", "-stream_loop", "39", "-i", frame, "-c", "copy", path], check=True)
