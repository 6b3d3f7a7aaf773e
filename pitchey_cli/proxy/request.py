"""The head of a request to the proxy, and how it is answered. What went wrong stands in the line of the status, because
that is the one thing that every client shows."""

from __future__ import annotations

import asyncio

from pitchey_cli.domain.egress import Target, parse_target

HEAD_BYTES = 8192  #: of a request or of an upstream's answer, which is also the limit of the streams' buffers
_SHOWN_CHARACTERS = 80


class Refused(Exception):
    """A request that is answered with an error; the message is for people."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_target(reader: asyncio.StreamReader) -> Target:
    """Read the head of a CONNECT.

    Raises:
        Refused: it is none, or names nobody.
        EOFError: nobody has asked for anything.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise Refused(431, f"the head of a request has at most {HEAD_BYTES} bytes") from None
    words = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise Refused(400, "this is a proxy for HTTPS; what came is no request")
    if words[0] != "CONNECT":
        raise Refused(403, "programs reach the network by HTTPS only, and this is a request for plain HTTP")
    try:
        return parse_target(words[1])
    except ValueError as error:
        raise Refused(400, f"{shown(words[1])} cannot be asked for: {error}") from None


def shown(text: str) -> str:
    """What a stranger has sent, for people."""
    return "".join(character if character.isprintable() else "?" for character in text)[:_SHOWN_CHARACTERS]


def answer(refused: Refused) -> bytes:
    """An error, as it is sent."""
    first = refused.message.partition(" ")[0]
    is_host = "." in first  # whose name is as it is
    sentence = (refused.message if is_host else refused.message[:1].upper() + refused.message[1:]) + "."
    line = sentence.encode("ascii", "replace").decode()
    body = f"{sentence}\n".encode()
    head = f"HTTP/1.1 {refused.status} {line}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
