"""Every query that the hot path uses finds its rows by an index, whatever the size of the tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pitchey_cli.store.queries import load
from pitchey_cli.store.sqlite import SqliteStore

QUERIES = load("sqlite")

#: not on the hot path, each with its excuse
COLD = {
    "counts": "reads tables of a few dozen rows as a whole",
    "key_rates": "a row for each key that has a rate limit",
    "keys_running": "walks an index that holds the running jobs with a key, and nothing else",
    "forget_empty_flows": "tidies up, every few minutes; a row for each line",
    "forget_key_rates": "tidies up, every few minutes",
    "misplaced": "part of the integrity check: reads everything",
    "all_instances": "a listing for people; `active_instances` is the hot one",
    "events_of_jobs": "one search for each job, then a sort of what is new",
    "schedules": "a listing for people; `due_schedules` is the hot one",
    "last_decisions": "a row for each pool",
    "forget_came": "tidies up, every few minutes; a few thousand rows",
    "forecasts": "a row for each service",
    "forget_warm": "tidies up, every few minutes; a row for each service or organisation that was ever warmed",
    "warm_requests": "a row for each service that somebody wants warm",
    "cost_totals": "reads the whole ledger, for `pitchey metrics` only",
    "cost_by_line": "searches the hours of a day, every few seconds, and sorts what it found into five lines",
    "alerts": "a row for each rule that was ever broken or silenced",
    "budgets": "a row for each budget, of which a person sets a few",
    "forget_thresholds": "tidies up, every few minutes; a few rows for each budget and period",
    "organisations": "a listing for people; a row for each organisation of which more than the name is known",
    "set_quota": "counts all jobs of an organisation, once, when its bytes get a limit",
    "tokens": "a listing for people",
    "revoke_tokens_of": "when an organisation is removed",
    "waiting_jobs": "a row for each line, and only for people who ask",
    "bring_deliveries_forward": "tidies up, every few minutes; reads what is pending",
    "end_long_rests": "tidies up, every few minutes; a row for each endpoint",
    "webhooks": "a row for each endpoint, of which a person adds a few",
    "due_webhooks": "the same; one search for each of them",
    "is_anybody_told": "the same",
    "how_webhooks_are_told": "reads the schema, when a database is opened",
    "forget_decisions_of": "when a node is removed; a row for each pool of each node",
    "nodes": "a row for each node; several share a queue, and nobody has thousands",
    "pools_elsewhere": "asked where several nodes are up, and groups the instances that live",
    "miscounted": "part of the integrity check: reads everything",
}
#: lines of a plan that are no walk through a table
HARMLESS = re.compile(r"SCAN CONSTANT ROW|SCAN \(subquery-\d+\)|SCAN json_each VIRTUAL TABLE.*|SCAN names")
COVERED = ("next_due", "next_last_call", "last_retry", "next_expiry", "next_firing", "place_in_flow")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory):
    store = SqliteStore.open(tmp_path_factory.mktemp("plans") / "pitchey.db")
    yield store._db
    store.close()


def plan(database, name: str) -> list[str]:
    sql = QUERIES[name]
    named = dict.fromkeys(re.findall(r":(\w+)", sql), 1)
    return [row["detail"] for row in database.rows(f"EXPLAIN QUERY PLAN {sql}", named or [1] * sql.count("?"))]


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - COLD.keys()))
def test_a_hot_query_searches_an_index(database, name):
    walks = [line for line in plan(database, name) if "SCAN" in line or "TEMP B-TREE" in line]
    assert [line for line in walks if not HARMLESS.fullmatch(line)] == []


@pytest.mark.parametrize("name", COVERED)
def test_what_is_asked_all_the_time_does_not_even_open_the_table(database, name):
    searches = [line for line in plan(database, name) if line.startswith("SEARCH") and "rowid=?" not in line]
    assert searches
    assert all("COVERING INDEX" in line for line in searches), searches


@pytest.mark.parametrize("name", sorted(COLD))
def test_an_excuse_is_still_needed(database, name):
    assert any("SCAN" in line or "TEMP B-TREE" in line for line in plan(database, name))


def test_every_block_is_used_and_every_use_has_a_block():
    code = "".join(path.read_text() for path in (Path(load.__code__.co_filename).parent).glob("*.py"))
    unused = [name for name in QUERIES if f'"{name}"' not in code]
    assert unused == []
    assert set(re.findall(r'QUERIES\["(\w+)"\]', code)) <= QUERIES.keys()
