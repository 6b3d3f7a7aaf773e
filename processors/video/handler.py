"""Runs the plan, and verifies what came out before it is reported."""

from __future__ import annotations

import shutil
import time
from typing import Any

from processors.protocol import OutputFile, Result, VideoSpec
from processors.video.jpeg import jpeg_size
from processors.video.plan import LAST_FRAME_SECONDS, Planned, Step, last_frame, plan, thumbnail_after_end
from processors.video.probe import Probe, probe
from processors.video.progress import ProgressReader
from processors.worker.context import Context, HandlerError, ProgramFailed, Rejected

_FEWEST_MISSING_SECONDS = 0.5  # a result may be so much shorter than its source, for rounding and padding ...
_MISSING_SHARE = 0.02  # ... or by so much of it
_CUT_OFF = "The file seems to be cut off: copy or download it again."
_ETA_AFTER_SECONDS = 1.0  # an estimate from less would jump


def warm() -> None:
    """Find out before the first attempt what every attempt would fail for."""
    missing = [name for name in ("ffmpeg", "ffprobe") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"{' and '.join(missing)} cannot be found on PATH; on Debian: apt-get install ffmpeg")


def handle(context: Context[VideoSpec]) -> Result:
    """Transcode the video, take thumbnails, or both."""
    return _Run(context).result()


class _Run:
    """One attempt's way through the steps."""

    def __init__(self, context: Context[VideoSpec]) -> None:
        self._context = context
        self._name = context.input_name("input_url")
        self._source = context.input_path("input_url")
        self._started = time.monotonic()
        context.progress("probe", 0.0)
        self._probe = probe(self._source, self._name)
        self._steps = plan(context.spec, self._probe, self._source, self._name)

    def result(self) -> Result:
        outputs: list[OutputFile] = []
        done = 0.0
        total = sum(step.cost for step in self._steps)
        for step in self._steps:
            seconds = self._run(step, done / total, step.cost / total)
            done += step.cost
            outputs += [self._verified(planned, step, seconds, done / total) for planned in step.outputs]
        self._context.progress("done", 1.0)
        return Result(outputs=outputs, details={"input": _details(self._probe)})

    def _run(self, step: Step, begun: float, share: float) -> float:
        """Run one step; give the seconds of media that ffmpeg has made."""

        def report(seconds: float, speed: float | None) -> None:
            part = min(1.0, seconds / step.seconds) if step.seconds else 0.0
            fraction = begun + share * part
            elapsed = time.monotonic() - self._started
            eta = elapsed * (1 - fraction) / fraction if fraction > 0 and elapsed > _ETA_AFTER_SECONDS else None
            is_known = step.seconds is not None or step.stage == "thumbnails"
            self._context.progress(step.stage, fraction if is_known else None, eta_seconds=eta, speed=speed)

        reader = ProgressReader(report)
        try:
            self._context.run(step.argv, on_stdout=reader)
        except ProgramFailed as error:
            if error.signal is not None or error.met_full_disk:
                raise
            words = f" ffmpeg says: {error.tail[-1]}" if error.tail else ""
            hint = "The attempt's log has all that ffmpeg said; the file may be damaged."
            raise HandlerError(
                "ffmpeg_failed", f"{self._name} could not be processed.{words}", hint, retryable=False
            ) from error
        return reader.seconds

    def _verified(self, planned: Planned, step: Step, made_seconds: float, done: float) -> OutputFile:
        if planned.time_seconds is not None:
            return self._verified_thumbnail(planned, planned.time_seconds, done)
        if _is_short(made_seconds, step.seconds):
            self._came_short(made_seconds, step.seconds)
        made = self._probe_output(planned)
        if _is_short(made.duration_seconds or 0.0, made_seconds):
            raise _incomplete(planned, f"it is {made.duration_seconds or 0:g} s long instead of {made_seconds:g} s")
        return self._described(planned, _details(made))

    def _came_short(self, made_seconds: float, expected_seconds: float | None) -> None:
        """Blame the input, where its header can be trusted to know its length."""
        message = f"{self._name} ends after {made_seconds:.1f} s, but should be {expected_seconds:.1f} s long."
        if self._probe.is_duration_exact:
            raise Rejected("truncated", message, _CUT_OFF)
        self._context.log(message)

    def _verified_thumbnail(self, planned: Planned, at_seconds: float, done: float) -> OutputFile:
        end = self._probe.video_seconds
        if not self._exists(planned) and (end is None or at_seconds > end - LAST_FRAME_SECONDS):
            self._run(last_frame(self._context.spec, self._probe, self._source, planned), done, 0.0)
        if not self._exists(planned):
            if end is None or not self._probe.is_duration_exact:
                raise thumbnail_after_end(at_seconds, None, self._name)
            message = f"{self._name} has no picture at {at_seconds:g} s, but should be {end:g} s long."
            raise Rejected("truncated", message, _CUT_OFF)
        try:
            width, height = jpeg_size((self._context.out / planned.name).read_bytes())
        except ValueError as error:
            raise _incomplete(planned, str(error)) from error
        return self._described(planned, {"timeSeconds": at_seconds, "width": width, "height": height})

    def _exists(self, planned: Planned) -> bool:
        path = self._context.out / planned.name
        return path.exists() and path.stat().st_size > 0

    def _probe_output(self, planned: Planned) -> Probe:
        if not self._exists(planned):
            raise _incomplete(planned, "it is missing")
        try:
            return probe(self._context.out / planned.name, planned.name)
        except Rejected as error:
            raise _incomplete(planned, error.message) from error

    def _described(self, planned: Planned, details: dict[str, Any]) -> OutputFile:
        return self._context.output(planned.name, media_type=planned.media_type, role=planned.role, details=details)


def _is_short(seconds: float, expected: float | None) -> bool:
    return expected is not None and expected - seconds > max(_FEWEST_MISSING_SECONDS, expected * _MISSING_SHARE)


def _incomplete(planned: Planned, why: str) -> HandlerError:
    return HandlerError("output_incomplete", f"The output {planned.name} is not what it should be: {why}.")


def _details(measured: Probe) -> dict[str, Any]:
    """Say what was measured; as the job's result shows it."""
    details = {
        "format": measured.format,
        "width": measured.video.width,
        "height": measured.video.height,
        "durationSeconds": measured.duration_seconds,
        "framerate": measured.video.framerate,
        "bitrate": measured.bitrate,
        "videoCodec": measured.video.codec,
        "audioCodec": measured.audio and measured.audio.codec,
        "audioChannels": measured.audio and measured.audio.channels,
    }
    return {key: value for key, value in details.items() if value is not None}
