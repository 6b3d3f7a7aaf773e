"""Who somebody of a sign-on server is here: which organisation, which role. Pure.

The server is a Better Auth. Its organisations have an id and a slug, its members one role or several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from urllib.parse import urlsplit

from pitchey_cli.domain.access import Actor, Role
from pitchey_cli.domain.errors import Denied, UsageError
from pitchey_cli.domain.policy import pairs
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class Person:
    """What the sign-on server says of somebody."""

    id: str
    name: str  #: an address of electronic mail, where it gives one
    organisation: str = ""  #: slug of the one that they work for now
    organisation_id: str = ""
    roles: tuple[str, ...] = ()  #: in it


@dataclass(frozen=True)
class Terms:
    """Where it answers, and what its words mean here."""

    url: str  #: without a slash at its end
    issuer: str  #: of its JWTs
    audience: str  #: they have to be made for
    origins: frozenset[str] = frozenset()  #: pages that may use its cookie here
    cache_seconds: float = 0.0  #: how long what it said of a session is believed
    roles: Mapping[str, Role] = field(default_factory=dict)
    organisations: Mapping[str, str] = field(default_factory=dict)  #: id -> name here
    has_slugs: bool = False  #: an organisation that is not among them is called here as there

    def actor(self, person: Person) -> Actor:
        """Who somebody is here.

        Raises:
            Denied: they work for no organisation now, for one that is nobody here, or with a role that means nothing.
        """
        if not person.organisation_id:
            text = f"{person.name} has no active organisation at the sign-on server."
            raise Denied(text, hint="Choose one there, and try again.")
        organisation = self._name_of(person)
        if not organisation:
            text = f"The organisation {person.organisation or person.organisation_id!r} is nobody here."
            raise Denied(text, hint=f"The setting sign_on.organisations says whose id {person.organisation_id} is.")
        known = [self.roles[role] for role in person.roles if role in self.roles]
        if not known:
            said = ", ".join(person.roles) or "none"
            raise Denied(
                f"{person.name} has a role in {organisation} that means nothing here: {said}.",
                hint="The setting sign_on.roles says which roles mean what.",
            )
        strongest = next(role for role in known if all(role.includes(other) for other in known))
        return Actor(f"user {person.name}", strongest, organisation, id=f"user {person.id}")

    def _name_of(self, person: Person) -> str:
        """By its id alone where that says it: whoever makes an organisation there chooses its slug, and changes it."""
        if (name := self.organisations.get(person.organisation_id)) is not None:
            return name
        is_taken = person.organisation in {DEFAULT_ORGANISATION, *self.organisations.values()}
        return person.organisation if self.has_slugs and not is_taken else ""


def parse_roles(text: str) -> dict[str, Role]:
    """Read the setting `sign_on.roles`.

    Raises:
        UsageError: it is no list of pairs, or names no role.
    """
    meant: dict[str, Role] = {}
    for theirs, ours in pairs(text, where="sign_on.roles"):
        if ours not in {role.value for role in Role}:
            there = ", ".join(Role)
            raise UsageError(f"sign_on.roles: {ours!r} is no role.", hint=f"There are {there}.")
        meant[theirs] = Role(ours)
    return meant


def web_address(text: str, *, where: str) -> str:
    """A URL of the web, without a slash at its end.

    Raises:
        UsageError: it is none.
    """
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise UsageError(f"{where}: {text!r} is no URL.", hint="It is like https://app.example/api/auth.")
    return text.rstrip("/")


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
