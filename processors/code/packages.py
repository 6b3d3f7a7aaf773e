"""Fetching packages: the job of a slot that does it, from where, and what to say when it fails. Pure; runs on the host.

They are fetched in a slot of their own, with the proxy, by the language's own client, and none of their code is run: of
Python there are wheels only, of npm no scripts. What comes back is one archive, which the host unpacks and mounts on
PACKAGES_DIR, read-only, for jobs of the same organisation that ask for the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from processors.code import networking
from processors.code.prepared import CannotPrepare, Prepared
from processors.code.slot_protocol import (
    CA_BUNDLE,
    JOB_DIR,
    MAX_OUTPUT_BYTES,
    OUT_DIR_NAME,
    TMP_DIR,
    Collection,
    Job,
    JobFile,
    Phase,
    PhaseLimits,
)
from processors.code.slot_report import Report
from processors.code.verdict import Verdict
from processors.code.wanted import Wanted
from processors.slot_needs import HEADROOM_BYTES, MIB

ARCHIVE_NAME = f"{OUT_DIR_NAME}/packages.gz"  #: see pitchey_cli/packages/unpacking.py

_CLIENTS = "/usr/local/lib/clients"
_CACHE = ".cache"
_LAST_LINES = 12


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """What preparing may take."""

    unpacked_bytes: int = 256 * MIB
    files: int = 40_000
    seconds: float = 240.0

    @property
    def disk_bytes(self) -> int:
        """Of the slot's /job, which is memory: the packages, and the archive of what has been packed."""
        return self.unpacked_bytes * 3 // 2

    @property
    def memory_bytes(self) -> int:
        """Of the client and all its files."""
        return self.disk_bytes + 128 * MIB - HEADROOM_BYTES


LIMITS = PackageLimits()


@dataclass(frozen=True, slots=True)
class Registry:
    """Where a language's packages come from."""

    url: str  #: as the client is told; empty: the client's own
    hosts: tuple[str, ...]  #: that the proxy has to let through, each with its port where it is not 443
    checksums: str = ""  #: Go's GOSUMDB; empty: the client's own


#: asks a client for its own registry, so that it is written down nowhere else
_QUESTIONS = {
    "python": (
        "/usr/bin/python3",
        "-P",
        "-s",
        "-c",
        "from pip._internal.models.index import PyPI; print(PyPI.simple_url, 'https://' + PyPI.file_storage_domain)",
    ),
    "javascript": ("/usr/bin/node", f"{_CLIENTS}/npm/bin/npm-cli.js", "config", "get", "registry"),
    "go": ("/usr/bin/go", "env", "GOPROXY", "GOSUMDB"),
}


def question(language: str) -> Prepared:
    """The job, without network, that asks a language's client where it gets packages from; see `answered`."""
    environment = {**_environment(language), "PYTHONPATH": _CLIENTS}
    run = Phase(_QUESTIONS[language], environment, PhaseLimits(wall_seconds=30, memory_bytes=256 * MIB))
    return Prepared(Job((), run), (), b"")


def answered(stdout: bytes) -> Registry:
    """Read the client's answer.

    Raises:
        CannotPrepare: it is no answer.
    """
    hosts: list[str] = []
    for word in re.split(r"[\s,|]+", stdout.decode("utf-8", "replace")):
        if word.startswith("https://"):
            hosts.append(_host(word))
        elif re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", word):  # as GOSUMDB has it
            hosts.append(word)
    if not hosts:
        raise CannotPrepare("the package client of this language does not say where it gets packages from")
    return Registry("", tuple(dict.fromkeys(hosts)))


def configured(url: str, hosts: Sequence[str] = (), *, checksums: str = "") -> Registry:
    """A registry that the host has in its settings.

    Args:
        hosts: others that it leads to.
        checksums: who knows the hashes of modules of Go, as GOSUMDB; `off` where nobody does.

    Raises:
        CannotPrepare: it cannot be reached from a slot.
    """
    own = tuple(_host(each) for each in re.split(r"[,|]", url) if each not in ("direct", "off"))
    return Registry(url, tuple(dict.fromkeys((*own, *hosts))), checksums)


def _host(url: str) -> str:
    found = re.match(r"https://(?:[^/@?#]*@)?([^/@?#]+)", url)
    if found is None:
        raise CannotPrepare(
            f"{re.sub(r'//[^/@]*@', '//', url)!r} cannot be reached from a slot, which speaks https only"
        )
    return found[1].lower()


def prepare_packages(
    wanted: Wanted, registry: Registry, *, has_ca_bundle: bool = False, limits: PackageLimits = LIMITS
) -> Prepared:
    """Say what a slot with the proxy has to do: the client is the compiler of this job, and packing is its program."""
    allowed = PhaseLimits(
        wall_seconds=limits.seconds,
        memory_bytes=limits.memory_bytes,
        file_bytes=limits.disk_bytes,
        open_files=1024,
    )
    environment = _environment(wanted.language) | networking.environment(wanted.language, has_ca_bundle=has_ca_bundle)
    if wanted.language == "javascript":
        environment |= {"HTTPS_PROXY": networking.PROXY_URL}  # npm does it right
    if has_ca_bundle:
        environment |= {"PIP_CERT": CA_BUNDLE}
    if registry.url:
        environment |= {_REGISTRY_VARIABLES[wanted.language]: registry.url}
    if registry.checksums:
        environment |= {"GOSUMDB": registry.checksums}
    files = {name: text.encode("utf-8", "replace") for name, text in wanted.files.items()} | {f"{_CACHE}/.here": b""}
    contents = tuple(files.values())
    run = (
        "/usr/bin/python3",
        "-P",
        "-s",
        "/usr/local/lib/pitchey/pack.py",
        ARCHIVE_NAME,
        _KEPT[wanted.language],
        _CACHE,
    )
    job = Job(
        files=tuple(JobFile(name, len(content)) for name, content in files.items()),
        compile=Phase((*_COMMANDS[wanted.language], *wanted.arguments), environment, allowed),
        run=Phase(run, _environment(wanted.language), allowed),
        collection=Collection((ARCHIVE_NAME,), 1, MAX_OUTPUT_BYTES),
    )
    return Prepared(job, contents, b"")


_PIP = f"""/usr/bin/python3 -P -s {_CLIENTS}/pip install --only-binary :all: --target python --no-compile --no-cache-dir
    --no-input --disable-pip-version-check --progress-bar off --retries 1 --timeout 30 --requirement requirements.txt"""
_NPM = f"""/usr/bin/node {_CLIENTS}/npm/bin/npm-cli.js --ignore-scripts --no-bin-links --omit=dev --no-audit --no-fund
    --no-update-notifier --loglevel=error --fetch-retries=1 --cache={JOB_DIR}/{_CACHE}/npm"""
_COMMANDS = {
    "python": tuple(_PIP.split()),
    "javascript": tuple(_NPM.split()),
    "go": ("/usr/bin/go", "mod", "download", "-modcacherw"),
}
_KEPT = {"python": "python", "javascript": "node_modules", "go": "go"}
_REGISTRY_VARIABLES = {"python": "PIP_INDEX_URL", "javascript": "npm_config_registry", "go": "GOPROXY"}


def _environment(language: str) -> dict[str, str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": f"{JOB_DIR}/{_CACHE}",
        "TMPDIR": f"{JOB_DIR}/{_CACHE}" if language != "go" else TMP_DIR,
        "LANG": "C.UTF-8",
    }
    if language == "python":
        environment |= {"PIP_CONFIG_FILE": "/dev/null", "PYTHONDONTWRITEBYTECODE": "1"}
    if language == "go":
        environment |= {"GOENV": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOMODCACHE": f"{JOB_DIR}/go"}
    return environment


def failure(report: Report | None, stderr: bytes) -> str:
    """Say to a person why packages could not be prepared.

    Args:
        stderr: of the client, which is the report's compile phase.
    """
    if report is None:
        return "The slot that prepared the packages has ended without a report."
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    said = "\n".join(lines[-_LAST_LINES:])
    if report.verdict is Verdict.COMPILE_ERROR:
        return f"The packages cannot be fetched: {said or 'their client says nothing'}"
    message = report.message.replace("The compiler", "The package client").replace("The program", "Packing")
    return f"The packages could not be prepared. {message}" + (f"\n{said}" if said else "")
