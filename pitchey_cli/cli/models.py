"""pitchey models: the models of this machine, beside those of the image."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import ExitCode, UsageError
from pitchey_cli.wiring import Wiring
from processors.vocabulary import VARIANTS, variant_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pitchey_cli.models.store import ModelStore
    from pitchey_cli.operations.requests import Request

app = typer.Typer(
    help="Models of the inference service: add, look at, verify, pin and remove them.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")]
EngineOption = Annotated[
    str | None, typer.Option("--engine", help="docker, podman, or process: no isolation.", metavar="ENGINE")
]
_BENCH_KEY = "models-bench"  # one at a time: they would measure each other

Reference = Annotated[str, typer.Argument(metavar="MODEL", help="NAME, or NAME@VERSION.")]


@app.command(name="list")
def list_(json: JsonLines = False) -> None:
    """List all models, this machine's and the image's. With * is the version that a job means that says none."""
    from pitchey_cli.operations.models import listing  # late, here and below: pydantic takes its time
    from pitchey_cli.reports import models as reports

    wiring = reach.wiring()
    found = listing.listed(wiring.models()) if wiring.elsewhere is None else wiring.elsewhere.models()
    rows = map(reports.row_of, found)
    if json:
        terminal.show_json_lines(map(reports.document, rows))
    else:
        terminal.show(reports.table(rows))


@app.command()
def show(model: Reference, json: Json = False) -> None:
    """Show what is known of a model: its task, what goes in and out, its labels, its files."""
    from pitchey_cli.operations.models import listing
    from pitchey_cli.reports import models as reports

    wiring = reach.wiring()
    if wiring.elsewhere is None:
        row = reports.row_of(listing.found(wiring.models(), model))
    else:
        row = reports.row_of(listing.found_among(wiring.elsewhere.models(), model))
    if json:
        terminal.show_json(reports.whole_document(row))
    else:
        terminal.show(reports.card(row))


@app.command()
def add(
    model: Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="What jobs are to call it.")],
    source: Annotated[
        str | None, typer.Argument(help="A file, a folder, an archive, a URL, pip:NAME or npm:NAME.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="What it is for, as image-classification.")] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", help="A file with one on each line, or labels with commas.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option("--manifest", help="A manifest.json; by default the one in SOURCE, if it has one.")
    ] = None,
    file: Annotated[str | None, typer.Option("--file", help="The model among the files of SOURCE.")] = None,
    framework: Annotated[str | None, typer.Option("--framework", help="What it must be, as onnx.")] = None,
    preprocessing: Annotated[
        str | None, typer.Option("--preprocessing", help="Fields of it as JSON, beside what the shapes say.")
    ] = None,
    postprocessing: Annotated[
        str | None, typer.Option("--postprocessing", help="Fields of it as JSON, beside what the shapes say.")
    ] = None,
    uses: Annotated[
        str | None, typer.Option("--uses", help="The model that is run before it, or for it.", metavar="NAME@VERSION")
    ] = None,
    description: Annotated[str | None, typer.Option("--description", help="What it is.")] = None,
    licence: Annotated[str | None, typer.Option("--licence", help="Its licence, as SPDX calls it.")] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="What the file, the download or the package must be.")
    ] = None,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Take a format that can run code; who allows it is written down.")
    ] = False,
    pin: Annotated[bool, typer.Option("--pin", help="Make it the version that jobs mean that say none.")] = False,
) -> None:
    """Add a version of a model to this machine.

    What the file is, is known by its bytes; what goes in and out of an ONNX model, by its shapes. Float pictures are
    taken to be numbers from 0 to 1, and scores to be logits, where neither a manifest nor an option says other.
    Without SOURCE NAME may be one that is made on this machine: coco-detector.
    """
    from pitchey_cli.operations.models import adding, conversions
    from pitchey_cli.reports.wording import size

    wiring = reach.here()
    name, _, version = model.partition("@")
    said: dict[str, Any] = {
        "task": task,
        "framework": framework,
        "uses": uses,
        "description": description,
        "licence": licence,
        "preprocessing": _json(preprocessing, "--preprocessing"),
        "postprocessing": _json(postprocessing, "--postprocessing"),
    }
    wish = adding.Wish(
        name,
        version or None,
        source,
        manifest,
        file,
        labels,
        {key: value for key, value in said.items() if value is not None},
        sha256,
        wiring.actor() if allow_code else "",
        pin,
    )
    desk = wiring.models_desk()
    if source is None and manifest is None and name in conversions.CONVERSIONS:
        entry = conversions.add(desk, wish, say=terminal.say)
    else:
        entry = adding.add(desk, wish)
    said_of_it = f"{entry.manifest.task}, {entry.manifest.framework or entry.manifest.uses}"
    terminal.say(f"{entry.manifest.reference} is added: {said_of_it}, {size(entry.manifest.size)}.")
    if entry.manifest.framework in VARIANTS:
        image = variant_name(wiring.engines.sources().frameworks)
        terminal.say(f"note: `pitchey images build {image}` makes the image that runs it; a daemon has to start anew.")


@app.command()
def warm(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="NAME, or NAME@VERSION.")],
    engine: EngineOption = None,
) -> None:
    """Have models loaded, by a job each that works on nothing of meaning. Where a daemon runs they stay loaded."""
    from pitchey_cli.operations.models import warming
    from pitchey_cli.reports.wording import duration

    wiring = reach.here()
    answers = _asked(wiring, models, warming.request, engine)
    for model, details in answers:
        seconds = details.get("timings", {}).get("loadSeconds")
        terminal.say(f"{model} is loaded; its job waited {duration(seconds)} for that.")
    if (holder := wiring.holder()) is None or not holder.is_daemon:
        terminal.say("note: no daemon runs, so nothing stays loaded.")
    if len(answers) < len(models):
        raise typer.Exit(ExitCode.JOB_FAILED)


@app.command()
def bench(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="NAME, or NAME@VERSION.")],
    engine: EngineOption = None,
    json: JsonLines = False,
) -> None:
    """Measure how many inputs of several jobs a model should run at once, by a job each, and write it down.

    Of a model of the image it is only said. Measure on a machine that does nothing else.
    """
    from pitchey_cli.operations.models import measuring
    from pitchey_cli.reports import models as reports

    wiring = reach.here()
    answers = _asked(wiring, models, measuring.request, engine, queueing={"key": _BENCH_KEY})
    for _, details in answers:
        found = measuring.kept(wiring.models(), details)
        row = reports.Benched(found.reference, found.seconds, found.batching, found.is_written)
        if json:
            terminal.show_json_lines([reports.bench_document(row)])
        else:
            terminal.show(reports.bench_table(row))
            where = "written into its manifest" if found.is_written else "not written: it is the image's"
            terminal.say(f"{found.reference}: {reports.batching_words(found.batching)}; {where}.")
    if len(answers) < len(models):
        raise typer.Exit(ExitCode.JOB_FAILED)


def _asked(
    wiring: Wiring,
    models: list[str],
    request: Callable[[ModelStore, str, Path], Request],
    engine: str | None,
    queueing: Mapping[str, Any] | None = None,
) -> list[tuple[str, dict[str, Any]]]:
    """Run a job for each model; what those say that succeed. Of the others the reason is printed."""
    from pitchey_cli.cli.foreground import run_to_the_end
    from pitchey_cli.cli.handover import show_failure
    from pitchey_cli.domain.job import JobState
    from pitchey_cli.operations.requests import Request, drafts
    from processors.vocabulary import Service

    with tempfile.TemporaryDirectory(prefix="pitchey-") as scratch:
        checked = [each for model in models for each in drafts(request(wiring.models(), model, Path(scratch)))]
        store, asked = wiring.store(), Request(Service.INFERENCE, (), queueing={**(queueing or {})})
        ended = run_to_the_end(wiring, store, asked, checked, engine=engine, wait_seconds=None, is_silent=True)
    for job in ended:
        if job.state is not JobState.SUCCEEDED:
            show_failure(job)
    by_order = zip(models, ended, strict=True)
    return [(model, store.details(job.id)) for model, job in by_order if job.state is JobState.SUCCEEDED]


@app.command()
def remove(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="NAME, or NAME@VERSION.")],
    all_versions: Annotated[bool, typer.Option("--all-versions", help="All versions of a name.")] = False,
) -> None:
    """Remove models from this machine. What jobs work with stays until they are done."""
    from pitchey_cli.operations.models import keeping

    for reference in keeping.remove(reach.here().models(), models, all_versions=all_versions):
        terminal.say(f"{reference} is removed.")


@app.command()
def pin(model: Annotated[str, typer.Argument(metavar="NAME@VERSION", help="A version, here or in the image.")]) -> None:
    """Make a version the one that jobs mean that say none. Without a pin that is the newest."""
    from pitchey_cli.operations.models import keeping

    keeping.pin(reach.here().models(), model)
    terminal.say(f"{model.partition('@')[0]} means {model}.")


@app.command()
def unpin(name: Annotated[str, typer.Argument(metavar="NAME", help="A model.")]) -> None:
    """Let jobs mean the newest version again."""
    from pitchey_cli.operations.models import keeping

    keeping.unpin(reach.here().models(), name)
    terminal.say(f"{name} means its newest version.")


@app.command()
def verify(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL...]", help="By default all of this machine.")
    ] = None,
    json: JsonLines = False,
) -> None:
    """Compare the files of models with their manifests. Exit code 1 when one cannot be used."""
    from pitchey_cli.operations.models import keeping

    is_whole = True
    for each in keeping.verify(reach.here().models(), models or []):
        is_whole = is_whole and not each.problem
        if json:
            terminal.show_json_lines([{"schema": 1, "model": each.reference, "problem": each.problem or None}])
        else:
            terminal.show_line(f"{each.reference}: {each.problem or 'whole'}")
    if not is_whole:
        raise typer.Exit(ExitCode.JOB_FAILED)


def _json(text: str | None, option: str) -> dict[str, Any] | None:
    import json

    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{option} is no JSON: {error}.", hint="""As '{"divideBy": 1}'.""") from error
    if not isinstance(found, dict):
        raise UsageError(f"{option} is no JSON object.", hint="""As '{"divideBy": 1}'.""")
    return found
