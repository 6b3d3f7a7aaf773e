"""Texts and pictures through the queue and a real, limited container, on Docker and on Podman."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pitchey_cli.engines.discovery import connect
from tests.conftest import Pitchey
from tests.resources import onnx_models
from tests.resources.oracle import COFFEE
from tests.resources.waiting import until


def test_the_image_brings_its_models_and_needs_no_network(contained: Pitchey) -> None:
    answer = json.loads(contained.ok("run", "inference", "sentiment", "I absolutely love it.").out)
    assert answer["output"][0]["label"] == "POSITIVE" and answer["device"] == "cpu"


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("arguments", "begin"),
    [
        (["classify", str(COFFEE)], "espresso 0."),
        (["entities", "Tim Cook opened an office in Berlin."], "Tim Cook PERSON"),
        (["generate", "Write one sentence about the sea.", "--max-tokens", "8"], "The sea"),
        (["moderate-text", "shut up moron"], "flagged"),
    ],
)
def test_each_kind_of_model_runs_in_the_image(contained: Pitchey, arguments: list[str], begin: str) -> None:
    out = contained.ok("run", "inference", *arguments, "--output-format", "text").out
    assert out.startswith(begin), out


def loaded(pitchey: Pitchey) -> set[str]:
    """What the only instance says that it has loaded."""
    (instance,) = [json.loads(line) for line in pitchey.ok("instances", "list", "--json").lines]
    return {each["name"] for each in instance["models"]}


@pytest.mark.by_turns
def test_what_was_used_least_lately_makes_room_in_a_small_instance(contained: Pitchey) -> None:
    """1 GiB leaves 614 MiB to models: 320 for generate, 256 for entities, and too few for the 96 of embeddings.

    That has one form here: the instance has one processor.
    """
    contained.environment["PITCHEY_SERVICES_INFERENCE_INSTANCE_TYPE"] = "standard-1"
    contained.start_daemon()
    writes, names, vectors = (
        ("generate", "Say hello.", "--max-tokens", "2"),
        ("entities", "Tim Cook is in Berlin."),
        ("embeddings", "hello"),
    )
    for each in (writes, names, vectors):
        contained.ok("run", "inference", *each, "--no-cache")
    until(lambda: loaded(contained) == {"entities@1", "embeddings@1"}, "generate, which was used first, has gone")
    for each in (names, vectors, writes):
        contained.ok("run", "inference", *each, "--no-cache")
    until(lambda: loaded(contained) == {"embeddings@1", "generate@1"}, "entities has gone")


@pytest.mark.by_turns
def test_what_is_too_large_for_its_instance_is_refused_with_both_numbers(contained: Pitchey) -> None:
    contained.environment["PITCHEY_SERVICES_INFERENCE_INSTANCE_TYPE"] = "lite"
    answer = contained("run", "inference", "generate", "Say hello.", "--max-tokens", "2")
    assert answer.code == 1, answer
    assert "The model generate@1 takes 320 MiB of memory, and this instance has 308 MiB for models." in answer.err
    assert "Give the service a larger instance type." in answer.err
    # An eighth of its 512 MiB may be tensors: they are there several times while they are worked on.
    np.save(contained.cwd / "large.npy", np.zeros((17 << 20,), np.float32))
    (contained.cwd / "net.onnx").write_bytes(onnx_models.colours())
    contained.ok("models", "add", "raw", "net.onnx", "--task", "tensors")
    answer = contained("run", "inference", "raw", "large.npy")
    assert answer.code == 1, answer
    assert "large.npy unpacks to 68 MiB of tensors: more than 64 are not read." in answer.err


def test_a_generation_that_is_cancelled_ends_with_its_next_token(contained: Pitchey, tmp_path: Path) -> None:
    """A model writes two texts at once. Both are cancelled: the processor has rest, and others are served."""
    contained.start_daemon()
    contained.ok("models", "warm", "generate")
    (instance,) = [json.loads(line) for line in contained.ok("instances", "list", "--json").lines]
    engine = connect(
        contained.environment["PITCHEY_ENGINE_KIND"], contained.environment["PITCHEY_ENGINE_URL"], state_dir=tmp_path
    )
    asked = ("Write a very long story about the sea.", "--max-tokens", "1900", "--temperature", "1.5", "--seed")
    jobs = [contained.ok("submit", "inference", "generate", *asked, str(seed)).out.strip() for seed in (1, 2)]
    for job in jobs:
        contained.until(job, lambda _, job=job: bool(contained.ok("logs", job).out.strip()))  # type: ignore[misc]
    contained.ok("cancel", *jobs)
    for job in jobs:
        assert contained.until(job, lambda each: each["state"] != "running")["state"] == "cancelled"
    before = engine.usage(instance["id"]).cpu_seconds
    written = [contained.ok("logs", job).out for job in jobs]
    assert contained.ok("run", "inference", "generate", "Say hello.", "--max-tokens", "2").code == 0
    used = engine.usage(instance["id"]).cpu_seconds - before
    engine.close()
    # Two thousand tokens are half a minute of the processor's time.
    assert used < 3, used
    assert [contained.ok("logs", job).out for job in jobs] == written
