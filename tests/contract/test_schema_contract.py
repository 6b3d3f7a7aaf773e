"""What every store promises of its schema: which programs may work on it, while an upgrade rolls over the nodes.

The newer program has one step more than this one, which the test makes up.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.domain.nodes import NodeFacts, Room
from pitchey_cli.store import queries
from pitchey_cli.store.port import Store
from pitchey_cli.store.steps import newest, readable_by, steps
from processors.protocol import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FACTS = NodeFacts("a", "1.0", 1, "docker", (Service.VIDEO,))


@pytest.fixture
def upgrade(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Turns this program into a newer one, and back."""
    ours, theirs = queries.SQL, tmp_path / "newer"
    shutil.copytree(ours, theirs)

    def turn(*said: str, is_newer: bool = True) -> None:
        for dialect in ("postgres", "sqlite"):
            for number, line in enumerate(said, newest(dialect) + 1):
                text = f"{line}\nALTER TABLE nodes ADD COLUMN colour_{number} TEXT;\n"
                (theirs / dialect / "migrations" / f"{number:04}_colours.sql").write_text(text)
        monkeypatch.setattr(queries, "SQL", theirs if is_newer else ours)

    return turn


def test_both_dialects_have_the_same_steps() -> None:
    numbers = {dialect: [step.number for step in steps(dialect)] for dialect in ("postgres", "sqlite")}
    assert numbers["postgres"] == numbers["sqlite"]


def test_a_program_goes_on_with_a_newer_schema_that_says_that_it_may(
    another: Callable[[], Store], upgrade: Callable[..., None]
) -> None:
    old = another()
    known = newest()
    upgrade(f"-- readable by: {known}")
    new = another()
    assert new.schema_version() == old.schema_version() == known + 1
    upgrade(is_newer=False)
    for store in (old, another()):  # the one that was open, and one that starts while the upgrade rolls
        under = store.enter("id-a", FACTS, Room(), now=NOON)
        assert store.beat(under, Room(), now=NOON)
    old.enqueue([NewJob(JobId("j1"), Service.VIDEO, {})], now=NOON)
    assert new.job(JobId("j1")).id == "j1" and [each.epoch for each in new.nodes()] == [2]
    assert another().schema_version() == known + 1  # nobody takes a step back


#: of each newer step: how many steps after the program's own who may read it has to be; None: it does not say
@pytest.mark.parametrize("readable_from", [[None], [1], [0, 2]], ids=str)
def test_a_program_refuses_a_newer_schema_that_is_not_for_it(
    another: Callable[[], Store], upgrade: Callable[..., None], readable_from: list[int | None]
) -> None:
    known = newest()
    upgrade(*("" if later is None else f"-- readable by: {known + later}" for later in readable_from))
    another()
    upgrade(is_newer=False)
    said = rf"schema version {known + len(readable_from)}.* knows versions up to {known}"
    with pytest.raises(StoreError, match=said):
        another()


def test_what_may_be_read_is_what_each_step_allows(upgrade: Callable[..., None]) -> None:
    known = newest()
    upgrade(f"-- readable by: {known + 1}", f"-- readable by: {known}")
    every = steps("sqlite")
    assert [readable_by(every, number) for number in (known, known + 1, known + 2)] == [known, known + 1, known + 1]
