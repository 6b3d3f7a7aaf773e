"""What a job may ask of the media service."""

from __future__ import annotations

from pydantic import Field

from processors.specs.base import Spec
from processors.specs.bitrate import BITRATE_PATTERN


class AudioSettings(Spec):
    """Codec settings of an audio output."""

    codec: str = "aac"
    bitrate: str = Field("128k", pattern=BITRATE_PATTERN)
    sample_rate: int = Field(48000, ge=8000, le=192000)


class MediaSpec(Spec):
    """Encode audio and media for delivery."""

    input_fields = ("input_media",)

    input_media: str = Field(min_length=1, description="Path or URL of the media file.")
    output_presets: list[str] = Field(min_length=1)
    generate_thumbnails: bool = False
    audio_settings: AudioSettings | None = None
