"""What the settings mean: policies, prices and rules in the words of the domain. Pure: settings in, policies out.

The parsers of the domain are imported late: `pitchey status` needs few of them, and has to start fast.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from functools import partial
from typing import TYPE_CHECKING

from pitchey_cli import settings as configuration
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

if TYPE_CHECKING:
    from pitchey_cli.domain.alerts import Rule
    from pitchey_cli.domain.buckets import BucketUrl, Grants, Profile
    from pitchey_cli.domain.capacity import CapacityPolicy
    from pitchey_cli.domain.decision import PoolSettings
    from pitchey_cli.domain.listening import Address
    from pitchey_cli.domain.notice import Notifier
    from pitchey_cli.domain.off_peak import OffPeak
    from pitchey_cli.domain.outward import Outward
    from pitchey_cli.domain.pricelist import PriceList
    from pitchey_cli.domain.prices import Tariff
    from pitchey_cli.domain.retention import RetentionPolicy
    from pitchey_cli.domain.retry import RetryPolicy
    from pitchey_cli.domain.sign_on import Terms
    from pitchey_cli.domain.spot import Spot
    from pitchey_cli.domain.turns import QueuePolicy
    from pitchey_cli.domain.warmth import WarmHours
    from pitchey_cli.store.server import Server
    from processors.specs.media import Preset

_LANGUAGE = re.compile(r"[a-z]{3}(_[a-z]+)*")


@dataclass(frozen=True)
class Policies:
    """Everything that the operator has decided."""

    _settings: configuration.Settings

    def service(self, service: Service) -> configuration.ServiceSettings:
        """What is set for one service."""
        found: configuration.ServiceSettings = getattr(self._settings.services, service)
        return found

    def problems(self) -> list[UsageError]:
        """What is set and means nothing, in whatever policy it is: each of them is asked for here."""
        # Each setting of a policy first by itself, or the first that is wrong would hide the others.
        asked: list[Callable[[], object]] = [
            *(each.prices for each in self._one_by_one("cost")),
            *(each.queue for each in self._one_by_one("queue")),
        ]
        asked += [self.node_name, self.node_labels, self.node_services, self.store_server]
        asked += [self.retention, self.capacity, self.prices, self.spot, self.spot_notice, self.alert_rules]
        asked += [each.sign_on for each in self._one_by_one("sign_on")]
        asked += [
            self.ocr_languages,
            self.listen,
            self.off_peak,
            self.queue,
            lambda: self.outward().check(),
            self.presets,
            self.profiles,
            self.grants,
            self.kept_at,
        ]
        services = [Service(each.name) for each in fields(self._settings.services)]
        of_each = (self._check_service, self.tariff, self.warm_hours, self.retry)
        asked += [partial(policy, service) for policy in of_each for service in services]
        found: dict[str, UsageError] = {}
        for policy in asked:
            try:
                policy()
            except UsageError as error:
                found.setdefault(str(error), error)  # prices are in several of them
        return list(found.values())

    def listen(self) -> Address | None:
        """Where the API listens; None: nowhere."""
        from pitchey_cli.domain.listening import address_of

        text = self._settings.api.listen
        return address_of(text, what="api.listen") if text else None

    def store_server(self) -> Server | None:
        """The PostgreSQL server that has the queue; None: it is in the state directory."""
        from pitchey_cli.store.server import Server

        url = self._settings.store.url
        try:
            return Server.parse(url) if url else None
        except UsageError as error:
            raise UsageError(f"store.url: {error}", hint=error.hint) from error

    def node_name(self) -> str:
        """What this node is called."""
        from pitchey_cli.domain.nodes import name_from

        return name_from(self._settings.node.name or os.uname().nodename or "node", what="node.name")

    def node_labels(self) -> tuple[str, ...]:
        """What jobs may ask of this node, beside what each has."""
        from pitchey_cli.domain.nodes import labels_from

        return labels_from(self._settings.node.labels, what="node.labels")

    def node_services(self) -> frozenset[Service]:
        """The services that this node serves, whether they are there or not."""
        names = {each.strip() for each in self._settings.node.services.split(",")} - {""}
        if unknown := sorted(names - set(Service)):
            raise UsageError(
                f"node.services: there is no service {unknown[0]!r}.", hint=f"There are {', '.join(Service)}."
            )
        return frozenset(Service(each) for each in names) or frozenset(Service)

    def _one_by_one(self, section: str) -> Iterator[Policies]:
        """With one setting of a section at a time as it is set, and all others at their defaults."""
        defaults, chosen = configuration.Settings(), getattr(self._settings, section)
        for each in fields(chosen):
            alone = replace(getattr(defaults, section), **{each.name: getattr(chosen, each.name)})
            yield Policies(replace(defaults, **{section: alone}))

    def _check_service(self, service: Service) -> None:
        configuration.check_service(service, self.service(service))

    def presets(self, where: str = "") -> Mapping[str, Preset]:
        """The user's own presets of the media service, as set.

        Args:
            where: the file of the settings.
        """
        if not self._settings.media.presets:
            return {}  # who has none does not wait for what checks them
        from pitchey_cli.operations.presets import checked

        return checked(self._settings.media.presets, where=f"{where}: media.presets" if where else "media.presets")

    def profiles(self) -> Mapping[str, Profile]:
        """How providers of S3 are reached, by name."""
        from pitchey_cli.domain.buckets import Profile, profiles_of

        chosen = self._settings.s3
        own = Profile(
            endpoint_url=chosen.endpoint_url,
            region=chosen.region,
            access_key=chosen.access_key,
            secret_key=chosen.secret_key,
            session_token=chosen.session_token,
            path_style=chosen.path_style,
            checksums=chosen.checksums,
            ca_bundle=chosen.ca_bundle,
        )
        return profiles_of(own, chosen.profiles, where="s3.profiles")

    def grants(self) -> Grants:
        """Whose jobs may use which of them."""
        from pitchey_cli.domain.buckets import DEFAULT_PROFILE, Grants, Kept, grants

        name = self._settings.s3.profile or DEFAULT_PROFILE
        if name != DEFAULT_PROFILE and name not in self._settings.s3.profiles:
            raise UsageError(f"s3.profile: there is no profile {name!r}.", hint=f"[s3.profiles.{name}] makes one.")
        kept = None
        if (url := self.kept_at()) is not None:
            ends = {each: profile.endpoint_url.rstrip("/") for each, profile in self.profiles().items()}
            same = frozenset(each for each, end in ends.items() if end == ends.get(url.profile or name))
            kept = Kept(same, url.bucket, url.key)
        return Grants(name, grants(self._settings.s3.organisations), kept, frozenset(self.profiles()))

    def kept_at(self) -> BucketUrl | None:
        """The part of a bucket where artifacts are kept; None: on this disk."""
        from pitchey_cli.domain.buckets import kept_at

        text = self._settings.artifacts.url
        return kept_at(text) if text else None

    def outward(self) -> Outward:
        """The network of programs that nobody trusts, and where their packages come from."""
        from pitchey_cli.domain.outward import Outward

        chosen = asdict(self._settings.code)
        return Outward(**{each.name: chosen[each.name] for each in fields(Outward)})

    def ocr_languages(self) -> tuple[str, ...]:
        """Those beside the image's own, by tesseract's names.

        Raises:
            UsageError: these are no names of languages.
        """
        names = sorted({each.strip() for each in self._settings.document.ocr_languages.split(",")} - {""})
        if not all(_LANGUAGE.fullmatch(each) for each in names):
            raise UsageError(
                f"document.ocr_languages: {self._settings.document.ocr_languages!r} is no list of languages.",
                hint="They are named as tesseract names them, with commas between: rus,chi_sim.",
            )
        return tuple(names)

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

    def tariff(self, service: Service, size: str = "") -> Tariff:
        """What an instance of a service costs that is started now.

        Args:
            size: the instance type, where that is not the service's own.
        """
        from pitchey_cli.domain.limits import INSTANCE_TYPES

        chosen, node = self.service(service), self._settings.node
        own, limits = INSTANCE_TYPES[chosen.instance_type], INSTANCE_TYPES[size or chosen.instance_type]
        return self.prices().tariff(
            size or chosen.instance_type,
            limits,
            flat_per_hour=chosen.price_per_hour * limits.cpus / own.cpus,
            region=node.region,
            is_spot=node.is_spot,
        )

    def spot(self) -> Spot | None:
        """What is set of interruptions and their price, on a node that has to expect them."""
        return self.prices().spot if self._settings.node.is_spot else None

    def spot_notice(self) -> Notifier | None:
        """Who is asked whether this node is about to be taken away, as set."""
        from pitchey_cli.domain.notice import parse_notifier

        node = self._settings.node
        notifier = parse_notifier(node.spot_notice, where="node.spot_notice")
        if notifier is not None and not node.is_spot:
            text = f"node.spot_notice is {node.spot_notice!r}, and node.is_spot is false."
            raise UsageError(text, hint="Set node.is_spot to true, or leave node.spot_notice empty.")
        return notifier

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

    def sign_on(self) -> Terms | None:
        """The sign-on server, as set, and what its words mean here; None when there is none."""
        from pitchey_cli.domain.policy import pairs
        from pitchey_cli.domain.sign_on import Terms, origin_of, parse_roles, web_address

        chosen = self._settings.sign_on
        url = web_address(chosen.url, where="sign_on.url") if chosen.url else ""
        issuer = web_address(chosen.issuer, where="sign_on.issuer") if chosen.issuer else origin_of(url)
        origins = filter(None, (each.strip() for each in chosen.origins.split(",")))
        found = Terms(
            url,
            issuer,
            chosen.audience,
            origins=frozenset(web_address(each, where="sign_on.origins") for each in origins),
            cache_seconds=chosen.cache_seconds,
            roles=parse_roles(chosen.roles),
            organisations=dict(pairs(chosen.organisations, where="sign_on.organisations")),
            has_slugs=chosen.slugs,
        )
        return found if url else None

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

    def warm_hours(self, service: Service) -> WarmHours | None:
        """How many instances of a service are ready by the clock, as set."""
        from pitchey_cli.domain.policy import parse_warm_hours

        text = self.service(service).scaling.warm_hours
        return parse_warm_hours(text, where=f"services.{service}.scaling.warm_hours")

    def retry(self, service: Service) -> RetryPolicy:
        """When a failed attempt at a service's job is made again, as set."""
        from pitchey_cli.domain.policy import parse_retry_rules
        from pitchey_cli.domain.retry import RetryPolicy

        chosen = self.service(service)
        rules = parse_retry_rules(chosen.retry_rules, where=f"services.{service}.retry_rules")
        return RetryPolicy(chosen.max_attempts, chosen.retry_base_seconds, chosen.retry_cap_seconds, rules)


def pool_settings(chosen: configuration.ServiceSettings, *, is_foreground: bool = False) -> PoolSettings:
    """How a service's pool scales, as set; a `pitchey run` keeps no instances for others."""
    from pitchey_cli.domain.decision import PoolSettings

    rules = asdict(chosen.scaling)
    del rules["waiting_price_per_hour"], rules["warm_hours"], rules["forecast"]
    least = 0 if is_foreground else chosen.min_instances
    return PoolSettings(chosen.sleep_after_seconds, least, chosen.max_instances, **rules)
