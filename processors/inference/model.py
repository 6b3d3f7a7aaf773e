"""A model as tasks have it: what its manifest says, the session that runs it, and the models that it uses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.errors import ModelError, NotFinite
from processors.inference.frameworks.port import Session, Tensors
from processors.inference.manifest import Manifest
from processors.inference.repository import Entry, Repository
from processors.inference.serving.remote import Companion

_MOST_NESTED = 4  # models that use models


@dataclass
class Model:
    """One model of an attempt."""

    entry: Entry
    session: Session  #: and a Generator, of a model that writes texts
    used: Model | None = None  #: the model that is run before this one, or for it
    writer: Model | None = None  #: what generates text for it
    tokens: Counter[int] = field(default_factory=Counter)  #: that have gone in so far, by the place of their text
    written: int = 0  #: tokens that have come out
    cut: Counter[int] = field(default_factory=Counter)  #: texts that were longer than it takes, by their places
    cut_at: int = 0  #: tokens, the longest that it takes
    room: int | None = None  #: tokens, where an answer was to be longer than it can be: the least that one had

    @property
    def manifest(self) -> Manifest:
        """What is written beside it."""
        return self.entry.manifest

    @cached_property
    def labels(self) -> list[str]:
        """What its classes are called, in order."""
        return self.entry.labels()

    @property
    def runs(self) -> Model:
        """The model whose file is run: itself, or the one that it is another use of."""
        return self if self.manifest.file is not None or self.used is None else self.used.runs

    @property
    def gains_by_company(self) -> bool:
        """Whether several texts at once are quicker than one after the other, for it or for what it uses."""
        return self.manifest.batching.max_size > 1 or (self.used is not None and self.used.gains_by_company)

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs."""
        return self.runs.session.run(tensors, outputs)

    def all_tokens(self, place: int | None = None) -> tuple[int, int]:
        """That have gone into it and into what it uses, and that have come out; of all texts, or of one."""
        counts = [(self.tokens.total() if place is None else self.tokens[place], self.written)]
        counts += [each.all_tokens(place) for each in (self.used, self.writer) if each is not None]
        return sum(into for into, _ in counts), sum(out for _, out in counts)

    def notes(self, place: int | None = None) -> list[str]:
        """What is to be said of how it was used; for all texts, or for one."""
        own = []
        if cut := self.cut.total() if place is None else self.cut[place]:
            texts = "A text was" if cut == 1 else f"{cut} texts were"
            own = [
                f"{texts} longer than the {self.cut_at} tokens that {self.manifest.name} reads: the rest did not count."
            ]
        if self.room is not None:
            words = f"beside the question {self.manifest.name} has room for {self.room} tokens"
            own.append(f"maxTokens was more than an answer can have: {words}.")
        return own + [note for each in (self.used, self.writer) if each is not None for note in each.notes(place)]

    def finite(self, values: NDArray[Any], where: str) -> NDArray[Any]:
        """The same numbers.

        Raises:
            NotFinite: they are none.
        """
        if not np.isfinite(values).all():
            raise NotFinite(self.manifest.reference, where)
        return values

    def bad(self, message: str) -> ModelError:
        """The manifest and the model do not fit together."""
        text = f"The model {self.manifest.reference}: {message}"
        return ModelError("manifest_disagrees", text, "Its manifest.json has to say it.")


def open_model(repository: Repository, companion: Companion, reference: str, depth: int = 0) -> Model:
    """Find a model and all that it uses; nothing is loaded before it is run.

    Raises:
        NoSuchModel: there is none of this name.
    """
    entry = repository.find(reference)
    manifest = entry.manifest
    if depth > _MOST_NESTED:
        raise ModelError("bad_manifest", f"The model {manifest.reference} uses itself.")
    used, writer = (
        None if name is None else open_model(repository, companion, name, depth + 1)
        for name in (manifest.uses, manifest.writes_with)
    )
    return Model(entry, companion.session(manifest.reference), used, writer)
