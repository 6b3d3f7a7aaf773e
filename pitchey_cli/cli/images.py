"""pitchey images: build the images that instances run, list them, clear old ones away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.progress import show_build
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.engines import images
from pitchey_cli.engines.bootstrap import DEBIAN, make_debian
from pitchey_cli.engines.images import Sources
from pitchey_cli.engines.port import LABEL_IMAGE
from pitchey_cli.reports.wording import ago, size
from processors.vocabulary import Service

app = typer.Typer(
    help="Build, list and clear away images.", add_completion=False, rich_markup_mode=None, no_args_is_help=True
)
EngineOption = Annotated[str | None, typer.Option("--engine", help="docker or podman.", metavar="ENGINE")]
CaBundleOption = Annotated[
    Path | None, typer.Option("--ca-bundle", help="Certificates for a proxy; by default those SSL_CERT_FILE names.")
]


@app.command()
def build(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE...]", help="By default all; inference-torch and the like have more."),
    ] = None,
    engine: EngineOption = None,
    ca_bundle: CaBundleOption = None,
    wheelhouse: Annotated[
        Path | None, typer.Option("--wheelhouse", help="A folder of wheels that frameworks are installed from.")
    ] = None,
) -> None:
    """Build what is missing; an image whose parts have not changed is left as it is.

    The image of inference can have more frameworks: inference-tensorflow, inference-torch, inference-tensorflow-torch.
    """
    wiring = reach.here()
    chosen = [_wanted(name, wiring.engines.sources()) for name in services or images.available()]
    if wheelhouse is not None and not any(sources.frameworks for _, sources in chosen):
        raise UsageError("--wheelhouse is for images with more frameworks.", hint=f"As {', '.join(images.variants())}.")
    target = wiring.engines.connect(engine)
    for service, sources in chosen:
        steps = images.ensure(
            target, service, wiring.engines.ca_bundle(ca_bundle), wheelhouse=wheelhouse, sources=sources
        )
        show_build(steps, title=f"building the {service} image")
        typer.echo(images.current_tag(service, sources))


@app.command(name="list")
def list_(
    engine: EngineOption = None, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List Pitchey's images."""
    wiring = reach.here()
    found = wiring.engines.connect(engine).images()
    current = images.current_tags(wiring.engines.sources())
    if json:
        terminal.show_json(
            [{"tag": item.tag, "sizeBytes": item.size_bytes, "isCurrent": item.tag in current} for item in found]
        )
        return
    from rich.table import Table

    now = datetime.now(UTC)
    table = Table("image", "of", "size", "built", "", box=None, pad_edge=False, header_style="bold")
    for item in sorted(found, key=lambda item: -item.created_at):
        built = ago(datetime.fromtimestamp(item.created_at, UTC), now)
        state = "current" if item.tag in current else "old"
        table.add_row(item.tag, item.labels.get(LABEL_IMAGE, ""), size(item.size_bytes), built, state)
    terminal.show(table)


@app.command()
def prune(engine: EngineOption = None) -> None:
    """Remove Pitchey's images that are no longer current, and what their builds have left."""
    wiring = reach.here()
    for tag in images.prune(
        wiring.engines.connect(engine), wiring.engines.sources(), now=datetime.now(UTC).timestamp()
    ):
        typer.echo(tag)


@app.command()
def bootstrap(engine: EngineOption = None) -> None:
    """Make the base system out of the distribution's packages, where no image registry can be reached."""
    target = reach.here().engines.connect(engine)
    show_build(make_debian(target), title="making the base system")
    typer.echo(DEBIAN)


def _wanted(name: str, sources: Sources) -> tuple[Service, Sources]:
    """A service, and what its image is made of; without more in its name it has what this machine's models need."""
    if (frameworks := images.variants().get(name)) is not None:
        return Service.INFERENCE, replace(sources, frameworks=frameworks)
    found = [service for service in images.available() if service == name]
    if not found:
        there = ", ".join([*images.available(), *images.variants()])
        raise UsageError(
            f"There is no image for a service {name!r} in this version.", hint=f"There is one for {there}."
        )
    return found[0], sources
