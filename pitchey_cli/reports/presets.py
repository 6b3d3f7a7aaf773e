"""The presets of media jobs, as a table and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType

from pitchey_cli.reports.tables import cell, plain_table
from processors.specs.media import Preset

_OWN = "settings"
_SHIPPED = "pitchey"


def as_json(shipped: Mapping[str, Preset], own: Mapping[str, Preset]) -> list[dict[str, Any]]:
    """Every preset that a job can name, in camelCase; the user's own go before those that ship."""
    return [
        {
            "name": name,
            "from": _OWN if name in own else _SHIPPED,
            **preset.model_dump(mode="json", by_alias=True),
            "codec": preset.audio_codec,
        }
        for name, preset in {**shipped, **own}.items()
    ]


def table(shipped: Mapping[str, Preset], own: Mapping[str, Preset]) -> RenderableType:
    """The same for people."""
    columns = ("preset", "format", "rate", "channels", "sampling", "loudness", "what for")
    found = plain_table(*columns, *(["from"] if own else []), right=("rate", "sampling"))
    for name, preset in {**shipped, **own}.items():
        found.add_row(
            name,
            preset.format if preset.codec is None else f"{preset.format} ({preset.codec})",
            _rate(preset),
            "" if preset.channels == "keep" else preset.channels,
            f"{preset.sample_rate / 1000:g} kHz" if preset.sample_rate else "",
            _loudness(preset),
            cell(preset.description),
            *([_OWN if name in own else _SHIPPED] if own else []),
        )
    return found


def _loudness(preset: Preset) -> str:
    target = "" if preset.loudness is None else f"{preset.loudness:g} LUFS"
    peak = "" if preset.true_peak is None else f"{preset.true_peak:g} dBTP"
    return ", ".join(each for each in (target, peak) if each)


def _rate(preset: Preset) -> str:
    """What its file has: half for one channel; of lossless ones the bits of a sample."""
    rate = preset.rate_of(1 if preset.channels == "mono" else 2)
    if rate is None:
        return f"{preset.bit_depth} bit" if preset.bit_depth else ""
    return f"{rate / 1000:g}k"
