"""What is set about prices, and what an instance costs by it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.limits import INSTANCE_TYPES
from pitchey_cli.domain.pricelist import (
    PriceList,
    Rates,
    parse_disks,
    parse_price_windows,
    parse_rates,
    parse_region_factors,
    parse_spot,
    parse_timezone,
)
from pitchey_cli.domain.spot import Spot

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def price(prices: PriceList, instance_type: str = "standard-4", **options: object) -> float:
    """Dollars per hour at noon."""
    asked = {"flat_per_hour": 0.288, "region": "local"} | options
    return prices.tariff(instance_type, INSTANCE_TYPES[instance_type], **asked).price_at(NOON) / 1e9


def test_without_a_rate_card_a_service_has_its_flat_price():
    assert price(PriceList()) == 0.288


def test_a_rate_card_counts_cpus_memory_and_disk_by_the_second():
    rates = parse_rates("vcpu-second=0.00002, gib-second=0.0000025, gb-second=0.00000007", where="cost.rates")
    prices = PriceList(rates, parse_disks("standard-4=20,lite=2", where="cost.disk"))
    assert price(prices) == pytest.approx(3600 * (4 * 0.00002 + 8 * 0.0000025 + 20 * 0.00000007))
    assert price(prices, "lite") == pytest.approx(3600 * (0.5 * 0.00002 + 0.5 * 0.0000025 + 2 * 0.00000007))


def test_regions_and_spot_are_factors():
    prices = PriceList(
        regions=parse_region_factors("eu=1.1", where="cost.regions"), spot=parse_spot("0.25@0.05/h", where="cost.spot")
    )
    assert (price(prices), price(prices, region="eu")) == (0.288, pytest.approx(0.3168))
    assert price(prices, is_spot=True) == 0.072
    assert prices.spot == Spot(0.25, 0.05)


def test_the_first_time_of_day_that_fits_has_the_price_in_its_own_zone():
    windows = parse_price_windows("13:00-15:00=0.5,00:00-23:59=2", where="cost.hours")
    berlin = parse_timezone("Europe/Berlin", where="cost.timezone")
    assert price(PriceList(windows=windows)) == 0.576
    assert price(PriceList(windows=windows, timezone=berlin)) == 0.144  # there it is two in the afternoon


@pytest.mark.parametrize("parse", [parse_rates, parse_price_windows, parse_disks, parse_region_factors, parse_spot])
def test_nothing_set_means_nothing(parse):
    assert not parse(" ", where="x")


def test_a_rate_that_is_left_out_is_nothing():
    assert parse_rates("vcpu-second=1", where="cost.rates") == Rates(1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (parse_rates, "cpu=1", "cost.x: there is no rate 'cpu'."),
        (parse_rates, "vcpu-second=much", "cost.x: the rate of vcpu-second is 'much'."),
        (parse_rates, "vcpu-second", "is not NAME=VALUE"),
        (parse_disks, "huge=1", "cost.x: there is no instance type 'huge'."),
        (parse_disks, "lite=-1", "cost.x: the disk of lite is '-1'."),
        (parse_price_windows, "night=0.5", "cost.x: 'night' are no hours."),
        (parse_price_windows, "22:00-06:00=nan", "cost.x: the factor of 22:00-06:00 is 'nan'."),
        (parse_region_factors, "eu=", "cost.x: the factor of 'eu' is ''."),
        (parse_spot, "cheap", "cost.x: 'cheap' is no spot price."),
        (parse_spot, "0.5@1", "cost.x: '0.5@1' is no spot price."),
        (parse_timezone, "Nowhere/Land", "cost.x: there is no time zone 'Nowhere/Land'."),
    ],
)
def test_what_cannot_be_read_names_the_setting_and_the_way_out(parse, text, says):
    with pytest.raises(UsageError) as caught:
        parse(text, where="cost.x")
    assert says in str(caught.value)
