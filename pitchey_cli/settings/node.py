"""Settings of this machine: what runs the instances, how much of the host they may have, how the daemon behaves."""

from __future__ import annotations

from pitchey_cli.domain.limits import MIB
from pitchey_cli.settings.setting import setting
from pitchey_cli.values import dataclass

ENGINE_KINDS = ("auto", "docker", "podman", "process")


@dataclass(frozen=True)
class EngineSettings:
    """What runs the instances."""

    kind: str = setting("auto", "auto takes Docker, else Podman; process means no isolation.", choices=ENGINE_KINDS)
    url: str = setting("", "Where the engine listens, as unix:///run/docker.sock; empty means: look for it.")
    ca_bundle: str = setting(
        "", "CA bundle for image builds and slots behind a proxy; empty: SSL_CERT_FILE and its like."
    )
    shares_files: bool = setting(
        True,
        "Whether instances see directories of this host; false: they fetch inputs and store outputs by links to the "
        "object store, with Docker only.",
    )
    network: str = setting(
        "bridge", "Docker network by which instances that share no files reach the object store; their programs do not."
    )


@dataclass(frozen=True)
class DaemonSettings:
    """How the daemon behaves."""

    poll_seconds: float = setting(1.0, "How long a lost wake-up can cost.", least=0.05, most=60)
    lease_seconds: float = setting(
        30.0,
        "How long a claim is promised for; renewed three times as often, for nodes that share a queue.",
        least=5,
        most=3600,
    )
    drain_seconds: float = setting(
        30.0, "How long TERM lets running work finish before it is handed back; less on a spot node.", least=0
    )
    grace_seconds: float = setting(5.0, "Between TERM and KILL for a cancelled attempt.", least=0, most=300)


@dataclass(frozen=True)
class NodeSettings:
    """This machine among others."""

    name: str = setting("", "What it is called among others; empty: as the machine.")
    region: str = setting("local", "Where it stands; for prices, and for jobs that ask for --on region=NAME.")
    labels: str = setting("", "What else jobs may ask for with --on: disk=ssd,tier=gold.")
    services: str = setting("", "The services that it serves, as video,code; empty: all.")
    is_spot: bool = setting(False, "Its cloud may take it away: it has the price of `cost.spot`, and ends in time.")
    spot_notice: str = setting(
        "", "Who says that it is about to be taken away: aws, gcp, azure, or a URL (404, 204 or FALSE: no; TRUE: yes)."
    )


@dataclass(frozen=True)
class HostSettings:
    """What of the host the instances of all services may have together."""

    memory_bytes: int = setting(0, "Memory for all instances together; 0: 80 % of the host's.", least=0)
    cpu_overcommit: float = setting(4.0, "How often each CPU may be promised.", least=0.1, most=1000)
    yield_seconds: float = setting(
        30.0, "A service that waits so long for room gets that of a busy instance of another.", least=0
    )
    tenure_seconds: float = setting(60.0, "A busy instance is left alone for so long.", least=0)
    load_per_cpu: float = setting(4.0, "No more instances are started at a higher load for each CPU.", least=0.1)
    memory_pressure: float = setting(
        0.2, "Nor when work stands still for want of memory for such a share of the time.", least=0, most=1
    )
    disk_free_bytes: int = setting(256 * MIB, "None at all is started with less free disk.", least=0)
