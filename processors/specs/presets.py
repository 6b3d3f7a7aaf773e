"""The presets that ship: named outputs of the media service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processors.specs.media import Preset

_TABLE: Mapping[str, Mapping[str, Any]] = {
    "mp3": {"format": "mp3", "bitrate": "192k", "description": "MP3 for any player."},
    "mp3-high": {"format": "mp3", "bitrate": "320k", "description": "MP3 at its best."},
    "mp3-low": {"format": "mp3", "bitrate": "96k", "description": "MP3 for small files."},
    "aac": {"format": "m4a", "bitrate": "160k", "description": "AAC for phones and browsers."},
    "aac-high": {"format": "m4a", "bitrate": "256k", "description": "AAC that few can tell from its source."},
    "aac-low": {"format": "m4a", "bitrate": "96k", "description": "AAC for small files."},
    "ogg": {"format": "ogg", "bitrate": "160k", "description": "Ogg Vorbis."},
    "opus": {"format": "opus", "bitrate": "128k", "description": "Opus for music."},
    "opus-voice": {"format": "opus", "bitrate": "64k", "channels": "mono", "description": "Opus for speech."},
    "flac": {"format": "flac", "description": "Lossless, with the source's rate and depth."},
    "wav": {"format": "wav", "description": "Uncompressed, with the source's rate and depth."},
    "podcast": {
        "format": "mp3",
        "bitrate": "128k",
        "loudness": -16,
        "true_peak": -1,
        "description": "A podcast in stereo.",
    },
    "podcast-mono": {
        "format": "mp3",
        "bitrate": "128k",
        "channels": "mono",
        "loudness": -19,
        "true_peak": -1,
        "description": "A podcast in mono.",
    },
    "ebu": {"format": "wav", "loudness": -23, "true_peak": -1, "description": "Broadcast, by EBU R 128."},
    "music": {"format": "m4a", "bitrate": "256k", "loudness": -14, "true_peak": -1, "description": "Music services."},
    "hls-audio": {"format": "hls", "description": "HLS at several rates."},
    "dash-audio": {"format": "dash", "description": "DASH at several rates."},
}

PRESETS: Mapping[str, Preset] = {name: Preset.model_validate(preset) for name, preset in _TABLE.items()}
