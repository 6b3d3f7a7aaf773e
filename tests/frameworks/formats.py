"""PyTorch and TensorFlow in the variants of the image: they answer as ONNX does, and refuse what could do harm.

`make frameworks` runs it on Docker and on Podman, and on the engine `process` where both are installed. No part of
`make test`: the two are gigabytes.
"""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator

import numpy as np
import pytest

from tests.conftest import ROOT, Pitchey
from tests.resources.repositories import add_files
from tests.resources.small_network import FOLDER, add_network, answers, network_files, pictures, unpacked

IMAGE = "inference-tensorflow-torch"
KINDS = ("onnx", "tflite", "pt2", "safetensors", "torchscript", "savedmodel")
HAS_BOTH = all(importlib.util.find_spec(each) for each in ("torch", "tensorflow"))
#: of the containers' engines those that are there: scripts/frameworks has seen to them
ENGINES = [kind for kind in ("docker", "podman") if f"PITCHEY_TEST_{kind.upper()}" in os.environ]


@pytest.fixture(scope="module", params=[*ENGINES, *(["process"] if HAS_BOTH else [])])
def pitchey(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pitchey]:
    """The command line with a daemon, on an engine that has both."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    settings = {
        "PITCHEY_ENGINE_KIND": kind,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    if kind in ENGINES:
        settings["PITCHEY_ENGINE_URL"] = os.environ[f"PITCHEY_TEST_{kind.upper()}"]
    command = Pitchey(folder / "state", folder, settings)
    if kind in ENGINES:
        command.ok("images", "build", IMAGE)
    for each in KINDS:
        add(command, each)
    command.start_daemon()
    yield command
    command.end()


def add(command: Pitchey, kind: str) -> None:
    """Add the network in one of its formats, as a user does."""
    files, said = network_files(kind)
    folder = command.cwd / f"source-{kind}"
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(said))
    command.ok("models", "add", kind, str(folder), "--allow-code")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_network_gives_the_same_answers(pitchey: Pitchey, kind: str) -> None:
    given = pictures(3)
    np.save(pitchey.cwd / "pictures.npy", given)
    answer = json.loads(pitchey.ok("run", "inference", kind, "pictures.npy").out)
    (tensor,) = answer["output"]["outputs"]
    assert answer["device"] == "cpu"
    assert np.reshape(tensor["data"], (3, 3)) == pytest.approx(answers(given), abs=1e-3)


def test_a_model_of_each_framework_is_verified_warmed_and_measured(pitchey: Pitchey) -> None:
    """Verified on the host by its files; loaded and measured by a job each."""
    said = pitchey.ok("models", "verify", *KINDS).lines
    assert said == [f"{kind}@1: whole" for kind in sorted(KINDS)]
    warmed = pitchey.ok("models", "warm", *KINDS).err
    assert all(f"{kind} is loaded; its job waited" in warmed for kind in KINDS), warmed
    measured = [json.loads(line) for line in pitchey.ok("models", "bench", *KINDS, "--json").lines]
    for kind, answer in zip(KINDS, measured, strict=True):
        assert answer["model"] == f"{kind}@1" and answer["runs"][0]["seconds"] > 0, answer
        manifest = json.loads((pitchey.state_dir / "models" / kind / "1" / "manifest.json").read_text())
        assert manifest["batching"].get("maxSize", 1) == answer["batching"]["maxSize"], answer
    # With other numbers in its manifest a model is loaded anew, and answers as before.
    given = pictures(3)
    np.save(pitchey.cwd / "pictures.npy", given)
    for kind in KINDS:
        answer = json.loads(pitchey.ok("run", "inference", kind, "pictures.npy", "--no-cache").out)
        (tensor,) = answer["output"]["outputs"]
        assert np.reshape(tensor["data"], (3, 3)) == pytest.approx(answers(given), abs=1e-3), kind


def test_programs_of_pytorch_may_be_wanted_at_once(pitchey: Pitchey) -> None:
    """PyTorch itself cannot load two of them at a time."""
    names = [f"program-{number}" for number in range(6)]
    for name in names:
        pitchey.ok("models", "add", name, "source-pt2", "--allow-code")
    warmed = pitchey.ok("models", "warm", *names).err
    assert all(f"{name} is loaded; its job waited" in warmed for name in names), warmed


def test_a_wrong_shape_is_told_with_the_right_one(pitchey: Pitchey) -> None:
    np.save(pitchey.cwd / "wrong.npy", pictures(1)[:, :1])
    for kind in ("pt2", "savedmodel"):
        answer = pitchey("run", "inference", kind, "wrong.npy")
        assert answer.code == 1 and "It takes picture float32[?, 3, 8, 8]." in answer.err, answer


def test_what_nobody_has_allowed_is_not_loaded(pitchey: Pitchey) -> None:
    """Where somebody has put it into the repository by hand."""
    np.save(pitchey.cwd / "pictures.npy", pictures(1))
    for kind in ("pt2", "torchscript", "savedmodel"):
        add_network(pitchey.state_dir / "models", f"sneaked-{kind}", kind)
        answer = pitchey("run", "inference", f"sneaked-{kind}", "pictures.npy")
        assert answer.code == 1 and "nobody has allowed that" in answer.err, answer


def test_a_saved_model_that_reads_a_file_is_refused_whoever_allows_it(pitchey: Pitchey) -> None:
    np.save(pitchey.cwd / "pictures.npy", pictures(1))
    _, said = network_files("savedmodel")
    files = unpacked(FOLDER / "reads-a-file.savedmodel.zip")
    add_files(pitchey.state_dir / "models", "reader", files, **said, codeAllowedBy="somebody")
    answer = pitchey("run", "inference", "reader", "pictures.npy")
    assert answer.code == 1 and "has the operator ReadFile, which reaches beyond the model" in answer.err, answer


def test_weights_that_do_not_fit_are_told_by_name(pitchey: Pitchey) -> None:
    np.save(pitchey.cwd / "pictures.npy", pictures(1))
    files, said = network_files("safetensors")
    files["network.safetensors"] = files["network.safetensors"].replace(b'"dense.bias"', b'"dense.bits"')
    add_files(pitchey.state_dir / "models", "misfit", files, **said, codeAllowedBy="somebody")
    answer = pitchey("run", "inference", "misfit", "pictures.npy")
    assert answer.code == 1 and "network.safetensors has no weight 'dense.bias'" in answer.err, answer


def test_a_program_of_a_newer_pytorch_is_told_as_such(pitchey: Pitchey) -> None:
    """Debian's PyTorch is older than what writes .pt2 today; an installed one may read it."""
    np.save(pitchey.cwd / "pictures.npy", pictures(1))
    add_network(pitchey.state_dir / "models", "newer", "pt2-newer", codeAllowedBy="somebody")
    answer = pitchey("run", "inference", "newer", "pictures.npy")
    if answer.code:
        assert "was written by a PyTorch that is newer than 2." in answer.err, answer
        assert "`pitchey images build inference-torch --wheelhouse DIR`" in answer.err, answer
