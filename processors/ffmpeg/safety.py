"""How inputs of strangers are opened: no network, no format that names other files, no picture without bounds."""

from __future__ import annotations

from collections.abc import Mapping

#: hls, dash, concat, image sequences, SVG and the like are not among them: their files name other files or hosts.
_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,flv,asf,ogg,mxf,gif,dv,rm,nut,obu,"
    "mp3,wav,w64,flac,aac,ac3,eac3,dts,aiff,caf,amr,ape,wv,tta,au,webvtt,srt,ass"
)

#: of one picture: 16384x8192, the largest that any level of HEVC or AV1 has
MOST_PIXELS = 16384 * 8192

#: of a cover: four times as many as the largest that shops ask for; decoded, it takes 300 MB at most
MOST_COVER_PIXELS = 6000 * 6000

#: for ffmpeg, ffprobe and PyAV, before an input
SAFE_INPUT: Mapping[str, str] = {"protocol_whitelist": "file,pipe", "format_whitelist": _FORMATS}

#: for ffmpeg and ffprobe, before an input: of its decoders; sounds have covers, which need it too
SAFE_DECODER: Mapping[str, str | int] = {"max_pixels": MOST_PIXELS}
