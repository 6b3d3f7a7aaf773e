"""pitchey nodes: the daemons that share a queue."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.operations import nodes as operation
from pitchey_cli.reports.wording import printable

app = typer.Typer(
    help="The daemons that share a queue: what they are, and which of them takes jobs.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
OfNode = Annotated[str, typer.Argument(metavar="NODE", help="Its name, or its id.")]


@app.command(name="list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Also those that were removed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """List the nodes: their labels, what they run, and when they were last heard of."""
    wiring = reach.wiring()
    now, found = wiring.clock.now(), operation.nodes(wiring.store(), with_removed=all_)
    from pitchey_cli.reports import nodes  # late: it loads rich

    if json:
        terminal.show_json_lines(nodes.document(each, now=now) for each in found)
    else:
        terminal.show(nodes.table(found, now=now))


@app.command()
def show(node: OfNode, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show one node, and its instances."""
    wiring = reach.wiring()
    now, found = wiring.clock.now(), operation.node(wiring.store(), node)
    from pitchey_cli.reports import nodes  # late: it loads rich

    if json:
        terminal.show_json(nodes.document(found, now=now))
    else:
        terminal.show(nodes.whole(found, now=now))


@app.command()
def drain(node: OfNode) -> None:
    """Let NODE take nothing new: it ends what it runs, and then has nothing to do. That stays so until `undrain`."""
    _set_drained(node, is_drained=True)


@app.command()
def undrain(node: OfNode) -> None:
    """Let NODE take jobs again."""
    _set_drained(node, is_drained=False)


def _set_drained(node: str, *, is_drained: bool) -> None:
    wiring = reach.wiring()
    store = wiring.store()
    found = operation.find(store, node)
    has_changed = store.drain_node(found.id, is_drained=is_drained, now=wiring.clock.now())
    wiring.poke()
    name, how = printable(found.facts.name), "takes nothing new" if is_drained else "takes jobs"
    terminal.say(f"{name} {how}{'' if has_changed else ', as before'}.")


@app.command()
def remove(
    node: OfNode,
    force: Annotated[bool, typer.Option("--force", help="Also one that is up: its jobs are taken from it.")] = False,
) -> None:
    """Forget NODE. What it left running waits again, and uses up no attempt."""
    wiring = reach.wiring()
    store = wiring.store()
    found = operation.find(store, node)
    operation.check_removable(found, force=force)
    taken = store.remove_node(found.id, now=wiring.clock.now())
    wiring.poke()
    if taken is not None:
        terminal.say(printable(operation.removed_sentence(found, taken)))
