"""Which packages a job may ask for: names and versions, as a registry can have them. Pure.

What names a file, a URL or a repository, or is an option of the client, is refused, and so is what no registry could
have: when the job is submitted, because fetching it would only say the same later. Apart from processors.code, because
the spec of a job is held to it, and knows no processor.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_LINE_CHARACTERS = 1000
_SHOWN_CHARACTERS = 200

# No line may become two: blanks are blanks alone, here and below.
_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_RELEASE = (  # https://packaging.python.org/en/latest/specifications/version-specifiers/
    r"v?([0-9]+!)?[0-9]+(\.[0-9]+)*([-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?[0-9]*)?"
    r"(-[0-9]+|[-_.]?(post|rev|r)[-_.]?[0-9]*)?([-_.]?dev[-_.]?[0-9]*)?(\+[a-z0-9]+([-_.][a-z0-9]+)*)?"
)
_CLAUSE = (
    rf"(=== *[a-z0-9.*+!_-]+|(==|!=) *{_RELEASE}(\.\*)?|(<=|>=|<|>) *{_RELEASE}"
    rf"|~= *(?=v?([0-9]+!)?[0-9]+\.[0-9]){_RELEASE})"
)
_MARKER = r";[A-Za-z0-9_. \"'<>=!~(),-]*"
_REQUIREMENT = re.compile(
    rf"{_NAME} *(\[[A-Za-z0-9._, -]*\])? *(?P<versions>{_CLAUSE}( *, *{_CLAUSE})*)? *({_MARKER})?",
    re.ASCII | re.IGNORECASE,
)
_HASH = re.compile(r" +--hash=(sha256|sha384|sha512):[0-9a-f]+")
_NPM = re.compile(
    r"(?P<name>(@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-zA-Z0-9._~-]*)(@ *[A-Za-z0-9.^~<>=|*+-][A-Za-z0-9.^~<>=|*+ -]*)?"
)
_NPM_NAME_CHARACTERS = 214
_NPM_NAMES_NOT_GIVEN = ("node_modules", "favicon.ico")
_MODULE = re.compile(
    r"(?P<path>[A-Za-z0-9][A-Za-z0-9./_~-]*)@v(?P<major>[0-9]{1,9})\.[0-9]+\.[0-9]+[A-Za-z0-9.-]*(?P<old>\+incompatible)?"
)
_ELSEWHERE = re.compile(r"[a-z+]+://|(git|ssh|file|link|http|https|github|gitlab|bitbucket|gist|npm)[+:]|git@")
_PATH = re.compile(r"[./~\\]|[A-Za-z]:\\")
_FROM_REGISTRY = ("https://", "http://")

_PYTHON_FORM = "is no requirement with a name and versions, as requests==2.32.3"
_NPM_FORM = "is no package with a version, as lodash@4.17.21"
_GO_FORM = "is no module with a version, as example.org/module@v1.2.3"


def package_problem(
    language: str, *, packages: Sequence[str], lock: str | None, files: Mapping[str, str]
) -> str | None:
    """Say what is wrong with what a job asks for, by the entry; None when nothing is."""
    match language:
        case "python":
            return _requirements_problem(requirement_lines(packages, lock))
        case "javascript":
            problems = (_npm_problem(entry) for entry in packages)
            return next(filter(None, problems), None) or (None if lock is None else _npm_lock_problem(lock))
        case "go":
            if lock is not None and "go.mod" not in files:
                return "lock is a go.sum, and there is no go.mod in files that belongs to it"
            return next(filter(None, (_module_problem(entry) for entry in packages)), None)
    if packages or lock is not None:
        return "packages and lock are not for Rust: a program has its standard library, and no more"
    return None


def requirement_lines(packages: Sequence[str], lock: str | None) -> list[str]:
    """What is asked of pip: the lines of a requirements.txt, without comments, each on one line."""
    lines = [*packages, *(lock or "").replace("\\\n", " ").splitlines()]
    plain = (re.sub(r"(^|\s)#.*", "", line).replace("\t", " ").strip() for line in lines)
    return [re.sub(" +", " ", line) for line in plain if line]


def _requirements_problem(lines: Sequence[str]) -> str | None:
    has_hashes = any(_HASH.search(line) for line in lines)
    for line in lines:
        plain = _HASH.sub("", line)
        found = _REQUIREMENT.fullmatch(plain) if len(plain) <= _LINE_CHARACTERS else None
        if found is None:
            return _no(line, _PYTHON_FORM)
        # pip takes hashes for all or for none, and only of one version.
        if has_hashes and plain == line:
            return f"{_shown(line)} has no hash, and others have one: all need one, or none"
        if has_hashes and not re.fullmatch(r"={2,3}[^,*]+", (found["versions"] or "").strip()):
            return f"{_shown(line)} has a hash, and no exact version with =="
    return None


def _npm_problem(entry: str) -> str | None:
    found = _NPM.fullmatch(entry)
    if found is None or len(found["name"]) > _NPM_NAME_CHARACTERS or found["name"].lower() in _NPM_NAMES_NOT_GIVEN:
        return _no(entry, _NPM_FORM)
    return None


def _npm_lock_problem(lock: str) -> str | None:
    try:
        packages: Any = json.loads(lock)["packages"]
        entries = [(name, each.get("resolved")) for name, each in packages.items()]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return "lock is no package-lock.json of version 2 or 3"
    if "" not in packages:
        return "lock is no package-lock.json of version 2 or 3"
    for name, resolved in entries:
        if isinstance(resolved, str) and not resolved.startswith(_FROM_REGISTRY):
            return f"{_shown(name)} in the lock comes from {_shown(resolved)}, and packages come from a registry here"
    return None


def _module_problem(entry: str) -> str | None:
    found = _MODULE.fullmatch(entry)
    if found is None:
        return _no(entry, _GO_FORM)
    path, major = found["path"], int(found["major"])
    parts = path.split("/")
    if "." not in parts[0] or any(not part or part[0] == "." or part[-1] == "." for part in parts):
        return f"{_shown(entry)} {_GO_FORM}: its path begins with a host"
    if parts[0] == "gopkg.in":  # it has the version in the name, by rules of its own
        return None
    base = "/".join(parts[:-1]) if re.fullmatch(r"v[0-9]+", parts[-1]) else path
    right = base if major < 2 or found["old"] else f"{base}/v{major}"
    return None if path == right else f"{_shown(entry)} {_GO_FORM}: of version {major} the path is {_shown(right)}"


def _no(entry: str, form: str) -> str:
    why = ""
    if entry.startswith("-"):
        why = ": options of the client are not taken"
    elif _ELSEWHERE.search(entry):
        why = ": URLs, repositories and aliases are not taken"
    elif _PATH.match(entry):
        why = ": paths are not taken"
    return f"{_shown(entry)} {form}{why}"


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARACTERS])
