"""Where programs that nobody trusts may go."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.addresses import is_forbidden, is_public
from pitchey_cli.domain.egress import Egress, Target, address_refusal, exact, parse_patterns, parse_target, refusal
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.upstream import Upstream, find_upstream


def egress(allowed: str, private: str = "") -> Egress:
    return Egress(parse_patterns(allowed, where="allowed"), parse_patterns(private, where="private"))


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 240.0.0.1 "
    "::1 :: fe80::1 fc00::1 ff02::1 ::ffff:10.0.0.1 64:ff9b::7f00:1 2002:7f00:1:: ::127.0.0.1 fec0::1 "
    "168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 64:ff9b:1::a00:1 64:ff9b::a83f:8110 fe80::1%eth0".split(),
)
def test_what_is_not_for_everybody_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"])
def test_what_everybody_can_reach_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    ("allowed", "target", "is_allowed"),
    [
        ("host.example", "host.example:443", True),
        ("host.example", "HOST.Example.:443", True),
        ("host.example", "host.example:80", False),
        ("host.example:8443", "host.example:8443", True),
        ("host.example:8443", "host.example:443", False),
        ("host.example", "a.host.example:443", False),
        ("host.example", "nothost.example:443", False),
        ("*.host.example", "a.b.host.example:443", True),
        ("*.host.example", "host.example:443", False),
        ("*.host.example", "nothost.example:443", False),
        ("*", "whatever.example:443", True),
        ("*", "whatever.example:22", False),
        ("*:8443", "whatever.example:8443", True),
        ("*", "93.184.216.34:443", False),
        ("*", "[2606:4700::1111]:443", False),
        ("93.184.216.34", "93.184.216.34:443", True),
        ("[2606:4700::1111]:444", "[2606:4700:0::1111]:444", True),
        ("10.0.0.5", "10.0.0.5:443", True),
        ("169.254.169.254", "169.254.169.254:443", False),
        ("127.0.0.1", "127.0.0.1:443", False),
        ("[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]:443", False),
        ("", "host.example:443", False),
    ],
)
def test_a_list_means_what_it_says(allowed: str, target: str, is_allowed: bool) -> None:
    assert (refusal(egress(allowed), parse_target(target)) is None) is is_allowed


def test_a_refusal_names_the_host_and_the_setting() -> None:
    for target in ("other.example:443", "host.example:22", "10.1.2.3:443"):
        problem = refusal(egress("host.example"), parse_target(target))
        assert problem is not None
        assert target.partition(":")[0] in problem
        assert "code.allowed_hosts" in problem


@pytest.mark.parametrize(
    "text",
    [
        "host.example",
        "host.example:",
        "host.example:0",
        "host.example:65536",
        "host.example:٣",
        ":443",
        "a..b:443",
        "-a.example:443",
        "user@host.example:443",
        "127.1:443",
        "2130706433:443",
        "0x7f000001:443",
        "0x7f.0.0.0x1:443",
        "0177.0.0.1:443",
        "[::1:443",
        "[host.example]:443",
        "::1",
        "host.example\r\nX: y:443",
        "x" * 64 + ".example:443",
        "bücher.example:443",
    ],
)
def test_what_is_no_host_and_port_is_no_target(text: str) -> None:
    with pytest.raises(ValueError):
        parse_target(text)


@given(st.text(max_size=40))
def test_no_text_makes_the_parser_stumble(text: str) -> None:
    try:
        target = parse_target(text)
    except ValueError:
        return
    assert parse_target(str(target)) == target


@pytest.mark.parametrize("text", ["host example", "https://host.example", "*.10.0.0.1", "**", "*example.org", "a:b"])
def test_a_list_with_an_entry_that_is_no_host_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"code\.allowed_hosts: "):
        parse_patterns(f"good.example, {text}", where="code.allowed_hosts")


@pytest.mark.parametrize(
    ("address", "private", "is_allowed"),
    [
        ("93.184.216.34", "", True),
        ("10.0.0.5", "", False),
        ("10.0.0.5", "mirror.example", True),
        ("10.0.0.5", "*", True),
        ("10.0.0.5", "other.example", False),
        ("fd12::5", "mirror.example", True),
        ("169.254.169.254", "mirror.example", False),
        ("fd00:ec2::254", "mirror.example", False),
        ("::ffff:a9fe:a9fe", "mirror.example", False),
        ("64:ff9b::a9fe:a9fe", "mirror.example", False),
        ("::a9fe:a9fe", "mirror.example", False),
        ("fd20:ce::254", "mirror.example", False),
        ("127.0.0.1", "mirror.example", False),
        ("::", "mirror.example", False),
        ("224.0.0.1", "mirror.example", False),
    ],
)
def test_an_allowed_name_still_has_to_have_an_address_that_may_be_reached(
    address: str, private: str, is_allowed: bool
) -> None:
    problem = address_refusal(
        egress("mirror.example", private), Target("mirror.example", 443), ipaddress.ip_address(address)
    )
    assert (problem is None) is is_allowed
    assert is_allowed or address in str(problem)


@pytest.mark.parametrize("address", ["93.184.216.34", "::ffff:93.184.216.34"])
def test_a_public_address_of_this_machine_is_reached_only_where_that_is_said(address: str) -> None:
    own = {ipaddress.ip_address("93.184.216.34")}
    target = Target("host.example", 443)
    problem = address_refusal(egress("*"), target, ipaddress.ip_address(address), own)
    assert problem is not None
    assert problem.endswith("which is an address of this machine; code.private_hosts could allow it")
    assert address_refusal(egress("*", "host.example"), target, ipaddress.ip_address(address), own) is None


@given(st.ip_addresses())
def test_an_address_that_is_never_reached_is_not_public(address: ipaddress.IPv4Address) -> None:
    assert not (is_forbidden(address) and is_public(address))


def test_hosts_that_are_known_by_name_come_once_each() -> None:
    assert [(p.host, p.port) for p in exact(["a.example", "b.example:8080", "A.example"])] == [
        ("a.example", 443),
        ("b.example", 8080),
    ]


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, None),
        ({"HTTPS_PROXY": ""}, None),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, Upstream("proxy.example", 3128)),
        ({"https_proxy": "proxy.example:3128/"}, Upstream("proxy.example", 3128)),
        ({"https_proxy": "https://proxy.example"}, Upstream("proxy.example", 443, True)),
        ({"https_proxy": "http://u:p%40@[::1]:1"}, Upstream("::1", 1, False, "Basic dTpwQA==")),
    ],
)
def test_the_proxy_of_the_host_is_found_in_its_environment(environ: dict[str, str], found: Upstream | None) -> None:
    assert find_upstream(environ) == found


@pytest.mark.parametrize("value", ["socks5://proxy.example", "http://:p@", "http://host:x"])
def test_a_proxy_that_is_none_is_named_by_its_variable_and_not_by_its_password(value: str) -> None:
    with pytest.raises(UsageError, match=r"^https_proxy is no proxy") as raised:
        find_upstream({"https_proxy": value})
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("past", "target", "is_taken"),
    [
        ("", "a.example:443", True),
        ("*", "a.example:443", False),
        ("example", "a.example:443", False),
        (".a.example", "a.example:443", False),
        ("*.a.example", "b.a.example:443", False),
        ("a.example:8443", "a.example:443", True),
        ("a.example:443", "a.example:443", False),
        ("xample", "a.example:443", True),
        ("10.0.0.0/8, fd00::/8", "10.1.2.3:443", False),
        ("10.0.0.0/8, fd00::/8", "[fd00::1]:443", False),
        ("10.0.0.0/8", "11.1.2.3:443", True),
    ],
)
def test_what_goes_past_the_proxy_of_the_host(past: str, target: str, is_taken: bool) -> None:
    upstream = find_upstream({"https_proxy": "http://proxy.example:3128", "NO_PROXY": past})
    assert upstream is not None
    assert upstream.takes(parse_target(target)) is is_taken
