"""The commonest words of languages: they show what a few lines are written in where tesseract is as sure of several.

Function words of at least two letters, which make a third to a half of any text (G. K. Zipf, "The Psycho-Biology of
Language", 1935).
"""

from __future__ import annotations

from collections.abc import Iterable

_SIGNS = ".,;:!?()[]\"'«»„“”‘’-"

_WORDS = {
    language: frozenset(words.split())
    for language, words in {
        "deu": "der die und das den von zu mit sich des auf für ist im dem nicht ein eine als auch es werden sie",
        "eng": "the and of to in is that for it with was as be on are this by from not which have at or",
        "fra": "de la le et les des en un une du est que pour dans qui au par plus pas sur ne il elle",
        "ita": "di che il la un per una non del con le si della da sono gli al nel dei in lo anche",
        "nld": "de het een en van in is dat op te voor met zijn niet aan er om ook als bij door wij",
        "por": "de que do da em um para com não uma os no se na por as dos mais ao ou foi",
        "spa": "de la que el en los del se las por un para con una su al lo como más es no",
    }.items()
}


def is_known(language: str) -> bool:
    """Whether its words are known."""
    return language in _WORDS


def count(language: str, words: Iterable[str]) -> int:
    """How many of some words are common ones of a language."""
    common = _WORDS.get(language, frozenset())
    return sum(word.strip(_SIGNS).lower() in common for word in words)
