"""Makes an MP4 or a WebM, and verifies it."""

from __future__ import annotations

from processors.ffmpeg.probe import Video
from processors.ffmpeg.program import run_ffmpeg
from processors.ffmpeg.report import summary
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import CUT_OFF, Expected, is_short, verified
from processors.specs import VideoSpec
from processors.video import watermark
from processors.video.encoding import transcode
from processors.video.quality import fit
from processors.worker.context import Context, Rejected


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """One run of ffmpeg."""
    mark = watermark.made(context, video, *fit(video.width, video.height, context.spec.resolution))
    step = transcode(context.spec, source.probe, video, source.path, mark)

    def run(report: Report) -> Made:
        seconds = run_ffmpeg(context, step.argv, source.name, report, seconds=step.seconds)
        if is_short(seconds, step.seconds):
            blame_the_input(context, source, seconds, step.seconds or 0.0)
        expected = Expected({"video": 1, "audio": step.audio_tracks}, seconds)
        made = verified(context.out / step.name, step.name, expected)
        output = context.output(step.name, media_type=step.media_type, role="video", details=summary(made))
        return Made([output], mark.details if mark else {})

    return [Task("transcode", step.seconds or 1.0, run)]


def blame_the_input(context: Context[VideoSpec], source: Source, made_seconds: float, expected_seconds: float) -> None:
    """Say that the input is too short, where its header can be trusted to know its length.

    Raises:
        Rejected: it can be.
    """
    message = f"{source.name} ends after {made_seconds:.1f} s, but should be {expected_seconds:.1f} s long."
    if source.probe.is_duration_exact:
        raise Rejected("truncated", message, CUT_OFF)
    context.log(message)
