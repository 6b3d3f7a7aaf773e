"""`pitchey instances`, as a person uses it."""

from __future__ import annotations

import re

from tests.conftest import Pitchey


def test_until_when_instances_are_kept_warm_is_said_to_the_second_and_with_its_zone(pitchey: Pitchey) -> None:
    pitchey.environment["TZ"] = "UTC"
    said = pitchey.ok("instances", "warm", "video", "--for", "45s").err
    assert re.search(r"1 of video is kept warm until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", said)


def test_nobody_keeps_an_instance_warm_for_one_organisation_that_works_for_all(pitchey: Pitchey) -> None:
    answer = pitchey("instances", "warm", "video", "--organisation", "acme")
    assert (answer.code, "the instances of video work for everybody" in answer.err) == (2, True)
