"""Manifests: what a line may say, and how a line that is wrong is named."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from pitchey_cli.cli.field_options import forms
from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.operations import manifests, queueing
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.requests import Request
from processors.vocabulary import Service


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    file = tmp_path / "a, b.mp4"
    file.write_bytes(b"x")
    return file


def _drafts(path: Path, **fields: str) -> list[Draft]:
    asked = Request(Service.VIDEO, (), fields)
    return manifests.drafts(asked, manifests.read(path, asked.service, {}), where=path.name)


def test_a_line_of_csv_is_a_job_with_its_own_fields_and_place_in_the_queue(tmp_path: Path, clip: Path) -> None:
    manifest = tmp_path / "jobs.csv"
    lines = [
        "\ufeffinput,name,quality,bitrate,priority,run-at",
        f'"{clip}",one,low,300k,high,in 20 min',
        "",
        f'"{clip}",,,,,',
    ]
    manifest.write_text("\r\n".join(lines), encoding="utf-8", newline="")
    one, two = _drafts(manifest, output_format="webm")
    assert (one.name, one.spec["quality"], one.spec["bitrate"]) == ("one", "low", "300k")
    assert one.queueing == {"priority": "high", "run_at": "in 20 min"}
    assert (two.name, two.spec["outputFormat"], dict(two.queueing)) == ("a, b", "webm", {})


def test_a_column_can_reach_into_a_field() -> None:
    text = "input,watermark.text,watermark.opacity\nx.mp4,© me,0.5\n"
    lines = manifests.from_csv(text, "jobs.csv", lambda column, cell: cell)
    assert list(lines) == [("line 2", {"input": "x.mp4", "watermark": {"text": "© me", "opacity": "0.5"}})]


def test_json_lines_say_the_same(tmp_path: Path, clip: Path) -> None:
    manifest = tmp_path / "jobs.jsonl"
    manifest.write_text(f'{{"input": "{clip}", "thumbnailTimes": [1, 2], "slots": 2}}\n\n{{"inputUrl": "{clip}"}}\n')
    one, two = _drafts(manifest, output_format="thumbnail")
    assert (one.spec["thumbnailTimes"], one.queueing) == ([1.0, 2.0], {"slots": 2})
    assert two.name == "a, b-2"


def test_a_list_is_json_or_what_the_command_line_takes(tmp_path: Path, clip: Path) -> None:
    manifest = tmp_path / "jobs.csv"
    rows = [["input", "output_format", "thumbnailTimes"]]
    rows += [[str(clip), "thumbnail", times] for times in ("[1, 2.5]", "1,2.5", "1 2.5")]
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert [each.spec["thumbnailTimes"] for each in _drafts(manifest)] == [[1.0, 2.5]] * 3


def test_a_field_that_has_fields_is_an_object_and_a_column_adds_to_it(tmp_path: Path) -> None:
    manifest = tmp_path / "jobs.csv"
    manifest.write_text('input,watermark,watermark.opacity\nx.mp4,"{""text"": ""me""}",0.5\n')
    lines = manifests.read(manifest, Service.VIDEO, {})
    assert list(lines) == [("line 2", {"input": "x.mp4", "watermark": {"text": "me", "opacity": "0.5"}})]


def test_what_the_command_line_says_of_a_part_goes_before_each_of_its_fields(tmp_path: Path, clip: Path) -> None:
    manifest = tmp_path / "jobs.csv"
    manifest.write_text(f'input,watermark.text,watermark.opacity,quality\n"{clip}",me,0.2,low\n')
    asked = Request(Service.VIDEO, (), {"watermark": {"opacity": "0.9"}, "quality": "high"})
    (draft,) = manifests.drafts(asked, manifests.read(manifest, Service.VIDEO, {}), where="jobs.csv")
    assert (draft.spec["watermark"]["text"], draft.spec["watermark"]["opacity"]) == ("me", 0.9)
    assert draft.spec["quality"] == "high"


def test_a_list_of_a_part_is_json_or_has_commas(tmp_path: Path, clip: Path) -> None:
    manifest = tmp_path / "jobs.csv"
    rows = [["input", "output_format", "ladder.sizes"]]
    rows += [[str(clip), "hls", sizes] for sizes in ('["1280x720", "640x360"]', "1280x720,640x360")]
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert [each.spec["ladder"]["sizes"] for each in _drafts(manifest)] == [["1280x720", "640x360"]] * 2


def test_presets_and_tags_are_what_their_options_take(tmp_path: Path, clip: Path) -> None:
    manifest = tmp_path / "jobs.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(
            [
                ["input", "outputPresets", "tags"],
                [clip, "mp3,podcast", "title=One"],
                [clip, '["flac"]', '{"title": "2"}'],
            ]
        )
    asked = Request(Service.MEDIA, (), {})
    one, two = manifests.drafts(asked, manifests.read(manifest, Service.MEDIA, forms(Service.MEDIA)), where="jobs.csv")
    assert (one.spec["outputPresets"], one.spec["tags"]) == (["mp3", "podcast"], {"title": "One"})
    assert (two.spec["outputPresets"], two.spec["tags"]) == (["flac"], {"title": "2"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("input,quality\n{clip},best\n", "line 2: quality 'best' is not one of"),
        ("input,qualty\n{clip},low\n", "line 2: A video spec has no field 'qualty'"),
        ("input,input\n{clip},low\n", "names the columns, each once"),
        ("input\n{clip},low\n", "line 2: 2 cells under 1 columns"),
        ('input\n"{clip}\n', "is not CSV"),
        ("input,slots\n{clip},many\n", "line 2: slots 'many' does not fit"),
        ("input\nnowhere.mp4\n", "line 2: There is no file at 'nowhere.mp4'"),
        ('input,thumbnailTimes\n{clip},"[1, 2"\n', r"line 2, column 'thumbnailTimes': '\[1, 2' is not JSON: "),
        ("input,watermark.imageUrl\n{clip},no.png\n", "line 2: --watermark-image-url: There is no file at 'no.png'"),
        ("inputUrl\nno.mp4\n", "line 2: inputUrl: There is no file at 'no.mp4'"),
        ("input,watermark\n{clip},me\n", "line 2, column 'watermark': 'me' is no JSON object"),
        ("input,quality,quality.x\n{clip},low,1\n", "line 2, column 'quality.x': '1' is a part of quality, which"),
        ("input,quality\n", "there is no job in it"),
        ("", "there is no job in it"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, clip: Path, text: str, says: str) -> None:
    clip = clip.rename(tmp_path / "a.mp4")
    manifest = tmp_path / "jobs.csv"
    manifest.write_text(text.format(clip=clip))
    with pytest.raises((UsageError, InputNotFound), match=says):
        _drafts(manifest)


@pytest.mark.parametrize(
    ("word", "value", "hint"),
    [
        ("slots", "many", "It is a number from 1 to 64."),
        ("slots", 99, "It is a number from 1 to 64."),
        ("slots", [1], "It is a number from 1 to 64."),
        ("slots", math.inf, "It is a number from 1 to 64."),
        ("max-attempts", 0, "It is a number from 1 to 100."),
        ("off_peak", "perhaps", "It is true or false."),
    ],
)
def test_a_word_of_the_queue_that_does_not_fit_is_told_what_does(word: str, value: object, hint: str) -> None:
    with pytest.raises(UsageError, match="does not fit") as refused:
        queueing.split(Service.VIDEO, {word: value})
    assert refused.value.hint == hint


def test_a_manifest_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="no manifest at"):
        _drafts(tmp_path / "jobs.csv")
