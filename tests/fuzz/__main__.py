"""The API against its own description, for as long as one likes.

    python -m tests.fuzz --seconds 60 --seed 7 --include-path /v1/jobs
    python -m tests.fuzz --postgres

A daemon of its own on plain processes, and schemathesis before it, to which whatever is not known here goes. The time
is shared out: first what is wrong at the edges of every field, so many of each operation as there is time for, because
the specs have so many fields that all of their edges together have no end; then what chance makes up, again and again.

Exit codes: 0 all was asked and nothing found, 1 something was found, or there was no time to ask everything, 130 it was
interrupted, anything else: it could not ask.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pitchey_cli.api.openapi import document, roles
from tests.conftest import Pitchey
from tests.resources.waiting import until
from tests.servers.postgres import postgres

SECONDS = 600
_HOOKS = "tests.fuzz.hooks"
_READY = re.compile(r" ready$", re.MULTILINE)
_GRACE_SECONDS = 60.0  # for the report of a run that was interrupted
_SHOWN_LINES = 40  # of what the daemon has said
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "wrong_data_is_refused",
    "refusals_say_the_way_out",
    "ignored_auth",
    "unsupported_method",
)
_OPTIONS = {
    "--phases": "examples,coverage,fuzzing",
    "--checks": ",".join(_CHECKS),
    "--max-examples": "20",  # of each operation before the next one has its turn
    "--request-timeout": "60",
    "--suppress-health-check": "all",
    "--warnings": "off",
    "--generation-database": "none",
    "--exclude-operation-id": "stream_events",  # which has no end
}
_ENVIRONMENT = {
    "PITCHEY_ENGINE_KIND": "process",
    "PITCHEY_API_WAIT_SECONDS": "0",
    "PITCHEY_API_REQUESTS_PER_MINUTE": "1000000",
}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for all of it")
    parser.add_argument("--postgres", action="store_true", help="the queue is in a PostgreSQL of its own")
    given, others = parser.parse_known_args()
    # A TERM takes everything away like Ctrl-C does, and one that was started in the background hears both.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with contextlib.ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="pitchey-fuzz-")))
        pitchey, log = Pitchey(folder / "state", folder, dict(_ENVIRONMENT)), folder / "daemon.log"
        if given.postgres:
            server = opened.enter_context(postgres())
            pitchey.environment["PITCHEY_STORE_URL"] = server.url(server.create())
        try:
            code = fuzz(pitchey, log, given.seconds, others)
        except KeyboardInterrupt:
            code = 130
        finally:
            pitchey.end()
        if code not in (0, 130):
            sys.stderr.write("".join(["The daemon has said:\n", *log.open().readlines()[-_SHOWN_LINES:]]))
        return code


def fuzz(pitchey: Pitchey, log: Path, seconds: int, others: Sequence[str]) -> int:
    """Start a daemon, and let schemathesis ask it; the exit code."""
    token = pitchey.ok("token", "add", "fuzz", "--role", "admin", "--all-organisations").lines[0]
    address = _serve(pitchey, log)
    node = pitchey.ok("nodes", "list", "--json").json
    notes = log.with_name("asked")
    notes.touch()
    description = log.with_name("openapi.json")  # it would wait ten seconds for that of the server, and no longer
    description.write_text(json.dumps(document()))
    kept = [token.split("_")[1], node["id"], node["name"]]
    asking = subprocess.Popen(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", str(description), "--url", address),
            *(word for pair in _OPTIONS.items() for word in pair),
            *("--max-time", str(seconds), "--continue-on-failure", "--header", f"Authorization: Bearer {token}"),
            *others,
        ],
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": _HOOKS,
            "PITCHEY_FUZZ_KEEPS": " ".join(kept),
            "PITCHEY_FUZZ_NOTES": str(notes),
        },
        # A run that was started in the background ignores Ctrl-C, and its children would as well.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        code = asking.wait()
    except KeyboardInterrupt:
        asking.send_signal(signal.SIGINT)  # it says what it has found until now
        try:
            asking.wait(_GRACE_SECONDS)
        except (KeyboardInterrupt, subprocess.TimeoutExpired):
            asking.kill()
        return 130
    asked, count = len(notes.read_text().splitlines()), sum(1 for _ in roles()) - 1  # without the stream of events
    if asked < count and not others:
        sys.stderr.write(f"Only {asked} of {count} operations were asked: give it more --seconds.\n")
        return 1
    return code


def _serve(pitchey: Pitchey, log: Path) -> str:
    """Start a daemon; its address. What it says goes into a file: a pipe that nobody reads would stop it some day."""
    with log.open("w") as file:
        daemon = pitchey.start("daemon", "run", "--api", "127.0.0.1:0", stderr=file)
    until(lambda: _READY.search(log.read_text()) or daemon.poll() is not None, "the daemon is ready")
    found = re.search(r"API at (\S+),", log.read_text())
    assert found is not None, log.read_text()
    return found[1]


if __name__ == "__main__":
    sys.exit(main())
