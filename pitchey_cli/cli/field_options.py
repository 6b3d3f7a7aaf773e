"""What the fields of a service's spec are called on the command line, where that is not `--field-name VALUE`.

A field that is not listed here has the option that its name and its type make.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations import texts
from pitchey_cli.operations.cells import Form
from pitchey_cli.operations.sources import Source
from processors.vocabulary import Service

Gather = Callable[[str, Sequence[str]], Any]  #: what an option's values come to; given its name as well


@dataclass(frozen=True, slots=True)
class FieldOption:
    """How a field is said."""

    flags: tuple[str, ...]
    metavar: str = ""
    gather: Gather | None = None  #: of one that may be said several times
    help: str = ""  #: in place of the field's own description
    is_switch: bool = False  #: of a part that can be asked for as it is, all its fields at their defaults


def _each(flag: str, values: Sequence[str]) -> list[str]:
    del flag
    return list(values)


def _one_or_each(flag: str, values: Sequence[str]) -> str | list[str]:
    del flag
    return values[0] if len(values) == 1 else list(values)


def _between_commas(flag: str, values: Sequence[str]) -> list[str]:
    del flag
    return [label.strip() for text in values for label in text.split(",") if label.strip()]


def _each_as_json(flag: str, values: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for text in values:
        try:
            found.append(json.loads(text))
        except ValueError:
            quoted = json.dumps(text, ensure_ascii=False)
            raise UsageError(
                f"{flag} {text!r} is not JSON.", hint=f"A text has quotes of its own: '{quoted}'."
            ) from None
    return found


def _text_of(flag: str, values: Sequence[str]) -> str:
    if len(values) > 1:
        raise UsageError(f"{flag} names one file, and these are {len(values)}.")
    return texts.read(Source(values[0], values[0]))


def _pairs(flag: str, values: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{flag} {text!r} is not NAME=VALUE.")
        found[name] = value
    return found


def _names(flag: str, values: Sequence[str]) -> list[str]:
    del flag
    return [name for text in values for name in text.replace(",", " ").split()]


#: by the field in snake_case; `a.b` is a field of a part
OPTIONS: Mapping[Service, Mapping[str, FieldOption]] = {
    Service.CODE: {
        "code": FieldOption(("--code", "-e"), "TEXT", help="The program itself, in place of a file."),
        "inputs": FieldOption(
            ("--input",), "JSON", _each_as_json, "An argument of the function main, as JSON; repeatable, one for each."
        ),
        "args": FieldOption(
            ("--arg",), "TEXT", _each, "An argument on the program's command line; repeatable. Or all of them after --."
        ),
        "environment": FieldOption(
            ("--env",), "NAME=VALUE", _pairs, "An environment variable of the program; repeatable."
        ),
        "outputs": FieldOption(
            ("--outputs",), "PATTERN", _each, "Which files to keep, as out/** or *.png; repeatable. Else all in out."
        ),
        "compile_options": FieldOption(
            ("--compile-option",), "TEXT", _each, "An option of the compiler, in Go and Rust; repeatable."
        ),
        "packages": FieldOption(("--package",), "NAME", _each, "A package that the program needs; repeatable."),
        "lock": FieldOption(("--lock",), "FILE", _text_of, "A file that names all packages, in place of --package."),
        "memory_limit": FieldOption(("--memory",), "MB"),
        "allow_networking": FieldOption(("--network/--no-network",)),
        "timeout": FieldOption(("--timeout",), "SECONDS"),
        "compile_timeout": FieldOption(("--compile-timeout",), "SECONDS"),
    },
    Service.INFERENCE: {
        "model": FieldOption(("--model",), "MODEL"),
        "input_data": FieldOption(("--text",), "TEXT", _one_or_each, "A text, also one that is called as a file is."),
        **{
            f"parameters.{name}": FieldOption((f"--{name.replace('_', '-')}",), metavar)
            for name, metavar in {
                "temperature": "NUMBER",
                "max_tokens": "COUNT",
                "threshold": "SHARE",
                "top_k": "COUNT",
                "top_p": "SHARE",
                "seed": "NUMBER",
                "template": "TEXT",
                "sentences": "COUNT",
                "style": "STYLE",
                "method": "METHOD",
                "system": "TEXT",
            }.items()
        },
        "parameters.multi_label": FieldOption(("--multi-label/--no-multi-label",)),
        "parameters.stop": FieldOption(("--stop",), "TEXT", _each),
        "parameters.labels": FieldOption(("--labels",), "LABEL,...", _between_commas),
        "parameters.liked": FieldOption(("--liked",), "ITEM,...", _between_commas),
    },
    Service.MEDIA: {
        "output_presets": FieldOption(
            ("--preset", "-p"), "NAME", _names, "What to make, as mp3,podcast; repeatable. `pitchey presets` lists all."
        ),
        "tags": FieldOption(
            ("--tag",), "NAME=VALUE", _pairs, "A tag, as title or artist, before the file's own; repeatable."
        ),
        "audio_settings.codec": FieldOption(("--codec",), "CODEC"),
        "audio_settings.bitrate": FieldOption(("--bitrate",), "BITRATE"),
        "audio_settings.sample_rate": FieldOption(("--sample-rate",), "RATE"),
        "audio_settings.channels": FieldOption(("--channels",), "CHANNELS"),
        "denoise": FieldOption(("--denoise",), is_switch=True),
    },
}

#: the group of `--help` that a field is told in, where a service has too many for one; a part is a group of its own
GROUPS: Mapping[Service, Mapping[str, tuple[str, ...]]] = {
    Service.VIDEO: {
        "Video": ("output_format", "codec", "quality", "target_quality", "bitrate", "start", "end", "drop_larger"),
        "Picture": ("resolution", "framerate", "hdr", "deinterlace"),
        "Sound": ("audio_tracks", "audio_format", "audio_bitrate", "loudness"),
        "Subtitles": ("subtitles", "subtitle_track", "subtitle_url"),
        "Thumbnails": (
            "thumbnail_times", "thumbnail_interval", "thumbnail_count", "thumbnail_size", "thumbnail_format",
            "poster", "sprite",
        ),
        "Stream": ("segment_seconds",),
    },
    Service.MEDIA: {
        "Labels": ("tags", "cover_url", "chapters_url"),
        "Thumbnails": ("generate_thumbnails", "spectrogram"),
        "Stream": ("segment_seconds",),
    },
}  # fmt: skip

#: what `--file` is for, where a service has a field for more files than the one it works on
ATTACHING: Mapping[Service, str] = {
    Service.CODE: "Put a file or a folder beside the input; repeatable.",
    Service.DOCUMENT: "Another document that follows it in one PDF, or a folder of them; repeatable.",
    Service.INFERENCE: "Another picture, text or table for the same job, or a folder of them; repeatable.",
    Service.MEDIA: "Another track of the same album, or a folder of them; repeatable. One gain: --loudness-album.",
}

#: the field that takes what comes after `--`, where a service has one
AFTER_DASHES: Mapping[Service, str] = {Service.CODE: "args"}


def option_of(service: Service, field: str) -> FieldOption | None:
    """How a field is said, if not in the usual way."""
    return OPTIONS.get(service, {}).get(field)


def group_of(service: Service, field: str) -> str:
    """The group that a field is told in; else the one that is called after the service."""
    groups = GROUPS.get(service, {})
    return next((title for title, fields in groups.items() if field in fields), service.capitalize())


def forms(service: Service) -> dict[str, Form]:
    """By field, what an option that may be said several times makes of one value; the cell of a manifest may say it.

    Not of --lock: it names a file, and a manifest has the text.
    """
    return {
        name: _of_one(option.gather)
        for name, option in OPTIONS.get(service, {}).items()
        if option.gather is not None and option.gather is not _text_of
    }


def _of_one(gather: Gather) -> Form:
    return lambda name, text: gather(name, [text])
