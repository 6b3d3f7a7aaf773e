"""Hosts that say their address themselves, in all the ways in which one can be written."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from pitchey_cli.domain.addresses import is_public, said_by


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("10.0.0.1.", "10.0.0.1"),
        ("LocalHost", "127.0.0.1"),
        ("db.localhost.", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("93.184.215.14", "93.184.215.14"),
    ],
)
def test_an_address_is_known_however_it_is_written(host: str, address: str) -> None:
    found = said_by(host)
    assert found == ip_address(address)
    assert found is not None and is_public(found) is (address == "93.184.215.14")


@pytest.mark.parametrize(
    "host", ["", "media.example", "localhost.example", "1.2.3.4.5", "256.1.1.1", "köln.example", "0x"]
)
def test_a_name_says_none(host: str) -> None:
    assert said_by(host) is None
