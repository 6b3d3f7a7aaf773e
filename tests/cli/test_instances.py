"""`pitchey instances`, as a person uses it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from pitchey_cli.domain.job import Instance, InstanceState, LoadedModel
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service
from tests.conftest import Pitchey

GIB = 2**30


def test_the_list_says_which_models_an_instance_has_loaded_and_what_memory_they_take(pitchey: Pitchey) -> None:
    pitchey.ok("jobs")
    store = SqliteStore.open(pitchey.state_dir / "pitchey.db")
    made, size = datetime.now(UTC), (4.0, 8 * GIB, 2.0, 4 * GIB)
    for name, service in (("i-1", Service.INFERENCE), ("i-2", Service.VIDEO)):
        store.add_instance(Instance(name, service, "docker", "image:1", 3, InstanceState.READY, *size, made))
    store.set_models("i-1", [LoadedModel("embeddings@1", 96 * 2**20), LoadedModel("sentiment@1", 4 * 2**20)])
    store.close()
    header, _, first, second, *_ = pitchey.ok("instances", "list").lines
    assert "models" in header.split()
    assert "embeddings@1 96.0 MiB, sentiment@1 4.0 MiB" in first and "MiB" not in second
    with_models, without = (json.loads(line) for line in pitchey.ok("instances", "list", "--json").lines)
    assert without["models"] == []
    assert with_models["models"] == [
        {"name": "embeddings@1", "memoryBytes": 96 * 2**20},
        {"name": "sentiment@1", "memoryBytes": 4 * 2**20},
    ]


def test_until_when_instances_are_kept_warm_is_said_to_the_second_and_with_its_zone(pitchey: Pitchey) -> None:
    pitchey.environment["TZ"] = "UTC"
    said = pitchey.ok("instances", "warm", "video", "--for", "45s").err
    assert re.search(r"1 of video is kept warm until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", said)


def test_nobody_keeps_an_instance_warm_for_one_organisation_that_works_for_all(pitchey: Pitchey) -> None:
    answer = pitchey("instances", "warm", "video", "--organisation", "acme")
    assert (answer.code, "the instances of video work for everybody" in answer.err) == (2, True)
