"""Asks the cloud whether it is about to take this node away. How its answers read: domain/notice.py.

Inputs of jobs never come from the addresses of metadata (artifacts/http.py sees to it). What is asked here is chosen by
the operator: it is asked as it stands, without proxies, and no redirect is followed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

import httpx

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import NetworkError, PitcheyError
from pitchey_cli.domain.notice import ASK_SECONDS, Notice, Notifier, Provider, judge

_ANSWER_SECONDS = 3.0  # for everything that one question takes
_MOST_BYTES = 65536
_AWS_TOKEN = ("/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
_PATHS = {
    Provider.AWS: "/latest/meta-data/spot/instance-action",
    Provider.GCP: "/computeMetadata/v1/instance/preempted",
    Provider.AZURE: "/metadata/scheduledevents?api-version=2020-07-01",
    Provider.URL: "",
}
_HEADERS = {Provider.GCP: {"Metadata-Flavor": "Google"}, Provider.AZURE: {"Metadata": "true"}}
_AZURE_NAME = "/metadata/instance/compute/name?api-version=2021-02-01&format=text"


async def watch(node: Node, notifier: Notifier, on_notice: Callable[[Notice, float], None]) -> None:
    """Ask until there is a notice. Nobody who answers is said once, and again when that has changed.

    Args:
        on_notice: told as well how many seconds ago it was last said that there is none.
    """
    is_answering = True
    said_no_at = -math.inf  # monotonic
    async with client() as asking:
        while True:
            asked_at = node.clock.monotonic()
            try:
                notice = await ask(asking, notifier)
            except Exception as error:  # whatever it is: the next question may find an answer, and the daemon works on
                if is_answering:
                    why = str(error) if isinstance(error, PitcheyError) else repr(error)
                    node.report(f"nobody says whether this node is taken away: {why} It is asked again all the time.")
                is_answering = False
            else:
                if not is_answering:
                    node.report(f"{notifier} answers again")
                is_answering = True
                if notice is not None:
                    on_notice(notice, node.clock.monotonic() - said_no_at)
                    return
                said_no_at = asked_at
            await asyncio.sleep(ASK_SECONDS)


def client() -> httpx.AsyncClient:
    """Who asks."""
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_ANSWER_SECONDS)


async def ask(asking: httpx.AsyncClient, notifier: Notifier) -> Notice | None:
    """Ask once.

    Raises:
        NetworkError: nobody answers, or what is said is neither yes nor no.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await _ask(asking, notifier)
    except NetworkError as error:
        raise NetworkError(f"{notifier}: {error}") from error
    except TimeoutError as error:
        raise NetworkError(f"{notifier}: It does not answer within {_ANSWER_SECONDS:g} s.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NetworkError(f"{notifier}: {error or type(error).__name__}.") from error


async def _ask(asking: httpx.AsyncClient, notifier: Notifier) -> Notice | None:
    provider, headers = notifier.provider, dict(_HEADERS.get(notifier.provider, {}))
    if provider is Provider.AWS:
        path, lifetime = _AWS_TOKEN
        status, token = await _answer(asking, "PUT", notifier.address + path, lifetime)
        if status == 200:  # where there are no tokens, none is needed
            headers["X-aws-ec2-metadata-token"] = token
    status, body = await _answer(asking, "GET", notifier.address + _PATHS[provider], headers)
    notice = judge(provider, status, body)
    if notice is not None and provider is Provider.AZURE:
        of_name, name = await _answer(asking, "GET", notifier.address + _AZURE_NAME, headers)
        # Without the name the notice is believed: to go for nothing costs less than to be taken away at work.
        notice = judge(provider, status, body, node_name=name.strip() if of_name == 200 else "")
    return notice


async def _answer(asking: httpx.AsyncClient, method: str, url: str, headers: dict[str, str]) -> tuple[int, str]:
    async with asking.stream(method, url, headers=headers) as response:
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _MOST_BYTES:
                break
        return response.status_code, body[:_MOST_BYTES].decode(errors="replace")
