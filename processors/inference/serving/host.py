"""The companion of an inference instance: it has the models, and runs them for whoever asks on the socket.

One thread per connection; an attempt that is a fork has one, and those that are done here need none. Requests are in
wire.py; what loads and runs is behind the ports.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import traceback
from typing import Any

from processors.inference.errors import ModelError
from processors.inference.frameworks import registry
from processors.inference.frameworks.port import Generator, Loaded, Tensors
from processors.inference.memory import give_back
from processors.inference.repository import Entry, Repository
from processors.inference.serving.here import Here, ran
from processors.inference.serving.measuring import measure
from processors.inference.serving.ready import made_ready
from processors.inference.serving.shelf import Shelf, may_have_forms
from processors.inference.serving.wire import HungUp, receive, send
from processors.inference.work import gains_by_company, length, likeness, perform_together, result
from processors.worker.beside import Host, Together
from processors.worker.cgroup import read_usage
from processors.worker.context import HandlerError, Rejected
from processors.worker.threads import granted_threads

_SHARE = 0.6  # of the instance's memory that models may take; attempts decode pictures in the rest
_BUDGET_BYTES = 4 << 30  # where nothing bounds the instance


def budget_bytes() -> int:
    """The memory that models may take here."""
    limit = read_usage().memory_limit_bytes
    return _BUDGET_BYTES if limit is None else int(limit * _SHARE)


def serve(listening: socket.socket, repository: Repository, worker: Host) -> None:
    """Serve for ever."""
    threads, budget = granted_threads(), budget_bytes()

    def load(entry: Entry) -> Loaded:
        has_forms = may_have_forms(entry, threads, budget)
        return made_ready(registry.load(entry, threads, has_forms=has_forms), entry.manifest)

    def changed(models: dict[str, int]) -> None:
        give_back()
        worker.say(models)

    shelf = Shelf(budget, load, changed, threads=threads)
    worker.say(shelf.loaded())
    worker.serve(
        lambda context: result(context, repository, Here(repository, shelf)),
        Together(
            likeness,
            lambda request: gains_by_company(request, repository, Here(repository, shelf)),
            length,
            lambda contexts: perform_together(contexts, repository, Here(repository, shelf)),
        ),
    )
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_converse, args=(connection, repository, shelf), daemon=True).start()


def _converse(connection: socket.socket, repository: Repository, shelf: Shelf) -> None:
    """Answer one attempt until it hangs up."""
    with connection:
        try:
            while True:
                head, tensors = receive(connection)
                try:
                    _answer(connection, head, tensors, repository, shelf)
                except (HandlerError, ModelError) as error:
                    send(connection, {"error": _described(error)})
                except MemoryError:
                    raise
                except Exception as error:
                    if isinstance(error, HungUp):
                        raise
                    traceback.print_exc()
                    message = f"Running a model failed unexpectedly: {type(error).__name__}: {error}"
                    send(connection, {"error": _described(HandlerError("internal_error", message))})
        except HungUp:
            pass
        except MemoryError:
            sys.stderr.write("A model needed more memory than there is.\n")


def _answer(
    connection: socket.socket, head: dict[str, Any], tensors: Tensors, repository: Repository, shelf: Shelf
) -> None:
    if head["do"] == "measure":
        send(connection, measured(repository.find(head["model"]), shelf))
        return
    facts, outputs = ran(repository, shelf, head, tensors, lambda piece: _say(connection, piece))
    send(connection, facts, outputs)


def measured(entry: Entry, shelf: Shelf) -> dict[str, Any]:
    """How a model is to be batched. It is loaded once more, because jobs share the one on the shelf."""
    with shelf.borrow_alone(entry, lambda wanted: registry.load(wanted, granted_threads())) as (loaded, waited):
        started = time.monotonic()
        found = None if isinstance(loaded, Generator) else measure(loaded, entry.manifest)
    took = {"load": waited, "run": time.monotonic() - started}
    head: dict[str, Any] = {"device": loaded.device, "seconds": took, "measured": None}
    if found is not None:
        batching = found.batching.model_dump(mode="json", by_alias=True)
        head["measured"] = {"runSeconds": dict(found.seconds), "batching": batching}
    return head


def _say(connection: socket.socket, piece: str) -> bool:
    """Pass on a piece of text; whether anybody is still there to read it."""
    try:
        send(connection, {"piece": piece})
    except HungUp:
        return False
    return True


def _described(error: HandlerError | ModelError) -> dict[str, Any]:
    return {
        "code": error.code,
        "message": error.message,
        "hint": error.hint,
        "is_final": isinstance(error, (ModelError, Rejected)),
    }
