"""What only asks of the queue starts fast: it loads none of the libraries that other verbs need."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"asyncio", "boto3", "docker", "httpx", "numpy", "psycopg", "pydantic"}
VERBS = ("status", "jobs", "wait", "cancel", "events", "alerts", "dlq", "budget", "instances", "scaling", "audit")


def test_verbs_that_only_ask_load_nothing_heavy():
    modules = ", ".join(f"pitchey_cli.cli.{verb}" for verb in VERBS)
    program = f"import sys, {modules}; print(*sorted({HEAVY!r} & sys.modules.keys()))"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
