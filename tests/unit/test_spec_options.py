"""Every field of a spec, and of its parts, can be said as an option; what comes of it is what JSON would say."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pitchey_cli.cli.field_options import GROUPS, option_of
from pitchey_cli.cli.job_options import command_class, service_command
from pitchey_cli.cli.queue_options import taken_from
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.requests import Request
from processors.specs import SPECS
from processors.vocabulary import Service


class Command:
    """A service's command that only notes what it was asked for."""

    def __init__(self, service: Service) -> None:
        self.app = typer.Typer(add_completion=False, rich_markup_mode=None)
        self.asked: Request | None = None

        def body(asked: Request) -> None:
            self.asked = asked

        self.app.command(cls=command_class(service))(service_command(service, body, doc="Note it."))

    def __call__(self, *arguments: str) -> Request:
        done = CliRunner().invoke(self.app, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert self.asked is not None, done.output
        return self.asked

    @property
    def help(self) -> str:
        return CliRunner().invoke(self.app, ["--help"], terminal_width=200).output


@pytest.mark.parametrize(
    ("service", "words", "fields"),
    [
        (Service.VIDEO, "--watermark-text © --watermark-opacity .3", {"watermark": {"text": "©", "opacity": ".3"}}),
        (Service.VIDEO, "--watermark-image-url a.png", {"watermark": {"image_url": "a.png"}}),
        (
            Service.VIDEO,
            "--ladder-max-rungs 3 --ladder-sizes 1280x720,640x360 --ladder-per-title",
            {"ladder": {"max_rungs": "3", "sizes": "1280x720,640x360", "per_title": True}},
        ),
        (Service.VIDEO, "--ladder-per-title --no-ladder-per-title", {"ladder": {"per_title": False}}),
        (Service.VIDEO, "--scenes-split --no-scenes-thumbnails", {"scenes": {"split": True, "thumbnails": False}}),
        (Service.VIDEO, "--loudness -16", {"loudness": "-16"}),
        (
            Service.VIDEO,
            "--watermark-text me --set watermark.opacity=0.5 --set watermark.imageUrl=a.png",
            {"watermark": {"text": "me", "opacity": 0.5, "image_url": "a.png"}},
        ),
        (Service.MEDIA, "--preset mp3,flac -p podcast", {"output_presets": ["mp3", "flac", "podcast"]}),
        (Service.MEDIA, "--tag title=One --tag artist=A=B", {"tags": {"title": "One", "artist": "A=B"}}),
        (Service.MEDIA, "--loudness-target -16 --loudness-album", {"loudness": {"target": "-16", "album": True}}),
        (Service.MEDIA, "--denoise", {"denoise": {}}),
        (Service.MEDIA, "--denoise --denoise-strength .5", {"denoise": {"strength": ".5"}}),
        (Service.MEDIA, "--denoise-method fft --denoise", {"denoise": {"method": "fft"}}),
        (
            Service.MEDIA,
            "--codec opus --bitrate 96k --sample-rate 48000 --channels mono",
            {"audio_settings": {"codec": "opus", "bitrate": "96k", "sample_rate": "48000", "channels": "mono"}},
        ),
        (Service.MEDIA, "--cover-url a.png --chapters-url c.json", {"cover_url": "a.png", "chapters_url": "c.json"}),
        (Service.MEDIA, "", {}),
    ],
)
def test_options_are_fields(service: Service, words: str, fields: dict[str, Any]) -> None:
    asked = Command(service)("a.wav", *words.split())
    assert (asked.inputs, asked.fields) == (("a.wav",), fields)


def test_other_tracks_of_an_album_lie_beside_the_input() -> None:
    assert Command(Service.MEDIA)("a.wav", "--file", "b.wav", "--file", "more").attached == ("b.wav", "more")


@pytest.mark.parametrize(
    ("service", "words", "says"),
    [
        (Service.VIDEO, "--watermark-text a --watermark-text b", "--watermark-text is given 2 times"),
        (Service.MEDIA, "--tag title", "--tag 'title' is not NAME=VALUE"),
        (Service.VIDEO, "--set watermark=3 --set watermark.text=x", "'watermark.text=x' is a part of watermark"),
    ],
)
def test_what_makes_no_sense_is_named(service: Service, words: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Command(service)("a.wav", *words.split())


@pytest.mark.parametrize("service", Service)
def test_every_option_of_a_spec_is_told_in_the_group_of_its_part(service: Service) -> None:
    text, model = Command(service).help, SPECS[service]
    groups = {block.split(":\n")[0]: block for block in text.split("\n\n") if ":\n" in block}
    for name in model.model_fields:
        part = model.part_of(name)
        for field in part.model_fields.values() if part is not None else ():
            words = " ".join((field.description or "").split())
            assert words in " ".join(groups[name.replace("_", " ").capitalize()].split())
    for title, fields in GROUPS.get(service, {}).items():
        for name in fields:
            option = option_of(service, name)
            words = (option.help if option else "") or model.model_fields[name].description or ""
            assert words in " ".join(groups[title].split())
    assert "--priority" in groups["Queue"] and "--set" in groups[service.capitalize()]
    assert "--help" in groups["Options"]


def test_the_queue_gets_its_words_and_nothing_of_the_spec() -> None:
    asked = Command(Service.VIDEO)("a.mp4", "--priority", "high", "--watermark-text", "x")
    assert asked.queueing == {"priority": "high"}
    assert taken_from({"watermark": 1}) == {}
