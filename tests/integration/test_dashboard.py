"""The dashboard in a real browser: what somebody sees, with and without a token, and what their buttons do."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from pitchey_cli.domain import layout
from pitchey_cli.domain.access import Role
from pitchey_cli.domain.job import Instance, InstanceState, Job, JobState, LoadedModel
from processors.protocol import LogEvent
from processors.vocabulary import Service
from tests.resources.served import CONTENT, Served, served

SCRIPT = "<img src=x onerror=document.title='taken'>"
HEARD = """
window.heard = [];
const parse = JSON.parse;
JSON.parse = (text) => { const value = parse(text); heard.push(value?.type); return value; };
"""  #: the types of the events that have come


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "chromium is missing; on Debian: apt-get install chromium"
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "state", PITCHEY_API_REQUESTS_PER_MINUTE="100000") as ready:
        yield ready


@pytest.fixture
def context(browser: Browser, api: Served) -> Iterator[BrowserContext]:
    """A browser of its own for each test, which must not complain and must not ask anybody else."""
    made = browser.new_context(base_url=str(api.address), accept_downloads=True)
    made.set_default_timeout(15_000)
    complaints: list[str] = []
    made.on("weberror", lambda error: complaints.append(str(error.error)))
    made.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    made.on(
        "request",
        lambda asked: None if asked.url.startswith((str(api.address), "blob:")) else complaints.append(asked.url),
    )
    yield made
    made.close()
    assert complaints == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def sign_in(page: Page, token: str) -> None:
    page.goto("/")
    page.get_by_label("A token of this server").fill(token)
    page.keyboard.press("Enter")


def test_the_overview_counts_and_follows(api: Served, page: Page) -> None:
    api.add()
    page.goto("/")
    tile = page.locator(".tile", has_text="Waiting").locator("dd")
    expect(tile).to_have_text("1")
    expect(page.get_by_role("alert")).to_contain_text("No daemon runs")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    api.add()
    expect(tile).to_have_text("2")  # and nobody has loaded anything again


def test_it_asks_for_a_token_and_says_what_is_wrong_with_one(api: Served, page: Page) -> None:
    token = api.token(Role.VIEWER)
    sign_in(page, "pitchey_no_token")
    expect(page.get_by_role("alert")).not_to_be_empty()
    sign_in(page, token)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.reload()  # the tab keeps it
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_job_moves_while_one_looks(api: Served, page: Page, tmp_path: Path) -> None:
    page.goto("/#/jobs")
    expect(page.get_by_text("No job is like that.")).to_be_visible()
    job = api.store.job(api.add())
    row = page.get_by_role("row", name=job.name)
    expect(row).to_contain_text("queued")
    running = api.claim(job.id)
    expect(row).to_contain_text("running")
    assert running.token is not None
    api.store.progress(running.token, fraction=0.42, stage="encode", eta_seconds=9.0, now=api.now)
    expect(row.get_by_role("progressbar", name="42 %, encode")).to_be_visible()
    row.get_by_role("button", name=f"Cancel {job.name}").click()
    expect(page.get_by_role("status").filter(has_text="is being cancelled")).to_be_visible()
    assert api.store.job(job.id).cancel_requested_at is not None


def test_what_happens_before_the_page_listens_is_shown(api: Served, page: Page) -> None:
    held = hold(page, "**/v1/events*")
    job_id = api.add()
    page.goto(f"/#/jobs/{job_id}")
    expect(page.locator(".state")).to_have_text("queued")  # it has been looked at, and nothing is heard yet
    until(page, lambda: held)
    api.claim(job_id)
    held.pop().continue_()
    expect(page.locator(".state")).to_have_text("running")


def test_what_happens_before_the_first_look_is_answered_is_shown(api: Served, page: Page) -> None:
    page.add_init_script(HEARD)
    job_id = api.add()
    held = hold(page, f"**/v1/jobs/{job_id}")
    page.goto(f"/#/jobs/{job_id}")
    until(page, lambda: held)
    before = held[0].fetch()
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    api.claim(job_id)
    until(page, lambda: page.evaluate("heard.includes('claimed')"))
    held.pop().fulfill(response=before)  # it was queued when the server looked
    expect(page.locator(".state")).to_have_text("running")


def test_an_older_answer_does_not_come_last(api: Served, page: Page) -> None:
    page.add_init_script(HEARD)
    job_id = api.add()
    page.goto(f"/#/jobs/{job_id}")
    expect(page.locator(".state")).to_have_text("queued")
    expect(page.get_by_text("live", exact=True)).to_be_visible()
    held = hold(page, f"**/v1/jobs/{job_id}")
    running = api.claim(job_id)
    until(page, lambda: held)
    before = held[0].fetch()
    api.fail_running(running)
    until(page, lambda: page.evaluate("heard.includes('dead')"))
    while len(held) > 1:
        (later := held.pop()).fulfill(response=later.fetch())
    held.pop().fulfill(response=before)  # it was running when the server looked
    expect(page.locator(".state")).to_have_text("dead")


def test_tabs_that_nobody_looks_at_leave_room_for_others_and_catch_up(
    api: Served, context: BrowserContext, page: Page
) -> None:
    job_id = api.add()
    running = api.claim(job_id)
    for number in range(4):  # a browser has six connections to a server, and a tab listens to events and to the log
        tab = page if number == 0 else context.new_page()
        tab.goto(f"/#/jobs/{job_id}")
        expect(tab.locator(".state")).to_have_text("running")
        expect(tab.get_by_text("live", exact=True)).to_be_visible()
        if number == 0:
            say(api, running, "one")
            expect(tab.get_by_role("log")).to_contain_text("one")
        turn(tab, is_hidden=True)
        expect(tab.get_by_text("not connected")).to_be_attached()
    say(api, running, "one", "two")
    api.fail_running(running)
    turn(page, is_hidden=False)
    expect(page.locator(".state")).to_have_text("dead")
    expect(page.get_by_role("log")).to_have_text(re.compile(r"^\S.*one\n\S.*two\n$"))


@pytest.mark.parametrize("where", ["jobs", "dead-letters"])
def test_what_was_chosen_last_is_shown(api: Served, page: Page, where: str) -> None:
    job_id = api.add()
    api.fail(job_id)
    page.goto(f"/#/{where}")
    row = page.get_by_role("link", name=api.store.job(job_id).name)
    expect(row).to_be_visible()
    held = hold(page, f"**/v1/{where}?*")
    chosen = page.get_by_label("Service")
    chosen.select_option("video")
    until(page, lambda: held)
    chosen.select_option("code")
    page.evaluate("fetch('/healthz').then((answer) => answer.text())")  # what was asked before it has come by now
    while held:
        (asked := held.pop()).fulfill(response=asked.fetch())
    expect(row).to_be_hidden()
    expect(page.get_by_text(re.compile("No job is like that|There are none"))).to_be_visible()


@pytest.mark.parametrize(
    "ending", [lambda route: route.fulfill(body=""), lambda route: route.abort()], ids=["ends", "breaks"]
)
def test_a_log_goes_on_after_a_break(api: Served, page: Page, ending: Callable[[Route], None]) -> None:
    page.route("**/logs*", ending, times=1)  # as from a server that ends
    job_id = api.add()
    running = api.claim(job_id)
    page.goto(f"/#/jobs/{job_id}")
    say(api, running, "one")
    expect(page.get_by_role("log")).to_have_text(re.compile(r"^\S.*one\n$"))
    api.fail_running(running)
    expect(page.locator(".state")).to_have_text("dead")


def turn(page: Page, *, is_hidden: bool) -> None:
    """Show another tab, or this one again; a browser without a window shows all of them."""
    page.evaluate(
        """(isHidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        is_hidden,
    )


def say(api: Served, job: Job, *lines: str) -> None:
    """What the attempt of a job that runs has said so far."""
    [attempt] = api.store.attempts(job.id)
    kept = layout.instance(api.wiring.state_dir, attempt.instance_id) / layout.in_spool(attempt.token, "events.ndjson")
    kept.parent.mkdir(parents=True, exist_ok=True)
    events = [LogEvent(seq=seq, at=0.0, stream="stderr", line=line) for seq, line in enumerate(lines, 1)]
    kept.write_bytes(b"".join(event.wire() + b"\n" for event in events))


def hold(page: Page, pattern: str) -> list[Route]:
    """Requests that wait for the test, until it has taken all that there are."""
    held: list[Route] = []
    is_over: list[bool] = []

    def take(route: Route) -> None:
        if held or not is_over:
            is_over.append(True)
            held.append(route)
        else:
            route.continue_()

    page.route(pattern, take)
    return held


def until(page: Page, is_so: Callable[[], object]) -> None:
    """Let the browser go on until something is so."""
    deadline = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < deadline
        page.evaluate("1")


def test_a_jobs_page_gives_its_outputs(api: Served, page: Page, tmp_path: Path) -> None:
    job_id = api.add()
    api.succeed(job_id, tmp_path)
    page.goto(f"/#/jobs/{job_id}")
    expect(page.get_by_text("succeeded")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download video.mp4").click()
    assert download.value.suggested_filename == "video.mp4"
    assert download.value.path().read_bytes() == CONTENT
    page.goto("/#/cost")
    expect(page.get_by_role("img", name="By service")).to_be_visible()
    expect(page.locator(".tile", has_text="Attempts").last.locator("dd")).to_have_text("1")


@pytest.mark.parametrize("where", ["jobs", "jobs/{job}", "dead-letters"])
def test_wherever_it_says_what_went_wrong_with_a_job_it_says_the_way_out(api: Served, page: Page, where: str) -> None:
    job_id = api.add()
    api.fail(job_id)
    page.goto(f"/#/{where.format(job=job_id)}")
    expect(page.get_by_role("row", name="It is no video. Give it one.")).to_be_visible()


def test_what_cannot_be_done_is_said_with_the_way_out(api: Served, page: Page) -> None:
    job_id = api.add()
    api.fail(job_id)
    page.route("**/v1/events*", lambda route: route.abort())  # so that it does not know that somebody else was quicker
    page.goto("/#/dead-letters")
    again = page.get_by_role("button", name=f"Retry {api.store.job(job_id).name}")
    expect(again).to_be_visible()
    api.store.redrive(job_id, now=api.now)
    again.click()
    expect(page.locator("#told")).to_have_text(f"Job {job_id} is queued, no dead letter. Only those are queued again.")


def test_dead_letters_are_queued_again_and_removed(api: Served, page: Page) -> None:
    first, second = api.add(), api.add()
    api.fail(first)
    api.fail(second)
    page.goto("/#/dead-letters")
    expect(page.get_by_role("row", name="bad_input It is no video. Give it one.")).to_have_count(2)
    page.get_by_role("button", name=f"Remove {api.store.job(first).name}").click()
    page.get_by_role("button", name="Leave it").click()
    expect(page.get_by_role("row", name="bad_input")).to_have_count(2)
    page.get_by_role("button", name=f"Remove {api.store.job(first).name}").click()
    page.get_by_role("button", name="Remove", exact=True).last.click()
    expect(page.get_by_role("row", name="bad_input")).to_have_count(1)
    page.get_by_role("button", name="Retry all of these").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(page.get_by_text("There are none")).to_be_visible()
    assert api.store.job(second).state is JobState.QUEUED


def test_an_instance_has_its_models_beside_it(api: Served, page: Page) -> None:
    sizes = (4.0, 8 * 2**30, 2.0, 4 * 2**30)
    made = (Service.INFERENCE, "docker", "image:1", 3, InstanceState.READY, *sizes, datetime.now(UTC))
    api.store.add_instance(Instance("i-1", *made))
    api.store.set_models("i-1", [LoadedModel("embeddings@1", 96 * 2**20), LoadedModel("sentiment@1", 4 * 2**20)])
    page.goto("/#/instances")
    row = page.get_by_role("row", name="i-1")
    expect(row).to_contain_text("embeddings@1 96")
    expect(row).to_contain_text("sentiment@1 4")


def test_a_viewer_of_one_organisation_sees_its_jobs_and_no_buttons(api: Served, page: Page) -> None:
    ours, theirs = (api.add(organisation=name) for name in ("acme", "rival"))
    sign_in(page, api.token(Role.VIEWER, "acme"))
    page.get_by_role("link", name="Jobs").click()
    expect(page.get_by_role("link", name=api.store.job(ours).name)).to_be_visible()
    assert page.get_by_text(api.store.job(theirs).name).count() == 0
    assert page.get_by_role("button", name="Cancel").count() == 0
    page.goto(f"/#/jobs/{theirs}")
    expect(page.get_by_role("alert")).to_contain_text("There is no job")


def test_what_a_job_is_called_is_text(api: Served, page: Page) -> None:
    job_id = api.add(batch="b")
    with sqlite3.connect(api.wiring.state_dir / "pitchey.db") as database:
        database.execute("UPDATE container_jobs SET name = ? WHERE id = ?", (SCRIPT, job_id))
    page.goto("/#/jobs")
    expect(page.get_by_role("link", name=SCRIPT)).to_be_visible()
    page.get_by_role("link", name=SCRIPT).click()
    expect(page.get_by_role("heading", name=SCRIPT)).to_be_visible()
    assert page.locator("main img").count() == 0


def test_the_keyboard_is_enough(api: Served, page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.reload()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="To the content")
    if not skip.evaluate("each => each === document.activeElement"):  # the content has the focus once it is shown
        skip.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.evaluate(
        "[...document.querySelectorAll('button, input, select')].every(e => e.labels?.length || e.textContent)"
    )


@pytest.mark.parametrize(("scheme", "ground"), [("light", "rgb(246, 247, 249)"), ("dark", "rgb(16, 20, 27)")])
def test_it_is_light_and_dark_as_the_machine_is_until_somebody_chooses(
    api: Served, context: BrowserContext, scheme: str, ground: str
) -> None:
    page = context.new_page()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto("/")
    expect(page.locator("body")).to_have_css("background-color", ground)
    page.locator("#theme").click()
    expect(page.locator("body")).not_to_have_css("background-color", ground)
    page.reload()
    expect(page.locator("body")).not_to_have_css("background-color", ground)


def test_a_page_that_is_not_there_says_so(api: Served, page: Page) -> None:
    page.goto("/#/nowhere")
    expect(page.get_by_role("heading", name="There is no such page.")).to_be_visible()


def test_nothing_else_may_frame_it_or_run_in_it(api: Served) -> None:
    client = api.client()
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert client.get("/dashboard/main.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/dashboard/..%2fapp.py").status_code == 404
    etag = client.get("/").headers["etag"]
    assert client.get("/", headers={"If-None-Match": etag}).status_code == 304
