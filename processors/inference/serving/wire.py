"""How attempts and the companion speak: frames of a JSON head and the bytes of tensors, on a Unix socket.

    4 bytes: length of the head, little endian; the head; the tensors' bytes, in the order of head["tensors"]

A request says `run` or `generate` and the model; the answer is one frame, or for text one for each piece and a last
one. Whoever hangs up is not worked for any more.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEAD_BYTES = 64 * 1024 * 1024
_TENSOR_BYTES = 4 * 1024 * 1024 * 1024
_LENGTH = struct.Struct("<I")


class HungUp(ConnectionError):
    """The other side is gone."""


def send(connection: socket.socket, head: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]] | None = None) -> None:
    """Send one frame.

    Raises:
        HungUp: nobody takes it.
    """
    described: list[dict[str, Any]] = []
    bodies: list[memoryview | bytes] = []
    for name, value in (tensors or {}).items():
        if value.dtype.kind in "OUS":
            body: memoryview | bytes = json.dumps([_text(each) for each in value.ravel().tolist()]).encode()
            dtype = "string"
        else:
            array = np.ascontiguousarray(value)
            body = array.data.cast("B") if array.size else b""
            dtype = array.dtype.str
        described.append({"name": name, "dtype": dtype, "shape": list(value.shape), "bytes": len(body)})
        bodies.append(body)
    data = json.dumps({**head, "tensors": described}).encode()
    try:
        connection.sendall(_LENGTH.pack(len(data)) + data)
        for body in bodies:
            connection.sendall(body)
    except OSError as error:
        raise HungUp(str(error)) from error


def receive(connection: socket.socket) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Take one frame.

    Raises:
        HungUp: there is none any more.
    """
    (length,) = _LENGTH.unpack(_exactly(connection, _LENGTH.size))
    if length > _HEAD_BYTES:
        raise HungUp(f"a head of {length} bytes")
    head: dict[str, Any] = json.loads(_exactly(connection, length))
    tensors: dict[str, NDArray[Any]] = {}
    for each in head.pop("tensors"):
        if each["bytes"] > _TENSOR_BYTES:
            raise HungUp(f"a tensor of {each['bytes']} bytes")
        body = _exactly(connection, each["bytes"])
        if each["dtype"] == "string":
            texts = json.loads(body)
            value = np.empty(len(texts), dtype=object)
            value[:] = texts
        else:
            value = np.frombuffer(body, dtype=np.dtype(each["dtype"]))
        tensors[each["name"]] = value.reshape(each["shape"])
    return head, tensors


def _exactly(connection: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    view, at = memoryview(data), 0
    while at < count:
        try:
            got = connection.recv_into(view[at:])
        except OSError as error:
            raise HungUp(str(error)) from error
        if not got:
            raise HungUp("the connection was closed")
        at += got
    return data


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
