"""What a job may ask of the video service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from processors.specs.base import Spec
from processors.specs.bitrate import BITRATE_PATTERN, bits_per_second

Quality = Literal["low", "medium", "high", "ultra"]

RESOLUTION_PATTERN = r"^[1-9]\d{1,4}x[1-9]\d{1,4}$"
BITRATES = ("10k", "500M")  # encoders fail below, and 8K at 60 frames per second takes half of the upper


class Watermark(Spec):
    """A text or an image over the picture."""

    text: str | None = Field(None, max_length=500)
    image_url: str | None = None
    position: Literal["top-left", "top-right", "bottom-left", "bottom-right", "center"] = "bottom-right"
    opacity: float = Field(0.5, ge=0, le=1)


class VideoSpec(Spec):
    """Transcode a video, take thumbnails from it, or both."""

    input_fields = ("input_url",)
    not_served = frozenset({"hls"})

    input_url: str = Field(min_length=1, description="Path or URL of the video.")
    output_format: Literal["mp4", "webm", "hls", "thumbnail"] = Field(
        "mp4", description="mp4 (H.264, AAC), webm (VP9, Opus), or thumbnail for pictures only."
    )
    quality: Quality = Field("medium", description="Quality tier: low, medium, high or ultra.")
    resolution: str | None = Field(
        None,
        pattern=RESOLUTION_PATTERN,
        description="The box the picture is fitted into, as 1280x720; its shape is kept.",
    )
    bitrate: str | None = Field(
        None, pattern=BITRATE_PATTERN, description="Video bit rate as 2500k or 4M; else by quality."
    )
    framerate: float | None = Field(None, gt=0, le=240, description="Frames per second, at most 240.")
    thumbnail_times: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = Field(
        None, max_length=100, description="Seconds at which to take a JPEG, as 1,2.5,8."
    )
    watermark: Watermark | None = Field(None, description="A text or an image over the picture.")

    @field_validator("watermark", mode="before")
    @classmethod
    def _no_watermark(cls, value: Any) -> Any:
        if value is not None:  # whatever is in it: its mistakes are of no interest yet
            raise ValueError("watermark is not served by this version")
        return value

    @field_validator("bitrate")
    @classmethod
    def _sensible(cls, bitrate: str | None) -> str | None:
        least, most = BITRATES
        if bitrate is not None and not bits_per_second(least) <= bits_per_second(bitrate) <= bits_per_second(most):
            raise ValueError(f"bitrate {bitrate} is not between {least} and {most}")
        return bitrate

    @model_validator(mode="after")
    def _what_this_version_serves(self) -> VideoSpec:
        if self.output_format in self.not_served:
            raise ValueError("outputFormat hls is not served by this version; mp4, webm and thumbnail are")
        if self.output_format == "thumbnail" and self.thumbnail_times == []:
            raise ValueError("thumbnailTimes is empty: name at least one time, or leave it out for the middle frame")
        return self

    def kind(self) -> str:
        """The format: encoders differ in the memory they need."""
        return self.output_format

    def output_paths(self) -> list[str]:
        """The video, unless only pictures are wanted, and the thumbnails."""
        is_video = self.output_format != "thumbnail"
        times = self.thumbnail_times if self.thumbnail_times is not None or is_video else [0.0]
        count = len(dict.fromkeys(times or ()))
        thumbnails = [f"thumbnail-{number:03}.jpg" for number in range(1, count + 1)]
        return [f"video.{self.output_format}", *thumbnails] if is_video else thumbnails
