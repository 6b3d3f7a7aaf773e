"""Settings as a simulation takes them: the only place where pools are modelled after what is set.

`--set` and `--sweep` name settings by their real keys, and values are checked as those of the file are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import Any

from pitchey_cli import settings as configuration
from pitchey_cli.domain.arrivals import PoolKey
from pitchey_cli.domain.capacity import CapacityPolicy, Size, budget
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.limits import INSTANCE_TYPES, grant
from pitchey_cli.domain.simulated_pool import PoolModel
from pitchey_cli.operations.simulate import Setup
from pitchey_cli.policies import pool_settings


def parse_changes(given: Sequence[str], *, option: str) -> dict[str, Any]:
    """Read KEY=VALUE, each of a setting that there is."""
    known = configuration.entries()
    found: dict[str, Any] = {}
    for text in given:
        key, equals, raw = (part.strip() for part in text.partition("="))
        if not equals:
            raise UsageError(f"{option}: {text!r} is not KEY=VALUE.", hint="As services.video.max_instances=8.")
        if key not in known:
            raise configuration.unknown_key(key, known, where=option)
        found[key] = configuration.parse_value(known[key], raw, where=option)
    return found


def parse_sweep(text: str) -> tuple[str, dict[str, Any]]:
    """Read KEY=VALUE,VALUE,...: one setting, and what it is to be in turn, by how that was written."""
    key, _, values = text.partition("=")
    parts = [part.strip() for part in values.split(",") if part.strip()]
    if len(parts) < 2:
        raise UsageError(f"--sweep: {text!r} is not KEY=VALUE,VALUE,... .", hint=_SWEEP_HINT)
    return key.strip(), {part: parse_changes([f"{key}={part}"], option="--sweep")[key.strip()] for part in parts}


def setup(
    settings: configuration.Settings, changes: Mapping[str, Any], *, host: Size, start_seconds: Mapping[str, float]
) -> Setup:
    """What a run with some settings changed is made of.

    Args:
        host: the size of a node.
        start_seconds: how long instances took to start, of the services of which that is known.
    """
    changed = settings
    for key, value in changes.items():
        changed = _with(changed, key.split("."), value)
    policy = CapacityPolicy(**asdict(changed.host))

    def model(key: PoolKey) -> PoolModel:
        service: configuration.ServiceSettings = getattr(changed.services, key.service)
        configuration.check_service(key.service, service)
        room = budget(host, policy)
        limits = grant(
            INSTANCE_TYPES[key.size or service.instance_type],
            host_cpus=host.cpus,
            host_memory_bytes=min(host.memory_bytes, room.memory_bytes),
        ).granted
        measured = {"start_seconds": start_seconds[key.service]} if key.service in start_seconds else {}
        return PoolModel(
            pool_settings(service),
            service.slots,
            Size.of(limits),
            service.price_per_hour,
            waiting_price_per_hour=service.scaling.waiting_price_per_hour,
            **measured,
        )

    return Setup(model, host, policy)


def _with(section: Any, path: list[str], value: Any) -> Any:
    """The same settings with one of them changed."""
    name, *rest = path
    part = getattr(section, name)
    return replace(section, **{name: _with(part, rest, value) if is_dataclass(part) else value})


_SWEEP_HINT = "As services.video.sleep_after_seconds=30,60,120,300,600."
