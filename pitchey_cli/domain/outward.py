"""What the operator says of the network of programs that nobody trusts, and of where their packages come from. Pure.

Plain texts, as the settings have them, so that they can be handed to another process; each is parsed where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pitchey_cli.domain.egress import Egress, exact, parse_patterns
from pitchey_cli.domain.errors import UsageError

_CHECKSUMS = re.compile(r"[a-z0-9.-]+(\+[0-9a-f]+\+[A-Za-z0-9+/=]+)?( https://\S+)?")


@dataclass(frozen=True, slots=True)
class Outward:
    """The settings below `code`, by their names there."""

    allowed_hosts: str = "*"
    private_hosts: str = ""
    package_hosts: str = ""
    pip_index: str = ""
    npm_registry: str = ""
    go_proxy: str = ""
    go_checksums: str = ""

    def of_programs(self) -> Egress:
        """Whom a networked program may reach.

        Raises:
            UsageError: an entry is no host.
        """
        return Egress(
            parse_patterns(self.allowed_hosts, where="code.allowed_hosts"),
            parse_patterns(self.private_hosts, where="code.private_hosts"),
        )

    def of_packages(self, hosts: Iterable[str]) -> Egress:
        """Whom a package client may reach.

        Args:
            hosts: of its registry.

        Raises:
            UsageError: an entry is no host.
        """
        try:
            of_registry = exact(hosts)
        except ValueError as error:
            raise UsageError(f"The registry of packages is at no host that can be reached: {error}.") from error
        more = parse_patterns(self.package_hosts, where="code.package_hosts")
        private = parse_patterns(self.private_hosts, where="code.private_hosts")
        return Egress((*of_registry, *more), private, setting="code.package_hosts")

    def registry(self, language: str) -> str:
        """Where a language's packages come from; empty: from where its client gets them by itself."""
        return {"python": self.pip_index, "javascript": self.npm_registry, "go": self.go_proxy}.get(language, "")

    def check(self) -> None:
        """Raise UsageError for what means nothing."""
        self.of_programs()
        self.of_packages(())
        for name, url in (("pip_index", self.pip_index), ("npm_registry", self.npm_registry)):
            if url and not _is_url(url):
                raise _unreachable(name, url)
        proxies = [each for each in self.go_proxy.replace("|", ",").split(",") if each]
        if not all(each in ("direct", "off") or _is_url(each) for each in proxies):
            raise _unreachable("go_proxy", self.go_proxy)
        if self.go_checksums and not _CHECKSUMS.fullmatch(self.go_checksums):
            hint = "It is off, or a name as Go's GOSUMDB has it, with a key and a URL where Go does not know it."
            raise UsageError(f"code.go_checksums: {self.go_checksums!r} names no database of hashes.", hint=hint)


def _is_url(text: str) -> bool:
    return re.fullmatch(r"https://[^/?#\s]+([/?#]\S*)?", text) is not None


def _unreachable(name: str, url: str) -> UsageError:
    shown = re.sub(r"//[^/]*@", "//", url)  # there may be a password in it
    return UsageError(
        f"code.{name}: {shown!r} is no URL that begins with https://.",
        hint="A slot reaches nothing else: neither files of this machine nor servers without TLS.",
    )
