"""Which image a version runs in: its tag changes with what goes in, and with nothing else."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pitchey_cli.domain.errors import ImageBuildFailed, InputRejected, UsageError
from pitchey_cli.engines import builds, images
from pitchey_cli.engines.bootstrap import mmdebstrap_command
from pitchey_cli.engines.images import SOURCES, Sources, available, current_tag, find_ca_bundle, plan
from pitchey_cli.engines.port import BuildStep, Engine
from pitchey_cli.engines.wheelhouse import wheels_in
from pitchey_cli.policies import Policies
from pitchey_cli.settings import DocumentSettings, Settings
from processors.protocol import Service


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """A copy of what images are made of."""
    copy = Sources(tmp_path / "containerfiles", tmp_path / "processors")
    shutil.copytree(SOURCES.containerfiles, copy.containerfiles)
    shutil.copytree(SOURCES.processors, copy.processors)
    return copy


def tags(sources: Sources) -> tuple[str, str]:
    base, video = plan([Service.VIDEO], sources)
    return base.tag, video.tag


def test_the_base_comes_first_and_the_service_stands_on_it() -> None:
    base, video = plan([Service.VIDEO])
    assert (base.name, base.parent) == ("base", None)
    assert (video.name, video.parent) == ("video", base.tag)
    assert video.tag == current_tag(Service.VIDEO)
    assert Service.VIDEO in available()


def test_the_image_of_programs_has_their_launchers_and_needs_no_libraries() -> None:
    code = plan([Service.CODE])[1]
    assert "processors/code/launch.js" in code.files
    assert "containerfiles/code.lock" not in code.files


def test_more_languages_make_another_image_of_documents_and_of_nothing_else() -> None:
    def sources(languages: str) -> Sources:
        return replace(SOURCES, ocr_languages=Policies(Settings(document=DocumentSettings(languages))).ocr_languages())

    more = sources("rus, chi_sim")
    assert plan([Service.DOCUMENT], more)[1].arguments == {"OCR_LANGUAGES": "chi_sim rus"}
    assert current_tag(Service.DOCUMENT, more) != current_tag(Service.DOCUMENT)
    assert current_tag(Service.DOCUMENT, more) == current_tag(Service.DOCUMENT, sources("chi_sim,rus"))
    assert current_tag(Service.VIDEO, more) == current_tag(Service.VIDEO)
    with pytest.raises(UsageError, match="no list of languages"):
        sources("rus; rm -r x")


def test_a_copy_of_the_same_files_has_the_same_tags(sources: Sources) -> None:
    assert tags(sources) == tags(SOURCES)


def _touch(sources: Sources) -> None:
    for path in sources.processors.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)


def _compile(sources: Sources) -> None:
    (sources.processors / "worker" / "__pycache__").mkdir(exist_ok=True)
    (sources.processors / "worker" / "__pycache__" / "x.pyc").write_bytes(b"x")


def _change_another_handler(sources: Sources) -> None:
    (sources.processors / "document").mkdir(exist_ok=True)
    (sources.processors / "document" / "handler.py").write_text("new")


@pytest.mark.parametrize("change", [_touch, _compile, _change_another_handler])
def test_what_does_not_go_in_does_not_count(sources: Sources, change: Callable[[Sources], None]) -> None:
    before = tags(sources)
    change(sources)
    assert tags(sources) == before


@pytest.mark.parametrize(
    "name",
    [
        "processors/protocol.py",
        "processors/specs/new.py",
        "processors/worker/new.py",
        "processors/video/new.py",
        "containerfiles/video.lock",
    ],
)
def test_a_change_makes_a_new_service_image_on_the_same_base(sources: Sources, name: str) -> None:
    base, video = tags(sources)
    with (sources.processors.parent / name).open("a") as file:
        file.write("# changed\n")
    assert tags(sources)[0] == base
    assert tags(sources)[1] != video


@pytest.mark.parametrize("name", ["base.Containerfile", "base.lock"])
def test_a_new_base_makes_new_images_of_all(sources: Sources, name: str) -> None:
    base, video = tags(sources)
    with (sources.containerfiles / name).open("a") as file:
        file.write("# changed\n")
    assert tags(sources)[0] != base
    assert tags(sources)[1] != video


def test_every_library_in_an_image_is_pinned_by_hash_and_names_no_index() -> None:
    for lock in SOURCES.containerfiles.glob("*.lock"):
        lines = lock.read_text().splitlines()
        pinned = [line for line in lines if line and line[0].isalpha()]
        assert pinned
        assert all("==" in line and line.endswith("\\") for line in pinned)
        assert not [line for line in lines if "://" in line]


def test_the_named_ca_bundle_comes_before_those_of_the_environment(tmp_path: Path) -> None:
    there = tmp_path / "there.pem"
    there.touch()
    environ = {"SSL_CERT_FILE": str(tmp_path / "gone.pem"), "PIP_CERT": str(there)}
    assert find_ca_bundle(Path("named.pem"), environ) == Path("named.pem")
    assert find_ca_bundle(None, environ) == there
    assert find_ca_bundle(None, {}) is None


def test_a_context_is_packed_alike_whatever_the_files_times_and_modes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("c")
    with builds.context_archive(tmp_path) as archive:
        before = archive.read()
    os.utime(tmp_path / "a" / "b", (1, 1))
    (tmp_path / "a" / "b").chmod(0o700)
    with builds.context_archive(tmp_path) as archive:
        assert archive.read() == before
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            assert tar.getnames() == ["a", "a/b"]


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("Step 3/12 : RUN true", (3, 12)),  # Docker
        ("STEP 3/12: RUN true", (3, 12)),  # Podman
        ("[2/2] STEP 3/9: RUN true", (3, 9)),  # Podman, with several stages
        ("Setting up ffmpeg", (None, None)),
    ],
)
def test_steps_of_a_build_are_recognised(line: str, step: tuple[int | None, int | None]) -> None:
    assert list(builds.follow([{"stream": f"{line}\n"}], "t")) == [BuildStep(line, *step)]


def test_a_failed_build_names_the_step_and_shows_the_end_of_its_output() -> None:
    messages = [
        {"stream": "Step 1/2 : RUN first\n"},
        {"stream": "of no interest\n"},
        {"stream": "Step 2/2 : RUN second\n"},
        {"stream": "E: it broke\n"},
        {"error": "returned a non-zero code: 100"},
    ]
    with pytest.raises(ImageBuildFailed) as caught:
        list(builds.follow(messages, "pitchey/x:1"))
    assert str(caught.value) == (
        "The image pitchey/x:1 could not be built, at Step 2/2 : RUN second:\n"
        "  E: it broke\n"
        "  returned a non-zero code: 100"
    )


def test_what_the_base_leaves_out_is_said_pattern_by_pattern() -> None:
    command = mmdebstrap_command(Path("root.tar"))
    assert command[-2:] == ["trixie", "root.tar"]
    assert "--dpkgopt=path-exclude=/usr/share/doc/*" in command
    assert not [option for option in command if "{" in option]


def test_the_repository_of_all_tags_is_ours() -> None:
    assert all(image.tag.startswith("pitchey/") for image in plan(images.available()))


def test_frameworks_make_variants_of_the_image_of_inference_each_on_the_one_before() -> None:
    plain = plan([Service.INFERENCE])[-1]
    both = plan([Service.INFERENCE], replace(SOURCES, frameworks=("tensorflow", "torch")))[1:]
    assert [image.name for image in both] == ["inference", "inference-tensorflow", "inference-tensorflow-torch"]
    assert [image.parent for image in both[1:]] == [image.tag for image in both[:-1]]
    assert both[0].tag == plain.tag and "containerfiles/inference-tensorflow.lock" not in plain.files
    assert both[2].containerfile == "containerfiles/inference-torch.Containerfile"
    assert {image.tag for image in both} <= images.current_tags()


class _Holding:
    """An engine that holds some images, as far as anybody asks here."""

    def __init__(self, *frameworks: tuple[str, ...]) -> None:
        self._tags = {current_tag(Service.INFERENCE, replace(SOURCES, frameworks=each)) for each in frameworks}

    def has_image(self, tag: str) -> bool:
        return tag in self._tags


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ([], ()),
        ([()], ()),
        ([(), ("torch",)], ("torch",)),
        ([("tensorflow",), ("torch",)], ("tensorflow",)),
        ([("torch",), ("tensorflow", "torch")], ("tensorflow", "torch")),
    ],
)
def test_the_image_that_is_run_has_as_many_of_the_frameworks_as_one_that_is_built(
    there: list[tuple[str, ...]], chosen: tuple[str, ...]
) -> None:
    wanted = replace(SOURCES, frameworks=("tensorflow", "torch"))
    assert images.built(cast(Engine, _Holding(*there)), wanted).frameworks == chosen


def test_wheels_that_were_handed_over_are_in_the_context_of_a_variant(tmp_path: Path) -> None:
    wheel = tmp_path / "torch-2.13.0+cpu-cp313-cp313-linux_x86_64.whl"
    wheel.write_bytes(b"PK")
    variant = plan([Service.INFERENCE], replace(SOURCES, frameworks=("torch",)))[-1]
    with images.build_context(variant, None, [wheel]) as context:
        assert (context / "wheelhouse" / wheel.name).read_bytes() == b"PK"
    with images.build_context(variant, None) as context:
        assert list((context / "wheelhouse").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("torch-2.13.0+cpu-cp313-cp313-manylinux_2_28_x86_64.whl", True),
        ("torch-2.13.0-1-cp313-none-any.whl", True),
        ("torch-2.13.0-cp310-abi3-manylinux_2_28_x86_64.whl", True),
        ("torch-2.13.0-py2.py3-none-any.whl", True),
        ("torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("torch-2.13.0+cpu-cp314-cp314-manylinux_2_28_x86_64.whl", False),
        ("torch-2.13.0-cp314-abi3-manylinux_2_28_x86_64.whl", False),
        ("torchvision-0.28.0-cp313-cp313-manylinux_2_28_x86_64.whl", False),
    ],
)
def test_a_wheelhouse_has_a_wheel_for_the_python_of_the_images(tmp_path: Path, name: str, is_taken: bool) -> None:
    (tmp_path / name).write_bytes(b"PK")
    if is_taken:
        assert wheels_in(tmp_path, ["torch"]) == [tmp_path / name]
        return
    with pytest.raises(InputRejected) as refused:
        wheels_in(tmp_path, ["torch"])
    assert "--python-version 3.13" in refused.value.hint


def test_a_build_that_met_a_full_disk_says_so_and_no_more() -> None:
    said = "RUN apt-get install " + "a-package " * 200 + ": write /usr/share/x: no space left on device"
    with pytest.raises(ImageBuildFailed) as refused:
        list(builds.follow([{"stream": "STEP 1/1: RUN x\n"}, {"error": said}], "pitchey/x:1"))
    assert "disk that holds the engine's images is full" in str(refused.value)
    assert "pitchey images prune" in refused.value.hint
    assert len(str(refused.value)) < 200


def test_a_step_as_long_as_a_page_is_shortened_around_its_middle() -> None:
    step = "STEP 1/1: RUN apt-get install " + "a-package " * 500
    with pytest.raises(ImageBuildFailed) as refused:
        list(
            builds.follow([{"stream": f"{step}\n"}, {"error": f"{step} returned 100: no such package"}], "pitchey/x:1")
        )
    assert "returned 100: no such package" in str(refused.value)
    assert len(str(refused.value)) < 1000
