"""Programs that reach out, and packages, through the whole of Pitchey: from behind a company's proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from tests.conftest import Pitchey
from tests.e2e.conftest import CodeEngine
from tests.resources.networks import CERTIFICATE, site
from tests.resources.registries import pip_index, wheel
from tests.resources.upstream import CompanyProxy, company_proxy

WHEELS = {
    "greeter-1.0-py3-none-any.whl": wheel("greeter", "1.0", {"greeter/__init__.py": "def greet(): return 'hello'\n"})
}


@pytest.fixture(scope="module")
def company() -> Iterator[CompanyProxy]:
    with site(lambda base: {**pip_index(WHEELS), "/word": b"a word"}) as port, company_proxy(port) as proxy:
        yield proxy


@pytest.fixture
def daemon(code_engine: CodeEngine, company: CompanyProxy, tmp_path: Path) -> Iterator[Pitchey]:
    """A daemon on a host that has to go through a proxy."""
    settings = {
        "HTTPS_PROXY": company.url,
        "PITCHEY_ENGINE_CA_BUNDLE": str(CERTIFICATE),
        "PITCHEY_CODE_ALLOWED_HOSTS": "allowed.example",
        "PITCHEY_CODE_PIP_INDEX": "https://allowed.example/simple/",
    }
    work = tmp_path / "work"
    work.mkdir()
    command = Pitchey(tmp_path / "state", work, {**code_engine.settings, **settings})
    command.start_daemon()
    yield command
    command.end()


def test_packages_are_fetched_once_and_used_offline(daemon: Pitchey, company: CompanyProxy) -> None:
    program = ("-e", "import greeter; print(greeter.greet())", "--language", "python", "--package", "greeter==1.0")
    assert daemon.ok("run", "code", *program).out == "hello\n"
    asked = len(company.asked)
    assert asked > 0
    assert daemon.ok("run", "code", *program).out == "hello\n"
    assert len(company.asked) == asked
    assert len(list(layout.packages(daemon.state_dir).glob("[0-9a-f]*"))) == 1


@pytest.mark.by_turns
def test_organisations_do_not_share_what_was_fetched(daemon: Pitchey) -> None:
    for organisation in ("amber", "birch"):
        daemon.ok(
            "run", "code", "-e", "import greeter", "--language", "python", "--package", "greeter==1.0",
            "--organisation", organisation,
        )  # fmt: skip
    assert len(list(layout.packages(daemon.state_dir).glob("[0-9a-f]*"))) == 2


@pytest.mark.by_turns
def test_a_package_that_is_not_there_is_named_at_once(daemon: Pitchey) -> None:
    answer = daemon("run", "code", "-e", "1", "--language", "python", "--package", "nowhere==1", "--json")
    assert answer.code == 1
    assert "nowhere==1" in answer.json["error"]["message"]
    assert answer.json["attemptsUsed"] == 1


def test_a_program_reaches_whom_the_settings_allow_and_its_visits_are_logged(daemon: Pitchey) -> None:
    code = "from urllib.request import urlopen\nprint(urlopen('https://allowed.example/word').read().decode())\n"
    code += "try:\n    urlopen('https://other.example/')\nexcept OSError as error:\n    print(error)\n"
    (job_id,) = daemon.ok("submit", "code", "-e", code, "--language", "python", "--network").lines
    daemon.ok("wait", job_id)
    lines = daemon.ok("logs", job_id).out
    assert "a word" in lines
    assert "code.allowed_hosts" in lines
    assert "network: allowed.example:443: " in lines
    assert "network: other.example:443: refused" in lines


def test_without_asking_for_it_a_program_reaches_nobody(daemon: Pitchey) -> None:
    code = "from urllib.request import urlopen\nurlopen('https://allowed.example/word')"
    answer = daemon("run", "code", "-e", code, "--language", "python")
    assert answer.code == 1
    assert "NONZERO_EXIT" in answer.err
