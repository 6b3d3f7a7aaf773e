"""What things cost, as a person reads it."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.job import Instance, InstanceState, JobId, NewJob, Outcome
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.conftest import Pitchey

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
MARCH = ("--since", "2026-03-01T00:00Z", "--until", "2026-04-01T00:00Z")
#: an instance each, what ran on it and from when to when, in hours since it was created
INSTANCES = {
    Service.VIDEO: (
        Tariff(144_000_000),
        3,
        0.1,
        10.0,
        [("acme", "night", 0.5, 8.0, True), ("others", "", 1, 2, False)],
    ),
    Service.CODE: (Tariff(36_000_000), 10, 0.0, 2.0, [("acme", "", 0.0, 2.0, True)]),
}


@pytest.fixture
def books(pitchey: Pitchey) -> Pitchey:
    """A month in which two services were used."""
    pitchey.environment["TZ"] = "UTC"
    pitchey.ok("jobs")  # makes the state directory
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    for service, (tariff, slots, ready, ended, attempts) in INSTANCES.items():
        state = InstanceState.STARTING
        store.add_instance(
            Instance(
                service, service, "process", "", slots, state, 1, 1, 1, 1, BEGIN,
                instance_type="standard-2" if service is Service.VIDEO else "lite", tariff=tariff,
            )
        )  # fmt: skip
        store.set_instance(service, InstanceState.READY, now=BEGIN, tick=_tick(ready))
        for number, (organisation, batch, began, over, is_completed) in enumerate(attempts):
            _run(store, JobId(f"{service}{number}"), service, slots, organisation, batch, began, over, is_completed)
        store.set_instance(service, InstanceState.STOPPED, now=BEGIN, tick=_tick(ended))
    store.close()
    return pitchey


def _tick(hours: float) -> int:
    return round(hours * TICKS_PER_HOUR)


def _run(
    store: SqliteStore, job_id: JobId, service: Service, slots: int, organisation: str, batch: str, began: float,
    ended: float, is_completed: bool, *, instance: str = "",
) -> None:  # fmt: skip
    store.enqueue([NewJob(job_id, service, {}, organisation=organisation, batch=batch)], now=BEGIN)
    places, lease = Places([Candidate(instance or service, slots, slots)]), BEGIN + timedelta(days=1)
    (claimed,) = store.claim(
        PoolKey.of(service, organisation=organisation),
        places=places,
        policy=QueuePolicy(),
        now=BEGIN,
        lease_until=lease,
        tick=_tick(began),
    )
    assert claimed.job.token is not None
    outcome = Outcome(Reason.COMPLETED if is_completed else Reason.FAILED)
    transition = after_attempt(claimed.job, outcome, now=BEGIN, dice=0.5)
    store.finish(job_id, claimed.job.token, outcome, transition, now=BEGIN, tick=_tick(ended))


def _table(text: str) -> list[str]:
    """The lines with anything in them, whatever their widths."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─")]


def test_a_month_at_a_glance(books: Pitchey) -> None:
    assert _table(books.ok("cost", *MARCH).out) == _table(
        """
spent   $1.51         2026-03-01 00:00 to 2026-04-01 00:00
work    $0.367200     24 %, 3 attempts ended
waste   $0.048000     3 %, attempts that did not complete
idle    $1.10         73 %, of it $0.014400 in starts, $0.00 paused
saved   $126.47       by scaling to zero, against one instance of each service all the time: $127.98
service        attempts        cost        work       waste        idle      starts      paused
code                  1   $0.072000   $0.007200   $0.00   $0.064800   $0.00   $0.00
video                 2       $1.44   $0.36   $0.048000       $1.03   $0.014400   $0.00
organisation   attempts        cost        work       waste
acme                  2   $0.367200   $0.367200   $0.00
others                1   $0.048000   $0.00   $0.048000
idle                      $1.10
"""
    )


def test_the_sum_over_all_organisations_and_idle_is_what_was_spent_to_the_nanodollar(books: Pitchey) -> None:
    document = books.ok("cost", *MARCH, "--by", "organisation", "--json").json
    paid = sum(each["workNanodollars"] + each["failedNanodollars"] for each in document["by"]["organisation"])
    assert (document["schema"], document["spentNanodollars"]) == (1, 1_512_000_000)
    (idle,) = [each for each in document["by"]["organisation"] if each["name"] == "idle"]
    assert idle["idleNanodollars"] == document["idleNanodollars"]
    assert paid + document["idleNanodollars"] == document["spentNanodollars"] == document["instanceNanodollars"]
    assert document["projectedNanodollars"] is None
    assert document["alwaysOnNanodollars"] - document["spentNanodollars"] == document["savedNanodollars"]


def test_days_are_rows_and_csv_is_for_other_programs(books: Pitchey) -> None:
    found = list(csv.DictReader(books.ok("cost", *MARCH, "--by", "day", "--by", "batch", "--csv").lines))
    assert [(row["by"], row["name"], row["attempts"]) for row in found] == [
        ("day", "2026-03-02", "3"),
        ("batch", "", "2"),
        ("batch", "night", "1"),
        ("batch", "idle", "0"),
    ]
    batches = [row for row in found if row["by"] == "batch"]
    parts = [
        each
        for row in batches
        for each in (row["work_nanodollars"], row["failed_nanodollars"], row["idle_nanodollars"])
    ]
    assert sum(int(each) for each in parts if each) == 1_512_000_000
    assert (found[0]["instance_nanodollars"], found[1]["instance_nanodollars"]) == ("1512000000", "")


def test_one_service_and_one_organisation(books: Pitchey) -> None:
    assert books.ok("cost", *MARCH, "--service", "code", "--json").json["spentNanodollars"] == 72_000_000
    ours = books.ok("cost", *MARCH, "--organisation", "acme", "--service", "video", "--json").json
    assert (ours["spentNanodollars"], ours["idleNanodollars"], ours["savedNanodollars"]) == (360_000_000, None, None)
    said = books.ok("cost", *MARCH, "--organisation", "acme").out
    assert "organisation acme" in said and "idle" not in said


def test_hours_are_whole_and_the_rest_is_another_period(books: Pitchey) -> None:
    first, rest = (
        books.ok("cost", "--since", f"2026-03-02T{since}Z", "--until", f"2026-03-02T{until}Z", "--json").json
        for since, until in (("09:10", "10:50"), ("11:00", "23:00"))
    )
    assert first["since"] == "2026-03-02T09:00:00Z" and first["until"] == "2026-03-02T11:00:00Z"
    assert first["spentNanodollars"] + rest["spentNanodollars"] == 1_512_000_000


def test_up_to_a_moment_to_come_the_period_begins_with_this_month(pitchey: Pitchey) -> None:
    pitchey.environment["TZ"] = "UTC"
    document = pitchey.ok("cost", "--until", "2999-12-05", "--json").json
    assert document["since"] < document["now"] < document["until"] == "2999-12-05T00:00:00Z"


def test_what_the_instances_cost_that_are_listed_is_what_was_spent(books: Pitchey) -> None:
    listed = [json.loads(line) for line in books.ok("instances", "list", "--all", "--json").lines]
    spent = books.ok("cost", *MARCH, "--json").json["spentNanodollars"]
    assert sum(round(each["costUsd"] * 1e9) for each in listed) == spent
    assert all(each["stoppedAt"] for each in listed)
    head, _, *rows = books.ok("instances", "list", "--all").lines
    assert "lived" in head and "cost" in head
    assert any("$1.44" in row for row in rows)


def test_a_month_without_anything_says_so(pitchey: Pitchey) -> None:
    said = pitchey.ok("cost").out
    assert "$0.00" in said and "Nothing to show by service." in said
    document = pitchey.ok("cost", "--json").json
    assert (document["projectedNanodollars"], document["historySeconds"]) == (None, 0)
    assert "not projected from 0 min of history: it takes 24 h" in said


def test_a_job_costs_what_the_ledger_says_of_it(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    document = pitchey.ok("cost", "--json").json
    (attempt,) = pitchey.job("@last")["attempts"]
    assert document["workNanodollars"] == round(attempt["costUsd"] * 1e9) > 0
    assert document["spentNanodollars"] >= document["workNanodollars"] + document["startNanodollars"]
    # A burst of seconds on a new machine says nothing of a month, and the hours before it are no savings.
    assert document["projectedNanodollars"] is None and document["historySeconds"] < 600
    assert document["alwaysOnNanodollars"] < 0.144e9 / 6
    assert "not projected from " in pitchey.ok("cost").out


def test_budgets_and_the_report_project_the_same_and_a_longer_period_is_never_less(pitchey: Pitchey) -> None:
    pitchey.environment["TZ"] = "UTC"
    pitchey.ok("jobs")
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    begin = datetime.now(UTC) - timedelta(days=3)
    life = ("process", "", 3, InstanceState.STARTING, 1, 1, 1, 1, begin)
    store.add_instance(Instance("i", Service.VIDEO, *life, tariff=Tariff(144_000_000)))
    store.set_instance("i", InstanceState.READY, now=begin, tick=0)
    _run(store, JobId("j"), Service.VIDEO, 3, "acme", "", 0, 8, True, instance="i")
    store.set_instance("i", InstanceState.STOPPED, now=begin + timedelta(hours=10), tick=_tick(10))
    store.close()
    for options in ((), ("--organisation", "acme")):
        projected = []
        for period in ("day", "week", "month"):
            pitchey.ok("budget", "set", *options, "--period", period, "25")
            lines = pitchey.ok("budget", "list", "--json").lines
            budgets = {(each["organisation"], each["period"]): each for each in map(json.loads, lines)}
            budget = budgets["acme" if options else None, period]
            report = pitchey.ok("cost", *options, "--period", period, "--json").json
            assert budget["spentUsd"] * 1e9 == pytest.approx(report["spentNanodollars"])
            assert budget["projectedUsd"] * 1e9 == pytest.approx(report["projectedNanodollars"], rel=1e-3)
            assert 3 * 86400 <= budget["historySeconds"] < 3 * 86400 + 60
            assert budget["projectedUsd"] >= budget["spentUsd"]
            projected.append(budget["projectedUsd"])
        assert projected[0] <= projected[1]
    assert "acme: if it goes on as in the last 3 days." in pitchey.ok("budget", "list").out


def test_what_lives_is_counted_as_it_is_now(pitchey: Pitchey, clip: Path, slow_options: list[str]) -> None:
    pitchey.start_daemon()
    (job_id,) = pitchey.ok("submit", "video", clip, *slow_options, "--organisation", "acme").lines
    pitchey.until_working(job_id)
    before, after = (pitchey.ok("cost", "--json").json for _ in range(2))
    assert 0 < before["workNanodollars"] < after["workNanodollars"]
    assert before["spentNanodollars"] < after["spentNanodollars"]
    assert after["idleNanodollars"] >= 0 and after["attempts"] == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--period", "year"), "There is no period 'year'."),
        (("--by", "colour"), "There is no table by 'colour'."),
        (("--since", "never"), "--since: 'never' is no time."),
        (("--json", "--csv"), "--json and --csv do not go together."),
        (("--service", "vidoe"), "vidoe"),
        (("--organisation", ""), "--organisation is empty."),
        (("--html", ""), "--html is empty."),
        (("--since", "2999-01-01", "--until", "2999-02-01"), "--since '2999-01-01' is still to come."),
    ],
)
def test_what_makes_no_sense_is_refused(pitchey: Pitchey, options: tuple[str, ...], says: str) -> None:
    answer = pitchey("cost", *options)
    assert answer.code == 2 and says in answer.err and answer.out == ""


def test_a_price_that_cannot_be_read_names_its_setting(pitchey: Pitchey, clip: Path) -> None:
    options = ("--output-format", "thumbnail", "-o", "out")
    answer = pitchey("run", "video", clip, *options, PITCHEY_COST_RATES="cpu=1")
    assert answer.code == 2 and "cost.rates: there is no rate 'cpu'." in answer.err
    assert pitchey("cost", PITCHEY_COST_TIMEZONE="Nowhere").code == 0  # nothing was used: no price is asked for
