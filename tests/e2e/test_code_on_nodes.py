"""Programs on several nodes: slots of each on its own engine's side, packages, a way out, and a node that is killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.engines import marked
from tests.conftest import Pitchey
from tests.e2e.conftest import CodeEngine
from tests.resources.clusters import Cluster
from tests.resources.networks import CERTIFICATE, site
from tests.resources.registries import pip_index, wheel
from tests.resources.upstream import company_proxy
from tests.resources.waiting import until

WHEELS = {
    "greeter-1.0-py3-none-any.whl": wheel("greeter", "1.0", {"greeter/__init__.py": "def greet(): return 'hello'\n"})
}
LEASE_SECONDS = "20"  # with less a node of a busy machine loses what it works at now and then
PYTHON = ("--language", "python", "--timeout", "60")
#: Works with a package, an input and somebody outside, and then for so long that its node can be killed beneath it.
LASTING = """
import pathlib, time, urllib.request, greeter
word = urllib.request.urlopen("https://allowed.example/word").read().decode()
pathlib.Path("out/words.txt").write_text(f"{greeter.greet()} {word} {pathlib.Path('in.txt').read_text()}")
time.sleep(12)
"""


@pytest.fixture
def nodes(code_engine: CodeEngine, cluster: Cluster) -> Iterator[dict[str, tuple[Pitchey, subprocess.Popen[str]]]]:
    """Two of one queue, which reach an index of packages and one host by way of a company's proxy."""
    with site(lambda base: {**pip_index(WHEELS), "/word": b"a word"}) as port, company_proxy(port) as company:
        settings = {
            **code_engine.settings,
            "PITCHEY_DAEMON_LEASE_SECONDS": LEASE_SECONDS,
            "HTTPS_PROXY": company.url,
            "PITCHEY_ENGINE_CA_BUNDLE": str(CERTIFICATE),
            "PITCHEY_CODE_ALLOWED_HOSTS": "allowed.example",
            "PITCHEY_CODE_PIP_INDEX": "https://allowed.example/simple/",
        }
        made = [cluster.node(name, **settings) for name in "ab"]
        yield {each.environment["PITCHEY_NODE_NAME"]: (each, each.start_daemon()) for each in made}
        cluster.end()


def fetched(node: Pitchey) -> list[Path]:
    """The sets of packages that a node has."""
    return list(layout.packages(node.state_dir).glob("[0-9a-f]*"))


@pytest.mark.by_turns
def test_each_node_has_slots_and_packages_of_its_own_and_any_of_them_knows_the_results(
    nodes: dict[str, tuple[Pitchey, subprocess.Popen[str]]],
) -> None:
    a, b = (node for node, _ in nodes.values())
    program = ("-e", "import greeter, time; time.sleep(1); print(greeter.greet())", "--package", "greeter==1.0")
    jobs = {
        name: [a.ok("submit", "code", *program, *PYTHON, "--on", f"node={name}", "--no-cache").lines[0] for _ in "123"]
        for name in nodes
    }
    for name, some in jobs.items():
        for job_id in some:
            b.ok("wait", job_id)
            job = b.job(job_id)
            assert {each["node"] for each in job["attempts"]} == {name} and job["attemptsUsed"] == 1
            assert (job["details"]["verdict"], job["details"]["stdout"]["text"]) == ("OK", "hello\n")
    assert len(fetched(a)) == len(fetched(b)) == 1


@pytest.mark.by_turns
def test_a_program_whose_node_is_killed_is_run_once_more_elsewhere_and_nothing_is_left_of_it(
    nodes: dict[str, tuple[Pitchey, subprocess.Popen[str]]],
) -> None:
    a, _ = nodes["a"]
    (a.cwd / "in.txt").write_text("from here")
    asked = ("-e", LASTING, *PYTHON, "--package", "greeter==1.0", "--network", "--file", "in.txt", "--no-cache")
    (job_id,) = a.ok("submit", "code", *asked).lines
    (first,) = a.until(job_id, lambda job: job["stage"] == "running")["attempts"]
    killed, daemon = nodes[first["node"]]
    other = next(node for name, (node, _) in nodes.items() if name != first["node"])
    daemon.kill()
    daemon.wait()
    other.ok("wait", job_id)
    job = other.job(job_id)
    *before, last = ((each["reason"], each["node"]) for each in job["attempts"])
    assert before[0] == ("interrupted", first["node"]) and last == ("completed", other.environment["PITCHEY_NODE_NAME"])
    assert job["attemptsUsed"] == 1
    other.ok("result", job_id, "-o", "got")
    (words,) = (other.cwd / "got").rglob("*words.txt")
    assert words.read_text() == "hello a word from here"
    killed.start_daemon()
    until(lambda: not list(marked.members(first["instance"])), "the group that the killed node had has ended")
    assert not list(layout.supervisors(killed.state_dir).glob(f"*{first['instance']}*"))
