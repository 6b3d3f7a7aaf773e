"""Options, and the parts put together."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
from pathlib import Path

from pitchey_cli.domain.surroundings import VARIABLE, Surroundings
from pitchey_cli.engines.port import LABEL_GROUP, LABEL_STATE, EngineKind, SlotSpec
from pitchey_cli.engines.slots import SlotEngine, random_uid
from pitchey_cli.supervisor.attempt import Means, SlotAttempt
from pitchey_cli.supervisor.memory import Memory
from pitchey_cli.supervisor.network import Network
from pitchey_cli.supervisor.packages import Packages
from pitchey_cli.supervisor.shelf import Shelf, SlotClass
from pitchey_cli.supervisor.slot import Slot
from processors.code.languages import prepare
from processors.code.slot_protocol import UID_VARIABLE
from processors.protocol import SOCKET_NAME, AttemptRequest, Service
from processors.specs import CodeSpec
from processors.worker.attempts import Attempts
from processors.worker.serving import serve
from processors.worker.spool import Spool


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pitchey_cli.supervisor", description=__doc__)
    parser.add_argument("--service", type=Service, required=True)
    parser.add_argument("--slots", type=int, required=True, help="attempts at once")
    parser.add_argument("--run", type=Path, required=True, help="directory of the socket")
    parser.add_argument("--inputs", type=Path, required=True, help="directory of the attempts' inputs")
    parser.add_argument("--spool", type=Path, required=True, help="directory for what attempts give")
    parser.add_argument("--idle-exit", type=float, default=0, metavar="SECONDS", help="as the worker's")
    parser.add_argument("--engine", type=EngineKind, required=True)
    parser.add_argument("--endpoint", required=True, help="where the engine listens")
    parser.add_argument("--image", required=True, help="of the slots")
    parser.add_argument("--cpus", type=float, required=True, help="that each slot may use")
    parser.add_argument("--memory", type=int, required=True, metavar="BYTES", help="of all slots with jobs together")
    parser.add_argument("--runtime", default="", help="of the slots' containers; else the engine's own")
    parser.add_argument("--group", required=True, help="id of the instance")
    parser.add_argument("--state", required=True, help="label of the state directory")
    parser.add_argument("--organisation", default="", help="whose jobs they are; empty: of the default one")
    return parser.parse_args()


def main() -> None:
    """Run the supervisor."""
    options = _options()
    options.spool, options.inputs = options.spool.resolve(), options.inputs.resolve()
    os.chdir(options.run)
    if not asyncio.run(_supervise(options)):
        raise SystemExit(1)
    Path(SOCKET_NAME).unlink(missing_ok=True)


async def _supervise(options: argparse.Namespace) -> bool:
    engine = SlotEngine(options.engine, options.endpoint)

    async def make(wanted: SlotClass) -> Slot:
        return await Slot.start(engine, _spec(options, wanted))

    shelf = Shelf(make, most=options.slots)
    # Before there is a job: the first one is likely to need no more than the defaults.
    usual = prepare(CodeSpec.model_validate({"language": "python", "code": ""}))
    shelf.expect(SlotClass(usual.memory_bytes))
    surroundings = _surroundings()
    network = Network(surroundings)
    memory = Memory(options.memory)
    packages = Packages(surroundings, network, options.image, options.organisation, shelf, memory.held)
    compilers = asyncio.Semaphore(max(1, int(options.cpus)))
    means = Means(shelf, memory, compilers, surroundings.outward.of_programs(), network, packages)

    def attempt(request: AttemptRequest, spool: Spool) -> SlotAttempt:
        return SlotAttempt(request, means, options.inputs / request.token, spool)

    def attempts_of(tasks: asyncio.TaskGroup) -> Attempts:
        return Attempts(attempt, slots=options.slots, spool=options.spool, tasks=tasks)

    keeping = asyncio.create_task(shelf.keep())
    try:
        return await serve(options.service, attempts_of, idle_exit=options.idle_exit, warm=lambda: None)
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await shelf.close()
        engine.close()


def _surroundings() -> Surroundings:
    """What the host says of itself; taken out of the environment, of which nothing else here knows."""
    said = os.environ.pop(VARIABLE, None)
    return Surroundings.from_text(said) if said else Surroundings(packages_dir=str(Path.cwd() / "packages"))


def _spec(options: argparse.Namespace, wanted: SlotClass) -> SlotSpec:
    return SlotSpec(
        slot_id=f"slot-{secrets.token_hex(6)}",
        image=options.image,
        memory_bytes=wanted.memory_bytes,
        cpus=options.cpus,
        labels={LABEL_GROUP: options.group, LABEL_STATE: options.state},
        environment={UID_VARIABLE: str(random_uid()), **dict(wanted.environment)},
        mounts=wanted.mounts,
        job_bytes=wanted.job_bytes,
        job_files=wanted.job_files,
        runtime=options.runtime,
    )


if __name__ == "__main__":
    main()
