"""What the engines are told, argument for argument."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.engines.hardening import docker_arguments, podman_arguments, porter_arguments
from pitchey_cli.engines.port import InstanceSpec, Mount, PorterSpec

SPEC = InstanceSpec(
    instance_id="video-1a2b3c4d",
    image="pitchey/video:0123456789ab",
    command=("--service", "video"),
    limits=Limits(cpus=1.5, memory_bytes=512 * MIB, pids=128, tmp_bytes=64 * MIB, open_files=4096),
    labels={"pitchey.service": "video"},
    mounts=(Mount(Path("/state/inputs"), "/inputs", is_read_only=True), Mount(Path("/state/spool"), "/spool")),
    environment={"LANG": "C.UTF-8"},
    user=(10001, 10002),
)

PORTER = PorterSpec(command=("--slots", "3"), port=7117, files={"/kept/porter/secret": b"s3cr3t"}, network="objects")

BOTH = {
    "image": "pitchey/video:0123456789ab",
    "command": ["--service", "video"],
    "name": "pitchey-video-1a2b3c4d",
    "hostname": "video-1a2b3c4d",
    "labels": {"pitchey.service": "video", "pitchey.instance": "video-1a2b3c4d"},
    "environment": {"LANG": "C.UTF-8"},
    "network_mode": "none",
    "ipc_mode": "private",
    "read_only": True,
    "cap_drop": ["ALL"],
    "pids_limit": 128,
    "mem_limit": 536870912,
    "memswap_limit": 536870912,
    "cpu_shares": 64,
}


def test_docker_is_told_this_and_nothing_else() -> None:
    assert docker_arguments(SPEC) == BOTH | {
        "user": "10001:10002",
        "init": False,
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777,size=67108864"},
        "nano_cpus": 1_500_000_000,
        "ulimits": [{"Name": "nofile", "Soft": 4096, "Hard": 4096}, {"Name": "core", "Soft": 0, "Hard": 0}],
        "log_config": {"type": "local", "config": {"max-size": "1048576", "max-file": "2", "compress": "false"}},
        "mounts": [
            {"Type": "bind", "Source": "/state/inputs", "Target": "/inputs", "ReadOnly": True},
            {"Type": "bind", "Source": "/state/spool", "Target": "/spool", "ReadOnly": False},
        ],
    }


def test_a_worker_behind_a_porter_has_no_network_and_sees_what_was_given_and_what_is_taken() -> None:
    told = docker_arguments(replace(SPEC, mounts=(), porter=PORTER))
    assert told["network_mode"] == "none"
    assert told["mounts"] == [
        {"Type": "volume", "Source": "pitchey-video-1a2b3c4d-given", "Target": "/given", "ReadOnly": True},
        {"Type": "volume", "Source": "pitchey-video-1a2b3c4d-taken", "Target": "/taken", "ReadOnly": False},
    ]
    assert told | {"mounts": []} == docker_arguments(replace(SPEC, mounts=()))


def test_a_porter_has_a_network_and_is_else_no_less_confined() -> None:
    spec = replace(SPEC, mounts=(), porter=PORTER, runtime="runsc", has_gpu=True)
    told = porter_arguments(spec, labels={"pitchey.porter": "video-1a2b3c4d"}, bound_to="127.0.0.1")
    weighed = told | {"cpu_shares": 64}  # an instance stands behind what answers, and this does
    assert "cpu_shares" not in told and weighed == docker_arguments(replace(SPEC, mounts=())) | {
        "name": "pitchey-video-1a2b3c4d-porter",
        "entrypoint": ["python3", "-m", "processors.porter"],
        "command": ["--slots", "3"],
        "labels": {"pitchey.porter": "video-1a2b3c4d"},  # and not the label by which instances are found
        "environment": {},
        "network_mode": "objects",
        "ports": {"7117/tcp": ("127.0.0.1", None)},
        "pids_limit": 64,
        "mem_limit": 256 * MIB,
        "memswap_limit": 256 * MIB,
        "nano_cpus": 1_000_000_000,
        "tmpfs": {"/tmp": "rw,nosuid,nodev,mode=1777,size=16777216"},
        "mounts": [
            {"Type": "volume", "Source": "pitchey-video-1a2b3c4d-given", "Target": "/given", "ReadOnly": False},
            {"Type": "volume", "Source": "pitchey-video-1a2b3c4d-taken", "Target": "/taken", "ReadOnly": False},
            {"Type": "volume", "Source": "pitchey-video-1a2b3c4d-kept", "Target": "/kept", "ReadOnly": False},
        ],
    }


def test_the_secret_of_a_porter_is_in_nothing_that_an_engine_shows() -> None:
    spec = replace(SPEC, porter=PORTER)
    shown = str(docker_arguments(spec)) + str(porter_arguments(spec, labels={}, bound_to="")) + repr(spec)
    assert "s3cr3t" not in shown


def test_podman_is_told_this_and_nothing_else() -> None:
    assert podman_arguments(SPEC) == BOTH | {
        "user": "10001:10002",
        "no_new_privileges": True,
        "read_write_tmpfs": False,
        "use_config_proxy": False,
        "cpu_period": 100_000,
        "cpu_quota": 150_000,
        "ulimits": [
            {"Name": "nofile", "Soft": 4096, "Hard": 4096},
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "nproc", "Soft": 8192, "Hard": 8192},
        ],
        "log_config": {"Type": "k8s-file", "Config": {"size": 1048576}},
        "mounts": [
            {"type": "tmpfs", "source": "tmpfs", "target": "/tmp", "size": "67108864", "mode": "1777"},
            {"type": "bind", "source": "/state/inputs", "target": "/inputs", "read_only": True},
            {"type": "bind", "source": "/state/spool", "target": "/spool", "read_only": False},
        ],
    }


def test_rootless_podman_keeps_the_users_number_and_its_own_limit_of_processes() -> None:
    arguments = podman_arguments(SPEC, is_rootless=True)
    assert arguments["userns_mode"] == "keep-id"
    assert [limit["Name"] for limit in arguments["ulimits"]] == ["nofile", "core"]


def test_rootless_docker_runs_as_its_own_root_which_is_the_user_outside() -> None:
    assert docker_arguments(SPEC, is_rootless=True) == docker_arguments(SPEC) | {"user": "0:0"}


def test_the_graphics_cards_are_asked_for_where_they_are_wanted_and_nowhere_else() -> None:
    spec = replace(SPEC, has_gpu=True)
    cards = [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]
    assert docker_arguments(spec) == docker_arguments(SPEC) | {"device_requests": cards}
    assert podman_arguments(spec) == podman_arguments(SPEC) | {"devices": ["nvidia.com/gpu=all"]}


def test_a_runtime_is_passed_to_docker_and_podman_takes_none() -> None:
    spec = replace(SPEC, runtime="runsc")
    assert docker_arguments(spec) == docker_arguments(SPEC) | {"runtime": "runsc"}
    assert podman_arguments(spec) == podman_arguments(SPEC)
