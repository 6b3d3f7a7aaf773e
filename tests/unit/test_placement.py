"""Which instance gets a job."""

from __future__ import annotations

from pitchey_cli.domain.placement import Candidate, Places, kinds_of
from pitchey_cli.domain.turns import Waiting

JOB = Waiting(1, 1, "resnet", "acme", 0)


def placed(*candidates: Candidate, job: Waiting = JOB) -> str | None:
    place = Places.of(candidates).place(job)
    return place and place.instance_id


def test_the_one_that_has_it_warm_comes_before_the_idle_one() -> None:
    assert placed(Candidate("idle", 4, 4), Candidate("warm", 4, 1, {"resnet"})) == "warm"


def test_among_equals_the_least_loaded_is_chosen_and_then_the_other() -> None:
    places = Places.of([Candidate("a", 3, 1), Candidate("b", 3, 2)])
    chosen = [places.place(JOB) for _ in range(4)]
    assert [place and place.instance_id for place in chosen] == ["b", "a", "b", None]


def test_one_that_has_just_failed_such_a_job_comes_last() -> None:
    assert placed(Candidate("bad", 4, 4, {"resnet"}, {"resnet"}), Candidate("full", 4, 1)) == "full"
    assert placed(Candidate("bad", 4, 4, (), {"resnet"})) == "bad"


def test_a_wide_job_needs_its_slots_together() -> None:
    wide = Waiting(1, 3, "", "acme", 0)
    assert placed(Candidate("a", 4, 2), Candidate("b", 4, 2), job=wide) is None
    assert placed(Candidate("small", 2, 2), job=wide) == "small"  # all that there is


def test_a_job_under_which_an_instance_died_runs_alone() -> None:
    suspect = Waiting(1, 1, "", "acme", 1)
    places = Places.of([Candidate("busy", 3, 2), Candidate("free", 3, 3)])
    place = places.place(suspect)
    assert place is not None and place.instance_id == "free" and "alone" in place.why
    assert places.place(suspect) is None
    assert places.free_slots == 2


def test_the_reason_is_said() -> None:
    place = Places.of([Candidate("a", 3, 2, {"resnet"}), Candidate("b", 3, 3)]).place(JOB)
    assert place is not None
    assert place.why == "it has resnet warm, 1 of its 3 slots taken; the best of 2 with room"


def test_one_that_is_to_fall_idle_is_left_alone_even_if_it_has_it_warm() -> None:
    surplus = Candidate("a", 4, 4, {"resnet"}, is_surplus=True)
    assert placed(surplus, Candidate("b", 4, 1)) == "b"
    assert placed(surplus, Candidate("b", 4, 0)) == "a"


def test_an_instance_is_warm_for_its_models_with_and_without_their_versions() -> None:
    assert kinds_of(["sentiment@2", "embeddings@1"]) == {"sentiment", "sentiment@2", "embeddings", "embeddings@1"}
