"""Carries out the plan, and verifies what came out before it is reported."""

from __future__ import annotations

import time
from typing import Any

from processors.protocol import OutputFile, Result
from processors.specs import VideoSpec
from processors.video.pictures import picture_at
from processors.video.plan import Thumbnail, Transcode, plan, thumbnail_after_end
from processors.video.probe import Probe, probe
from processors.video.progress import ProgressReader
from processors.worker.context import Context, HandlerError, ProgramFailed, Rejected

_FEWEST_MISSING_SECONDS = 0.5  # a result may be so much shorter than its source, for rounding and padding ...
_MISSING_SHARE = 0.02  # ... or by so much of it
_CUT_OFF = "The file seems to be cut off: copy or download it again."
_ETA_AFTER_SECONDS = 1.0  # an estimate from less would jump
_THUMBNAIL_COST = 0.1  # of a thumbnail, in seconds of media: for the share of the progress only
_LAST_PICTURE_FRAMES = 2
_LAST_PICTURE_SECONDS = 2.0  # a last picture that stands for longer than this is taken for a file that was cut off


class Work:
    """One attempt's way through the plan."""

    def __init__(self, context: Context[VideoSpec]) -> None:
        self._context = context
        self._name = context.input_name("input_url")
        self._source = context.input_path("input_url")
        self._started = time.monotonic()
        context.progress("probe", 0.0)
        self._probe = probe(self._source, self._name)
        self._plan = plan(context.spec, self._probe, self._source, self._name)

    def result(self) -> Result:
        """Do the work, and say what came of it."""
        outputs: list[OutputFile] = []
        transcode, thumbnails = self._plan.transcode, self._plan.thumbnails
        cost = 0.0 if transcode is None else transcode.seconds or 1.0
        total = cost + len(thumbnails) * _THUMBNAIL_COST
        if transcode is not None:
            outputs.append(self._transcoded(transcode, cost / total))
        for number, thumbnail in enumerate(thumbnails, start=1):
            outputs.append(self._taken(thumbnail))
            self._context.progress("thumbnails", (cost + number * _THUMBNAIL_COST) / total)
        self._context.progress("done", 1.0)
        return Result(outputs=outputs, details={"input": _details(self._probe)})

    # --- the video

    def _transcoded(self, transcode: Transcode, share: float) -> OutputFile:
        seconds = self._run(transcode, share)
        if _is_short(seconds, transcode.seconds):
            self._came_short(seconds, transcode.seconds)
        made = self._probe_output(transcode.name)
        if _is_short(made.duration_seconds or 0.0, seconds):
            raise _incomplete(transcode.name, f"it is {made.duration_seconds or 0:g} s long instead of {seconds:g} s")
        return self._context.output(
            transcode.name, media_type=transcode.media_type, role="video", details=_details(made)
        )

    def _run(self, transcode: Transcode, share: float) -> float:
        """Run ffmpeg; give the seconds of media that it has made."""

        def report(seconds: float, speed: float | None) -> None:
            if transcode.seconds is None:
                self._context.progress("transcode", None, speed=speed)
                return
            fraction = share * min(1.0, seconds / transcode.seconds) if transcode.seconds else 0.0
            elapsed = time.monotonic() - self._started
            eta = elapsed * (1 - fraction) / fraction if fraction > 0 and elapsed > _ETA_AFTER_SECONDS else None
            self._context.progress("transcode", fraction, eta_seconds=eta, speed=speed)

        reader = ProgressReader(report)
        try:
            self._context.run(transcode.argv, on_stdout=reader)
        except ProgramFailed as error:
            if error.signal is not None or error.met_full_disk:
                raise
            words = f" ffmpeg says: {error.tail[-1]}" if error.tail else ""
            hint = "The attempt's log has all that ffmpeg said; the file may be damaged."
            raise HandlerError(
                "ffmpeg_failed", f"{self._name} could not be processed.{words}", hint, retryable=False
            ) from error
        return reader.seconds

    def _came_short(self, made_seconds: float, expected_seconds: float | None) -> None:
        """Blame the input, where its header can be trusted to know its length."""
        message = f"{self._name} ends after {made_seconds:.1f} s, but should be {expected_seconds:.1f} s long."
        if self._probe.is_duration_exact:
            raise Rejected("truncated", message, _CUT_OFF)
        self._context.log(message)

    def _probe_output(self, name: str) -> Probe:
        path = self._context.out / name
        if not path.exists():
            raise _incomplete(name, "it is missing")
        try:
            return probe(path, name)
        except Rejected as error:
            raise _incomplete(name, error.message) from error

    # --- pictures

    def _taken(self, thumbnail: Thumbnail) -> OutputFile:
        wanted = thumbnail.at_seconds
        picture = picture_at(
            self._source, self._name, self._probe, wanted,
            width=thumbnail.width, height=thumbnail.height, qscale=thumbnail.qscale,
        )  # fmt: skip
        # Slides and screen recordings have pictures that stand for long: a few frames' time is nothing missing.
        longest = max(_LAST_PICTURE_SECONDS, _LAST_PICTURE_FRAMES / self._probe.video.framerate)
        if picture is None or (picture.is_last and wanted - picture.at_seconds > longest):
            raise self._no_picture(wanted)
        (self._context.out / thumbnail.name).write_bytes(picture.jpeg)
        details = {"timeSeconds": wanted, "width": picture.width, "height": picture.height}
        return self._context.output(thumbnail.name, media_type="image/jpeg", role="thumbnail", details=details)

    def _no_picture(self, wanted_seconds: float) -> Rejected:
        end = self._probe.video_seconds
        if end is None or not self._probe.is_duration_exact:
            return thumbnail_after_end(wanted_seconds, None, self._name)
        message = f"{self._name} has no picture at {wanted_seconds:g} s, but should be {end:g} s long."
        return Rejected("truncated", message, _CUT_OFF)


def _is_short(seconds: float, expected: float | None) -> bool:
    return expected is not None and expected - seconds > max(_FEWEST_MISSING_SECONDS, expected * _MISSING_SHARE)


def _incomplete(name: str, why: str) -> HandlerError:
    return HandlerError("output_incomplete", f"The output {name} is not what it should be: {why}.")


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
