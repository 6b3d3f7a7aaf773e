"""Signing on with a real Better Auth: its cookie, its bearer token and its JWT, and what is not good enough."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest

from pitchey_cli.domain.access import Role
from tests.resources.better_auth import better_auth
from tests.resources.served import Served, served

_NUMBERS = itertools.count(1)
PASSWORD = "a-long-password"


@dataclass
class Visitor:
    """Somebody at the sign-on server."""

    address: str
    client: httpx.Client
    bearer: str
    organisation_id: str = ""

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())

    def jwt(self) -> str:
        return str(self.client.get("/token").raise_for_status().json()["token"])

    def found(self, slug: str) -> None:
        """Make an organisation, and work for it."""
        made = self.client.post("/organization/create", json={"name": slug, "slug": slug}).raise_for_status().json()
        self.work_for(made["id"])

    def work_for(self, organisation: str) -> None:
        self.client.post("/organization/set-active", json={"organizationId": organisation}).raise_for_status()
        self.organisation_id = organisation


@pytest.fixture(scope="module")
def sign_on() -> Iterator[str]:
    with better_auth() as address:
        yield address


@pytest.fixture
def visitors(sign_on: str) -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def arrive(opened: ExitStack, sign_on: str) -> Visitor:
    address = f"visitor-{next(_NUMBERS)}@example.org"
    client = opened.enter_context(httpx.Client(base_url=f"{sign_on}/api/auth", headers={"Origin": sign_on}))
    told = client.post(
        "/sign-up/email", json={"email": address, "password": PASSWORD, "name": "Ada"}
    ).raise_for_status()
    return Visitor(address, client, unquote(told.headers["set-auth-token"]))


@pytest.fixture
def owner(visitors: ExitStack, sign_on: str) -> Visitor:
    """She owns an organisation of her own, and works for it."""
    made = arrive(visitors, sign_on)
    made.found(organisation_of(made))
    return made


def organisation_of(visitor: Visitor) -> str:
    return f"of-{visitor.address.partition('@')[0]}"


@contextmanager
def serving(tmp_path: Path, sign_on: str, *known: Visitor, **more: str) -> Iterator[Served]:
    """The API, in which the organisations of some visitors have the names that they have there."""
    names = {visitor.organisation_id: organisation_of(visitor) for visitor in known}
    environment = {
        "PITCHEY_SIGN_ON_URL": f"{sign_on}/api/auth/",
        "PITCHEY_SIGN_ON_CACHE_SECONDS": "0",
        "PITCHEY_SIGN_ON_ORGANISATIONS": ",".join(f"{theirs}={ours}" for theirs, ours in names.items()),
    }
    with served(tmp_path / "state", **(environment | more)) as api:
        for name in names.values():
            api.store.add_organisation(name, now=api.now)
        yield api


@pytest.mark.parametrize("way", ["cookie", "bearer", "jwt"])
def test_whoever_signed_on_is_somebody_here(tmp_path: Path, sign_on: str, owner: Visitor, way: str) -> None:
    shown = {
        "cookie": {"Cookie": f"theme=dark; {owner.cookie}"},
        "bearer": {"Authorization": f"Bearer {owner.bearer}"},
        "jwt": {"Authorization": f"Bearer {owner.jwt()}"},
    }[way]
    with serving(tmp_path, sign_on, owner) as api:
        me = api.client(**shown).get("/v1/me").raise_for_status().json()
        assert me == {
            "name": f"user {owner.address}", "organisation": organisation_of(owner), "role": "admin", "scopes": []
        }  # fmt: skip
        api.client(**shown).put("/v1/members/bob", json={"role": "viewer"}).raise_for_status()
        entry = api.client(**shown).get("/v1/audit").json()["entries"][0]
        assert (entry["actor"], entry["organisation"]) == (f"user {owner.address}", organisation_of(owner))


def test_nobody_gets_in_without_any_of_them_though_there_is_no_token_yet(tmp_path: Path, sign_on: str) -> None:
    with serving(tmp_path, sign_on) as api:
        for shown in ({}, {"Authorization": "Bearer none-of-theirs"}, {"Cookie": "better-auth.session_token=x.y"}):
            assert api.client(**shown).get("/v1/me").status_code == 401
        assert api.client(api.token(Role.VIEWER)).get("/v1/me").status_code == 200  # tokens go on


def test_signing_out_ends_it_and_the_answer_is_kept_for_no_longer_than_was_said(
    tmp_path: Path, sign_on: str, owner: Visitor
) -> None:
    with (
        serving(tmp_path / "a", sign_on, owner) as asks,
        serving(tmp_path / "b", sign_on, owner, PITCHEY_SIGN_ON_CACHE_SECONDS="3600") as keeps,
    ):
        clients = [api.client(owner.bearer) for api in (asks, keeps)]
        assert [client.get("/v1/me").status_code for client in clients] == [200, 200]
        owner.client.post("/sign-out", json={}).raise_for_status()
        assert [client.get("/v1/me").status_code for client in clients] == [401, 200]


def test_a_member_may_do_what_the_role_means_here(
    tmp_path: Path, sign_on: str, owner: Visitor, visitors: ExitStack
) -> None:
    bob = arrive(visitors, sign_on)
    invited = owner.client.post("/organization/invite-member", json={"email": bob.address, "role": "member"})
    invitation = {"invitationId": invited.raise_for_status().json()["id"]}
    joined = bob.client.post("/organization/accept-invitation", json=invitation).raise_for_status().json()
    bob.work_for(joined["member"]["organizationId"])
    with serving(tmp_path / "a", sign_on, owner) as api:
        assert api.client(bob.bearer).get("/v1/me").json()["role"] == "submitter"
        assert api.client(bob.bearer).get("/v1/tokens").status_code == 403
    with serving(tmp_path / "b", sign_on, owner, PITCHEY_SIGN_ON_ROLES="owner=admin,member=viewer") as api:
        assert api.client(bob.jwt()).get("/v1/me").json()["role"] == "viewer"
    with serving(tmp_path / "c", sign_on, owner, PITCHEY_SIGN_ON_ROLES="owner=admin") as api:
        refused = api.client(bob.bearer).get("/v1/me")
        assert refused.status_code == 403
        assert "means nothing here: member" in refused.json()["detail"]


def test_an_organisation_is_somebody_here_by_its_id_alone(tmp_path: Path, sign_on: str, owner: Visitor) -> None:
    slug = organisation_of(owner)
    with serving(tmp_path / "a", sign_on) as api:
        api.store.add_organisation(slug, now=api.now)  # whoever makes an organisation there chooses its slug
        refused = api.client(owner.bearer).get("/v1/me")
        assert refused.status_code == 403
        assert owner.organisation_id in refused.json()["hint"]
    with serving(tmp_path / "b", sign_on, PITCHEY_SIGN_ON_ORGANISATIONS=f"{owner.organisation_id}=acme") as api:
        assert "pitchey org add acme" in api.client(owner.bearer).get("/v1/me").json()["hint"]
        theirs = api.add(organisation="rival")
        api.store.add_organisation("acme", now=api.now)
        ours = api.add(organisation="acme")
        client = api.client(owner.jwt())
        assert [job["id"] for job in client.get("/v1/jobs").json()["jobs"]] == [ours]
        assert client.get(f"/v1/jobs/{theirs}").status_code == 404


def test_a_slug_is_a_name_where_that_was_said_but_never_that_of_somebody_else(
    tmp_path: Path, sign_on: str, visitors: ExitStack
) -> None:
    guest, squatter, usurper = (arrive(visitors, sign_on) for _ in range(3))
    guest.found("guests")
    squatter.found("acme")
    usurper.found("default")
    with serving(tmp_path, sign_on, PITCHEY_SIGN_ON_SLUGS="true", PITCHEY_SIGN_ON_ORGANISATIONS="some-id=acme") as api:
        for name in ("guests", "acme"):
            api.store.add_organisation(name, now=api.now)
        assert api.client(guest.bearer).get("/v1/me").json()["organisation"] == "guests"
        assert [api.client(each.bearer).get("/v1/me").status_code for each in (squatter, usurper)] == [403, 403]


def test_nobody_becomes_whoever_was_asked_about_before(tmp_path: Path, sign_on: str, owner: Visitor) -> None:
    with serving(tmp_path, sign_on, owner) as api:
        assert api.client(Cookie=owner.cookie).get("/v1/me").status_code == 200  # which renews the cookie
        for invented in ("x.y", "garbage", f"{owner.bearer[:-4]}AAA="):
            assert api.client(invented).get("/v1/me").status_code == 401


def test_whoever_works_for_nobody_is_told_to_choose(tmp_path: Path, sign_on: str, visitors: ExitStack) -> None:
    with serving(tmp_path, sign_on) as api:
        refused = api.client(arrive(visitors, sign_on).bearer).get("/v1/me")
        assert refused.status_code == 403
        assert "no active organisation" in refused.json()["detail"]


def test_a_strange_page_cannot_use_the_cookie_of_whoever_looks_at_it(
    tmp_path: Path, sign_on: str, owner: Visitor
) -> None:
    app = "https://app.example"
    with serving(tmp_path, sign_on, owner, PITCHEY_SIGN_ON_ORIGINS=f"{app}, https://b.example") as api:
        asked = {
            origin: api.client(Cookie=owner.cookie, Origin=origin).get("/v1/me").status_code
            for origin in (str(api.address), app, "https://evil.example", "null", f"{app}.evil.example")
        }
        assert list(asked.values()) == [200, 200, 403, 403, 403]


def test_a_jwt_that_is_not_theirs_is_refused(tmp_path: Path, sign_on: str, owner: Visitor) -> None:
    head, claims, signature = owner.jwt().split(".")

    def encoded(said: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")

    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    forged = {
        "another role": f"{head}.{encoded({**said, 'role': 'admin', 'organisation': 'rival'})}.{signature}",
        "no signature": f"{encoded({'alg': 'none'})}.{claims}.",
        "a key that nobody has published": f"{encoded({'alg': 'EdDSA', 'kid': 'mine'})}.{claims}.{signature}",
        "no JWT at all": "a.b.c",
        "not UTF-8": f"{base64.urlsafe_b64encode(bytes([255, 254])).decode()}.{claims}.{signature}",
    }
    with serving(tmp_path, sign_on, owner) as api:
        assert {name: api.client(text).get("/v1/me").status_code for name, text in forged.items()} == dict.fromkeys(
            forged, 401
        )
    with serving(tmp_path / "b", sign_on, owner, PITCHEY_SIGN_ON_AUDIENCE="others") as api:
        assert api.client(owner.jwt()).get("/v1/me").status_code == 401
    with serving(tmp_path / "c", sign_on, owner, PITCHEY_SIGN_ON_ISSUER="https://other.example") as api:
        assert api.client(owner.jwt()).get("/v1/me").status_code == 401


def test_a_sign_on_server_that_does_not_answer_is_no_reason_to_let_anybody_in(tmp_path: Path) -> None:
    with serving(tmp_path, "http://127.0.0.1:9") as api:
        refused = api.client("some-session").get("/v1/me")
        assert (refused.status_code, refused.json()["code"]) == (503, "sign-on")
        assert api.client(api.token(Role.VIEWER)).get("/v1/me").status_code == 200
