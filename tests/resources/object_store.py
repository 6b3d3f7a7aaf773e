"""A store of objects behind links, on loopback: what presigned GETs and PUTs of S3 look like to who has them.

It can be made to fail in all the ways in which a real one does, which a real one cannot be told to.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class ObjectStore:
    """The objects, and what is to go wrong."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)  #: signatures that are not taken any more
    refusals: list[int] = field(default_factory=list)  #: statuses for the next requests, whatever they ask
    break_after: list[int] = field(default_factory=list)  #: bytes after which the next GETs break off
    requests: list[str] = field(default_factory=list)  #: methods, paths and ranges as they came
    held: threading.Event = field(default_factory=threading.Event)  #: no request is answered until it is set

    def link(self, key: str, signature: str = "good") -> str:
        """Where an object is, or is to be."""
        return f"{self.url}/{key}?X-Amz-Signature={signature}"


@contextmanager
def object_store(address: str = "127.0.0.1") -> Iterator[ObjectStore]:
    """Run one."""
    store = ObjectStore()
    store.held.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if (key := self._key()) is None:
                return
            data = store.objects.get(key)
            if data is None:
                self._say(404)
                return
            begin, status = 0, 200
            if found := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
                begin, status = int(found[1]), 206
            self.send_response(status)
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            if store.break_after:
                self.wfile.write(data[begin : begin + store.break_after.pop(0)])
                self.close_connection = True
                return
            self.wfile.write(data[begin:])

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if (key := self._key()) is not None:
                store.objects[key] = data
                self._say(200)

        def _key(self) -> str | None:
            url = urlsplit(self.path)
            store.requests.append(f"{self.command} {url.path} {self.headers.get('Range', '')}".strip())
            store.held.wait()
            if store.refusals:
                self._say(store.refusals.pop(0))
            elif parse_qs(url.query).get("X-Amz-Signature", [""])[0] in store.expired:
                self._say(403, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
            else:
                return url.path[1:]
            return None

        def _say(self, status: int, body: bytes = b"") -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer((address, 0), Handler)
    server.daemon_threads = True
    store.url = f"http://{address}:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield store
    finally:
        store.held.set()
        server.shutdown()
        thread.join()
        server.server_close()
