"""pitchey scaling simulate: what other settings, or another load, would lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.progress import share_progress
from pitchey_cli.domain.errors import UsageError

if TYPE_CHECKING:
    from pitchey_cli.domain.capacity import Size

_MAX_NODES = 100_000


def simulate(
    load: Annotated[
        str, typer.Option("--load", help="poisson, diurnal, burst, recorded, or a trace file: see above.")
    ] = "",
    service: Annotated[
        list[str] | None, typer.Option("--service", help="Whose jobs come; may be given several times.")
    ] = None,
    rate: Annotated[str, typer.Option("--rate", help="Jobs of each service on average: 100/h, 5/s, 1e6/d.")] = "",
    span: Annotated[
        str, typer.Option("--for", help="How long: 30m, 24h (the default), 7d (of what is recorded); 366d at most.")
    ] = "",
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="Mean time that a job takes; by default as jobs took lately.")
    ] = None,
    spread: Annotated[
        str, typer.Option("--spread", help="How these times differ: exponential, lognormal or fixed.")
    ] = "",
    nodes: Annotated[int, typer.Option("--nodes", help="Equal nodes; settings are of each of them.")] = 1,
    cpus: Annotated[
        float | None, typer.Option("--cpus", help="CPUs of a node; by default of the daemon's machine.")
    ] = None,
    memory: Annotated[
        float | None,
        typer.Option("--memory", help="Memory of a node in GiB; by default of the daemon's machine."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Another setting, as services.video.max_instances=8.")
    ] = None,
    sweep: Annotated[
        str, typer.Option("--sweep", help="Try several: services.video.sleep_after_seconds=30,60,120,300,600.")
    ] = "",
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same jobs.", min=0)] = 1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let jobs pass through pools that do not exist: how long they would wait, and what it would cost.

    By default the jobs are those of the last seven days, as they came. Decisions are those of the daemon.

    A trace file has a job on each line: JSON, or CSV (.csv) below a line of names. Its fields are at (when it comes:
    seconds, or an ISO time), service, seconds (how long it holds a slot) and, if need be, size (an instance type) and
    organisation.
    """
    from pitchey_cli.cli import simulated_settings
    from pitchey_cli.domain.loads import Spread
    from pitchey_cli.operations import simulate as operation
    from pitchey_cli.reports import simulations as reports

    if spread and spread not in set(Spread):
        raise UsageError(f"--spread is one of {', '.join(Spread)}, not {spread!r}.")
    if not 1 <= nodes <= _MAX_NODES:
        raise UsageError(f"--nodes is at least 1 and at most {_MAX_NODES:,}, not {nodes}.")
    wiring = reach.wiring()
    changes = simulated_settings.parse_changes(set_ or [], option="--set")
    key, values = simulated_settings.parse_sweep(sweep) if sweep else ("", {})
    elsewhere = wiring.elsewhere
    own = None if elsewhere is None or (cpus is not None and memory is not None) else elsewhere.size()
    host = node_size(cpus, memory, of=own)
    asked = operation.LoadRequest(
        load, tuple(service or ()), rate, span, seconds, Spread(spread) if spread else None
    )  # fmt: skip
    chosen = operation.choose_load(asked, wiring.store, now=wiring.clock.now())
    for each in simulated_settings.unheard(changes, chosen.pools):
        terminal.say(f"--set: {each}")
    for each in simulated_settings.unheard([key] if key else [], chosen.pools):
        raise UsageError(f"--sweep: {each}")
    start_seconds = operation.median_start_seconds(wiring.store())

    def setup(more: dict[str, Any]) -> operation.Setup:
        return simulated_settings.setup(wiring.settings, changes | more, host=host, start_seconds=start_seconds)

    run = reports.Run(asked.name, nodes, seed)
    if not key:
        with share_progress("simulating") as progress:
            result = operation.simulate(setup({}), chosen, nodes=nodes, seed=seed, on_progress=progress)
        if json:
            terminal.show_json(reports.as_json(result, run))
        else:
            terminal.show(reports.table(result, run))
        return
    setups = [(text, setup({key: value})) for text, value in values.items()]
    with share_progress(f"simulating {len(setups)} times") as progress:
        trials = operation.sweep(setups, chosen, nodes=nodes, seed=seed, on_progress=progress)
    if json:
        terminal.show_json(reports.sweep_as_json(key, trials, run))
    else:
        terminal.show(reports.sweep_table(key, trials, run))
        terminal.show(reports.chart(key, trials, width=min(100, terminal.out().width)))


def node_size(cpus: float | None = None, memory_gib: float | None = None, *, of: Size | None = None) -> Size:
    """The size of a node: what is said of it, else that of a machine, this one if none is named."""
    import psutil

    from pitchey_cli.domain.capacity import Size
    from pitchey_cli.domain.limits import GIB

    for option, value in (("--cpus", cpus), ("--memory", memory_gib)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{option} is more than nothing, not {value:g}.")
    own = of or Size(float(psutil.cpu_count() or 1), psutil.virtual_memory().total)
    return Size(own.cpus if cpus is None else cpus, own.memory_bytes if memory_gib is None else int(memory_gib * GIB))
