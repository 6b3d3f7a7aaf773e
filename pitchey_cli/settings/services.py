"""Settings of the services: what all of them have, and what one has alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.limits import GIB, INSTANCE_TYPES
from pitchey_cli.settings.setting import setting
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class ScalingSettings:
    """When a pool grows and shrinks."""

    queue_up: int = setting(100, "More waiting jobs are a reason for one more instance.", least=0)
    queue_down: int = setting(10, "With fewer the pool may shrink.", least=0)
    wait_up_seconds: float = setting(30.0, "A longer wait is a reason for one more instance.", least=0)
    cpu_up: float = setting(0.80, "As many instances as keep the use of their CPUs below.", least=0.01, most=1)
    memory_up: float = setting(0.85, "The same for their memory.", least=0.01, most=1)
    target: float = setting(0.70, "Share of the slots that are to be taken.", least=0.01, most=1)
    stable_seconds: float = setting(60.0, "Window over which the load is averaged.", least=1, most=3600)
    panic_seconds: float = setting(6.0, "The same for sudden load.", least=1, most=3600)
    panic_factor: float = setting(2.0, "Load that is sudden: so many times what the instances can do.", least=1)
    step_seconds: float = setting(2.0, "Between two steps up.", least=0)
    cooldown_seconds: float = setting(60.0, "Between any step and one down.", least=0)
    waiting_price_per_hour: float = setting(
        40.0, "What it is worth that no job waits: an instance that starts fast is kept idle less long. 0: no matter.",
        least=0,
    )  # fmt: skip
    forecast: bool = setting(True, "A forecast that has proved itself may keep instances ready.")
    warm_hours: str = setting("", "Instances that are ready by the clock: 1@08:00-18:00.")


@dataclass(frozen=True)
class ServiceSettings:
    """One service's instances."""

    instance_type: str = setting("standard-1", "Size of an instance.", choices=tuple(INSTANCE_TYPES))
    slots: int = setting(1, "Attempts that one instance runs at once.", least=1, most=64)
    sleep_after_seconds: float = setting(300.0, "Idle time after which an instance is stopped at the latest.", least=0)
    price_per_hour: float = setting(0.0, "Price of an instance, in dollars per hour.", least=0)
    timeout_seconds: float = setting(3600.0, "Longest run of one attempt.", least=1)
    ttl_seconds: float = setting(0.0, "A job that was not started within this is given up; 0 means never.", least=0)
    max_attempts: int = setting(3, "Attempts before a job is a dead letter.", least=1, most=100)
    retry_base_seconds: float = setting(2.0, "Longest wait before the first retry; doubled for each more.", least=0)
    retry_cap_seconds: float = setting(600.0, "No wait before a retry is longer.", least=0)
    retry_rules: str = setting("", "What to do about errors: CODE=retry, stop or larger; several with commas between.")
    min_instances: int = setting(0, "Instances that are kept even when idle.", least=0, most=1000)
    max_instances: int = setting(4, "Instances at most.", least=1, most=1000)
    runtime: str = setting("", "OCI runtime of its containers, as runsc; empty: the engine's own.")
    scaling: ScalingSettings = ScalingSettings()


@dataclass(frozen=True)
class Services:
    """The five services; sizes, slots, sleep times and prices of the system that Pitchey replaces."""

    video: ServiceSettings = ServiceSettings("standard-2", 3, 300, 0.144, 3600)
    document: ServiceSettings = ServiceSettings("standard-1", 5, 300, 0.072, 600)
    # Short texts are done sixteen at a time on each processor: beside two such groups one is recorded, or fetched.
    inference: ServiceSettings = ServiceSettings("standard-4", 48, 600, 0.288, 600)
    media: ServiceSettings = ServiceSettings("standard-2", 4, 300, 0.144, 3600)
    code: ServiceSettings = ServiceSettings("lite", 10, 120, 0.036, 60)


def check_service(name: str, service: ServiceSettings) -> None:
    """Raise UsageError for settings of a service that do not go together."""
    scaling = service.scaling
    if service.min_instances > service.max_instances:
        raise UsageError(f"services.{name}: min_instances is larger than max_instances.")
    if not all(letter.isalnum() or letter in "._-" for letter in service.runtime):
        raise UsageError(f"services.{name}.runtime: {service.runtime!r} is no name of a runtime.")
    if scaling.queue_down > scaling.queue_up:
        raise UsageError(f"services.{name}.scaling: queue_down is larger than queue_up.")
    if scaling.panic_seconds > scaling.stable_seconds:
        raise UsageError(f"services.{name}.scaling: panic_seconds is longer than stable_seconds.")


@dataclass(frozen=True)
class CodeSettings:
    """The network of programs that nobody trusts, and where their packages come from."""

    allowed_hosts: str = setting(
        "*", "Whom programs with allowNetworking reach by HTTPS: host.example,*.example.org; with :port if not 443."
    )
    private_hosts: str = setting("", "Of those and of registries: hosts that may be in a private network.")
    package_hosts: str = setting("", "Hosts that a registry of packages leads to, beside its own.")
    pip_index: str = setting("", "Index of Python packages, as pip's --index-url; empty: pip's own. No files.")
    npm_registry: str = setting("", "Registry of JavaScript packages; empty: npm's own.")
    go_proxy: str = setting("", "Proxy of Go modules, as GOPROXY; empty: Go's own.")
    go_checksums: str = setting("", "Who knows the hashes of Go modules, as GOSUMDB; empty: Go's own; off: nobody.")
    packages_days: float = setting(30.0, "Fetched packages that nobody has used for so long go.", least=0)
    packages_bytes: int = setting(5 * GIB, "When they take more, the longest unused go.", least=0)


@dataclass(frozen=True)
class MediaSettings:
    """What media jobs may name."""

    #: tables by name, as the file has them; checked by whoever uses them, for the reason that the module's text gives
    presets: Mapping[str, Any] = field(default_factory=dict, metadata={"is_table": True})


@dataclass(frozen=True)
class InferenceSettings:
    """What the inference service has."""

    gpu: bool = setting(False, "Its instances are given the graphics cards, and do not start without.")


@dataclass(frozen=True)
class DocumentSettings:
    """What the document service has."""

    ocr_languages: str = setting(
        "", "More languages that its image reads pictures in, as rus,jpn; by tesseract's names. It is built anew."
    )
