"""pitchey images: build the images that instances run, list them, clear old ones away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.progress import show_build
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.engines import images
from pitchey_cli.engines.bootstrap import DEBIAN, make_debian
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
    services: Annotated[list[str] | None, typer.Argument(metavar="[SERVICE...]", help="By default all.")] = None,
    engine: EngineOption = None,
    ca_bundle: CaBundleOption = None,
) -> None:
    """Build what is missing; an image whose parts have not changed is left as it is."""
    wiring = reach.here()
    chosen = [_available(name) for name in services] if services else images.available()
    target = wiring.engine(engine)
    for service in chosen:
        steps = images.ensure(target, service, wiring.ca_bundle(ca_bundle), sources=wiring.sources())
        show_build(steps, title=f"building the {service} image")
        typer.echo(wiring.image_tag(service))


@app.command(name="list")
def list_(
    engine: EngineOption = None, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """List Pitchey's images."""
    wiring = reach.here()
    found = wiring.engine(engine).images()
    current = {image.tag for image in images.plan(images.available(), wiring.sources())}
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
    """Remove Pitchey's images that are no longer current."""
    wiring = reach.here()
    for tag in images.prune(wiring.engine(engine), wiring.sources()):
        typer.echo(tag)


@app.command()
def bootstrap(engine: EngineOption = None) -> None:
    """Make the base system out of the distribution's packages, where no image registry can be reached."""
    target = reach.here().engine(engine)
    show_build(make_debian(target), title="making the base system")
    typer.echo(DEBIAN)


def _available(name: str) -> Service:
    found = [service for service in images.available() if service == name]
    if not found:
        there = ", ".join(images.available())
        raise UsageError(
            f"There is no image for a service {name!r} in this version.", hint=f"There is one for {there}."
        )
    return found[0]
