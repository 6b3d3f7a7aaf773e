"""What is asked of a sign-on server, and what becomes of answers that are none; the server is a function."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from starlette.datastructures import Headers

from pitchey_cli.api.problems import Refused
from pitchey_cli.api.sign_on import BetterAuth, Nobody
from pitchey_cli.domain.access import Actor, Role
from pitchey_cli.domain.sign_on import Terms

URL = "https://app.example/api/auth"
TERMS = Terms(URL, "https://app.example", "pitchey", roles={"owner": Role.ADMIN}, organisations={"o1": "acme"})


class Server:
    """Answers by path, and counts what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.rpartition("/")[2].replace("-", "_")
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, int):
            return httpx.Response(answer)
        return httpx.Response(200, content=json.dumps(answer))


def ask(server: Server, talk: Callable[[Callable[[str], Awaitable[Actor | None]]], Awaitable[None]]) -> None:
    """Let somebody show credentials, one after the other."""

    async def main() -> None:
        gate: Any = SimpleNamespace(gate=SimpleNamespace(organisation=lambda name: name))
        async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as client:
            known = BetterAuth(gate, TERMS, client)
            await talk(lambda bearer: known.actor(Headers({"authorization": f"Bearer {bearer}"})))

    asyncio.run(main())


@pytest.mark.parametrize("answer", [500, 302, {"user": {}}, {"session": 1, "user": {"id": "u"}}, [], "words"])
def test_an_answer_that_means_nothing_is_the_servers_fault_and_lets_nobody_in(answer: Any) -> None:
    async def talk(show: Callable[[str], Awaitable[Actor | None]]) -> None:
        with pytest.raises(Refused) as refused:
            await show("a-session")
        assert refused.value.status is HTTPStatus.SERVICE_UNAVAILABLE

    ask(Server(get_session=answer), talk)


def test_a_session_that_nobody_knows_is_asked_about_once() -> None:
    server = Server(get_session=None)

    async def talk(show: Callable[[str], Awaitable[Actor | None]]) -> None:
        for _ in range(5):
            with pytest.raises(Nobody):
                await show("invented")

    ask(server, talk)
    assert server.asked == ["get_session"]


def test_keys_count_on_while_the_server_is_silent_and_invented_ones_ask_it_once() -> None:
    private = Ed25519PrivateKey.generate()
    published = {**OKPAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": "k1", "alg": "EdDSA"}
    claims = {"sub": "u", "iss": "https://app.example", "aud": "pitchey", "exp": 4_000_000_000}
    claims |= {"organisationId": "o1", "organisationRole": "owner"}
    server = Server(jwks={"keys": [published]})

    def token(kid: str, **more: Any) -> str:
        return jwt.encode(claims | more, private, algorithm="EdDSA", headers={"kid": kid})

    async def talk(show: Callable[[str], Awaitable[Actor | None]]) -> None:
        actor = await show(token("k1"))
        assert actor is not None and (actor.organisation, actor.role) == ("acme", Role.ADMIN)
        server.answers["jwks"] = 500
        for number in range(5):
            with pytest.raises(Nobody):
                await show(token(f"invented-{number}"))
        assert await show(token("k1")) == actor
        for wrong in ({"aud": "others"}, {"iss": "https://evil.example"}, {"exp": 1_000_000_000}):
            with pytest.raises(Nobody):
                await show(token("k1", **wrong))
        shared = jwt.encode(claims, "a secret that is long enough to be one", algorithm="HS256", headers={"kid": "k1"})
        with pytest.raises(Nobody):
            await show(shared)

    ask(server, talk)
    assert server.asked == ["jwks"]


def test_a_server_without_keys_is_silent_and_the_client_is_not_to_blame() -> None:
    async def talk(show: Callable[[str], Awaitable[Actor | None]]) -> None:
        with pytest.raises(Refused):
            await show(jwt.encode({}, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": "k1"}))

    ask(Server(jwks={"keys": []}), talk)
