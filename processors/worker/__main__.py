"""Options, and what is done once in the worker's process, so that no fork has to do it again."""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib
import os
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from processors.protocol import (
    EVENT,
    INPUTS_DIR,
    RUN_DIR,
    SOCKET_NAME,
    SPOOL_DIR,
    AttemptGroup,
    AttemptRequest,
    OutputFile,
    Result,
    Service,
    Told,
)
from processors.specs import SPECS
from processors.worker import processes
from processors.worker.attempt import Attempt
from processors.worker.attempts import Attempts
from processors.worker.companion import PATIENCE_SECONDS, Companion
from processors.worker.serving import serve
from processors.worker.shared import SharedAttempt
from processors.worker.spool import Spool


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="processors.worker", description=__doc__)
    parser.add_argument("--service", type=Service, required=True, help="which service's attempts to take")
    parser.add_argument("--slots", type=int, default=1, help="attempts at once")
    parser.add_argument("--run", type=Path, default=Path(RUN_DIR), help="directory of the socket")
    parser.add_argument("--inputs", type=Path, default=Path(INPUTS_DIR), help="directory of the attempts' inputs")
    parser.add_argument("--spool", type=Path, default=Path(SPOOL_DIR), help="directory for what attempts give")
    parser.add_argument("--idle-exit", type=float, default=0, metavar="SECONDS",
                        help="end when nothing has run and nobody has asked for so long; 0 is never")  # fmt: skip
    parser.add_argument("--patience", type=float, default=PATIENCE_SECONDS, metavar="SECONDS",
                        help="with what attempts have left behind in the companion")  # fmt: skip
    parser.add_argument("--models", type=Path, metavar="DIR", help="directory of models, of a service that has some")
    parser.add_argument("--handler", metavar="MODULE", help="module of the handler, instead of the service's own")
    return parser.parse_args()


def main() -> None:
    """Run the worker."""
    options = _options()
    inputs, spool = options.inputs.resolve(), options.spool.resolve()
    handler = importlib.import_module(options.handler or f"processors.{options.service}.handler")
    if options.models is not None:
        handler.use_models(options.models.resolve())
    if hasattr(handler, "check"):
        handler.check()
    spec = SPECS[options.service]
    parts = [part for name in spec.model_fields if (part := spec.part_of(name)) is not None]
    models: list[type[BaseModel]] = [spec, *parts, AttemptRequest, AttemptGroup, OutputFile, Result, Told]
    for model in models:
        model.model_rebuild()  # here, once, and not in every fork
    EVENT.rebuild()
    processes.become_subreaper()
    _freeze()
    os.chdir(options.run)

    companion = None
    if hasattr(handler, "beside"):
        companion = Companion(handler.beside, slots=options.slots, patience_seconds=options.patience)

    def is_shared(request: AttemptRequest) -> bool:
        return companion is not None and hasattr(handler, "may_share") and bool(handler.may_share(request))

    def attempt(request: AttemptRequest, directory: Spool) -> Attempt:
        given = request, handler.handle, inputs / request.token, directory
        if companion is not None and is_shared(request):
            return SharedAttempt(*given, companion)
        return Attempt(*given)

    def attempts_of(tasks: asyncio.TaskGroup) -> Attempts:
        def is_light(request: AttemptRequest) -> bool:
            return request.inline_bytes is not None and is_shared(request)

        return Attempts(attempt, slots=options.slots, spool=spool, tasks=tasks, is_light=is_light)

    is_of_use = asyncio.run(
        serve(
            options.service,
            attempts_of,
            idle_exit=options.idle_exit,
            warm=lambda: _warm(handler),
            companion=companion,
        )
    )
    if not is_of_use:
        raise SystemExit(1)
    Path(SOCKET_NAME).unlink(missing_ok=True)


def _freeze() -> None:
    gc.collect()
    gc.freeze()  # what is imported stays: a collection in a child would only copy its pages


def _warm(handler: ModuleType) -> None:
    if hasattr(handler, "warm"):
        handler.warm()
        _freeze()


if __name__ == "__main__":
    main()
