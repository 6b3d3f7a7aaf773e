"""Which languages pages are read with: those that are asked for, or those that a few lines are read best with.

Each language that is installed reads them. It is the one whose commonest words stand in what it has read; where words
tell nothing, as of a language that was added, it is the one that tesseract is surest with.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from processors.document.ocr import common_words, engine
from processors.document.ocr.hocr import Found, Line, parse
from processors.document.ocr.marks import is_read, sureness
from processors.worker.context import Rejected

AUTO = "auto"
_FIRST = "eng"  # what a page is looked at with, and read with where nothing is better
_BETTER = 0.012  # of certainty: so much surer than with the first a language has to be
_LEAST_WORDS = 3  # common ones, that tell a language ...
_MORE_WORDS = 1.5  # ... where it has so many times as many as any other ...
_NEARLY = 0.1  # ... and is less sure by no more than this than the surest
_CLEARLY = 0.02  # of certainty: a language that is surer by less than this may be another
_UNSURE = 0.7  # of certainty: with less it is none of these, and its script is asked for
_LINES = 5  # that tell
_LEAST_CHARACTERS = 30  # of them
_MARGIN = 12  # pixels around a line
_ONE_BLOCK = 6  # tesseract's way to find text that only takes lines apart
_COARSER = 2  # times: to find lines needs no more

_SCRIPTS = {
    "Arabic": ("ara", "fas", "urd"),
    "Armenian": ("hye",),
    "Bengali": ("ben",),
    "Cyrillic": ("rus", "ukr", "bul", "bel", "srp", "mkd"),
    "Devanagari": ("hin", "mar", "nep"),
    "Georgian": ("kat",),
    "Greek": ("ell", "grc"),
    "Han": ("chi_sim", "chi_tra"),
    "Hangul": ("kor",),
    "Hebrew": ("heb",),
    "Japanese": ("jpn",),
    "Korean": ("kor",),
    "Tamil": ("tam",),
    "Thai": ("tha",),
}


@dataclass(frozen=True, slots=True)
class Guess:
    """What a page seems to be written in."""

    language: str  #: as `deu`; several of a script as `rus+ukr`
    certainty: float | None  #: of tesseract, from 0 to 1; None of a script, where nothing is compared
    is_clear: bool  #: whether no other language is as likely


@dataclass(frozen=True, slots=True)
class Trial:
    """How a language reads a few lines."""

    certainty: float  #: from 0 to 1
    words: int  #: common ones of the language


def decided(trials: Mapping[str, Trial], first: str) -> Guess:
    """Choose the language that reads best. Pure.

    Args:
        trials: by language.
        first: the one that stays unless another is better.
    """
    surest = max(trials, key=lambda language: trials[language].certainty)
    by_words = sorted(trials, key=lambda language: -trials[language].words)
    most, second = trials[by_words[0]], trials[by_words[1]].words if len(by_words) > 1 else 0
    tells = most.words >= max(_LEAST_WORDS, _MORE_WORDS * second)
    if tells and common_words.is_known(surest) and most.certainty >= trials[surest].certainty - _NEARLY:
        return Guess(by_words[0], most.certainty, is_clear=True)
    best = surest if trials[surest].certainty > trials[first].certainty + _BETTER else first
    others = [trial.certainty for language, trial in trials.items() if language != best]
    return Guess(best, trials[best].certainty, trials[best].certainty >= max(others, default=0.0) + _CLEARLY)


def checked(wanted: str) -> str:
    """Give languages as tesseract takes them, each once.

    Raises:
        Rejected: one is not installed.
    """
    there = engine.installed().languages
    languages = list(dict.fromkeys(wanted.split("+")))
    for language in languages:
        if language not in there:
            raise _missing(f"Pictures cannot be read in {language} here", language)
    return "+".join(languages)


def first() -> str:
    """What a page is looked at with, before its language is known."""
    there = engine.installed().languages
    if not there:
        raise _missing("Pictures cannot be read here", _FIRST)
    return _FIRST if _FIRST in there else there[0]


def together(found: Sequence[str | None]) -> str:
    """The languages of several pages, the most frequent first."""
    counts = Counter(language for language in found if language is not None)
    return "+".join(language for language, _ in counts.most_common()) or first()


def language_of(picture: Path, dpi: float, name: str) -> Guess | None:
    """Find the language of the text on a picture; None where there is too little of it.

    Args:
        name: what the user calls the file.

    Raises:
        Rejected: it is in a script of which no language is installed.
    """
    due = time.monotonic() + engine.PAGE_SECONDS
    sample = picture.with_suffix(".sample.ppm")
    guess = first()

    def trial(language: str) -> Trial:
        data = engine.read(sample, language, dpi=round(dpi), seconds=due - time.monotonic(), mode=_ONE_BLOCK)
        read = parse(data)
        words = (mark.text for line in read.lines for mark in line.marks)
        return Trial(round(_certainty(read), 3), common_words.count(language, words))

    found = _looked_at(picture, sample, guess, dpi)
    characters = sum(len(mark.text) for line in found for mark in line.marks)
    if characters < _LEAST_CHARACTERS:
        return None
    _write_sample(picture, found, sample)
    latin = [each for each in engine.installed().languages if not any(each in some for some in _SCRIPTS.values())]
    trials = {language: trial(language) for language in dict.fromkeys([guess, *latin])}
    best = decided(trials, guess)
    if max(each.certainty for each in trials.values()) >= _UNSURE:
        return best
    script = _of_script(picture, dpi, name, due)
    return best if script is None else Guess(script, None, is_clear=True)


def _of_script(picture: Path, dpi: float, name: str, due: float) -> str | None:
    script = engine.script(picture, dpi=round(dpi), seconds=due - time.monotonic())
    if script not in _SCRIPTS:
        return None
    there = [language for language in _SCRIPTS[script] if language in engine.installed().languages]
    if not there:
        raise _missing(f"{name} is written in {script}, which cannot be read here", _SCRIPTS[script][0])
    return "+".join(there)


def _looked_at(picture: Path, coarse: Path, guess: str, dpi: float) -> list[Line]:
    """The longest lines of a picture that are surely text; places are of the coarser picture."""
    with Image.open(picture) as image:
        image.reduce(_COARSER).save(coarse, "PPM")
    data = engine.read(coarse, guess, dpi=round(dpi / _COARSER), seconds=engine.PAGE_SECONDS)
    lines = [line for line in parse(data).lines if is_read(line)]
    return sorted(lines, key=lambda line: -sum(len(mark.text) for mark in line.marks))[:_LINES]


def _write_sample(picture: Path, lines: Sequence[Line], target: Path) -> None:
    """Put lines below each other, level."""
    parts = []
    with Image.open(picture) as image:
        for line in lines:
            left, top = (max(0, int(_COARSER * side) - _MARGIN) for side in (line.box.left, line.box.top))
            right, bottom = (int(_COARSER * side) + _MARGIN for side in (line.box.right, line.box.bottom))
            area = (left, top, min(image.width, right), min(image.height, bottom))
            parts.append(image.crop(area).rotate(-line.turned, expand=True, fillcolor=255))
    sample = Image.new("L", (max(part.width for part in parts), sum(part.height for part in parts)), 255)
    top = 0
    for part in parts:
        sample.paste(part, (0, top))
        top += part.height
    sample.save(target, "PPM")


def _certainty(found: Found) -> float:
    characters = sum(len(mark.text) for line in found.lines for mark in line.marks)
    return sureness(found) / characters if characters else 0.0


def _missing(what: str, language: str) -> Rejected:
    there = ", ".join(engine.installed().languages) or "no language"
    package = f"tesseract-ocr-{language.replace('_', '-').lower()}"
    return Rejected(
        "language_not_installed",
        f"{what}: installed is {there}.",
        f"Set document.ocr_languages to {language} and run pitchey images build; "
        f"on the process engine install {package}.",
    )
