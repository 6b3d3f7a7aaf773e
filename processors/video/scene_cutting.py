"""Cuts the scenes of a video out: a file for each, with every frame and every moment of its sound.

The pictures are cut in one run. A sound that was encoded already cannot be cut there: its packets do not end where
pictures do, and an encoder needs some of what was before. So it is kept as it is decoded, and encoded for each scene.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

import ffmpeg

from processors.ffmpeg.program import FFMPEG, commanded, run_ffmpeg
from processors.ffmpeg.report import described
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.streams import Audio, Video
from processors.ffmpeg.tasks import Report, Source
from processors.ffmpeg.verify import Expected, incomplete, verified
from processors.protocol import OutputFile
from processors.specs import VideoSpec
from processors.video.codecs import CRF, Constant, encoder, with_specifier
from processors.video.framing import framing
from processors.video.quality import TIERS, ceiling, fit
from processors.video.scene_files import Scene
from processors.video.sounds import LAYOUTS, audio_rate
from processors.video.timing import Window
from processors.worker.context import Context
from processors.worker.threads import granted_threads

_SCRATCH = ".work"
_SOUND = f"{_SCRATCH}/sound.flac"  # lossless, and any moment of it is found at once
_ROUNDED_FRAMES = 1  # a part may begin, or end, between two
_PICTURES_SHARE = 0.8  # of the work: for the progress only


def cut_out(
    context: Context[VideoSpec], source: Source, video: Video, found: Sequence[Scene], part: Window, report: Report
) -> list[OutputFile]:
    """Make a file of each scene, and look at it."""
    audio = source.probe.audio
    (context.out / _SCRATCH).mkdir(exist_ok=True)
    try:
        argv = splitting(context.spec, source, video, found, part)
        share = 1.0 if audio is None else _PICTURES_SHARE

        def report_pictures(fraction: float | None, speed: float | None) -> None:
            report(None if fraction is None else fraction * share, speed)

        run_ffmpeg(context, argv, source.name, report_pictures, seconds=part.seconds)
        for number, scene in enumerate(found if audio is not None else (), start=1):
            assert audio is not None
            run_ffmpeg(context, joining(context.spec, audio, scene, part), source.name)
            report(share + (1 - share) * number / len(found), None)
    finally:
        shutil.rmtree(context.out / _SCRATCH, ignore_errors=True)
    return [_published(context, scene, has_sound=audio is not None) for scene in found]


def _published(context: Context[VideoSpec], scene: Scene, *, has_sound: bool) -> OutputFile:
    name, streams = f"{scene.name}.mp4", {"video": 1, "audio": int(has_sound)}
    made = verified(context.out / name, name, Expected(streams, scene.end_seconds - scene.start_seconds))
    frames, expected = made.videos[0].frames or 0, scene.end_frame - scene.start_frame
    if abs(frames - expected) > _ROUNDED_FRAMES:
        raise incomplete(name, f"it has {frames} frames instead of {expected}")
    details = described(made) | {"scene": scene.number, "startSeconds": round(scene.start_seconds, 6)}
    return context.output(name, media_type="video/mp4", role="scene", details=details)


def splitting(spec: VideoSpec, source: Source, video: Video, found: Sequence[Scene], part: Window) -> tuple[str, ...]:
    """Say how all pictures are cut in one run: each scene begins with a key frame that the encoder is told to make.

    Times before 0, which B-frames have when they are decoded, are left alone: else the first scene would begin late.
    """
    half_frame = 0.5 / video.framerate  # times are rounded on the way: between two frames, there is room
    cuts = ",".join(f"{scene.start_seconds - part.start - half_frame:.6f}" for scene in found[1:])
    threads = granted_threads()
    # Every frame that was counted, and as H.264 has them: at their own moments, and not as HDR.
    shaped = framing(spec.model_copy(update={"framerate": None, "hdr": "sdr"}), video)
    size = fit(video.width, video.height, spec.resolution)
    rate = Constant(CRF["h264"][spec.quality], ceiling(TIERS[spec.quality], *size, video.framerate))
    options: dict[str, Any] = {
        **with_specifier(encoder("h264", spec.quality, rate, width=size[0], threads=threads), "v"),
        "fps_mode": "passthrough", "f": "segment", "segment_format": "mp4", "reset_timestamps": 1,
        "segment_start_number": 1, "segment_format_options": "movflags=+faststart", "map_metadata": 0,
        "map_chapters": -1, "avoid_negative_ts": "disabled",
    }  # fmt: skip
    # Without cuts, there is one segment; an empty list would be refused.
    options |= {"force_key_frames": cuts, "segment_times": cuts} if cuts else {"segment_time": 10**6}
    media = ffmpeg.input(str(source.path), **part.cut.options, **SAFE_INPUT, **SAFE_DECODER)
    picture = media[str(video.index)]
    for each in shaped:
        picture = picture.filter(each.name, *each.arguments, **each.options)
    folder = "" if source.probe.audio is None else f"{_SCRATCH}/"
    made = ffmpeg.output(picture, f"{folder}scene-%03d.mp4", **options)
    if source.probe.audio is not None:
        # From the first moment to the last, and without gaps: so that it stays with the picture.
        sound = media[str(source.probe.audio.index)].filter("aresample", **{"async": 1, "first_pts": 0})
        sound = sound.filter("aformat", channel_layouts=LAYOUTS).filter("apad", whole_dur=f"{part.seconds:.6f}")
        made = ffmpeg.merge_outputs(made, ffmpeg.output(sound, _SOUND, map_metadata=-1, **{"c:a": "flac"}))
    return tuple(made.compile(cmd=commanded(threads), overwrite_output=True))


def joining(spec: VideoSpec, audio: Audio, scene: Scene, part: Window) -> tuple[str, ...]:
    """Say how a scene gets its sound: all of it, from its first frame to the end of its last."""
    start, seconds = scene.start_seconds - part.start, scene.end_seconds - scene.start_seconds
    said = [word for key in ("language", "title") if (value := getattr(audio, key)) for word in (f"{key}={value}",)]
    return (
        *FFMPEG, "-i", f"{_SCRATCH}/{scene.name}.mp4", "-ss", f"{start:.6f}", "-t", f"{seconds:.6f}", "-i", _SOUND,
        "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", str(audio_rate(spec, audio)),
        *(word for each in said for word in ("-metadata:s:a:0", each)),
        "-map_metadata", "0", "-movflags", "+faststart", "-y", f"{scene.name}.mp4",
    )  # fmt: skip
