"""The full screen of `pitchey top`, driven by its keys, over a real store."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Static

from pitchey_cli.domain.budget import Budget
from pitchey_cli.domain.job import JobId, JobState, NewJob
from pitchey_cli.domain.overview import HostUse, Runner
from pitchey_cli.domain.periods import Period
from pitchey_cli.domain.scope import Scope
from pitchey_cli.operations import overview
from pitchey_cli.reports import top
from pitchey_cli.screen.app import TopApp
from pitchey_cli.screen.desk import Desk
from pitchey_cli.screen.dialogs import Help, Question
from pitchey_cli.screen.tables import RowTable
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Service
from tests.resources.busy_store import DAEMON, NOON, NOW, VIDEO, fill, looking

NEVER = 3600.0  # the tests look by F5
HOST = HostUse(0.25, 2, 2 * 2**30, 8 * 2**30, 40 * 2**30, 100 * 2**30)


@dataclass
class Screen:
    """The screen, and what a person does and sees."""

    app: TopApp
    pilot: Pilot[None]

    async def press(self, *keys: str) -> None:
        """Press keys, and wait until all that they asked for has been done."""
        for key in keys:
            await self.pilot.press(key)
            await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    async def tick(self) -> None:
        """Let a second pass."""
        self.app._tick()
        await self.app.workers.wait_for_complete()
        await self.pilot.pause()

    def text(self, name: str) -> str:
        """A line above the tables; nothing when it is not shown."""
        widget = self.app.screen_stack[0].query_one(f"#{name}", Static)
        return str(widget.content) if widget.display else ""

    def column(self, table: str, name: str) -> list[str]:
        """What stands in a column."""
        found = self.app.screen_stack[0].query_one(f"#{table}", RowTable)
        return [cell.plain.strip() for cell in found.get_column(name)]

    @property
    def said(self) -> list[str]:
        return [each.message for each in self.app._notifications]

    def lines(self) -> list[str]:
        """What is drawn, line by line."""
        return ["".join(part.text for part in strip) for strip in self.app.screen._compositor.render_strips()]


@dataclass
class Ground:
    """A state directory in which something of everything goes on."""

    state_dir: Path
    store: SqliteStore
    woken: list[None]

    def desk(self, runner: Runner | None = DAEMON, *, busy_seconds: float = 0.05) -> Desk:
        path, host = self.state_dir / "pitchey.db", overview.HostWatch(self.state_dir)
        return Desk(
            open_store=lambda: SqliteStore.open(path, create=False, busy_seconds=busy_seconds),
            database=path,
            see=lambda store: overview.look(store, looking(self.state_dir, runner), host.look()),
            most_instances=lambda service: 2,
            wake=lambda: self.woken.append(None),
            now=lambda: NOW,
        )

    def look(self, runner: Runner | None = DAEMON) -> overview.Overview:
        return overview.look(self.store, looking(self.state_dir, runner), HOST)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    store = fill(tmp_path / "pitchey.db")
    yield Ground(tmp_path, store, [])
    store.close()


@asynccontextmanager
async def shown(desk: Desk, *, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Screen]:
    app = TopApp(desk, desk.look(), every_seconds=NEVER)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Screen(app, pilot)


def on_screen(desk: Desk, story: Callable[[Screen], Coroutine[None, None, None]]) -> None:
    async def play() -> None:
        async with shown(desk) as screen:
            await story(screen)

    asyncio.run(play())


# --- what is seen


def test_the_screen_opens_on_the_jobs_with_the_pools_above_them(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        assert screen.text("headline") == "daemon 4711 on docker, since 2 h 03 min"
        assert screen.column("pools", "pool") == ["video", "document", "inference", "media", "code"]
        found = [screen.column("pools", name)[0] for name in ("wanted", "ready", "starting", "waiting", "running")]
        assert found == ["2", "1", "1", "3", "2"]
        assert [screen.column("pools", name)[0] for name in ("cpu", "memory", "rule")] == [
            "71 %",
            "42 %",
            "concurrency",
        ]
        assert screen.column("jobs", "job") == ["run1", "run2", "wait1", "wait2", "wait3", "code1", "later"]
        assert screen.column("jobs", "progress")[:3] == ["██████░░░░  63%", "█░░░░░░░░░   8%", ""]
        assert screen.column("jobs", "left") == ["1:35", "1:35", "-", "-", "-", "-", "10:00"]
        assert screen.column("instances", "slots") == ["2/3", "0/3"]
        assert "queue_wait" in screen.text("notices")

    on_screen(ground.desk(), story)


def test_a_name_with_square_brackets_is_shown_as_it_is(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        assert "[b]feature[/b]-1" in screen.column("jobs", "name")

    on_screen(ground.desk(), story)


def test_everything_fits_into_80_columns_and_24_lines_after_a_resize(ground: Ground) -> None:
    async def play() -> None:
        async with shown(ground.desk(), size=(140, 40)) as screen:
            await screen.pilot.resize_terminal(80, 24)
            await screen.pilot.pause()
            lines = screen.lines()
            assert (len(lines), {len(line) for line in lines}) == (24, {80})
            drawn = "\n".join(lines)
            for word in (
                "daemon 4711",
                "12:03",
                "disk",
                "today",
                "video 1 warm",
                "concurrency",
                "5 queue",
                "wait3",
                "Quit",
            ):
                assert word in drawn, word

    asyncio.run(play())


def test_a_long_queue_is_counted_as_a_whole_and_listed_by_its_head(ground: Ground) -> None:
    ground.store.enqueue([NewJob(JobId(f"many{number}"), VIDEO, {}) for number in range(1000)], now=NOW)

    async def story(screen: Screen) -> None:
        assert "jobs (1,007)" in screen.text("tabs")
        listed = screen.column("jobs", "job")
        assert listed[:3] == ["run1", "run2", "wait1"] and "later" in listed and len(listed) < 500

    on_screen(ground.desk(), story)


def test_without_a_daemon_the_screen_says_so_and_nothing_is_wanted(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        assert "No daemon runs" in screen.text("headline") and "pitchey daemon start" in screen.text("headline")
        assert set(screen.column("pools", "wanted")) == {"-"}

    on_screen(ground.desk(None), story)


def test_a_pitchey_run_that_does_the_work_is_no_daemon(ground: Ground) -> None:
    line = top.headline(ground.look(Runner(99, False, "podman", NOW - timedelta(seconds=5)))).plain
    assert line == "No daemon runs; process 99 (pitchey run) does the work, since 5.00 s"


def test_other_nodes_that_run_the_queue_are_named_where_no_daemon_runs_here(ground: Ground) -> None:
    found = overview.look(ground.store, looking(ground.state_dir, None, ("a", "b")), HOST)
    assert top.headline(found).plain == "No daemon runs here; up on this queue: a, b"
    assert all(each.wanted is not None for each in found.pools), "they decide about the pools"
    own = Runner(99, False, "podman", NOW - timedelta(seconds=5))
    found = overview.look(ground.store, looking(ground.state_dir, own, ("a",)), HOST)
    assert top.headline(found).plain == (
        "No daemon runs here; process 99 (pitchey run) does the work, since 5.00 s; up on this queue: a"
    )
    found = overview.look(ground.store, looking(ground.state_dir, others=("a", "b")), HOST)
    assert top.headline(found).plain.startswith("daemon ")


def test_a_budget_that_holds_jobs_is_told(ground: Ground) -> None:
    ground.store.set_budget(Budget(Scope("", VIDEO), Period.DAY, 1000), now=NOON)
    found = ground.look()
    assert "The budget of video for the day is used up" in found.notices[0] and "3 jobs wait" in found.notices[0]


def test_what_is_spent_is_the_price_of_what_lives_and_what_it_came_to(ground: Ground) -> None:
    found = ground.look()
    assert found.nanodollars_per_hour == 2 * 144_000_000
    assert found.spent_today == 2 * 144_000_000 * 3 // 60  # two instances for three minutes


def test_instances_that_the_last_boot_has_left_cost_nothing_now(ground: Ground) -> None:
    of_before = looking(ground.state_dir)
    as_of = of_before.as_of()
    moved = overview.Looking(**{**vars(of_before), "as_of": lambda: type(as_of)(as_of.now, "another", 1, as_of.zone)})
    assert overview.look(ground.store, moved, HOST).nanodollars_per_hour == 0


def test_the_host_is_looked_at(tmp_path: Path) -> None:
    found = overview.HostWatch(tmp_path).look()
    assert found.cpu is not None and 0 <= found.cpu <= 1
    assert 0 < found.memory_used_bytes < found.memory_bytes
    assert found.disk_free_bytes is not None and found.disk_free_bytes > 0


# --- keys


def test_a_cancel_is_asked_about_and_only_a_yes_does_it(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("down", "down", "c")
        assert isinstance(screen.app.screen, Question)
        assert "Cancel wait1" in "\n".join(screen.lines())
        await screen.press("enter")
        await screen.press("n")
        assert ground.store.job(JobId("wait1")).state is JobState.QUEUED
        await screen.press("c", "y")
        assert ground.store.job(JobId("wait1")).state is JobState.CANCELLED
        assert screen.said == ["wait1 is cancelled."]
        assert "wait1" not in screen.column("jobs", "job")
        assert ground.woken

    on_screen(ground.desk(), story)


def test_a_running_job_is_asked_to_stop(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("c", "y")
        assert screen.said == ["run1 is being stopped."]
        assert screen.column("jobs", "stage")[0] == "is being stopped"

    on_screen(ground.desk(), story)


def test_a_job_that_ends_while_the_question_stands_is_left_and_that_is_said(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("down", "down", "c")
        ground.store.cancel(JobId("wait1"), why="somebody else", now=NOW)
        await screen.press("y")
        assert screen.said == ["wait1 had ended already."]

    on_screen(ground.desk(), story)


def test_a_dead_letter_is_queued_again(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("4", "r", "escape")
        assert ground.store.job(JobId("dead1")).state is JobState.DEAD
        await screen.press("r", "y")
        assert screen.said == ["dead1 is queued again."]
        assert ground.store.job(JobId("dead1")).state is JobState.QUEUED
        assert screen.column("dead-letters", "job") == []

    on_screen(ground.desk(), story)


def test_a_service_is_kept_warm_one_by_one_up_to_its_limit_and_cooled(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("1", "w")
        assert screen.said[-1].startswith("2 of video are kept warm until ")
        await screen.press("w")
        assert "more than video may have, which is 2" in screen.said[-1]
        assert "video 2 warm" in screen.text("spending")
        await screen.press("W")
        assert ground.store.warm_requests(now=NOW) == []
        await screen.press("down", "w")
        assert [each.service for each in ground.store.warm_requests(now=NOW)] == [Service.DOCUMENT]

    on_screen(ground.desk(), story)


def test_a_key_that_has_nothing_to_work_on_says_what_to_do(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("3", "c", "r")
        assert screen.said == [
            "Choose a job first: 2 shows them.",
            "Choose a dead letter first: 4 shows them.",
        ]

    on_screen(ground.desk(), story)


def test_the_filter_leaves_the_rows_with_a_text_in_them_until_escape(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("slash", *"FEATURE", "enter")
        assert screen.column("jobs", "job") == ["wait1", "wait2", "wait3"]
        assert "only 'FEATURE'" in screen.text("tabs")
        await screen.press("c")  # on a row, not into the box
        assert isinstance(screen.app.screen, Question)
        await screen.press("n", "escape")
        assert len(screen.column("jobs", "job")) == 7

    on_screen(ground.desk(), story)


def test_help_names_every_key_and_any_key_closes_it(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("question_mark")
        assert isinstance(screen.app.screen, Help)
        drawn = "\n".join(screen.lines())
        for words in ("cancel", "retry", "warm", "rows with a text", "quit"):
            assert words in drawn
        await screen.press("x")
        assert not isinstance(screen.app.screen, Help)

    on_screen(ground.desk(), story)


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
def test_it_can_be_left(ground: Ground, key: str) -> None:
    async def story(screen: Screen) -> None:
        await screen.pilot.press(key)
        await screen.pilot.pause()
        assert not screen.app.is_running or screen.app._exit

    on_screen(ground.desk(), story)


def test_the_cursor_stays_on_its_job_whatever_comes_and_goes(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("down", "down", "down")
        ground.store.cancel(JobId("wait1"), why="", now=NOW)
        ground.store.enqueue([NewJob(JobId("new"), VIDEO, {}, name="new")], now=NOW)
        await screen.press("f5")
        assert screen.column("jobs", "job") == ["run1", "run2", "wait2", "wait3", "code1", "new", "later"]
        table = screen.app.query_one("#jobs", RowTable)
        assert table.chosen is not None and table.chosen.key == "wait2"

    on_screen(ground.desk(), story)


def test_the_screen_goes_on_under_a_question(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        await screen.press("down", "down", "c")
        ground.store.cancel(JobId("code1"), why="", now=NOW)
        await screen.tick()
        assert "code1" not in screen.column("jobs", "job")
        assert isinstance(screen.app.screen, Question)
        await screen.press("y")
        assert screen.said == ["wait1 is cancelled."]

    on_screen(ground.desk(), story)


# --- trouble


def test_a_database_that_does_not_answer_is_said_and_the_keys_go_on(ground: Ground) -> None:
    database, aside, answer = ground.state_dir / "pitchey.db", ground.state_dir / "aside.db", threading.Event()
    desk = ground.desk()
    open_store = desk.open_store

    async def story(screen: Screen) -> None:
        database.rename(aside)
        await screen.press("f5")
        aside.rename(database)
        desk.open_store = lambda: open_store() if answer.wait(60) else pytest.fail("nobody let it answer")
        await screen.pilot.press("f5", "3")
        screen.app._tick()
        assert "has not answered yet" in screen.text("trouble")
        assert isinstance(screen.app.focused, RowTable) and screen.app.focused.view is top.View.INSTANCES
        answer.set()
        await screen.app.workers.wait_for_complete()
        assert screen.text("trouble") == ""

    ground.store.close()
    on_screen(desk, story)


def test_a_database_that_is_away_for_a_while_is_said_and_comes_back(ground: Ground) -> None:
    database, aside = ground.state_dir / "pitchey.db", ground.state_dir / "aside.db"

    async def story(screen: Screen) -> None:
        database.rename(aside)
        await screen.press("f5")
        assert "There is no database at" in screen.text("trouble") and "how it was at" in screen.text("trouble")
        assert len(screen.column("jobs", "job")) == 7
        assert not database.exists()
        aside.rename(database)
        await screen.press("f5")
        assert screen.text("trouble") == ""

    ground.store.close()  # as a restore does it: nobody else has it open
    on_screen(ground.desk(), story)


def test_another_database_in_its_place_is_the_one_that_is_shown(ground: Ground, tmp_path: Path) -> None:
    database = ground.state_dir / "pitchey.db"

    async def story(screen: Screen) -> None:
        database.rename(ground.state_dir / "aside.db")
        SqliteStore.open(database).close()
        await screen.press("f5")
        assert screen.column("jobs", "job") == []
        assert "No job runs or waits." in "\n".join(screen.lines())

    ground.store.close()
    on_screen(ground.desk(), story)


def test_an_order_to_a_locked_database_is_refused_and_the_screen_goes_on(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        with ground.store.transaction():
            await screen.press("down", "down", "c", "y")
            assert "locked by another process" in screen.said[-1]
            await screen.press("f5")  # reading needs no lock
            assert screen.text("trouble") == ""
        await screen.press("c", "y")
        assert screen.said[-1] == "wait1 is cancelled."

    on_screen(ground.desk(), story)


def test_a_database_that_makes_no_sense_is_told_and_ends_nothing(ground: Ground) -> None:
    async def story(screen: Screen) -> None:
        raw = sqlite3.connect(ground.state_dir / "pitchey.db")
        raw.execute("ALTER TABLE job_counts RENAME TO counts_of_jobs")
        raw.commit()
        await screen.press("f5")
        assert "refused" in screen.text("trouble")
        raw.execute("ALTER TABLE counts_of_jobs RENAME TO job_counts")
        raw.commit()
        raw.close()
        await screen.press("f5")
        assert screen.text("trouble") == ""

    on_screen(ground.desk(), story)


# --- the single frame


def test_the_single_frame_has_all_of_it(ground: Ground) -> None:
    console = Console(width=120, no_color=True)
    with console.capture() as capture:
        console.print(top.frame(ground.look(), most=3))
    assert [line.rstrip() for line in capture.get().splitlines()] == FRAME.splitlines()


def test_control_characters_in_names_do_not_reach_the_terminal(ground: Ground) -> None:
    ground.store.enqueue([NewJob(JobId("evil"), VIDEO, {}, name="a\x1b[2Jb")], now=NOW)
    rows = top.TABLES[top.View.JOBS].rows(ground.look())
    (cells,) = [row.cells for row in rows if row.key == "evil"]
    assert cells[6].plain == "a\\x1b[2Jb"


FRAME = """\
daemon 4711 on docker, since 2 h 03 min
CPU ██░░░░  25% of 2  memory ██░░░░ 2.0/8.0 GiB  disk ████░░ 40.0 GiB free
$0.288 per hour, $0.014400 today; 2 running, 5 waiting, 1 dead; video 1 warm
! queue_wait (warning): the oldest job that could run has waited for 180 s (video); it should be below 120 s.

POOLS
pool        wanted   ready   starting   paused   waiting   running    cpu   memory   rule
────────────────────────────────────────────────────────────────────────────────────────────────
video            2       1          1        0         3         2   71 %     42 %   concurrency
document         0       0          0        0         0         0      -        -   -
inference        0       0          0        0         0         0      -        -   -
and 2 more

JOBS
job     service   state     progress          time   left   name               stage
────────────────────────────────────────────────────────────────────────────────────────
run1    video     running   ██████░░░░  63%   3:00   1:35   trailer-1          transcode
run2    video     running   █░░░░░░░░░   8%   3:00   1:35   trailer-2          transcode
wait1   video     queued                      3:00      -   [b]feature[/b]-1
and 4 more

INSTANCES
instance   state      type         slots   CPUs    memory    age   $/hour   note
───────────────────────────────────────────────────────────────────────────────────────────────
video-1    ready      standard-2     2/3      2   2.0 GiB   3:00    0.144
video-2    starting   standard-2     0/3      2   2.0 GiB   3:00    0.144   2 CPUs instead of 4

DEAD LETTERS
job     service   reason   attempts   ended   name     error
─────────────────────────────────────────────────────────────────────────────────────
dead1   video     failed          1    0:00   broken   bad_input: moov atom not found

QUEUE
service   scheduled   held   queued   running   succeeded   dead   cancelled
────────────────────────────────────────────────────────────────────────────
video             1      0        3         2           0      1           0
code              0      0        1         0           0      0           0
"""
