"""Pipelines: what a document may say, and what a step works on."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.errors import InputRejected, UsageError
from pitchey_cli.domain.feeding import fanned_id, feed
from pitchey_cli.domain.job import JobId, JobInput, OnFailure, Output
from pitchey_cli.domain.pipeline import Pipeline, Reference, parse

SMALL = '[steps.small]\nservice = "video"\ninput = "@input"\n'
POSTERS = '[steps.posters]\nservice = "video"\ninput = "@small/video.mp4"\nquality = "low"\n'


def _read(text: str) -> Pipeline:
    return parse(tomllib.loads(text), name="talk")


def test_steps_come_after_those_they_work_on_whatever_their_order_in_the_file() -> None:
    pipeline = _read(POSTERS + SMALL)
    assert [step.name for step in pipeline.steps] == ["small", "posters"]
    posters = pipeline.steps[1]
    assert posters.source == Reference("small", "video.mp4")
    assert (posters.after, posters.fields) == ({"small": OnFailure.CANCEL}, {"quality": "low"})
    assert pipeline.takes_input and [step.name for step in pipeline.gives()] == ["posters"]


def test_each_edge_has_its_own_policy() -> None:
    pipeline = _read(
        SMALL + POSTERS + '[steps.web]\nservice = "video"\nfor_each = "@small/*.mp4"\nafter = ["posters"]\n'
        'if_failed = { posters = "run", small = "hold" }\n'
    )
    assert pipeline.steps[-1].after == {"small": OnFailure.HOLD, "posters": OnFailure.RUN}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "A pipeline has steps"),
        ('colour = "red"\n' + SMALL, "no 'colour'"),
        ("[steps]\nsmall = 3\n", "Step small is no table"),
        ("[steps.small]\nservice = 'vidoe'\n", "no service 'vidoe'"),
        ("[steps.input]\nservice = 'video'\n", "cannot be called 'input'"),
        ("[steps.'a b']\nservice = 'video'\n", "cannot be called 'a b'"),
        (POSTERS, "Step posters: there is no step 'small'"),
        (SMALL.replace("@input", "@small"), "small -> small"),
        (POSTERS + "[steps.small]\nservice='video'\ninput='@posters'\n", "wait for each other"),
        (SMALL + "for_each = '@input'\n", "both input and for_each"),
        ("[steps.small]\nservice='video'\nfor_each='*.mp4'\n", "for_each = '\\*.mp4' is no step's output"),
        ("[steps.small]\nservice='video'\ninput=3\n", "neither a path nor a step's output"),
        (SMALL + "after = 3\n", "after is a list of steps"),
        (SMALL + "if_failed = 'maybe'\n" + "after = ['posters']\n" + POSTERS, "if_failed is cancel, run, hold"),
        (SMALL + POSTERS + "if_failed = 'run'\n", "cannot run without the outputs of small"),
        (SMALL + POSTERS + "if_failed = { other = 'run' }\n", "names 'other', for which it does not wait"),
        (SMALL.replace("input =", "for_each =") + POSTERS, "small is many jobs, and input takes one"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        _read(text)


def _output(path: str) -> Output:
    return Output(path, "picture", "image/jpeg", sha256=path.ljust(64, "0"), size=len(path))


def _wish(output: str, *, is_each: bool = False) -> JobInput:
    return JobInput("input_url", f"@small/{output}", output=output, is_each=is_each)


def test_a_job_is_fed_with_the_output_it_wants() -> None:
    given_outputs = {7: [_output("video.mp4"), _output("a.jpg")]}
    for wish, path in (("a.*", "a.jpg"), ("", "video.mp4")):
        (job,) = feed([_wish(wish)], given_outputs)
        (fed,) = job.inputs
        assert job.sources == {7}
        assert (fed.name, fed.sha256, fed.output) == (path, path.ljust(64, "0"), None)


def test_every_output_that_matches_gets_a_job_in_order() -> None:
    given_outputs = {3: [_output("b.jpg"), _output("a.jpg")], 5: [_output("c.jpg"), _output("d.mp4")]}
    fed = feed([_wish("*.jpg", is_each=True)], given_outputs)
    assert [(job.inputs[0].name, set(job.sources)) for job in fed] == [("b.jpg", {3}), ("a.jpg", {3}), ("c.jpg", {5})]
    assert feed([_wish("*.png", is_each=True)], given_outputs) == []


@pytest.mark.parametrize("paths", [(), ("a.jpg", "b.jpg")])
def test_no_output_or_several_where_one_is_wanted_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(InputRejected, match=r"'\*.jpg'"):
        feed([_wish("*.jpg")], {1: [_output(path) for path in paths]})


@given(st.text("0123456789abcdef", min_size=12, max_size=12), st.lists(st.integers(2, 5000), unique=True))
def test_the_jobs_that_one_becomes_have_ids_of_their_own_and_always_the_same(job_id: str, numbers: list[int]) -> None:
    ids = [fanned_id(JobId(job_id), number) for number in numbers]
    assert len(set(ids)) == len(ids) and ids == [fanned_id(JobId(job_id), number) for number in numbers]


def test_a_document_of_any_shape_gets_an_answer_and_no_traceback() -> None:
    shapes: list[dict[str, Any]] = [
        {"steps": {"a": {"service": []}}},
        {"steps": []},
        {"steps": {"a": {"service": "video", "after": [3]}}},
    ]
    for shape in shapes:
        with pytest.raises(UsageError):
            parse(shape, name="x")
