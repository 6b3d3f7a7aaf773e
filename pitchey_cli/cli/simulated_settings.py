"""Settings as a simulation takes them: the only place where pools are modelled after what is set.

`--set` and `--sweep` name settings by their real keys, and values are checked as those of the file are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import is_dataclass, replace
from typing import Any

from pitchey_cli import settings as configuration
from pitchey_cli.domain.capacity import Size, budget
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.limits import INSTANCE_TYPES, grant
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.pricelist import PriceList
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.domain.simulated_pool import PoolModel
from pitchey_cli.operations.simulate import Setup
from pitchey_cli.policies import Policies, pool_settings


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
    key, equals, values = text.partition("=")
    parts = [part.strip() for part in values.split(",") if part.strip()]
    if not equals or not parts:
        raise UsageError(f"--sweep: {text!r} is not KEY=VALUE,VALUE,... .", hint=_SWEEP_HINT)
    found = {part: parse_changes([f"{key}={part}"], option="--sweep")[key.strip()] for part in parts}
    if len(found) < 2:
        raise UsageError(f"--sweep: {text!r} is one value, and a sweep compares several.", hint=_SWEEP_HINT)
    return key.strip(), found


def unheard(keys: Iterable[str], pools: Sequence[PoolKey]) -> list[str]:
    """Why some settings change nothing in a simulation, a sentence for each that does not."""
    found = []
    for key in keys:
        section, _, rest = key.partition(".")
        service, _, name = rest.partition(".")
        if section == "services" and name in _OF_SERVICES:
            if service not in {pool.service for pool in pools}:
                found.append(f"{key} changes nothing, because no {service} job comes in this load.")
        elif rest not in _OF_ALL.get(section, ()):
            found.append(f"{key} changes nothing, because the simulation does not model it.")
    return found


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
    policies = Policies(changed)
    policy, prices = policies.capacity(), policies.prices()

    def model(key: PoolKey) -> PoolModel:
        service: configuration.ServiceSettings = getattr(changed.services, key.service)
        configuration.check_service(key.service, service)
        room = budget(host, policy)
        instance_type = key.size or service.instance_type
        limits = grant(
            INSTANCE_TYPES[instance_type],
            host_cpus=host.cpus,
            host_memory_bytes=min(host.memory_bytes, room.memory_bytes),
        ).granted
        chosen = pool_settings(service)
        measured = {"start_seconds": start_seconds[key.service]} if key.service in start_seconds else {}
        return PoolModel(
            chosen if key.is_first else replace(chosen, min_instances=0),
            service.slots,
            Size.of(limits),
            _price_per_hour(changed, prices, service, instance_type),
            waiting_price_per_hour=service.scaling.waiting_price_per_hour,
            **measured,
        )

    return Setup(model, host, policy)


def _price_per_hour(
    settings: configuration.Settings, prices: PriceList, service: configuration.ServiceSettings, instance_type: str
) -> float:
    """What the daemon would pay, in dollars; apart from the hours of the day, which a simulation does not have."""
    limits, own = INSTANCE_TYPES[instance_type], INSTANCE_TYPES[service.instance_type]
    flat = service.price_per_hour * limits.cpus / own.cpus
    node = settings.node
    tariff = prices.tariff(instance_type, limits, flat_per_hour=flat, region=node.region, is_spot=node.is_spot)
    return tariff.nanodollars_per_hour / NANODOLLARS


def _with(section: Any, path: list[str], value: Any) -> Any:
    """The same settings with one of them changed."""
    name, *rest = path
    part = getattr(section, name)
    return replace(section, **{name: _with(part, rest, value) if is_dataclass(part) else value})


#: What is modelled; docs/architecture/07-simulation.md says what is not.
_OF_SERVICES = {
    *("instance_type", "slots", "sleep_after_seconds", "price_per_hour", "min_instances", "max_instances"),
    *(f"scaling.{name}" for name in ("queue_up", "queue_down", "wait_up_seconds", "target", "stable_seconds")),
    *(f"scaling.{name}" for name in ("panic_seconds", "panic_factor", "step_seconds", "cooldown_seconds")),
    "scaling.waiting_price_per_hour",
}
_OF_ALL = {
    "host": ("memory_bytes", "cpu_overcommit", "yield_seconds", "tenure_seconds"),
    "cost": ("rates", "disk", "regions", "spot"),
    "node": ("region", "is_spot"),
}
_SWEEP_HINT = "As services.video.sleep_after_seconds=30,60,120,300,600."
