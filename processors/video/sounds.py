"""Pure: which sounds of a file are meant."""

from __future__ import annotations

from collections.abc import Sequence

from processors.ffmpeg.probe import Audio
from processors.worker.context import Rejected


def chosen_sounds(audios: Sequence[Audio], wanted: Sequence[str] | None, name: str) -> list[Audio]:
    """Find the tracks that are wanted, each once, in the order in which they are named.

    Args:
        wanted: all, none, numbers from 1, or languages; None for all, the file's default one first.
        name: what to call the file in messages.

    Raises:
        Rejected: the file has no such track.
    """
    if wanted is None:
        return sorted(audios, key=lambda audio: not audio.is_default)
    found: list[Audio] = []
    for each in wanted:
        if each == "none":
            continue
        if each == "all":
            matching = list(audios)
        elif each.isdigit():
            matching = list(audios[int(each) - 1 : int(each)]) if int(each) else []
        else:
            matching = [audio for audio in audios if (audio.language or "").lower().startswith(each.lower())]
        if not matching and each != "all":
            raise Rejected("no_such_track", f"{name} has no sound track {each}.", _what_there_is(audios))
        found += [audio for audio in matching if audio not in found]
    return found


def _what_there_is(audios: Sequence[Audio]) -> str:
    if not audios:
        return "It has no sound at all."
    said = ", ".join(f"{number} ({audio.language or 'no language'})" for number, audio in enumerate(audios, start=1))
    return f"It has {said}."
