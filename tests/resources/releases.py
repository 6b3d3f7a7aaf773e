"""A later version of Pitchey: a copy of this one whose schema has one step more.

A step does what those of real releases do: a column that may be left out, and an index over it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from pitchey_cli.store.steps import newest
from tests.conftest import ROOT

_DIALECTS = ("postgres", "sqlite")
_STEP = """\
-- {said}
ALTER TABLE container_jobs ADD COLUMN colour_{number} TEXT NOT NULL DEFAULT 'grey';
CREATE INDEX container_jobs_colour_{number} ON container_jobs (colour_{number});
"""


def release(folder: Path, version: str, *readable_by: int | None) -> Path:
    """Make a later version, with a step of the schema for each number.

    Args:
        readable_by: who may go on with what the step has made; None: it says nothing, so nobody who does not know it.

    Returns:
        Where its packages are: `Pitchey.root`.
    """
    root = folder / version
    for package in ("pitchey_cli", "processors", "containerfiles"):
        shutil.copytree(ROOT / package, root / package)  # what is compiled as well: the times of files are kept
    first = root / "pitchey_cli" / "__init__.py"
    first.write_text(re.sub(r'(?<=__version__ = ")[^"]+', version, first.read_text()))
    for number, least in enumerate(readable_by, newest() + 1):
        said = "for programs that know it" if least is None else f"readable by: {least}"
        for dialect in _DIALECTS:
            place = root / "pitchey_cli" / "store" / "sql" / dialect / "migrations" / f"{number:04}_colours.sql"
            place.write_text(_STEP.format(said=said, number=number))
    return root
