"""How inputs of strangers are opened: no network, no format that names other files, no picture without bounds."""

from __future__ import annotations

from collections.abc import Mapping

#: hls, dash, concat, image sequences, SVG and the like are not among them: their files name other files or hosts.
_FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,ivf,flv,asf,ogg,mxf,gif,dv,rm,nut,obu,"
    "mp3,wav,w64,flac,aac,ac3,eac3,dts,aiff,caf,amr,ape,wv,tta,au,webvtt,srt,ass"
)

#: FFmpeg's names of what may decode a stream: what cameras, broadcasters, editors and the web have written. Left out is
#: what games and single programs have, drawings (SVG), which name files, and pictures that are not even covers.
DECODERS = frozenset(
    (
        # pictures
        "h264 hevc vvc libdav1d libaom-av1 av1 libvpx vp8 libvpx-vp9 vp9 vp3 vp6 vp6a vp6f theora mpeg1video "
        "mpeg2video mpegvideo mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4 wmv1 wmv2 wmv3 vc1 h261 h263 h263i h263p flv "
        "svq1 svq3 cinepak indeo3 indeo5 rv10 rv20 rv30 rv40 dvvideo dnxhd prores cfhd hap dirac snow mjpeg "
        "mjpegb jpeg2000 rawvideo v210 v308 v408 v410 yuv4 r210 ffv1 ffvhuff huffyuv hymt utvideo magicyuv "
        "lagarith qtrle rpza msvideo1 msrle "
        # pictures that are covers, too
        "png apng gif bmp webp "
        # sounds
        "aac aac_latm mp1 mp1float mp2 mp2float mp3 mp3float opus libopus vorbis libvorbis flac alac als ape "
        "wavpack tta tak shorten ac3 eac3 dca mlp truehd dolby_e s302m wmav1 wmav2 wmapro wmalossless "
        "wmavoice amrnb amrwb libopencore_amrnb libopencore_amrwb gsm gsm_ms libgsm libgsm_ms speex libspeex "
        "nellymoser cook sipr real_144 real_288 ralf atrac3 atrac3plus qdm2 qdmc mace3 mace6 g722 g726 g726le "
        "g729 adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha pcm_alaw pcm_mulaw pcm_bluray "
        "pcm_dvd pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_s8 pcm_u8 pcm_s16be pcm_s16le pcm_s24be "
        "pcm_s24le pcm_s32be pcm_s32le pcm_s64be pcm_s64le pcm_u16be pcm_u16le pcm_u24be pcm_u24le pcm_u32be "
        "pcm_u32le pcm_s16be_planar pcm_s16le_planar pcm_s24le_planar pcm_s32le_planar pcm_s8_planar "
        # subtitles
        "subrip srt ass ssa webvtt mov_text text dvdsub dvbsub pgssub xsub cc_dec libzvbi_teletextdec "
        "libaribcaption libaribb24"
    ).split()
)

#: of one picture: 16384x8192, the largest that any level of HEVC or AV1 has
MOST_PIXELS = 16384 * 8192

#: of a cover: four times as many as the largest that shops ask for; decoded, it takes 300 MB at most
MOST_COVER_PIXELS = 6000 * 6000

#: for ffmpeg, ffprobe and PyAV, before an input
SAFE_INPUT: Mapping[str, str] = {"protocol_whitelist": "file,pipe", "format_whitelist": _FORMATS}

#: for ffmpeg and ffprobe, before an input: of its decoders; sounds have covers, which need it too
SAFE_DECODER: Mapping[str, str | int] = {"max_pixels": MOST_PIXELS, "codec_whitelist": ",".join(sorted(DECODERS))}
