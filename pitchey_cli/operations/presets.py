"""The presets of media jobs: those that ship, and the user's own, which go into the spec of each job that names them.

So a job is whole by itself: a setting that is changed later does not change it, and the cache knows one from the other.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.specs import checked_as
from processors.specs import MediaSpec
from processors.specs.media import PRESET_NAME, Preset
from processors.specs.media_needs import problem_of
from processors.specs.presets import PRESETS


def checked(tables: Mapping[str, Any], *, where: str) -> dict[str, Preset]:
    """The user's presets, as the settings have them.

    Args:
        where: the file, and the key that they are below.

    Raises:
        UsageError: names the place, the preset and its field.
    """
    found: dict[str, Preset] = {}
    for name, table in tables.items():
        place = f"{where}.{name}"
        if not PRESET_NAME.fullmatch(name):
            raise UsageError(f"{place}: a preset's name has small letters, digits and hyphens, 40 at most.")
        if not isinstance(table, Mapping):
            raise UsageError(f"{place} {table!r} is no table.", hint=f'[media.presets.{name}] with format = "mp3".')
        try:
            found[name] = checked_as(Preset, table, "A preset")
        except UsageError as error:
            raise UsageError(f"{place}: {error}", hint=error.hint) from error
    return found


def with_own(drafts: Sequence[Draft], own: Mapping[str, Preset]) -> list[Draft]:
    """Media jobs with those of the user's presets that they name.

    A job's own presets go before the user's, and these before those that ship.

    Raises:
        UsageError: there is no preset of that name, and the nearest is offered; or the job does not fit its presets.
    """
    return [_with_own(draft, own) for draft in drafts]


def _with_own(draft: Draft, own: Mapping[str, Preset]) -> Draft:
    spec = draft.checked
    if not isinstance(spec, MediaSpec):
        return draft
    said = spec.presets or {}
    table = {**PRESETS, **own, **said}
    for name in spec.output_presets:
        if name not in table:
            with draft.blamed():
                raise _unknown(name, table)
    if problem := problem_of(spec, {name: table[name] for name in spec.output_presets}):
        with draft.blamed():
            raise UsageError(problem.message, hint=problem.hint)
    taken = {name: own[name] for name in spec.output_presets if name in own and name not in said}
    if not taken:
        return draft
    whole = spec.model_copy(update={"presets": {**said, **taken}})
    return replace(draft, spec=whole.model_dump(mode="json", by_alias=True, exclude_none=True), checked=whole)


def _unknown(name: str, known: Mapping[str, Preset]) -> UsageError:
    word = name.lower()
    makers = [each for each, preset in known.items() if word in (preset.format, preset.audio_codec)]
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    offer = ""
    if makers:
        offer = f"{', '.join(makers)} make{'s' * (len(makers) == 1)} {word}. "
    elif near:
        offer = f"Did you mean {' or '.join(map(repr, near))}? "
    return UsageError(f"There is no preset {name!r}.", hint=f"{offer}`pitchey presets` lists them all.")
