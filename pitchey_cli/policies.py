"""What the settings mean: policies, prices and rules in the words of the domain. Pure: settings in, policies out.

The parsers of the domain are imported late: `pitchey status` needs few of them, and has to start fast.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pitchey_cli import settings as configuration
from pitchey_cli.domain.errors import UsageError
from processors.vocabulary import Service

if TYPE_CHECKING:
    from pitchey_cli.domain.alerts import Rule
    from pitchey_cli.domain.capacity import CapacityPolicy
    from pitchey_cli.domain.notice import Source
    from pitchey_cli.domain.off_peak import OffPeak
    from pitchey_cli.domain.pricelist import PriceList
    from pitchey_cli.domain.prices import Tariff
    from pitchey_cli.domain.retention import RetentionPolicy
    from pitchey_cli.domain.scaling import PoolSettings
    from pitchey_cli.domain.spot import Spot
    from pitchey_cli.domain.turns import QueuePolicy


@dataclass(frozen=True)
class Policies:
    """Everything that the operator has decided."""

    _settings: configuration.Settings

    def service(self, service: Service) -> configuration.ServiceSettings:
        """What is set for one service."""
        found: configuration.ServiceSettings = getattr(self._settings.services, service)
        return found

    def retention(self) -> RetentionPolicy:
        """How long things are kept, as set."""
        from pitchey_cli.domain.retention import RetentionPolicy

        return RetentionPolicy(**asdict(self._settings.retention))

    def capacity(self) -> CapacityPolicy:
        """What of the host the instances may have, as set."""
        from pitchey_cli.domain.capacity import CapacityPolicy

        return CapacityPolicy(**asdict(self._settings.host))

    def prices(self) -> PriceList:
        """What instances cost, as set."""
        from pitchey_cli.domain import pricelist

        chosen = self._settings.cost
        return pricelist.PriceList(
            rates=pricelist.parse_rates(chosen.rates, where="cost.rates"),
            disk_gb=pricelist.parse_disks(chosen.disk, where="cost.disk"),
            windows=pricelist.parse_price_windows(chosen.hours, where="cost.hours"),
            timezone=pricelist.parse_timezone(chosen.timezone, where="cost.timezone"),
            regions=pricelist.parse_region_factors(chosen.regions, where="cost.regions"),
            spot=pricelist.parse_spot(chosen.spot, where="cost.spot"),
        )

    def tariff(self, service: Service) -> Tariff:
        """What an instance of a service costs that is started now."""
        from pitchey_cli.domain.limits import INSTANCE_TYPES

        chosen, node = self.service(service), self._settings.node
        return self.prices().tariff(
            chosen.instance_type,
            INSTANCE_TYPES[chosen.instance_type],
            flat_per_hour=chosen.price_per_hour,
            region=node.region,
            is_spot=node.is_spot,
        )

    def spot(self) -> Spot | None:
        """What is set of interruptions and their price, on a node that has to expect them."""
        return self.prices().spot if self._settings.node.is_spot else None

    def spot_notice(self) -> Source | None:
        """Who is asked whether this node is about to be taken away, as set."""
        from pitchey_cli.domain.notice import parse_source

        node = self._settings.node
        source = parse_source(node.spot_notice, where="node.spot_notice")
        if source is not None and not node.is_spot:
            text = f"node.spot_notice is {node.spot_notice!r}, and node.is_spot is false."
            raise UsageError(text, hint="Set node.is_spot to true, or leave node.spot_notice empty.")
        return source

    def alert_rules(self) -> tuple[Rule, ...]:
        """The alert rules that are on, as set."""
        from pitchey_cli.domain.alerts import parse_rules

        return parse_rules(self._settings.alerts.rules, where="alerts.rules")

    def off_peak(self) -> OffPeak:
        """When it is off-peak, as set."""
        from pitchey_cli.domain.off_peak import calendar
        from pitchey_cli.domain.policy import parse_windows

        hours, prices = parse_windows(self._settings.queue.off_peak, where="queue.off_peak"), self.prices()
        return calendar(hours, prices.windows, prices.timezone)

    def queue(self) -> QueuePolicy:
        """Whose turn it is, as set."""
        from pitchey_cli.domain.policy import parse_key_limits, parse_weights
        from pitchey_cli.domain.turns import QueuePolicy

        chosen = self._settings.queue
        return QueuePolicy(
            ageing_seconds=chosen.ageing_seconds,
            weights=parse_weights(chosen.weights, where="queue.weights"),
            keys=parse_key_limits(chosen.keys, where="queue.keys"),
            off_peak=self.off_peak(),
            is_spot=self._settings.node.is_spot,
        )


def pool_settings(chosen: configuration.ServiceSettings, *, is_foreground: bool = False) -> PoolSettings:
    """How a service's pool scales, as set; a `pitchey run` keeps no instances for others."""
    from pitchey_cli.domain.scaling import PoolSettings

    rules = asdict(chosen.scaling)
    del rules["waiting_price_per_hour"], rules["warm_hours"], rules["forecast"]
    least = 0 if is_foreground else chosen.min_instances
    return PoolSettings(chosen.sleep_after_seconds, least, chosen.max_instances, **rules)
