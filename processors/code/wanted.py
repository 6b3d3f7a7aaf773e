"""Which packages a job asks for, in the words of its language's client. Pure.

    python      `packages` or `lock` are lines of a requirements.txt, hashes allowed
    javascript  `packages` are name@version, or `lock` is a package-lock.json (version 2 or 3)
    go          `packages` are module@v1.2.3, or `lock` is the go.sum of a go.mod in `files`
    rust        has none

Names and versions only: what names a file, a URL or a repository, or is an option of the client, is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.code.prepared import CannotPrepare
from processors.protocol import CodeSpec

_LINE_CHARACTERS = 1000
# No line may become two: blanks are blanks alone, here and below.
_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"(===|~=|==|!=|<=|>=|<|>) *[A-Za-z0-9.*+!_-]+"
_MARKER = r";[A-Za-z0-9_. \"'<>=!~(),-]*"
_REQUIREMENT = re.compile(rf"{_NAME} *(\[[A-Za-z0-9._, -]*\])? *({_VERSION}( *, *{_VERSION})*)? *({_MARKER})?")
_HASH = re.compile(r" +--hash=(sha256|sha384|sha512):[0-9a-f]+")
_NPM = re.compile(r"(@[a-z0-9~][a-z0-9._~-]*/)?[a-z0-9~][a-zA-Z0-9._~-]*(@[A-Za-z0-9.^~<>=|*+ -]+)?")
_MODULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_~-]*@v[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*")
_OF_ROOT = ("name", "version", "dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Packages that a job asks for, as its language's client takes them."""

    language: str
    files: Mapping[str, str]  #: that the client reads, by name
    arguments: tuple[str, ...] = ()

    def key(self, secret: bytes, *, organisation: str, image: str, registry: str) -> str:
        """What the same request of the same organisation is known by, and nobody else can know or make."""
        parts = [organisation, image, registry, self.language, *self.arguments, json.dumps(sorted(self.files.items()))]
        text = json.dumps(parts)
        return hmac.new(secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def wanted(spec: CodeSpec) -> Wanted | None:
    """What a job asks for; None when it needs no packages.

    Raises:
        CannotPrepare: there can be no such packages; names the entry.
    """
    if spec.packages is None and spec.lock is None:
        return None
    match spec.language:
        case "python":
            lines = [*(spec.packages or ()), *(spec.lock or "").replace("\\\n", " ").splitlines()]
            kept = [text for line in lines if (text := _without_comment(line))]
            for text in kept:
                plain = _HASH.sub("", text)
                if len(plain) > _LINE_CHARACTERS or not _REQUIREMENT.fullmatch(plain):
                    raise CannotPrepare(
                        f"{text[:200]!r} is no requirement with a name and versions, as requests==2.32.3"
                    )
            return Wanted("python", {"requirements.txt": "\n".join(kept) + "\n"})
        case "javascript":
            return _of_npm(spec)
        case "go":
            return Wanted("go", go_files(spec), ("all",) if spec.packages else ())
    raise CannotPrepare("Rust has no packages here: a program has its standard library and no more")


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line).replace("\t", " ").strip()


def _of_npm(spec: CodeSpec) -> Wanted:
    for entry in spec.packages or ():
        if not _NPM.fullmatch(entry):
            raise CannotPrepare(f"{entry[:200]!r} is no package with a version, as lodash@4.17.21")
    if spec.lock is None:
        return Wanted("javascript", {"package.json": "{}"}, ("install", *(spec.packages or ())))
    try:
        lock: Any = json.loads(spec.lock)
        root = lock["packages"][""]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise CannotPrepare("lock is no package-lock.json of version 2 or 3") from None
    of_root = {name: root[name] for name in _OF_ROOT if name in root} if isinstance(root, dict) else {}
    manifest = (spec.files or {}).get("package.json", json.dumps(of_root))
    return Wanted("javascript", {"package.json": manifest, "package-lock.json": spec.lock}, ("ci",))


def go_files(spec: CodeSpec) -> dict[str, str]:
    """go.mod and go.sum of a program in Go, where packages are asked for.

    Raises:
        CannotPrepare: an entry has no exact version, or there is no go.mod.
    """
    files = spec.files or {}
    if spec.packages:
        for entry in spec.packages:
            if not _MODULE.fullmatch(entry):
                raise CannotPrepare(f"{entry[:200]!r} is no module with a version, as example.org/module@v1.2.3")
        lines = "".join(f"\t{entry.replace('@', ' ')}\n" for entry in spec.packages)
        return {"go.mod": f"module job\n\ngo 1.24\n\nrequire (\n{lines})\n"}
    if "go.mod" not in files:
        raise CannotPrepare("lock is a go.sum, and there is no go.mod in files that belongs to it")
    return {"go.mod": files["go.mod"], "go.sum": spec.lock or ""}
