"""What a supervisor is told of the host that it works for, beside its options. Pure.

It goes through the environment of its process, which only its own user can read: an index of packages, or a proxy, may
be named together with a password.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pitchey_cli.domain.outward import Outward

VARIABLE = "PITCHEY_SURROUNDINGS"
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of the network, and of packages."""

    packages_dir: str
    outward: Outward = field(default_factory=Outward)
    ca_bundle: str = ""  #: what a proxy of the company signs with
    proxies: Mapping[str, str] = field(default_factory=dict)  #: the variables of the environment that name them
    packages_days: float = 30.0  #: that packages are kept which nobody uses
    packages_bytes: int = 5 << 30  #: of all of them

    def as_text(self) -> str:
        """As it is handed over."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Surroundings:
        """Read what was handed over."""
        said: dict[str, Any] = json.loads(text)
        return cls(**{**said, "outward": Outward(**said["outward"])})


def proxies_of(environ: Mapping[str, str]) -> dict[str, str]:
    """What of an environment says which proxies there are."""
    return {name: environ[name] for name in _PROXIES if environ.get(name)}
