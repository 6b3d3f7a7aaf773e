"""Which packages a job asks for, in the words of its language's client. Pure.

    python      `packages` or `lock` are lines of a requirements.txt, hashes allowed
    javascript  `packages` are name@version, or `lock` is a package-lock.json (version 2 or 3)
    go          `packages` are module@v1.2.3, or `lock` is the go.sum of a go.mod in `files`
    rust        has none

What they may be is in processors/package_names.py, and every spec has been held to it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.package_names import requirement_lines
from processors.specs import CodeSpec

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
    """What a job asks for; None when it needs no packages."""
    if spec.packages is None and spec.lock is None:
        return None
    if spec.language == "python":
        lines = requirement_lines(spec.packages or (), spec.lock)
        return Wanted("python", {"requirements.txt": "\n".join(lines) + "\n"})
    if spec.language == "javascript":
        return _of_npm(spec)
    return Wanted("go", go_files(spec), ("all",) if spec.packages else ())


def _of_npm(spec: CodeSpec) -> Wanted:
    if spec.lock is None:
        return Wanted("javascript", {"package.json": "{}"}, ("install", *(spec.packages or ())))
    root: Any = json.loads(spec.lock)["packages"][""]
    of_root = {name: root[name] for name in _OF_ROOT if name in root} if isinstance(root, dict) else {}
    manifest = (spec.files or {}).get("package.json", json.dumps(of_root))
    return Wanted("javascript", {"package.json": manifest, "package-lock.json": spec.lock}, ("ci",))


def go_files(spec: CodeSpec) -> dict[str, str]:
    """go.mod and go.sum of a program in Go, where packages are asked for."""
    if spec.packages:
        lines = "".join(f"\t{entry.replace('@', ' ')}\n" for entry in spec.packages)
        return {"go.mod": f"module job\n\ngo 1.24\n\nrequire (\n{lines})\n"}
    return {"go.mod": (spec.files or {})["go.mod"], "go.sum": spec.lock or ""}
