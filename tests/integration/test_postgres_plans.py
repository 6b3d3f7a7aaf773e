"""What the hot path asks of PostgreSQL finds its rows by an index, and both dialects have the same questions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Set
from functools import cache
from typing import Any

import psycopg
import pytest

from pitchey_cli.store.queries import load
from tests.integration.test_query_plans import COLD as COLD_IN_SQLITE

SQLITE, POSTGRES = load("sqlite"), load("postgres")
NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)")

#: tables that are read as a whole, of a few rows for each service, person, node or endpoint
SMALL = {"organisations"}
#: not on the hot path, beside those that are not in SQLite either
COLD = {
    "completed": "reads what was submitted lately back from the newest, and a service may have few of it",
    "arrivals": "reads pages of the newest jobs and of their attempts side by side",
}
#: none of these is about rows
SCRIPTS = {"tell_webhooks", "tell_no_webhooks"}
#: change something for each element of a list: in SQLite with its names, here all at once
OF_LISTS = {"finish_jobs", "finish_attempts"}
HOT = sorted(POSTGRES.keys() - COLD_IN_SQLITE.keys() - COLD.keys() - SCRIPTS)


def test_both_dialects_ask_the_same_with_the_same_parameters() -> None:
    assert SQLITE.keys() == POSTGRES.keys()
    for name, words in SQLITE.items():
        if name in OF_LISTS:
            assert set(NAMED.findall(POSTGRES[name])) == {"list"}
            continue
        assert set(NAMED.findall(words)) == set(NAMED.findall(POSTGRES[name])), name
        assert words.count("?") == POSTGRES[name].count("?"), name


_JOBS = """
INSERT INTO container_jobs (id, service, state, priority, organisation, name, spec, inputs, is_foreground, batch, key,
                            kind, size, slots, is_off_peak, is_spot_ok, on_node, flow, max_attempts, timeout_seconds,
                            created_at, finished_at, cache_key, idempotency_key)
SELECT 'j' || n, 'video', CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'succeeded' END, 3, 'o' || n % 5, 'x', '{}', '[]', 0,
       'b' || n / 20, '', '', '', 1, 0, 1, '', 1 + n % 2, 3, 60, n, CASE WHEN n % 2 = 1 THEN n END, 'c' || n, 'i' || n
  FROM generate_series(1, 20000) AS n"""
FILLS = (
    _JOBS,
    "INSERT INTO job_events (job_seq, at, type, data) SELECT 1 + n / 2, n, 'submitted', '{}' "
    " FROM generate_series(1, 30000) n",
    "INSERT INTO job_attempts (job_seq, number, instance_id, started_at, started_tick, slots)"
    " SELECT n, 1, 'i' || n / 50, n, n, 1 FROM generate_series(1, 20000) n",
    "INSERT INTO artifacts (sha256, size, created_at) SELECT lpad(n::text, 64, '0'), n, n"
    " FROM generate_series(1, 20000) n",
    "INSERT INTO job_outputs (job_seq, position, path, role, media_type, sha256, details)"
    " SELECT n, 0, 'a', 'a', 'a', lpad(n::text, 64, '0'), '{}' FROM generate_series(1, 20000) n",
    "INSERT INTO job_dependencies (job_seq, needs_seq, on_failure, is_source)"
    " SELECT n, n - 1, 'cancel', 0 FROM generate_series(10001, 15000) n",
    "INSERT INTO audit_log (at, actor, organisation, action, target, data)"
    " SELECT n, 'a', 'o' || n % 5, 'a', 'a', '{}' FROM generate_series(1, 10000) n",
    "INSERT INTO pool_samples (at, node, service, size, organisation, waiting, running, starting, ready, paused,"
    " wanted, most_waiting, most_instances)"
    " SELECT n, '', 'video', '', '', 0, 0, 0, 0, 0, 0, 0, 0 FROM generate_series(1, 9000) n",
    "INSERT INTO container_metrics (at, service, size, organisation, name, seconds, count)"
    " SELECT n, 'video', '', '', 'start', 1, 1 FROM generate_series(1, 9000) n",
    "INSERT INTO container_scaling_events (at, node, service, size, organisation, change, instance_id, was, wanted,"
    " rule, why) SELECT n, '', 'video', '', '', 'wanted', '', 0, 1, '', '' FROM generate_series(1, 9000) n",
    "INSERT INTO container_costs SELECT 'o' || n % 5, n, 'video', 'a', 'b', 'c', 'work', 1, 1, 1"
    " FROM generate_series(1, 9000) n",
    "INSERT INTO container_instances (id, service, node, engine, image, slots, size, organisation, state,"
    " requested_cpus, requested_memory_bytes, granted_cpus, granted_memory_bytes, created_at, stopped_at,"
    " instance_type, region, tariff, boot, created_tick, seen_tick, stopped_tick, paused_ticks)"
    " SELECT 'i' || n, 'video', 'n', 'e', 'i', 1, '', '', 'stopped', 1, 1, 1, 1, n, n, 'a', 'b', '{}', 'c', 1, 1, 1, 0"
    " FROM generate_series(1, 9000) n",
    "ANALYZE",
)


@pytest.fixture(scope="module")
def connection(postgres_server: Any, postgres_template: str) -> Iterator[psycopg.Connection[Any]]:
    """A database with some rows, which asks by generic plans, as prepared statements come to."""
    name = postgres_server.create(postgres_template)
    with psycopg.connect(postgres_server.url(name), autocommit=True) as opened:
        opened.execute("SET search_path = pitchey")
        opened.execute("SET plan_cache_mode = force_generic_plan")
        opened.execute("SET enable_seqscan = off")  # some of the tables are small here
        opened.execute("SET enable_bitmapscan = off")
        for fill in FILLS:
            opened.execute(fill)
        yield opened
    postgres_server.drop(name)


def prepared(words: str) -> tuple[str, int]:
    """A question with numbered parameters, and how many there are."""
    names: list[str | None] = []

    def number(found: re.Match[str]) -> str:
        if found[1] is None or found[1] not in names:
            names.append(found[1])
            return f"${len(names)}"
        return f"${names.index(found[1]) + 1}"

    return re.sub(r"(?<![:\w]):([a-z_]\w*)|\?", number, words), len(names)


def plan(connection: psycopg.Connection[Any], name: str) -> list[dict[str, Any]]:
    """Every node of a plan."""
    words, count = prepared(POSTGRES[name])
    # A state is compared with itself and set: of text, as the session says of all its texts.
    types = f"({', '.join(['unknown'] * count)})" if count else ""
    if name in {"set_instance", "note_try"}:
        types = f"({', '.join(['text'] + ['unknown'] * (count - 1))})"
    connection.execute(f"PREPARE asked{types} AS {words}".encode())
    try:
        nulls = f"({', '.join(['NULL'] * count)})" if count else ""
        row = connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked{nulls}".encode()).fetchone()
    finally:
        connection.execute("DEALLOCATE asked")
    assert row is not None
    (found,) = row[0] if not isinstance(row[0], str) else json.loads(row[0])
    nodes: list[dict[str, Any]] = []

    def walk(node: dict[str, Any], above: str) -> None:
        nodes.append({**node, "Above": above})
        for each in node.get("Plans", ()):
            walk(each, node["Node Type"])

    walk(found["Plan"], "")
    return nodes


@pytest.fixture(scope="module")
def partial(connection: psycopg.Connection[Any]) -> frozenset[str]:
    """The indexes of a part of a table: to read one from end to end is to read what it is for."""
    found = connection.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL").fetchall()
    return frozenset(name for (name,) in found)


@pytest.fixture(scope="module")
def walks(connection: psycopg.Connection[Any], partial: frozenset[str]) -> Callable[[str], dict[str, str]]:
    """By table, how a question walks through it: whole, or an index of all of it from one end to the other."""

    @cache
    def found(name: str) -> dict[str, str]:
        return {
            node["Relation Name"]: f"{node['Node Type']} {node.get('Index Name', '')} {node.get('Filter', '')}"
            for node in plan(connection, name)
            if "Relation Name" in node and is_a_walk(node, partial)
        }

    return found


def is_a_walk(node: dict[str, Any], partial: Set[str]) -> bool:
    """Say whether a node of a plan reads all of a table, and does not stop at a limit."""
    if node["Node Type"] == "Seq Scan":
        return True
    return (
        node["Node Type"].startswith("Index")
        and "Index Cond" not in node
        and node["Above"] != "Limit"
        and node["Index Name"] not in partial
    )


@pytest.mark.parametrize("name", HOT)
def test_a_hot_question_searches_an_index(walks: Callable[[str], dict[str, str]], name: str) -> None:
    assert {table: how for table, how in walks(name).items() if table not in SMALL} == {}


def test_every_excuse_is_still_needed(walks: Callable[[str], dict[str, str]]) -> None:
    assert [name for name in COLD if not walks(name).keys() - SMALL] == []
    walked = {table for name in HOT for table in walks(name)}
    assert walked >= SMALL


@pytest.mark.parametrize("name", sorted({"heads", "list_jobs", "list_jobs_in_state", "events"}))
def test_what_is_taken_in_its_order_is_not_sorted(connection: psycopg.Connection[Any], name: str) -> None:
    assert not [node for node in plan(connection, name) if node["Node Type"] in ("Sort", "Incremental Sort")]


def test_a_claim_from_a_long_line_reads_its_head_only(connection: psycopg.Connection[Any]) -> None:
    """Not by the planner's word, but by the blocks that are read."""
    sql, _ = prepared(POSTGRES["heads"])
    asked = sql.replace("$1", "1").replace("$2", "0").replace("$3", "5")
    row = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked}".encode()).fetchone()
    assert row is not None
    top = row[0][0]["Plan"]
    assert top["Actual Rows"] == 5
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 20


LINE = (
    "INSERT INTO job_flows (service, size, pool, is_foreground, organisation, batch, priority, key, is_off_peak,"
    " is_spot_ok, on_node, queued, queued_since) VALUES ('video', '', '', 0, 'o', '', 3, '', 0, 1, '', 19400, 1)"
)
FROM_THE_HEAD = {"heads": "(1, 0, 5)", "waiting_flows": "('video', '', '', 0)", "oldest_jobs": "('queued', 5)"}


@pytest.fixture(scope="module")
def long_line(postgres_server: Any, postgres_template: str) -> Iterator[psycopg.Connection[Any]]:
    """A database in which 20,000 jobs have waited in one line, and the first 600 have gone."""
    everybody_waits = (
        _JOBS.replace("CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'succeeded' END", "'queued'")
        .replace("1 + n % 2", "1")
        .replace("CASE WHEN n % 2 = 1 THEN n END", "NULL")
    )
    gone = "UPDATE container_jobs SET state = 'succeeded', finished_at = 1 WHERE seq <= 600"
    name = postgres_server.create(postgres_template)
    with psycopg.connect(postgres_server.url(name), autocommit=True) as opened:
        for step in ("SET search_path = pitchey", everybody_waits, LINE, gone, "VACUUM ANALYZE"):
            opened.execute(step.encode())
        yield opened
    postgres_server.drop(name)


@pytest.mark.parametrize("name", FROM_THE_HEAD)
def test_a_long_line_of_which_many_have_gone_is_read_from_its_head(
    long_line: psycopg.Connection[Any], name: str
) -> None:
    """The server knows that nearly all jobs wait in it, but not that those that do not are the first."""
    asked, count = prepared(POSTGRES[name])
    long_line.execute(f"PREPARE asked_{name}({', '.join(['unknown'] * count)}) AS {asked}".encode())
    explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE asked_{name}{FROM_THE_HEAD[name]}"
    row = long_line.execute(explained.encode()).fetchone()
    assert row is not None
    top = row[0][0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 20
