"""What is piped into `run` and `submit`, for services whose programs read it."""

from __future__ import annotations

import os
import select
import stat
import sys
from dataclasses import replace

from pitchey_cli.cli import terminal
from pitchey_cli.operations import texts
from pitchey_cli.operations.requests import Request
from processors.specs import SPECS

_STDIN = 0
_SILENT_SECONDS = 2.0  # after which somebody may wonder what is waited for


def with_what_is_piped(asked: Request) -> Request:
    """Put standard input into the spec's field for it: all of it, if it is a pipe or a file that holds something.

    A terminal, a device and no standard input at all are nothing to read. Who has named the field is left alone.

    Raises:
        InputRejected: it is no UTF-8, or too large.
    """
    field = SPECS[asked.service].piped_field
    model = SPECS[asked.service]
    # A program may read what is piped beside its own file; what a model works on is one thing.
    is_else = field == model.inline_field and (
        asked.inputs or {*model.input_fields, model.attached_field} & asked.fields.keys()
    )
    if not field or field in asked.fields or is_else or not _is_piped():
        return asked
    text = texts.as_text(_read_all(), "Standard input")
    return replace(asked, fields={**asked.fields, field: text}) if text else asked


def _is_piped() -> bool:
    if sys.stdin is None:
        return False
    try:
        mode = os.fstat(_STDIN).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _read_all() -> bytes:
    """Until its end, or a little more than what is taken. Says what it waits for, when nothing comes."""
    data = b""
    is_told = False
    while len(data) <= texts.MOST_BYTES:
        if not is_told and not select.select([_STDIN], [], [], _SILENT_SECONDS)[0]:
            terminal.say("Waiting for the end of standard input, which goes to the program; `< /dev/null` gives none.")
            is_told = True
        piece = os.read(_STDIN, 1 << 16)
        if not piece:
            break
        data += piece
    return data
