"""From a checked spec to a staged job: its inputs, its presets, and housekeeping that goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon.housekeeping import Housekeeping
from pitchey_cli.domain.errors import InputNotFound, InputRejected, PitcheyError, UsageError
from pitchey_cli.domain.job import NewJob
from pitchey_cli.domain.retention import RetentionPolicy
from pitchey_cli.operations import cache, presets, requests, submit
from pitchey_cli.operations.drafts import Draft, drafted
from pitchey_cli.operations.sources import Source
from pitchey_cli.store.port import JobFilter
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from processors.protocol import Service
from tests.resources.scripted_time import NOON, ScriptedClock

SETTINGS = submit.JobSettings(3, 60.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore.open(tmp_path / "pitchey.db")) as store:
        yield store


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


@pytest.fixture
def staged(tmp_path: Path, artifacts: LocalArtifacts) -> list[NewJob]:
    drafts: list[Draft] = []
    for name in ("first", "second"):
        path = tmp_path / f"{name}.mp4"
        path.write_text(name)
        drafts.append(drafted(Service.VIDEO, {}, Source(str(path), name)))
    return submit.stage(drafts, artifacts, lambda _: SETTINGS, limit_bytes=100)


def prune(tmp_path: Path, artifacts: LocalArtifacts) -> int:
    """Remove what nobody refers to, as of now by the wall clock of the artifacts' files."""
    writer = Writer(SqliteStore.open(tmp_path / "pitchey.db"))
    clock = ScriptedClock((datetime.now(UTC) - NOON).total_seconds())
    with closing(writer):
        keeper = Housekeeping(writer.store, writer, artifacts, tmp_path, RetentionPolicy(), clock)
        return asyncio.run(keeper.prune()).artifacts


def stage_for_hours(artifacts: LocalArtifacts, *jobs: NewJob) -> None:
    for job in jobs:
        at = datetime.now(UTC).timestamp() - timedelta(hours=3).total_seconds()
        os.utime(artifacts.path(job.inputs[0].sha256 or ""), (at, at))


def test_inputs_that_were_removed_while_the_others_were_staged_fail_the_submission(store, artifacts, staged, tmp_path):
    stage_for_hours(artifacts, staged[0])
    assert prune(tmp_path, artifacts) == 1
    with pytest.raises(InputNotFound, match=r"first\.mp4 was staged, and has been removed"):
        submit.submit(store, staged, now=NOON, artifacts=artifacts)
    assert store.jobs(JobFilter()) == []


def test_old_inputs_that_are_still_there_stay_until_their_jobs_are_queued(store, artifacts, staged, tmp_path):
    stage_for_hours(artifacts, *staged)
    with store.transaction():  # not seen by others before it ends
        submit.submit(store, staged, now=NOON, artifacts=artifacts)
        assert (
            artifacts.remove(staged[0].inputs[0].sha256, unless_used_since=datetime.now(UTC) - timedelta(hours=2))
            is False
        )
    assert prune(tmp_path, artifacts) == 0
    assert len(store.jobs(JobFilter())) == 2


JPEG = b"\xff\xd8\xff"  # as all of them begin


def draft_on(tmp_path: Path, service: Service, fields: dict[str, Any], *names: str) -> Draft:
    """A job on the first file, of files that each hold their name."""
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return drafted(service, fields, Source(str(tmp_path / names[0]), "first"))


def submitted(artifacts: LocalArtifacts, draft: Draft) -> NewJob:
    (job,) = submit.stage([draft], artifacts, lambda _: SETTINGS, limit_bytes=100)
    return job


def test_an_input_of_a_part_is_staged_under_its_own_name_and_what_is_not_said_is_not(tmp_path, artifacts, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("clip.mp4", "logo.jpg", "words.srt")
    fields = {"watermark": {"imageUrl": "logo.jpg"}, "subtitle_url": str(tmp_path / "words.srt")}
    (tmp_path / "logo.jpg").write_bytes(JPEG)
    job = submitted(artifacts, draft_on(tmp_path, Service.VIDEO, fields, "clip.mp4", "words.srt"))
    staged = {each.field: artifacts.path(each.sha256 or "").read_bytes() for each in job.inputs}
    assert staged == {"input_url": b"clip.mp4", "watermark.image_url": JPEG, "subtitle_url": b"words.srt"}
    assert [each.name for each in job.inputs] == list(names)
    alone = submitted(artifacts, draft_on(tmp_path, Service.VIDEO, {"watermark": {"text": "me"}}, "clip.mp4"))
    assert [each.field for each in alone.inputs] == ["input_url"]


def test_an_input_of_a_part_may_be_a_url(tmp_path, artifacts):
    fields = {"watermark": {"imageUrl": "https://example.org/a/logo%20one.png"}}
    job = submitted(artifacts, draft_on(tmp_path, Service.VIDEO, fields, "clip.mp4"))
    assert [(each.field, each.name, each.url) for each in job.inputs[1:]] == [
        ("watermark.image_url", "logo one.png", "https://example.org/a/logo%20one.png")
    ]


def test_where_an_input_lies_is_nothing_to_the_cache_and_what_it_holds_is(tmp_path, artifacts):
    def key(logo: str, **more: Any) -> str:
        fields = {"watermark": {"imageUrl": str(tmp_path / logo), **more}}
        return cache.cache_key(submitted(artifacts, draft_on(tmp_path, Service.VIDEO, fields, "clip.mp4")), "image")

    (tmp_path / "there").mkdir()
    for name, rest in (("logo.jpg", b"one"), ("there/same.jpg", b"one"), ("other.jpg", b"two")):
        (tmp_path / name).write_bytes(JPEG + rest)
    assert key("logo.jpg") == key("there/same.jpg")
    assert len({key("logo.jpg"), key("other.jpg"), key("logo.jpg", opacity=0.9)}) == 3


def test_the_tracks_of_an_album_have_names_that_the_cache_minds(tmp_path, artifacts):
    def key(**album: str) -> str:
        fields = {"output_presets": ["mp3"], "album": {name: str(tmp_path / file) for name, file in album.items()}}
        return cache.cache_key(submitted(artifacts, draft_on(tmp_path, Service.MEDIA, fields, "a.wav")), "image")

    for name, text in (("one.wav", "1"), ("two.wav", "2"), ("copy.wav", "1")):
        (tmp_path / name).write_text(text)
    assert key(b="one.wav", c="two.wav") == key(b="copy.wav", c="two.wav")
    assert len({key(b="one.wav", c="two.wav"), key(b="two.wav", c="one.wav"), key(x="one.wav", c="two.wav")}) == 3


def test_an_album_is_the_sound_in_a_folder_and_no_track_lies_beside_itself(tmp_path, artifacts):
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("one.wav", "two.flac", "cover.jpg", ".hidden.wav"):
        (folder / name).write_text(name)
    asked = requests.Request(Service.MEDIA, (str(folder),), {"output_presets": ["flac"]}, attached=(str(folder),))
    jobs = [submitted(artifacts, draft) for draft in requests.drafts(asked)]
    assert [[(each.field, each.name) for each in job.inputs] for job in jobs] == [
        [("input_media", "one.wav"), ("album", "album/two.flac")],
        [("input_media", "two.flac"), ("album", "album/one.wav")],
    ]


def test_a_track_that_holds_nothing_is_refused(tmp_path, artifacts):
    (tmp_path / "none.wav").touch()
    draft = draft_on(
        tmp_path, Service.MEDIA, {"output_presets": ["mp3"], "album": {"b": str(tmp_path / "none.wav")}}, "a"
    )
    with pytest.raises(InputRejected, match=r"none\.wav"):
        submitted(artifacts, draft)


@pytest.mark.parametrize(
    ("service", "fields", "says"),
    [
        (Service.VIDEO, {"watermark": {"imageUrl": "no.png"}}, "--watermark-image-url: There is no file at 'no.png'."),
        (
            Service.VIDEO,
            {"subtitle_url": "file:///etc/passwd"},
            "--subtitle-url: file:///etc/passwd cannot be fetched.",
        ),
        (Service.VIDEO, {"subtitle_url": "a\0b"}, "--subtitle-url: There is no file at"),
        (Service.MEDIA, {"output_presets": ["mp3"], "coverUrl": "/"}, "--cover-url: '/' is a folder"),
        (Service.MEDIA, {"output_presets": ["mp3"], "album": {"b": "no.wav"}}, "--file: There is no file at 'no.wav'."),
    ],
)
def test_an_input_that_is_not_there_is_named_by_its_option(tmp_path, service, fields, says):
    with pytest.raises(PitcheyError) as caught:
        draft_on(tmp_path, service, fields, "clip.mp4")
    assert str(caught.value).startswith(says)


def test_the_users_presets_go_into_the_jobs_that_name_them(tmp_path, store, artifacts):
    own = presets.checked({"voice": {"format": "opus"}, "mp3": {"format": "mp3"}, "idle": {"format": "wav"}}, where="x")
    defaults = requests.Defaults(SETTINGS, 0.0, 4, "standard-2", 100)
    submitting = requests.Submitting(store, artifacts, lambda _: defaults, lambda _: "image", lambda: own)

    def spec(**fields: Any) -> dict[str, Any]:
        draft = draft_on(tmp_path, Service.MEDIA, fields, "a.wav")
        (found,) = requests.stage(submitting, Service.MEDIA, [draft], {}, now=NOON)
        return dict(found.job.spec)

    taken = spec(output_presets=["voice", "mp3", "flac"])["presets"]
    assert {name: each["format"] for name, each in taken.items()} == {"voice": "opus", "mp3": "mp3"}
    assert "presets" not in spec(output_presets=["flac"])
    assert spec(output_presets=["voice"], presets={"voice": {"format": "ogg"}})["presets"]["voice"]["format"] == "ogg"
    with pytest.raises(UsageError, match="There is no preset 'vocie'") as caught:
        spec(output_presets=["vocie"])
    assert caught.value.hint == "Did you mean 'voice' or 'opus-voice'? `pitchey presets` lists them all."
