"""pitchey run: queue jobs, run them, wait for them, and write their results here; no daemon needed."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.drafting import drafts, tell_left_out
from pitchey_cli.cli.estimating import EstimateOption, show_estimate
from pitchey_cli.cli.foreground import run_to_the_end
from pitchey_cli.cli.handover import hand_over, refuse_existing, show_delivered
from pitchey_cli.cli.job_options import ManifestOption, command_class, service_command
from pitchey_cli.cli.outcome import ExecOption, check_one_program, exit_code_of
from pitchey_cli.cli.service_group import ServiceGroup
from pitchey_cli.cli.streaming import Streaming
from pitchey_cli.daemon import lock
from pitchey_cli.domain.buckets import is_bucket_url
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import JobId
from pitchey_cli.engines import images
from pitchey_cli.operations import result
from pitchey_cli.operations.requests import Request
from pitchey_cli.wiring import Wiring
from processors.vocabulary import Service

_WITHOUT = frozenset({"is_exec", "stream", "gpu"})
_ONLY = {Service.CODE: frozenset({"is_exec"}), Service.INFERENCE: frozenset({"stream", "gpu"})}

app = typer.Typer(
    help="Run jobs and wait for them; results are written here. No daemon is needed.",
    cls=ServiceGroup,
    add_completion=False,
    rich_markup_mode=None,
)


def run(
    asked: Request,
    *,
    manifest: ManifestOption = None,
    estimate: EstimateOption = False,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help="Directory for the results, or s3://bucket/{job}/.", metavar="DIR|URL"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    engine: Annotated[
        str | None, typer.Option("--engine", help="docker, podman, or process: no isolation.", metavar="ENGINE")
    ] = None,
    wait: Annotated[float | None, typer.Option("--wait", help="Give up waiting after so many seconds.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the finished jobs as JSON, one per line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    is_exec: ExecOption = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print what a model writes as it writes it; a terminal gets it so always.")
    ] = False,
    gpu: Annotated[
        bool, typer.Option("--gpu", help="Run it on a graphics card, or not at all; of a daemon inference.gpu says it.")
    ] = False,
) -> None:
    """Run jobs and wait for them."""
    wiring = reach.wiring()
    bucket = output if output is not None and is_bucket_url(output) else ""
    if bucket:
        asked = replace(asked, queueing={**asked.queueing, "output": bucket})
    if gpu:
        wiring = _with_gpu(wiring)
    checked = drafts(asked, manifest, wiring.listed)
    if is_exec:
        check_one_program(len(checked))
    if estimate:
        show_estimate(wiring, asked, checked, json=json)
        return
    inputs = [Path(source.location) for draft in checked for _, source in draft.sources if not source.is_url]
    inputs += [draft.content for draft in checked if draft.content is not None]
    has_answer = output is None and not json and asked.service is Service.INFERENCE
    is_streamed = (
        has_answer and not quiet and wiring.elsewhere is None and _is_streamed(asked, len(checked), is_asked=stream)
    )
    directory = Path(output or "")
    if not quiet:
        tell_left_out(asked)
    if not has_answer and not bucket:
        refuse_existing(checked, directory, overwrite=overwrite, inputs=inputs)
    if not bucket:
        result.make_directory(directory)
    store = wiring.store()
    # In a pipe stderr is the programs' own; bars on a terminal are gone before a program's output is shown.
    is_silent = (
        quiet or has_answer or json or is_exec or (asked.service is Service.CODE and not terminal.is_interactive())
    )
    shown: list[Streaming] = []

    def streaming(job_id: JobId) -> Streaming:
        shown.append(Streaming(store, wiring.state_dir, job_id))
        return shown[0]

    ended = run_to_the_end(
        wiring, store, asked, checked, engine=engine, wait_seconds=wait, is_silent=is_silent,
        stream=streaming if is_streamed else None,
    )  # fmt: skip
    if bucket:
        show_delivered(store, ended, as_json_wanted=json, is_quiet=quiet)
        raise typer.Exit(exit_code_of(store, ended, is_exec=is_exec))
    hand_over(
        wiring, store, ended, directory,
        overwrite=overwrite, inputs=inputs, as_json_wanted=json, is_quiet=quiet, is_exec=is_exec,
        is_answer_shown=has_answer, is_text_wanted=is_streamed, is_text_there=any(each.has_shown for each in shown),
    )  # fmt: skip
    raise typer.Exit(exit_code_of(store, ended, is_exec=is_exec))


def _with_gpu(wiring: Wiring) -> Wiring:
    holder = lock.holder(wiring.state_dir)
    if holder is not None and holder.is_daemon and not wiring.settings.inference.gpu:
        hint = "`pitchey config set inference.gpu true`, and start the daemon anew."
        raise UsageError("The daemon's instances have no graphics card.", hint=hint)
    return wiring.with_gpu()


def _is_streamed(asked: Request, count: int, *, is_asked: bool) -> bool:
    """Whether what a model writes is printed as it comes, instead of a document at the end."""
    form = asked.fields.get("output_format")
    if is_asked and form not in (None, "text"):
        raise UsageError(f"--stream prints text, and {form} is asked for.", hint="Leave one of the two out.")
    return count == 1 and form in (None, "text") and (is_asked or sys.stdout.isatty())


for _service in images.available():
    app.command(str(_service), cls=command_class(_service))(
        service_command(
            _service,
            run,
            doc=f"Run {_service} jobs and wait for them.",
            without=_WITHOUT - _ONLY.get(_service, frozenset()),
        )
    )


@app.callback(no_args_is_help=True)
def _group() -> None:
    """Run jobs and wait for them; results are written here. No daemon is needed."""
