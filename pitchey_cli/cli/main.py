"""The command line: a table of verbs, each loaded when it is used, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from pitchey_cli import __version__, settings
from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import ExitCode, PitcheyError

if TYPE_CHECKING:
    from typer._click.core import Command, Context

#: in the order of `pitchey --help`; each is a module of this package with an `app`
VERBS = (
    "run",
    "submit",
    "probe",
    "presets",
    "status",
    "top",
    "jobs",
    "logs",
    "wait",
    "shell",
    "cancel",
    "result",
    "batch",
    "pipeline",
    "schedule",
    "budget",
    "alerts",
    "metrics",
    "dlq",
    "events",
    "why",
    "cost",
    "daemon",
    "instances",
    "nodes",
    "scaling",
    "org",
    "role",
    "token",
    "audit",
    "webhooks",
    "images",
    "models",
    "db",
    "doctor",
    "config",
    "completion",
    "context",
)

#: verbs that are about this machine by nature, whatever server is chosen; the others ask where they are to work
_AT_THE_MACHINE = frozenset({"daemon", "images", "db", "doctor", "shell"})


COMPLETE_VARIABLE = "_PITCHEY_COMPLETE"  # the name that typer derives from the command's own


class LazyVerbs(TyperGroup):
    """Imports a verb's module when the verb is named, so that `pitchey status` does not pay for the others."""

    def list_commands(self, ctx: Context) -> list[str]:
        """The verbs, in their order."""
        return list(VERBS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Load one verb."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"pitchey_cli.cli.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    name="pitchey", cls=LazyVerbs, invoke_without_command=True, rich_markup_mode=None, add_completion=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"pitchey {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", envvar="PITCHEY_DEBUG", help="Show tracebacks.")] = False,
    server: Annotated[
        str,
        typer.Option(
            "--server",
            help="Work at the daemon there: an https:// address, or unix:PATH. PITCHEY_SERVER says it as well.",
            metavar="URL",
        ),
    ] = "",
    context_name: Annotated[
        str, typer.Option("--context", help="The same by name: see `pitchey context`; local is here.", metavar="NAME")
    ] = "",
    store: Annotated[
        str,
        typer.Option(
            "--store",
            help="The queue is in this PostgreSQL database: postgresql://USER@HOST/DATABASE; store.url sets it.",
            metavar="URL",
        ),
    ] = "",
    token_file: Annotated[
        Path | None,
        typer.Option("--token-file", help="A file with the token for it; else PITCHEY_TOKEN.", metavar="FILE"),
    ] = None,
) -> None:
    """Run media jobs on warm, limited containers: queue, retries, results. Without a verb: status."""
    del version
    if store:
        os.environ["PITCHEY_STORE_URL"] = store  # for the processes that this one starts as well
    terminal.set_debug(debug)
    verb = context.invoked_subcommand or "status"
    reach.say(reach.Said(server, context_name, token_file, verb))
    if verb in _AT_THE_MACHINE:
        reach.refuse_server()
    for name, nearest in settings.misspelt_variables():
        terminal.say(f"warning: {name} sets nothing" + (f"; did you mean {nearest}?" if nearest else "."))
    if context.invoked_subcommand is None:
        from pitchey_cli.cli.status import overview

        overview(as_json=False)


def main() -> None:
    """Entry point of the `pitchey` command."""
    if COMPLETE_VARIABLE in os.environ:  # set by the shell, through the script of `pitchey completion`
        from typer._completion_classes import completion_init

        completion_init()
    try:
        app(prog_name="pitchey")  # also when it runs as `python -m pitchey_cli`
    except PitcheyError as error:
        terminal.show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _leave(ExitCode.INTERRUPTED)
    except SystemExit as ended:
        if ended.code == ExitCode.INTERRUPTED:  # what typer makes of an interrupt
            _leave(ExitCode.INTERRUPTED)
        raise
    except BrokenPipeError:
        # The reader of a pipe has gone (`pitchey jobs | head`): that is no error, and Python must not flush again.
        sys.stdout = None
        sys.exit(ExitCode.OK)
    except Exception as error:
        terminal.show_bug(error)
        sys.exit(ExitCode.JOB_FAILED)
    finally:
        gc.freeze()  # else Python looks through all that is loaded for garbage before it ends: a fifth of a short verb


def _leave(code: ExitCode) -> NoReturn:
    """End with a code of ours. CPython 3.11 ends by the signal, whatever is asked for, when an interrupt has met one of
    the strings that are executed while modules are loaded (run_eval_code_obj in pythonrun.c notes it as unhandled).
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def loaded_app() -> Any:
    """The command with all verbs, for the generated reference."""
    return typer.main.get_command(app)
