"""A model that is run for an attempt, in the process that has it loaded: by a connection, or in a thread beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, cast

from numpy.typing import NDArray

from processors.inference.frameworks.port import Generator, Prompt, Session, Tensors
from processors.inference.repository import Repository
from processors.inference.serving.remote import Companion
from processors.inference.serving.shelf import Shelf
from processors.worker.context import Terminated

Facts = dict[str, Any]
Outputs = dict[str, NDArray[Any]]


def ran(
    repository: Repository, shelf: Shelf, head: Mapping[str, Any], tensors: Tensors, say: Callable[[str], bool]
) -> tuple[Facts, Outputs | None]:
    """Do what a request says, of those that wire.py has: run, or generate.

    Args:
        say: is given the pieces of a text; False when nobody listens any more.

    Raises:
        ModelError: the model is not there, or cannot be loaded.
        HandlerError: it failed.
    """
    with shelf.borrow(repository.find(head["model"])) as (loaded, waited):
        started = time.monotonic()
        facts: Facts = {}
        outputs: Outputs | None = None
        if head["do"] == "generate":
            facts["done"] = asdict(cast(Generator, loaded).generate(Prompt(**head["prompt"]), say))
        else:
            outputs = cast(Session, loaded).run(tensors, head.get("outputs", ()))
        took = {"load": waited, "run": time.monotonic() - started}
        return {**facts, "device": loaded.device, "seconds": took}, outputs


class Here(Companion):
    """The companion as an attempt has it that is done in the companion."""

    def __init__(self, repository: Repository, shelf: Shelf) -> None:
        super().__init__("")
        self._repository = repository
        self._shelf = shelf

    def ask(
        self, head: Mapping[str, Any], tensors: Tensors | None = None, on_piece: Callable[[str], None] | None = None
    ) -> tuple[Facts, Outputs]:
        """Run it.

        Raises:
            ModelError, HandlerError: as `ran` does.
        """

        def say(piece: str) -> bool:
            try:
                if on_piece is not None:
                    on_piece(piece)
            except Terminated:  # which must not pass through a library; the next progress raises it again
                return False
            return True

        facts, outputs = ran(self._repository, self._shelf, head, tensors or {}, say)
        self._note(facts)
        return facts, outputs or {}
