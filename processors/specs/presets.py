"""The presets of the media service that ship: data, and where its numbers come from.

Lossy rates are of two channels. Loudness is that of the delivered file, measured as ITU-R BS.1770-5 says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processors.specs.media import Preset

#: Apple Podcasts, "Audio requirements" (podcasters.apple.com/support/893): around -16 dB LKFS, true peak up to -1 dB FS
PODCAST_LUFS, PODCAST_PEAK = -16.0, -1.0

#: the same loudness from one channel: BS.1770 sums channels, and both speakers play a mono file, 3 LU louder than it
#: measures
PODCAST_MONO_LUFS = PODCAST_LUFS - 3.0

#: EBU R 128 (2023): programme loudness -23.0 LUFS, true peak up to -1 dBTP
EBU_LUFS, EBU_PEAK = -23.0, -1.0

#: Spotify for Artists, "Loudness normalization": plays at -14 LUFS, and asks for true peaks below -1 dBTP
MUSIC_LUFS, MUSIC_PEAK = -14.0, -1.0

#: AES5-2018: 48 kHz is the rate of broadcast and of sound with pictures; Opus knows no other (RFC 7845)
STUDIO_RATE = 48000

_TABLE: Mapping[str, Mapping[str, Any]] = {
    "mp3": {"format": "mp3", "bitrate": "192k", "description": "Plays everywhere."},
    "mp3-high": {"format": "mp3", "bitrate": "320k", "description": "The highest rate that MP3 has."},
    "mp3-low": {"format": "mp3", "bitrate": "96k", "description": "Small, for speech and slow lines."},
    "aac": {"format": "m4a", "bitrate": "160k", "description": "As good as mp3, and smaller."},
    "aac-high": {"format": "m4a", "bitrate": "256k", "description": "As music is sold."},
    "aac-low": {"format": "m4a", "bitrate": "96k", "description": "Small, for phones."},
    "ogg": {"format": "ogg", "bitrate": "160k", "description": "Vorbis: free, for games and older browsers."},
    # RFC 6716, 2.1.1: 64 to 128 kbit/s for stereo music, 28 to 40 for full-band speech from one channel
    "opus": {"format": "opus", "bitrate": "128k", "sample_rate": STUDIO_RATE, "description": "The best at its size."},
    "opus-voice": {
        "format": "opus",
        "bitrate": "64k",
        "sample_rate": STUDIO_RATE,
        "channels": "mono",
        "description": "Speech, very small.",
    },
    "flac": {"format": "flac", "description": "Lossless, about half the size of wav."},
    "wav": {"format": "wav", "description": "Uncompressed, for editing."},
    "podcast": {
        "format": "mp3",
        "bitrate": "128k",
        "sample_rate": 44100,
        "channels": "stereo",
        "loudness": PODCAST_LUFS,
        "true_peak": PODCAST_PEAK,
        "description": "An episode, as podcast directories ask for it.",
    },
    "podcast-mono": {
        "format": "mp3",
        "bitrate": "128k",
        "sample_rate": 44100,
        "channels": "mono",
        "loudness": PODCAST_MONO_LUFS,
        "true_peak": PODCAST_PEAK,
        "description": "The same from one channel: half the size, as loud.",
    },
    "ebu": {
        "format": "wav",
        "bit_depth": 24,
        "sample_rate": STUDIO_RATE,
        "loudness": EBU_LUFS,
        "true_peak": EBU_PEAK,
        "description": "For broadcast: EBU R 128.",
    },
    "music": {
        "format": "m4a",
        "bitrate": "256k",
        "loudness": MUSIC_LUFS,
        "true_peak": MUSIC_PEAK,
        "description": "As loud as music services play.",
    },
    "hls-audio": {
        "format": "hls",
        "bitrate": "192k",
        "description": "An HLS stream; the rate is that of its best rung.",
    },
    "dash-audio": {
        "format": "dash",
        "bitrate": "192k",
        "description": "A DASH stream; the rate is that of its best rung.",
    },
}

PRESETS: Mapping[str, Preset] = {name: Preset.model_validate(row) for name, row in _TABLE.items()}
