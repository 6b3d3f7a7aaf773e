"""Named entities by spaCy's models: folders, run by spaCy.

As a session: `text` in, a string for each text out, which is a list of entities in JSON. spaCy itself says no scores.
The recogniser gives each token one action (begin, inside, last, unit or out of an entity of a kind), and the score of
an entity here is the product of the shares that its actions had among all.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import spacy
from numpy.typing import NDArray

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks.port import Tensors
from processors.inference.repository import Entry
from processors.worker.context import Rejected

_EXCLUDED = ("tagger", "parser", "senter", "lemmatizer", "attribute_ruler")  # of what a pipeline may have beside
_SUFFIXES = (".pkl", ".pickle", ".joblib", ".py", ".so")
_BEGIN, _INSIDE, _LAST, _UNIT, _OUT = "BILUO"


def check(entry: Entry) -> None:
    """Refuse a folder that is no pipeline, or that holds what could run."""
    assert entry.file is not None
    what = f"The model {entry.manifest.reference}"
    if not (entry.file / "config.cfg").is_file() or not (entry.file / "ner").is_dir():
        raise UnsafeModel("not_spacy", f"{what} is no spaCy pipeline with the component ner.")
    if wrong := next((path for path in entry.manifest.files if path.endswith(_SUFFIXES)), None):
        raise UnsafeModel("unsafe_model", f"{what} holds {wrong}, which can run code.")


def load(entry: Entry, threads: int) -> SpacySession:
    """Load a pipeline."""
    del threads  # it has one
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of versions that are not quite its own
        return SpacySession(entry, spacy.load(str(entry.file), exclude=list(_EXCLUDED)))


class SpacySession:
    """A loaded pipeline."""

    device = "cpu"

    def __init__(self, entry: Entry, pipeline: Any) -> None:
        self._what = f"The model {entry.manifest.reference}"
        self._pipeline = pipeline
        self._recogniser = pipeline.get_pipe("ner")
        self._actions = {name: place for place, name in enumerate(self._recogniser.move_names)}
        self._one_at_a_time = threading.Lock()

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Find the entities of texts."""
        del outputs
        if "text" not in tensors:
            raise Rejected("input_missing", f"{self._what} needs the input 'text'.")
        texts = [str(text) for text in tensors["text"].ravel().tolist()]
        found = np.empty(len(texts), dtype=object)
        with self._one_at_a_time:
            found[:] = [json.dumps(self._entities(text)) for text in texts]
        return {"entities": found}

    def close(self) -> None:
        """Let go of its memory."""
        del self._pipeline, self._recogniser

    def _entities(self, text: str) -> list[dict[str, Any]]:
        document = self._pipeline.make_doc(text)
        for name, component in self._pipeline.pipeline:
            if name != "ner":
                document = component(document)
        if not len(document):
            return []
        shares = self._annotated(document)
        return [
            {
                "entity_group": entity.label_,
                "score": float(np.prod([shares[place] for place in range(entity.start, entity.end)])),
                "word": entity.text,
                "start": entity.start_char,
                "end": entity.end_char,
            }
            for entity in document.ents
        ]

    def _annotated(self, document: Any) -> list[float]:
        """Set the entities of a document; the share of each token's action."""
        step = self._recogniser.model.predict([document])
        states = self._recogniser.moves.init_batch([document])
        rows: list[NDArray[Any]] = []
        while not states[0].is_final():
            scores = np.ascontiguousarray(step.predict(states), dtype=np.float32)
            rows.append(scores[0].astype(np.float64))
            self._recogniser.transition_states(states, scores)
        self._recogniser.set_annotations([document], states)
        names = [self._action(token) for token in document]
        return [_share(row, self._actions[name]) for row, name in zip(rows, names, strict=False)]

    @staticmethod
    def _action(token: Any) -> str:
        if token.ent_iob_ == "O":
            return _OUT
        begins = token.ent_iob_ == "B"
        following = token.doc[token.i + 1] if token.i + 1 < len(token.doc) else None
        ends = following is None or following.ent_iob_ != "I"
        letter = (_UNIT if ends else _BEGIN) if begins else (_LAST if ends else _INSIDE)
        return f"{letter}-{token.ent_type_}"


def _share(row: NDArray[Any], place: int) -> float:
    exponents = np.exp(row - row.max())
    return float(exponents[place] / exponents.sum())
