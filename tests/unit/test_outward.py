"""What the operator says of the network of programs."""

from __future__ import annotations

import pytest

from pitchey_cli.domain.egress import parse_target, refusal
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.outward import Outward


def test_nothing_said_means_every_public_host_and_no_registry_but_the_clients_own() -> None:
    outward = Outward()
    outward.check()
    assert refusal(outward.of_programs(), parse_target("any.example:443")) is None
    assert outward.registry("python") == outward.registry("javascript") == outward.registry("go") == ""


def test_a_package_client_reaches_its_registry_and_what_that_leads_to_alone() -> None:
    egress = Outward(package_hosts="files.example").of_packages(["registry.example:8443"])
    assert refusal(egress, parse_target("registry.example:8443")) is None
    assert refusal(egress, parse_target("files.example:443")) is None
    problem = refusal(egress, parse_target("other.example:443"))
    assert problem is not None
    assert "code.package_hosts" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("allowed_hosts", "https://x.example"),
        ("private_hosts", "a b"),
        ("package_hosts", "a/b"),
        ("pip_index", "file:///srv/simple"),
        ("pip_index", "http://index.example"),
        ("npm_registry", "/srv"),
        ("go_proxy", "https://a.example,file:///srv"),
        ("go_checksums", "o f f"),
    ],
)
def test_what_means_nothing_is_named(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"code.{name}: ") as raised:
        Outward(**{name: value}).check()
    assert value in str(raised.value)


def test_a_password_is_not_shown() -> None:
    with pytest.raises(UsageError) as raised:
        Outward(pip_index="http://me:word@index.example/simple").check()
    assert "word" not in str(raised.value)


@pytest.mark.parametrize(
    "value", ["off", "sum.example", "sum.example+0123abcd+AbC/+=", "sum.example https://s.example"]
)
def test_databases_of_hashes_are_named_as_go_names_them(value: str) -> None:
    Outward(go_checksums=value, go_proxy="https://a.example|https://b.example,direct").check()
