"""`pitchey cost --html` and the charts in the terminal, as a person meets them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.job import Instance, InstanceState, JobId, NewJob, Outcome
from pitchey_cli.domain.observation import PoolSample
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.conftest import Pitchey

HOSTILE = '<script>alert("1")</script>'
WEEK = ("--since", "7d")


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("src", "href", "data", "xlink:href")]

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())


@pytest.fixture
def books(pitchey: Pitchey) -> Pitchey:
    """Yesterday an instance ran for two hours, and a hostile organisation used one of its slots for one of them."""
    pitchey.ok("jobs")
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    begin = datetime.now(UTC) - timedelta(days=1)
    store.add_instance(
        Instance(
            "i-1", Service.VIDEO, "process", "", 2, InstanceState.STARTING, 1, 1, 1, 1, begin,
            instance_type="standard-2", tariff=Tariff(144_000_000),
        )
    )  # fmt: skip
    store.set_instance("i-1", InstanceState.READY, now=begin, tick=0)
    store.enqueue([NewJob(JobId("j1"), Service.VIDEO, {}, organisation=HOSTILE)], now=begin)
    places, lease = Places([Candidate("i-1", 2, 2)]), begin + timedelta(days=1)
    (claimed,) = store.claim(
        PoolKey(Service.VIDEO), places=places, policy=QueuePolicy(), now=begin, lease_until=lease, tick=0
    )
    assert claimed.job.token is not None
    outcome = Outcome(Reason.COMPLETED)
    ended = after_attempt(claimed.job, outcome, now=begin, dice=0.5)
    store.finish(JobId("j1"), claimed.job.token, outcome, ended, now=begin, tick=TICKS_PER_HOUR)
    store.set_instance("i-1", InstanceState.STOPPED, now=begin, tick=2 * TICKS_PER_HOUR)
    store.set_budget(Budget(Scope(HOSTILE, None), Period.MONTH, 1_000_000_000), now=begin)
    seen = [
        PoolSample(begin + timedelta(seconds=10 * n), PoolKey(Service.VIDEO), 37 if n < 60 else 0, 1, 0, 1, 0, 1)
        for n in range(720)
    ]
    store.observe(seen, [], [], [])
    store.close()
    return pitchey


def _page(books: Pitchey, *options: str) -> str:
    books.ok("cost", *WEEK, "--html", "cost.html", *options)
    return (books.cwd / "cost.html").read_text(encoding="utf-8")


def test_the_page_is_one_file_with_charts_and_tables_and_asks_for_nothing_from_outside(books: Pitchey) -> None:
    text = _page(books)
    page = Page(text)
    assert page.links == [] and "script" not in page.tags and "link" not in page.tags
    assert not re.search(r"url\(|@import|https?:", text)
    titles = ["Cost per day", "By organisation", "Work, waste and idle", "Budgets", "Jobs that waited", "Instances"]
    assert [word for word in dict.fromkeys(page.words) if word in titles] == titles
    assert page.tags.count("table") == page.tags.count("figure") == page.tags.count("caption") == len(titles)
    assert {"$0.288000", "$0.072000", "37"} <= set(page.words)  # spent, work, the longest queue
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_a_hostile_organisation_is_text(books: Pitchey) -> None:
    text = _page(books)
    assert "<script" not in text
    assert HOSTILE in Page(text).words
    assert "<script" not in _page(books, "--organisation", HOSTILE)


def test_a_month_without_anything_is_a_page_that_says_so(pitchey: Pitchey) -> None:
    pitchey.ok("cost", "--html", "empty.html")
    words = Page((pitchey.cwd / "empty.html").read_text()).words
    assert "Nothing to show." in words and "$0.00" in words


def test_an_older_report_is_replaced_and_nothing_else_without_being_told_to(books: Pitchey) -> None:
    _page(books)
    _page(books)
    letter = books.cwd / "letter.html"
    letter.write_text("<p>Dear Sir,</p>")
    answer = books("cost", "--html", "letter.html")
    assert answer.code == 2 and "is no report of ours" in answer.err and "--overwrite" in answer.err
    assert letter.read_text() == "<p>Dear Sir,</p>"
    books.ok("cost", "--html", "letter.html", "--overwrite")
    assert "What it cost" in letter.read_text()
    assert sorted(path.name for path in books.cwd.iterdir()) == ["cost.html", "letter.html"]


def test_a_page_can_be_printed_and_a_place_that_takes_none_is_not_said_to_be_full(books: Pitchey) -> None:
    page = books.ok("cost", "--html", "-").out
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert not (books.cwd / "-").exists()
    answer = books("cost", "--html", "/proc/x.html")
    assert answer.code == 4 and "/proc/x.html could not be written" in answer.err
    assert "Name a file in another folder." in answer.err and "Make room" not in answer.err


@pytest.mark.parametrize(("target", "code"), [("nowhere/cost.html", 3), (".", 2)])
def test_a_place_that_cannot_be_written_is_named(books: Pitchey, target: str, code: int) -> None:
    answer = books("cost", "--html", target)
    assert answer.code == code and answer.out == "" and "Traceback" not in answer.err


def test_what_does_not_go_together_is_refused(books: Pitchey) -> None:
    for more in (("--json",), ("--csv",), ("--chart",)):
        assert books("cost", "--html", "cost.html", *more).code == 2
    assert books("scaling", "history", "--chart", "--json").code == 2
    assert books("scaling", "history", "--since", "2h").code == 2
    assert not (books.cwd / "cost.html").exists()


def test_the_cost_per_day_is_drawn_in_the_terminal(books: Pitchey) -> None:
    out = books.ok("cost", *WEEK, "--chart").out
    assert "cost per day, $" in out and "█" in out and "\x1b" not in out
    assert f"{datetime.now(UTC).astimezone() - timedelta(days=1):%m-%d}" in out
    assert "there is nothing to draw" in books.ok("cost", *WEEK, "--service", "code", "--chart").out


def test_queue_and_instances_are_drawn_over_time(books: Pitchey) -> None:
    out = books.ok("scaling", "history", "--chart", "--since", "2d").out
    assert "waiting jobs" in out and "instances" in out and "37" in out and "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 160
    for nothing in (("--since", "1h"), ("--since", "2d", "--service", "code")):
        assert "there is nothing to draw" in books.ok("scaling", "history", "--chart", *nothing).out
    assert books("scaling", "history", "--chart", "--since", "never").code == 2
