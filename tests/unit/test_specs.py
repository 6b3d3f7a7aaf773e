"""A wrong spec gets one error that names the field, the value and the way out."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.secrecy import WITH_SECRETS
from pitchey_cli.operations.naming import service_named
from pitchey_cli.operations.specs import checked, merged
from processors.protocol import Service
from processors.specs import SPECS, DocumentSpec, VideoSpec
from processors.specs.base import MASK, SECRET, Part
from processors.specs.video_fields import FIELDS


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"qualty": "high"}, "Did you mean 'quality'?"),
        ({"quality": "best"}, "quality 'best' is not one of low, medium, high, ultra."),
        ({"framerate": "0"}, "framerate '0' does not fit: it should be greater than 0."),
        ({"framerate": "1e9"}, "framerate '1e9' does not fit: it should be less than or equal to 240."),
        ({"framerate": "fast"}, "framerate 'fast' does not fit: it should be a number"),
        ({"resolution": "0x0"}, "resolution '0x0' does not fit: it should be two sides of at least 10 pixels"),
        ({"resolution": "banana"}, "as 1280x720"),
        ({"bitrate": "-3M"}, "bitrate '-3M' has the wrong form."),
        ({"thumbnail_times": "1,two"}, "thumbnailTimes (number 2) 'two' does not fit"),
        ({"thumbnail_times": "-1"}, "greater than or equal to 0"),
        ({"output_format": "avi"}, "outputFormat 'avi' is not one of mp4, webm, hls, dash, "),
        ({"bitrate": "9k"}, "bitrate 9k is not between 10k and 500M."),
        ({"bitrate": "501M"}, "bitrate 501M is not between 10k and 500M."),
        (
            {"watermark": {"text": "©", "position": "left"}},
            "watermark.position 'left' is not one of top-left, top-right, bottom-left, bottom-right, center.",
        ),
        ({"watermark": {"text": "©", "opacty": 1}}, "Did you mean 'watermark.opacity'?"),
        ({"watermark": {"text": "©", "opacty": 1}}, "A video spec has no field 'watermark.opacty'."),
        ({"watermark": {"text": "©", "colour": 1}}, "It has watermark.text, watermark.imageUrl, watermark.position"),
        ({"watermark": {"text": "©", "opacity": 7}}, "watermark.opacity 7 does not fit: it should be less than or"),
        ({"watermark": {"image_url": ""}}, "watermark.imageUrl '' does not fit"),
        ({"watermark": {"text": "©", "imageUrl": "a.png"}}, "watermark needs a text or an image, and not both."),
        ({"watermark": {}}, "watermark needs a text or an image, and not both."),
        ({"watermark": 3}, "watermark 3 does not fit: it has fields of its own, as watermark.text."),
        (
            {"outputFormat": "hls", "ladder": {"sizes": "1280x720,big"}},
            "ladder.sizes (number 2) 'big' does not fit: it should be two sides",
        ),
        ({"scenes": {"split": True}}, "scenes is of outputFormat scenes, and this is mp4."),
        (
            {"outputFormat": "gif", "bitrate": "1M"},
            "bitrate is of outputFormat mp4, webm, hls, dash or cmaf, and this is",
        ),
        ({"outputFormat": "audio", "bitrate": "1M"}, "and this is audio: audioBitrate is that of sound."),
        ({"outputFormat": "audio", "poster": True}, "poster is of outputFormat mp4, webm, "),
        ({"outputFormat": "probe", "thumbnailCount": 3}, "thumbnailCount is of outputFormat mp4, "),
        ({"outputFormat": "probe", "quality": "high"}, "quality is of outputFormat "),
        ({"outputFormat": "probe", "start": 0}, "start is of outputFormat "),
        ({"outputFormat": "thumbnail", "watermark": {"text": "©"}}, "watermark is of outputFormat mp4, "),
        ({"outputFormat": "scenes", "scenes": {"split": True}, "loudness": -16}, "loudness is of outputFormat mp4, "),
        ({"outputFormat": "scenes", "audioBitrate": "64k"}, "set scenes.split, or leave it out."),
        (
            {"outputFormat": "gif", "hdr": "keep"},
            "hdr is of outputFormat mp4, webm, hls, dash or cmaf, and this is gif.",
        ),
        ({"outputFormat": "gif", "audioTracks": ["1"]}, "audioTracks is of outputFormat mp4, "),
        ({"outputFormat": "gif", "subtitles": "extract"}, "subtitles extract is of outputFormat mp4 or webm, "),
        ({"outputFormat": "webp", "subtitleUrl": "a.srt"}, "set subtitles to burn."),
        ({"outputFormat": "hls", "subtitles": "extract"}, "keep makes WebVTT of them."),
        ({"audioFormat": "mp3"}, "audioFormat is of outputFormat audio, and this is mp4."),
        ({"segmentSeconds": 4}, "segmentSeconds is of outputFormat hls, dash or cmaf, and this is mp4."),
        ({"outputFormat": "audio", "audioFormat": "flac", "audioBitrate": "1M"}, "choose another audioFormat."),
        (
            {"outputFormat": "gif", "codec": "h264"},
            "codec is of outputFormat mp4, webm, hls, dash or cmaf, and this is",
        ),
        ({"dropLarger": True, "audioTracks": ["none"]}, "leave out audioTracks, or dropLarger."),
        ({"dropLarger": True, "resolution": "640x360"}, "leave out resolution, or dropLarger."),
        ({"dropLarger": True, "loudness": -16}, "leave out loudness, or dropLarger."),
        ({"dropLarger": True, "subtitles": "none"}, "leave out subtitles, or dropLarger."),
        ({"dropLarger": True, "framerate": 5}, "leave out framerate, or dropLarger."),
        ({"outputFormat": "hls", "bitrate": "1M", "ladder": {"perTitle": True}}, "bitrate and ladder.perTitle say two"),
        (
            {"outputFormat": "hls", "targetQuality": 90, "ladder": {"perTitle": True}},
            "targetQuality and ladder.perTitle",
        ),
        ({"subtitleTrack": 2}, "subtitleTrack says which track is burnt in: set subtitles to burn, or leave it out."),
        (
            {"subtitleTrack": 2, "subtitles": "burn", "subtitleUrl": "a.srt"},
            "subtitleTrack is one of the video's own, and subtitleUrl is burnt in: give one of them.",
        ),
        ({"subtitles": "none", "subtitleUrl": "a.srt"}, "subtitleUrl names subtitles, and subtitles none leaves them "),
        ({"thumbnailFormat": "png"}, "thumbnailFormat is of pictures, and none is taken: set thumbnailTimes, "),
        ({"thumbnailSize": "320x180"}, "thumbnailSize is of pictures, and none is taken that it could be of"),
        ({"thumbnailSize": "320x180", "sprite": True}, "thumbnailSize is of pictures, and none is taken that it"),
        (
            {"outputFormat": "thumbnail", "thumbnailSize": "320x180", "resolution": "640x360"},
            "resolution and thumbnailSize say two things of one picture: give one of them.",
        ),
        (
            {"outputFormat": "thumbnail", "sprite": True, "resolution": "640x360"},
            "resolution is of videos and pictures",
        ),
        ({"outputFormat": "thumbnail", "thumbnailFormat": "png", "quality": "high"}, "and png leaves all of it"),
        ({"outputFormat": "scenes", "scenes": {"thumbnails": False}, "quality": "high"}, "none is made: leave it out."),
        ({"outputFormat": "scenes", "scenes": {"thumbnails": False}, "thumbnailSize": "90x160"}, "none is taken that "),
        (
            {"audioTracks": "none", "audioBitrate": "64k"},
            "audioBitrate is of sound, and audioTracks none leaves it out",
        ),
        ({"outputFormat": "hls", "audioTracks": "none", "loudness": -16}, "loudness is of sound, and audioTracks none"),
        ({"outputFormat": "audio", "audioTracks": "none"}, "audioTracks none leaves no sound to extract: name a track"),
        (
            {"outputFormat": "audio", "audioFormat": "copy", "loudness": -16},
            "loudness changes the sound, and audioForm",
        ),
        (
            {"outputFormat": "audio", "audioFormat": "wav", "quality": "high"},
            "quality is of sound that is made smaller",
        ),
        (
            {"outputFormat": "audio", "audioBitrate": "64k", "quality": "high"},
            "quality and audioBitrate say two things",
        ),
        ({"deinterlace": "yes"}, "deinterlace 'yes' is not one of auto, on, off."),
        ({"inputUrl": ""}, "inputUrl '' does not fit: it should have at least 1 character."),
        ({"framerate": "fast"}, "framerate 'fast' does not fit: it should be a number."),
        ({"segmentSeconds": "6s"}, "segmentSeconds '6s' does not fit: it should be a whole number."),
        ({"framerate": 500}, "framerate 500 does not fit: it should be less than or equal to 240."),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(Service.VIDEO, {"input_url": "clip.mp4", **fields})
    assert says in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("output", FIELDS)
def test_a_field_that_says_what_is_so_by_itself_is_taken_everywhere(output: str) -> None:
    plain = VideoSpec.model_validate({"inputUrl": "a"}).model_dump(by_alias=True)
    assert checked(Service.VIDEO, plain | {"outputFormat": output})


@pytest.mark.parametrize(
    "fields",
    [
        {"subtitles": "burn", "subtitleTrack": 2},
        {"poster": True, "thumbnailSize": "320x180", "thumbnailFormat": "png", "quality": "high"},
        {"sprite": True, "thumbnailFormat": "webp"},
        {"outputFormat": "thumbnail", "thumbnailSize": "320x180", "quality": "high"},
        {"outputFormat": "thumbnail", "resolution": "320x180"},
        {"outputFormat": "scenes", "thumbnailSize": "320x180", "thumbnailFormat": "png"},
        {"outputFormat": "scenes", "scenes": {"split": True}, "resolution": "640x360", "thumbnailSize": "320x180"},
        {"outputFormat": "scenes", "scenes": {"split": True, "thumbnails": False}, "quality": "high"},
        {"outputFormat": "audio", "audioFormat": "mp3", "quality": "high"},
        {"outputFormat": "audio", "audioFormat": "wav", "loudness": -16},
        {"outputFormat": "cmaf", "audioTracks": ["none", "1"], "audioBitrate": "64k"},
    ],
)
def test_a_field_that_has_an_effect_beside_others_is_taken(fields: dict[str, Any]) -> None:
    assert checked(Service.VIDEO, {"inputUrl": "clip.mp4", **fields})


def test_every_field_of_a_video_is_of_a_format() -> None:
    assert VideoSpec.model_fields.keys() == {"input_url", "output_format"}.union(*FIELDS.values())


def test_an_input_that_may_be_kept_has_no_name_yet() -> None:
    assert VideoSpec.model_validate({"inputUrl": "a.mov", "dropLarger": True}).output_paths() == []


NESTED: list[Any] = []
for _ in range(250):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"inputs": ["\ud800"]}, "half of a character"),
        ({"inputs": [{"a": float("nan")}]}, "NaN"),
        ({"inputs": NESTED}, "nested too deep"),
        ({"files": {"a": "\ud800"}}, "files.a"),
        ({"inputFiles": {"a": "\ud800"}}, "inputFiles.a"),
    ],
)
def test_what_cannot_be_sent_to_an_instance_is_refused_at_once(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(Service.CODE, {"language": "python", "code": "", **fields})
    assert says in f"{caught.value}"


def test_a_missing_field_is_named() -> None:
    with pytest.raises(UsageError, match="needs the field 'inputUrl'"):
        checked(Service.VIDEO, {})


def test_both_spellings_and_lists_in_one_text_are_taken() -> None:
    one = checked(Service.VIDEO, {"inputUrl": "a", "thumbnailTimes": "1, 2.5"})
    two = checked(Service.VIDEO, {"input_url": "a", "thumbnail_times": [1, 2.5]})
    assert one == two


def test_lists_in_one_text_are_taken_in_a_part_too() -> None:
    fields = {"inputUrl": "a", "outputFormat": "hls", "ladder": {"sizes": "1280x720, 640x360", "maxRungs": "3"}}
    spec = checked(Service.VIDEO, fields)
    assert isinstance(spec, VideoSpec) and spec.ladder is not None
    assert (spec.ladder.sizes, spec.ladder.max_rungs) == (["1280x720", "640x360"], 3)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "A media spec needs the field 'outputPresets'."),
        ({}, "`pitchey presets` lists them."),
        ({"output_presets": "MP3"}, "outputPresets (number 1) 'MP3' has the wrong form."),
        (
            {"output_presets": "mp3", "denoise": {"method": "magic"}},
            "denoise.method 'magic' is not one of rnnoise, fft.",
        ),
        ({"output_presets": "mp3", "denoise": True}, "denoise True does not fit"),
        ({"output_presets": "mp3", "album": {".work/a.mp3": "a.mp3"}}, "the name '.work/a.mp3' begins with a dot"),
        (
            {"output_presets": "mp3", "audio_settings": {"codec": "mp4"}},
            "audioSettings.codec 'mp4' is not one of aac, ",
        ),
        ({"output_presets": "mp3", "chapters": [{"start": 0}]}, "needs the field 'chapters (number 1).title'"),
        ({"output_presets": "a", "presets": {"a": {"format": "mp4"}}}, "presets.a.format 'mp4' is not one of mp3, m4a"),
        (
            {"output_presets": "a", "presets": {"a": {"format": "mp3", "codec": "opus"}}},
            "codec opus does not go into mp3, which takes mp3.",
        ),
        (
            {"output_presets": "a", "presets": {"a": {"format": "flac", "bitrate": "96k"}}},
            "bitrate is of sound that is made smaller, and flac leaves all of it.",
        ),
        (
            {"output_presets": "a", "presets": {"a": {"format": "opus", "bit_depth": 24}}},
            "bitDepth is of sound of which all is left, and opus makes it smaller.",
        ),
    ],
)
def test_a_wrong_field_of_a_media_spec_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(Service.MEDIA, {"input_media": "song.wav", **fields})
    assert says in f"{caught.value} {caught.value.hint}"


def test_what_goes_before_a_part_goes_before_each_of_its_fields() -> None:
    under = {"watermark": {"text": "©", "imageUrl": None, "opacity": 1}, "outputFormat": "webm", "colour": 1}
    over = {"watermark": {"opacity": 0.3, "image_url": "a.png"}, "output_format": "mp4"}
    assert merged(VideoSpec, under, over) == {
        "watermark": {"text": "©", "image_url": "a.png", "opacity": 0.3},
        "output_format": "mp4",
        "colour": 1,
    }


def test_a_service_that_does_not_exist_is_offered_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        service_named("vidoe")
    assert caught.value.hint == "Did you mean 'video'?"


# --- secrets


def test_secrets_are_masked_however_they_are_written_and_in_parts_too():
    class Account(Part):
        user: str = ""
        pass_phrase: str | None = Field(None, json_schema_extra=SECRET)

    class Asked(Part):
        account: Account | None = None
        pages: str = ""

    assert Asked.masked({"account": {"user": "ada", "passPhrase": "x"}, "pages": "1"}) == {
        "account": {"user": "ada", "passPhrase": MASK},
        "pages": "1",
    }
    assert Asked.masked({"account": {"pass_phrase": "x"}, "else": 1}) == {"account": {"pass_phrase": MASK}, "else": 1}
    assert Account.masked({"pass_phrase": None}) == {"pass_phrase": None}
    with pytest.raises(ValidationError) as refused:
        Account.model_validate({"passPhrase": ["hunter2"]})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("service", SPECS)
def test_what_is_called_a_secret_is_marked_as_one(service):
    model = SPECS[service]
    called = [name for name in model.model_fields if {"password", "passphrase", "secret"} & {*name.split("_")}]
    assert [name for name in called if not model.is_secret(name)] == []
    assert (service in WITH_SECRETS) == model.has_secrets() == bool(called)


def test_a_spec_is_still_one_when_its_secrets_are_masked():
    spec = {"documentUrl": "a.pdf", "outputFormats": ["pdf"], "password": "x", "outputPassword": "y"}
    kept = DocumentSpec.model_validate(DocumentSpec.masked(spec))
    assert (kept.password, kept.output_password) == (MASK, MASK)
