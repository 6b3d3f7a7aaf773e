"""Slots on an engine that is away, or says what engines say now and then."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import EngineUnavailable
from pitchey_cli.engines.port import EngineKind
from pitchey_cli.engines.slots import SlotEngine


class Engine(BaseHTTPRequestHandler):
    """Knows a container that waits, and one that is being removed."""

    def do_GET(self) -> None:
        labels = {"pitchey.group": "code-1"}
        listed = [{"Names": [], "Labels": labels}, {"Names": ["/pitchey-slot-1"], "Labels": labels}]
        body = json.dumps(listed if "containers" in self.path else {"ApiVersion": "1.41"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...

    def address_string(self) -> str:
        return ""


def test_a_container_that_has_lost_its_name_is_no_slot(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    with socketserver.ThreadingUnixStreamServer(str(path), Engine) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        engine = SlotEngine(EngineKind.DOCKER, f"unix://{path}")
        assert list(engine.find({"pitchey.group": "code-1"})) == ["slot-1"]
        engine.close()
        server.shutdown()


def test_an_engine_that_is_away_is_said_to_be_away(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="Docker does not answer"):
        SlotEngine(EngineKind.DOCKER, f"unix://{tmp_path / 'nothing.sock'}")
