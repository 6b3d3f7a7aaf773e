"""Packages, fetched in a slot from a registry that we serve, kept by the store, used by programs without network."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain.egress import Egress, exact
from pitchey_cli.packages.store import PackageStore
from processors.code.languages import prepare
from processors.code.packages import ARCHIVE_NAME, LIMITS, answered, configured, failure, prepare_packages, question
from processors.code.slot_protocol import PACKAGES_DIR
from processors.code.verdict import Verdict
from processors.code.wanted import wanted
from processors.specs import CodeSpec
from tests.resources.networks import Network, network, site, slot_ground
from tests.resources.registries import go_proxy, npm_registry, pip_index, wheel
from tests.resources.slots import Done, Extra, Ground

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_numbers = itertools.count()

WHEELS = {
    "greeter-1.0-py3-none-any.whl": wheel("greeter", "1.0", {"greeter/__init__.py": "def greet(): return 'hello'\n"}),
    "greeter-2.0-py3-none-any.whl": wheel("greeter", "2.0", {"greeter/__init__.py": "def greet(): return 'hi'\n"}),
    "onlysource-1.0.tar.gz": b"whatever: it is never looked into",
    "climber-1.0-py3-none-any.whl": wheel("climber", "1.0", {"../../../../etc/climbed.py": "", "climber.py": ""}),
    "oddname-1.0-py3-none-any.whl": wheel("oddname", "1.0", {"odd\x1b[31m.py": "", "oddname.py": ""}),
}
NPM: dict[str, Mapping[str, object]] = {
    "greeter": {"main": "index.js", "files": {"index.js": "exports.greet = () => require('inner')() + '!';\n"},
                "dependencies": {"inner": "^1.0.0"}},
    "inner": {"main": "index.js", "files": {"index.js": "module.exports = () => 'hello';\n"}},
    "scripted": {
        "files": {"index.js": "module.exports = require('fs').existsSync(__dirname + '/ran');\n"},
        "scripts": dict.fromkeys(("preinstall", "install", "postinstall"), "touch ran; touch /job/out/ran"),
        "bin": {"scripted": "index.js"},
    },
}  # fmt: skip
GO = {
    "example.org/greeter": {
        "go.mod": "module example.org/greeter\n\ngo 1.24\n\nrequire example.org/inner v1.0.0\n",
        "greeter.go": 'package greeter\n\nimport "example.org/inner"\n\nfunc Greet() string { return inner.Word }\n',
    },
    "example.org/inner": {
        "go.mod": "module example.org/inner\n\ngo 1.24\n",
        "inner.go": 'package inner\n\nconst Word = "hello"\n',
    },
}


def registry(base: str) -> dict[str, bytes]:
    return {**pip_index(WHEELS), **npm_registry(base, NPM), **go_proxy(GO)}


@pytest.fixture(scope="module", params=["docker", "podman"])
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    yield from slot_ground(request.param, tmp_path_factory.mktemp("engine"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with site(registry) as found:
        yield found


def spec(language: str, code: str = "", **fields: Any) -> CodeSpec:
    return CodeSpec.model_validate({"language": language, "code": code, "timeout": 10, **fields})


@contextmanager
def fetching(ground: Ground, port: int, directory: Path, wish: CodeSpec) -> Iterator[tuple[Done, Network]]:
    """Run the prepare job."""
    base = f"https://allowed.example:{port}"
    chosen = configured(f"{base}/simple/" if wish.language == "python" else base, checksums="off")
    found = wanted(wish)
    assert found is not None
    egress = Egress(exact(chosen.hosts), setting="code.package_hosts", allows_this_host=True)
    with network(directory / f"proxy-{next(_numbers)}", egress, addresses={"allowed.example": ["127.0.0.1"]}) as proxy:
        extra = dataclasses.replace(proxy.extra, job_bytes=LIMITS.disk_bytes, job_files=LIMITS.files)
        yield ground.run(prepare_packages(found, chosen, has_ca_bundle=True), extra=extra), proxy


def fetched(ground: Ground, port: int, directory: Path, wish: CodeSpec) -> Path:
    """The directory with a job's packages."""
    with fetching(ground, port, directory, wish) as (done, proxy):
        assert done.verdict is Verdict.OK, (failure(done.report, done.streams["compile", "stderr"]), proxy.problems())
        assert done.said == ""
    store = PackageStore(directory / "packages")
    return store.publish(f"{next(_numbers):064x}", io.BytesIO(done.outputs[ARCHIVE_NAME]), NOW)


def use(ground: Ground, wish: CodeSpec, packages: Path, landlock: str = "auto") -> Done:
    prepared = prepare(wish, has_packages=True)
    return ground.run(prepared, landlock, Extra(mounts={PACKAGES_DIR: packages}))


PROGRAMS = [
    spec("python", "import greeter; print(greeter.greet())", packages=["greeter==1.0"]),
    spec("python", "import greeter; print(greeter.greet())", lock="greeter>=1.0,<2 # not the next\n"),
    spec("javascript", "console.log(require('greeter').greet())", packages=["greeter@1"]),
    spec("javascript", "import { greet } from 'greeter';\nexport const main = () => console.log(greet());",
         packages=["greeter"]),
    spec("go", 'package main\n\nimport "example.org/greeter"\n\nfunc main() { print(greeter.Greet()) }\n',
         packages=["example.org/greeter@v1.0.0"]),
]  # fmt: skip


@pytest.mark.by_turns
@pytest.mark.parametrize("landlock", ["auto", "off"])
@pytest.mark.parametrize("wish", PROGRAMS, ids=lambda wish: f"{wish.language}")
def test_a_program_uses_what_it_has_asked_for(
    wish: CodeSpec, ground: Ground, port: int, tmp_path: Path, landlock: str
) -> None:
    packages = fetched(ground, port, tmp_path, wish)
    done = use(ground, wish, packages, landlock)
    assert done.verdict is Verdict.OK, (done.report, done.stderr)
    assert b"hello" in done.stdout + done.stderr


@pytest.mark.by_turns
def test_a_lock_of_npm_brings_what_it_names(ground: Ground, port: int, tmp_path: Path) -> None:
    files = npm_registry(f"https://allowed.example:{port}", NPM)
    packages: dict[str, Any] = {"": {"name": "job", "dependencies": {"inner": "^1.0.0"}}}
    dist = json.loads(files["/inner"])["versions"]["1.0.0"]["dist"]
    packages["node_modules/inner"] = {"version": "1.0.0", "resolved": dist["tarball"], "integrity": dist["integrity"]}
    lock = json.dumps({"name": "job", "lockfileVersion": 3, "requires": True, "packages": packages})
    wish = spec("javascript", "console.log(require('inner')())", lock=lock)
    assert use(ground, wish, fetched(ground, port, tmp_path, wish)).stdout == b"hello\n"
    packages["node_modules/inner"]["integrity"] = "sha512-" + "A" * 86 + "=="
    forged = spec("javascript", "", lock=json.dumps({"lockfileVersion": 3, "requires": True, "packages": packages}))
    with fetching(ground, port, tmp_path, forged) as (done, _):
        assert done.verdict is Verdict.COMPILE_ERROR
        assert "integrity" in failure(done.report, done.stderr).lower()


@pytest.mark.by_turns
def test_a_hash_that_is_not_that_of_the_file_is_noticed(ground: Ground, port: int, tmp_path: Path) -> None:
    wish = spec("python", lock=f"greeter==1.0 --hash=sha256:{'0' * 64}\n")
    with fetching(ground, port, tmp_path, wish) as (done, _):
        assert done.verdict is Verdict.COMPILE_ERROR
        assert "hash" in failure(done.report, done.stderr).lower()


@pytest.mark.by_turns
def test_no_script_of_a_package_is_run_and_no_source_is_built(ground: Ground, port: int, tmp_path: Path) -> None:
    wish = spec("javascript", "console.log(require('scripted'))", packages=["scripted@1.0.0"])
    assert use(ground, wish, fetched(ground, port, tmp_path, wish)).stdout == b"false\n"
    with fetching(ground, port, tmp_path, spec("python", packages=["onlysource"])) as (done, _):
        assert done.verdict is Verdict.COMPILE_ERROR
        assert "onlysource" in failure(done.report, done.stderr)


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("language", "package"),
    [("python", "nosuchthing==9"), ("javascript", "nosuchthing@9"), ("go", "example.org/nosuchthing@v1.9.0")],
)
def test_a_package_that_does_not_exist_is_named(
    language: str, package: str, ground: Ground, port: int, tmp_path: Path
) -> None:
    with fetching(ground, port, tmp_path, spec(language, packages=[package])) as (done, _):
        assert done.verdict is Verdict.COMPILE_ERROR
        said = failure(done.report, done.streams["compile", "stderr"])
        assert said.startswith("The packages cannot be fetched: ")
        assert "nosuchthing" in said


@pytest.mark.by_turns
def test_a_wheel_that_names_files_elsewhere_gets_nowhere(ground: Ground, port: int, tmp_path: Path) -> None:
    with fetching(ground, port, tmp_path, spec("python", packages=["climber"])) as (done, _):
        assert done.verdict is Verdict.COMPILE_ERROR
        assert done.outputs == {}


@pytest.mark.by_turns
def test_a_name_that_would_confuse_a_terminal_is_not_taken(ground: Ground, port: int, tmp_path: Path) -> None:
    with fetching(ground, port, tmp_path, spec("python", packages=["oddname"])) as (done, _):
        assert done.verdict is Verdict.OK
    store = PackageStore(tmp_path / "packages")
    with pytest.raises(Exception, match="cannot be printed"):
        store.publish("0" * 64, io.BytesIO(done.outputs[ARCHIVE_NAME]), NOW)
    assert store.find("0" * 64, NOW) is None


def test_packages_cannot_be_changed_by_who_uses_them(ground: Ground, port: int, tmp_path: Path) -> None:
    code = "import os\nfor act in (os.remove, os.rmdir, lambda p: open(p, 'a')):\n"
    code += (
        "    try: act('/packages/python/greeter/__init__.py'); print('ESCAPED')\n    except OSError: print('BLOCKED')\n"
    )
    wish = spec("python", code, packages=["greeter==1.0"])
    assert use(ground, wish, fetched(ground, port, tmp_path, wish), "off").stdout == b"BLOCKED\n" * 3


@pytest.mark.by_turns
@pytest.mark.parametrize("language", ["python", "javascript", "go"])
def test_a_client_says_itself_where_it_gets_packages_from(language: str, ground: Ground) -> None:
    done = ground.run(question(language))
    assert done.verdict is Verdict.OK, done.stderr
    assert all("." in host for host in answered(done.stdout).hosts)
