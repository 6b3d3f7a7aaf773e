"""Which packages a job may ask for, and what that is for its language's client."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.code.languages import prepare
from processors.code.packages import (
    ARCHIVE_NAME,
    LIMITS,
    answered,
    configured,
    failure,
    prepare_packages,
    question,
)
from processors.code.prepared import CannotPrepare
from processors.code.slot_protocol import MAX_OUTPUT_BYTES, Job
from processors.code.wanted import Wanted, wanted
from processors.specs import CodeSpec

LOCK = {"lockfileVersion": 3, "packages": {"": {"dependencies": {"a": "1"}, "scripts": {"install": "x"}}}}


def spec(language: str, **fields: Any) -> CodeSpec:
    return CodeSpec.model_validate({"language": language, "code": "", **fields})


def asked(language: str, **fields: Any) -> Wanted:
    found = wanted(spec(language, **fields))
    assert found is not None
    return found


def test_most_programs_want_none() -> None:
    assert wanted(spec("python")) is None


@pytest.mark.parametrize(
    ("language", "packages"),
    [
        ("python", ["requests==2.32.3", "numpy", "a[b,c]>=1.0,<2", "x ~= 1.2 ; python_version < '4'"]),
        ("javascript", ["lodash", "lodash@4", "@scope/name@^1.2.3", "a@>=1 <2", "b@latest"]),
        ("python", ["a==1.0.*", "a===what.ever", "a>=1!2.0rc1,<3.post2", "A_b.c!=1.0.dev3+local.1", "a==v1-1"]),
        ("go", ["example.org/module@v1.2.3", "example.org/a/v2@v2.0.0-20240101000000-abcdef123456"]),
        ("go", ["example.org/a@v2.0.0+incompatible", "gopkg.in/yaml.v3@v3.0.1", "example.org/a@v0.0.1-rc.1"]),
    ],
)
def test_names_and_versions_are_taken(language: str, packages: list[str]) -> None:
    assert asked(language, packages=packages).language == language


@pytest.mark.parametrize(
    ("language", "package"),
    [
        *[("python", entry) for entry in (
            "--index-url=https://x.example", "-r other.txt", "-e .", "./here", "/etc", "a @ https://x.example/a.whl",
            "git+https://x.example/a", "https://x.example/a.whl", "a --global-option=x", "a==1 --no-binary=:all:",
            "a b", "a==1\n--hash=sha256:0", "a\r-e .",
            "a" + " " * 999 + "--pre", "a==1,\n>0", "file:///etc", "a;b\n-e .", "C:\\a", "\u202ea", "\u212aa",
            "a==latest", "a@1.0", "a=1", "a>=", "a~=1", "a<2.*", "a==1 2", "a" * 1001,
        )],
        *[("javascript", entry) for entry in (
            "git+https://x.example/a", "x/y", "file:../a", "./a", "a@npm:b", "a@file:..", "a@https://x.example/a.tgz",
            "--registry=https://x.example", "-g", "a b", "github:a/b", "a@git+ssh://x", "A@1/../b",
            "git+ssh://git@x.example/a.git", "git@x.example:a/b", "node_modules", "a" * 215, ".a", "_a@1", "a@", "a@ ",
        )],
        *[("go", entry) for entry in (
            "example.org/a", "example.org/a@latest", "example.org/a@main", "-x@v1.0.0", "a b@v1.0.0", "a@v1.0.0\n)",
            "../a@v1.0.0", "a@v1.0.0 // x", "fmt@v1.0.0", "example.org//a@v1.0.0", "example.org/.a@v1.0.0",
            "example.org/a/@v1.0.0", "example.org/a@v1.0.0+local", "example.org/a@v2.0.0", "example.org/a/v2@v3.0.0",
            "example.org/a/v2@v1.0.0", "example.org/a/v2@v2.0.0+incompatible", "example.org/a@v" + "9" * 5000 + ".0.0",
        )],
    ],
)  # fmt: skip
def test_what_is_no_name_with_a_version_is_refused_by_name(language: str, package: str) -> None:
    with pytest.raises(ValidationError, match=r"Value error, ['\"].* is no "):
        spec(language, packages=[package])


@pytest.mark.parametrize(
    ("language", "package", "why"),
    [
        ("python", "--index-url=https://x.example", "options of the client are not taken"),
        ("python", "./here", "paths are not taken"),
        ("python", "a @ https://x.example/a.whl", "URLs, repositories and aliases are not taken"),
        ("javascript", "git+ssh://git@x.example/a.git", "URLs, repositories and aliases are not taken"),
        ("javascript", "../a", "paths are not taken"),
        ("go", "fmt@v1.0.0", "its path begins with a host"),
        ("go", "example.org/a@v2.1.0", "of version 2 the path is 'example.org/a/v2'"),
        ("go", "example.org/a/v2@v1.1.0", "of version 1 the path is 'example.org/a'"),
    ],
)
def test_what_is_refused_says_why_where_that_can_be_known(language: str, package: str, why: str) -> None:
    with pytest.raises(ValidationError, match=rf"'.* is no .*: {re.escape(why)}"):
        spec(language, packages=[package])


def test_a_requirements_file_may_have_hashes_comments_and_lines_that_go_on() -> None:
    text = f"# by hand\na==1 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}\n\n"
    assert asked("python", lock=text).files["requirements.txt"].splitlines() == [
        f"a==1 --hash=sha256:{'0' * 64} --hash=sha256:{'1' * 64}",
    ]
    assert asked("python", lock="a\n\nb>=2\t# newest\n").files["requirements.txt"] == "a\nb>=2\n"
    with pytest.raises(ValidationError, match="--extra-index-url"):
        spec("python", lock="a==1\n--extra-index-url https://x.example\n")


@pytest.mark.parametrize(
    ("other", "says"),
    [("b==2", "'b==2' has no hash, and others have one"), ("b>=2 {hash}", "'b>=2 .* and no exact version"),
     ("b==2.* {hash}", "and no exact version"), ("b {hash}", "and no exact version")],
)  # fmt: skip
def test_hashes_are_for_all_packages_or_for_none(other: str, says: str) -> None:
    hashed = f"--hash=sha256:{'0' * 64}"
    with pytest.raises(ValidationError, match=says):
        spec("python", lock=f"a==1 {hashed}\n{other.format(hash=hashed)}\n")


def test_a_line_of_blanks_without_end_is_read_at_once() -> None:
    assert asked("python", lock=f"a{' ' * 2_000_000}==1\n").files["requirements.txt"] == "a ==1\n"


def test_a_lock_of_npm_needs_no_manifest_and_brings_no_scripts() -> None:
    found = asked("javascript", lock=json.dumps(LOCK))
    assert json.loads(found.files["package.json"]) == {"dependencies": {"a": "1"}}
    assert found.arguments == ("ci",)
    for text in ("x", "[]", "{}", '{"packages": {}}', '{"lockfileVersion": 1, "dependencies": {}}'):
        with pytest.raises(ValidationError, match=r"package-lock\.json"):
            spec("javascript", lock=text)


@pytest.mark.parametrize("place", ["git+ssh://git@x.example/a.git#1", "file:../a", "../a"])
def test_a_lock_that_leads_past_the_registry_is_refused_by_name(place: str) -> None:
    packages = {**LOCK["packages"], "node_modules/a": {"version": "1.0.0", "resolved": place}}  # type: ignore[dict-item]
    with pytest.raises(ValidationError, match="'node_modules/a' in the lock comes from '"):
        spec("javascript", lock=json.dumps({**LOCK, "packages": packages}))


def test_go_has_its_lock_beside_go_mod() -> None:
    files = {"go.mod": "module m\n"}
    assert asked("go", lock="x v1.0.0 h1:a=\n", files=files).files == {**files, "go.sum": "x v1.0.0 h1:a=\n"}
    with pytest.raises(ValidationError, match=r"there is no go\.mod"):
        spec("go", lock="x")
    assert "example.org/a v1.0.0\n" in asked("go", packages=["example.org/a@v1.0.0"]).files["go.mod"]


def test_rust_has_none_and_nobody_says_both() -> None:
    with pytest.raises(ValidationError, match="standard library"):
        spec("rust", packages=["serde"])
    with pytest.raises(ValidationError, match="cannot be said together"):
        spec("python", packages=["a"], lock="a")


def key(found: Wanted, **changes: Any) -> str:
    fields = {"organisation": "acme", "image": "pitchey/code:1", "registry": ""}
    return found.key(changes.pop("secret", b"s" * 32), **{**fields, **changes})


def test_a_key_is_another_for_everything_that_matters() -> None:
    found = asked("python", packages=["a==1"])
    keys = [
        key(found),
        key(found, secret=b"t" * 32),
        key(found, organisation="other"),
        key(found, image="pitchey/code:2"),
        key(found, registry="https://x.example"),
        key(asked("python", packages=["a==2"])),
        key(asked("javascript", packages=["a"])),
        key(asked("javascript", packages=["b"])),
    ]
    assert len(set(keys)) == len(keys)
    assert key(found) == key(asked("python", lock="a==1"))
    assert len(key(found)) == 64


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_two_requests_never_share_a_key_by_where_the_parts_end(a: str, b: str, c: str, d: str) -> None:
    found = asked("python", packages=["a"])
    assert (key(found, organisation=a, image=b) == key(found, organisation=c, image=d)) is ((a, b) == (c, d))


@pytest.mark.parametrize("language", ["python", "javascript", "go"])
def test_the_prepare_job_is_one_that_a_slot_takes(language: str) -> None:
    package = {"python": "a==1", "javascript": "a@1", "go": "example.org/a@v1.0.0"}[language]
    found = asked(language, packages=[package])
    prepared = prepare_packages(found, configured("https://registry.example:8443/x", ["files.example"]))
    job = Job.read(prepared.job.document())
    assert job.compile is not None
    assert job.compile.environment["HTTPS_PROXY"] == "http://127.0.0.1:3128"
    assert "https://registry.example:8443/x" in job.compile.environment.values()
    assert "HTTPS_PROXY" not in job.run.environment
    assert job.collection.patterns == (ARCHIVE_NAME,)
    assert job.collection.max_bytes <= MAX_OUTPUT_BYTES
    assert prepared.memory_bytes == LIMITS.disk_bytes + (128 << 20) == 512 << 20
    Job.read(question(language).job.document())


def test_an_answer_of_a_client_names_hosts() -> None:
    assert answered(b"https://a.example/simple/ https://b.example\n").hosts == ("a.example", "b.example")
    assert answered(b"https://a.example|https://b.example:8443/x,direct\nsum.example\n").hosts == (
        "a.example",
        "b.example:8443",
        "sum.example",
    )
    with pytest.raises(CannotPrepare):
        answered(b"off\n")


def test_a_registry_that_no_slot_can_reach_is_refused_without_its_password() -> None:
    assert configured("https://me:word@registry.example/x", ["f.example"]).hosts == ("registry.example", "f.example")
    for url in ("file:///srv/simple", "http://me:word@registry.example", "/srv/simple", ""):
        with pytest.raises(CannotPrepare, match="https only") as raised:
            configured(url)
        assert "word" not in str(raised.value)


def test_a_failure_says_what_the_client_has_said_last() -> None:
    assert failure(None, b"").endswith("without a report.")


def test_at_run_time_a_program_finds_packages_and_only_then() -> None:
    assert "PYTHONPATH" not in prepare(spec("python")).job.run.environment
    with_packages = prepare(spec("python", packages=["a"]), has_packages=True)
    assert with_packages.job.run.environment["PYTHONPATH"] == "/packages/python"
    go = prepare(spec("go", packages=["example.org/a@v1.0.0"]), has_packages=True).job
    assert go.compile is not None
    assert go.compile.environment["GOPROXY"] == "file:///packages/go/cache/download"
    assert "go.mod" in [file.name for file in go.files]


def test_a_networked_program_knows_the_proxy_and_a_private_one_does_not() -> None:
    for language in ("python", "go", "rust", "javascript"):
        alone = prepare(spec(language)).job.run
        networked = prepare(spec(language, allowNetworking=True), has_ca_bundle=True).job.run
        assert not any("proxy" in name.lower() for name in alone.environment)
        assert "http://127.0.0.1:3128" in networked.environment.values()
        assert networked.environment["SSL_CERT_FILE"] == "/run/pitchey-proxy/ca-bundle.crt"
