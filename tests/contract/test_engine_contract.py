"""What every engine promises (pitchey_cli/engines/port.py), asked of each of them."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import (
    EngineError,
    EngineUnavailable,
    GpuMissing,
    ImageBuildFailed,
    ImageMissing,
    InstanceGone,
    RuntimeMissing,
)
from pitchey_cli.engines import images
from pitchey_cli.engines.port import (
    LABEL_IMAGE,
    LABEL_INSTANCE,
    LABEL_STATE,
    Engine,
    EngineKind,
    InstanceSpec,
    InstanceStatus,
    Mount,
)
from pitchey_cli.engines.process import ProcessEngine
from tests.contract.conftest import SMALL, Laboratory
from tests.resources.waiting import until

ROOT = Path(__file__).resolve().parents[2]

WAIT = "import time; print('ready', flush=True); time.sleep(600)"
SPIN = "print('ready', flush=True)\nwhile True: pass"
SAY_GOODBYE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print('ready', flush=True)
time.sleep(600)
"""
IGNORE_TERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAIT
LEAVE_A_CHILD = "import subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True)\n" + WAIT
EAT_MEMORY = "eaten = []\nwhile True: eaten.append(b'x' * 2**20)"


def test_an_engine_says_what_it_is(lab: Laboratory) -> None:
    info = lab.engine.info()
    assert (info.kind, lab.engine.kind) == (lab.kind, lab.kind)
    assert info.version
    assert info.cpus >= 1
    assert info.memory_bytes > SMALL.memory_bytes


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a graphics card")
def test_a_graphics_card_that_is_not_there_is_one_error_and_nothing_is_left(lab: Laboratory) -> None:
    spec = InstanceSpec("no-gpu", lab.image, ("true",), SMALL, {LABEL_STATE: lab.state}, has_gpu=True)
    with pytest.raises(GpuMissing, match="no graphics card for instances, and one is asked for"):
        lab.engine.start(spec)
    assert "no-gpu" not in {each.instance_id for each in lab.engine.find({LABEL_STATE: lab.state})}


def test_a_runtime_that_the_engine_does_not_have_is_refused_and_its_own_is_taken(lab: Laboratory) -> None:
    info = lab.engine.info()
    spec = InstanceSpec("rt-none", lab.image, ("true",), SMALL, {LABEL_STATE: lab.state}, runtime="nonesuch")
    with pytest.raises(RuntimeMissing, match="no runtime 'nonesuch'"):
        lab.engine.start(spec)
    assert lab.engine.find({LABEL_STATE: lab.state}) == []
    if info.runtimes:
        lab.until_exited(lab.start("pass", runtime=info.runtimes[0]))


def test_a_started_instance_runs_and_carries_its_labels(lab: Laboratory) -> None:
    instance = lab.start_printing(WAIT)
    info = lab.engine.inspect(instance)
    assert info.status is InstanceStatus.RUNNING
    assert info.exit_code is None
    assert {LABEL_STATE: lab.state, LABEL_INSTANCE: instance}.items() <= info.labels.items()


def test_an_instance_sees_its_environment_and_its_directories(lab: Laboratory, tmp_path: Path) -> None:
    spool, inputs = tmp_path / "spool", tmp_path / "inputs"
    spool.mkdir()
    spool.chmod(0o777)
    inputs.mkdir()
    (inputs / "name").write_text("world")
    program = (
        "import os, pathlib, sys; said = os.environ['GREETING'] + ' ' + pathlib.Path(sys.argv[1], 'name').read_text();"
        "pathlib.Path(sys.argv[2], 'out').write_text(said)"
    )
    mounts = (Mount(inputs, "/inputs", is_read_only=True), Mount(spool, "/spool"))
    lab.until_exited(lab.start(program, "/inputs", "/spool", mounts=mounts))
    assert (spool / "out").read_text() == "hello world"


def test_an_instance_that_ends_leaves_its_exit_code(lab: Laboratory) -> None:
    instance = lab.start("raise SystemExit(7)")
    lab.until_exited(instance)
    info = lab.engine.inspect(instance)
    assert (info.exit_code, info.is_oom_killed) == (7, False)


def test_the_last_lines_of_the_log_are_given(lab: Laboratory) -> None:
    instance = lab.start("for n in range(9): print(str(n) * 9000, flush=True)")
    lab.until_exited(instance)
    until(lambda: len(lab.engine.logs(instance).split()) == 9, "the engine has read all lines")
    assert lab.engine.logs(instance).split() == [str(n) * 9000 for n in range(9)]
    assert lab.engine.logs(instance, lines=2).split() == ["7" * 9000, "8" * 9000]


def test_instances_are_found_by_label_running_or_not(lab: Laboratory) -> None:
    running, ended = lab.start_printing(WAIT), lab.start("raise SystemExit(7)")
    lab.until_exited(ended)
    found = {info.instance_id: info.status for info in lab.engine.find({LABEL_STATE: lab.state})}
    assert found == {running: InstanceStatus.RUNNING, ended: InstanceStatus.EXITED}
    assert lab.engine.find({LABEL_STATE: lab.state, "other": "label"}) == []


def test_another_pitchey_finds_an_instance_and_ends_it(lab: Laboratory) -> None:
    instance = lab.start_printing(WAIT)
    other = lab.connect()
    assert [info.instance_id for info in other.find({LABEL_STATE: lab.state})] == [instance]
    other.remove(instance)
    assert lab.engine.find({LABEL_STATE: lab.state}) == []
    other.close()


def test_a_paused_instance_uses_no_cpu_until_it_is_thawed(lab: Laboratory) -> None:
    instance = lab.start_printing(SPIN)
    lab.engine.pause(instance)
    assert lab.engine.inspect(instance).status is InstanceStatus.PAUSED
    assert [info.status for info in lab.engine.find({LABEL_STATE: lab.state})] == [InstanceStatus.PAUSED]
    # What it did last may be booked a moment later; one that spins has never used the same twice.
    until(lambda: len({lab.engine.usage(instance).cpu_seconds for _ in range(3)}) == 1, "it stands still")
    frozen = lab.engine.usage(instance).cpu_seconds
    lab.engine.unpause(instance)
    assert lab.engine.inspect(instance).status is InstanceStatus.RUNNING
    until(lambda: lab.engine.usage(instance).cpu_seconds > frozen, "it goes on")


SAY_WEIGHT = """
from pathlib import Path
for name, usual in (('cpu.weight', 100), ('cpu/cpu.shares', 1024)):
    for file in Path('/sys/fs/cgroup').glob(name):
        print('weight', int(file.read_text()) / usual, flush=True)
"""


def test_an_instance_weighs_less_than_what_has_to_answer(container_lab: Laboratory) -> None:
    instance = container_lab.start(SAY_WEIGHT)
    container_lab.until_exited(instance)
    until(lambda: "weight" in container_lab.engine.logs(instance), "it has said what the kernel was told of it")
    assert 0 < float(container_lab.engine.logs(instance).split()[1]) < 0.2


def test_usage_counts_memory_and_cpu(lab: Laboratory) -> None:
    instance = lab.start_printing("held = b'x' * 20 * 2**20\n" + SPIN)
    assert 20 * 2**20 < lab.engine.usage(instance).memory_bytes < 60 * 2**20
    until(lambda: lab.engine.usage(instance).cpu_seconds > 0.05, "it has used the processor")


def test_stop_lets_an_instance_end_by_itself(lab: Laboratory) -> None:
    instance = lab.start_printing(SAY_GOODBYE)
    lab.engine.stop(instance, grace_seconds=10)
    assert lab.engine.inspect(instance).exit_code == 3


def test_stop_kills_after_the_grace(lab: Laboratory) -> None:
    instance = lab.start_printing(IGNORE_TERM)
    lab.engine.stop(instance, grace_seconds=0.1)
    info = lab.engine.inspect(instance)
    assert (info.exit_code, info.is_oom_killed) == (137, False)


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_killed_instance_is_dead_at_once(lab: Laboratory, is_paused: bool) -> None:
    instance = lab.start_printing(LEAVE_A_CHILD)
    if is_paused:
        lab.engine.pause(instance)
    lab.engine.kill(instance)
    lab.until_exited(instance)
    assert lab.engine.inspect(instance).exit_code == 137


def test_a_paused_instance_can_be_stopped(lab: Laboratory) -> None:
    instance = lab.start_printing(SAY_GOODBYE)
    lab.engine.pause(instance)
    lab.engine.stop(instance, grace_seconds=10)
    assert lab.engine.inspect(instance).exit_code == 3


def test_ending_what_has_ended_is_no_error(lab: Laboratory) -> None:
    instance = lab.start("pass")
    lab.until_exited(instance)
    lab.engine.stop(instance, grace_seconds=1)
    lab.engine.kill(instance)
    assert lab.engine.inspect(instance).exit_code == 0
    for question in (lab.engine.usage, lab.engine.pause):
        with pytest.raises(InstanceGone, match="does not run"):
            question(instance)


def test_removing_twice_is_no_error(lab: Laboratory) -> None:
    instance = lab.start_printing(WAIT)
    lab.engine.remove(instance)
    lab.engine.remove(instance)
    assert lab.engine.find({LABEL_STATE: lab.state}) == []


def test_an_instance_that_does_not_exist_is_named(lab: Laboratory) -> None:
    for question in (lab.engine.inspect, lab.engine.usage, lab.engine.logs, lab.engine.pause, lab.engine.kill):
        with pytest.raises(InstanceGone, match="lab-none does not exist"):
            question("lab-none")
    with pytest.raises(InstanceGone):
        lab.engine.stop("lab-none", grace_seconds=1)


def test_the_same_name_twice_is_refused(lab: Laboratory) -> None:
    instance = lab.start_printing(WAIT)
    again = lab.engine.inspect(instance)
    with pytest.raises(EngineError):
        lab.engine.start(_spec_of(lab, instance))
    assert lab.engine.inspect(instance) == again


def test_a_command_runs_to_its_end(lab: Laboratory) -> None:
    program = "import sys; print('hello'); print('error', file=sys.stderr); raise SystemExit(4)"
    done = lab.engine.run(lab.image, ("python3", "-c", program), SMALL)
    assert (done.exit_code, sorted(done.output.split())) == (4, ["error", "hello"])


def test_an_instance_that_wants_too_much_memory_is_seen_to_die_of_it(lab: Laboratory) -> None:
    info = lab.engine.info()
    if "memory limits" in " ".join(info.not_enforced):
        assert any("isolation" in lost for lost in info.not_enforced)
        return
    instance = lab.start(EAT_MEMORY)
    lab.until_exited(instance)
    ended = lab.engine.inspect(instance)
    assert ended.exit_code == 137
    is_told = lab.kind is not EngineKind.PODMAN or info.cgroup_version == 2  # conmon 2.1 is blind on cgroup v1
    assert ended.is_oom_killed or not is_told


# --- images: what has none is not asked


def test_a_missing_image_is_named(container_lab: Laboratory) -> None:
    assert not container_lab.engine.has_image("pitchey/none:0")
    with pytest.raises(ImageMissing, match="pitchey/none:0"):
        container_lab.start(WAIT, image="pitchey/none:0")
    container_lab.engine.remove_image("pitchey/none:0")


def test_a_command_that_does_not_exist_leaves_nothing_behind(container_lab: Laboratory) -> None:
    spec = _spec_of(container_lab, "lab-nothing", "/does/not/exist")
    with pytest.raises(EngineError, match="/does/not/exist"):
        container_lab.engine.start(spec)
    assert container_lab.engine.find({LABEL_STATE: container_lab.state}) == []


def test_images_carry_their_label(container_lab: Laboratory) -> None:
    found = {image.tag: image for image in container_lab.engine.images()}
    assert found[container_lab.image].labels[LABEL_IMAGE] == "base"
    assert found[container_lab.image].size_bytes > 2**20


def test_a_build_shows_its_steps_and_a_failed_one_its_last_lines(container_lab: Laboratory, tmp_path: Path) -> None:
    tag = f"pitchey/lab:{container_lab.state[:12]}"
    (tmp_path / "Containerfile").write_text(f"FROM {container_lab.image}\nRUN echo so far && false\n")
    steps = container_lab.engine.build(tmp_path, "Containerfile", tag, labels={}, arguments={})
    seen = []
    with pytest.raises(ImageBuildFailed, match=r"(?s)RUN echo so far.*so far"):
        for step in steps:
            seen.append((step.step, step.steps))
    assert (2, 2) in seen
    assert not container_lab.engine.has_image(tag)


def test_what_a_build_leaves_without_a_tag_is_cleared_away(container_lab: Laboratory, tmp_path: Path) -> None:
    engine, tag = container_lab.engine, f"pitchey/lab-stages:{container_lab.state[:12]}"
    (tmp_path / "Containerfile").write_text(
        f"FROM {container_lab.image} AS stage\nLABEL {LABEL_STATE}={container_lab.state}\nRUN true\n"
        f"FROM {container_lab.image}\nCOPY --from=stage /etc/debian_version /kept\n"
    )
    list(engine.build(tmp_path, "Containerfile", tag, labels={LABEL_IMAGE: "lab"}, arguments={}))
    untagged = engine.images(tagged=False)  # those of other tests, too, which may be at work just now
    stages = [image for image in untagged if image.labels.get(LABEL_STATE) == container_lab.state]
    assert stages
    try:
        images.remove_remnants(engine, now=max(stage.created_at for stage in stages) + 60)  # a build may be at work
        assert {stage.tag for stage in stages} <= {image.tag for image in engine.images(tagged=False)}
        for stage in stages:
            engine.remove_image(stage.tag)
        assert not {stage.tag for stage in stages} & {image.tag for image in engine.images(tagged=False)}
        assert engine.has_image(container_lab.image)
    finally:
        engine.remove_image(tag)


def test_a_root_file_system_becomes_an_image(container_lab: Laboratory, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("world")
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(tmp_path / "hello", "hello")
    reference = f"pitchey/lab-root:{container_lab.state[:12]}"
    container_lab.engine.import_root(tmp_path / "root.tar", reference)
    assert container_lab.engine.has_image(reference)
    container_lab.engine.remove_image(reference)
    assert not container_lab.engine.has_image(reference)


def test_the_process_engine_says_what_it_cannot_do(lab: Laboratory) -> None:
    if lab.kind is not EngineKind.PROCESS:
        assert lab.engine.info().not_enforced == ()
        return
    assert lab.engine.has_image("pitchey/none:0")
    for refusal in (lambda: lab.engine.pull("x:y"), lambda: lab.engine.import_root(Path("x"), "x:y")):
        with pytest.raises(EngineError, match="no images"):
            refusal()


# --- an engine that goes away


@pytest.fixture
def private_engine(container_lab: Laboratory, tmp_path: Path) -> Iterator[str]:
    """The URL of an engine of the test's own, which runs."""
    url = _engine_script(tmp_path, "start", container_lab.kind).split()[1]
    yield url
    _engine_script(tmp_path, "stop", container_lab.kind)


def test_an_engine_that_comes_back_is_found_by_the_same_adapter(
    container_lab: Laboratory, private_engine: str, tmp_path: Path
) -> None:
    engine: Engine = type(container_lab.engine)(private_engine)  # type: ignore[call-arg]
    version = engine.info().version
    _engine_script(tmp_path, "stop", container_lab.kind)
    for question in (engine.info, engine.images, lambda: engine.inspect("lab-none")):
        with pytest.raises(EngineUnavailable, match="does not answer"):
            question()
    _engine_script(tmp_path, "start", container_lab.kind)
    assert engine.info().version == version
    engine.close()


def _engine_script(state_dir: Path, *arguments: str) -> str:
    environment = {**os.environ, "PITCHEY_STATE_DIR": str(state_dir / "private")}
    done = subprocess.run(
        [ROOT / "scripts" / "engine", *arguments], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _spec_of(lab: Laboratory, instance_id: str, *command: str) -> InstanceSpec:
    lab.started.append(instance_id)
    return InstanceSpec(instance_id, lab.image, command or ("python3", "-c", WAIT), SMALL, {LABEL_STATE: lab.state})


def test_a_process_instance_that_has_just_been_started_is_not_taken_for_one_that_ended(tmp_path):
    """Its mark cannot be read at once: whoever looked too early waited for its end."""
    engine = ProcessEngine(tmp_path)
    for number in range(40):
        command = ("python3", "-c", "import time; time.sleep(60)")
        engine.start(InstanceSpec(instance_id=f"i{number}", image="", command=command, limits=SMALL))
        assert engine.inspect(f"i{number}").status is InstanceStatus.RUNNING
        engine.remove(f"i{number}")
