"""The detector of the 80 things of COCO, out of a package that has it for browsers: CenterNet, 512 x 512.

    python -m processors.inference.building.coco --package DIR --out DIR

It writes model.onnx, labels.txt and manifest.json; who calls it gives the model its name and version.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from onnx import TensorProto

from processors.inference.building import tfjs

_FOUND = "tower_0/detections"  # [1, 100, 6]: two corners in pixels, the score, the class
_MOST = 100
_SIZE = 512
_LABEL = re.compile(r"label: '([^']+)'")


def make(package: Path, out: Path) -> None:
    """Convert the package that is unpacked in a folder."""
    graph = tfjs.read(package / "models" / "centernet.json")
    for name, begin, end in (("boxes", 0, 4), ("scores", 4, 5), ("classes", 5, 6)):
        ends = [graph.constant([value]) for value in (begin, end, 2)]
        part = graph.add("Slice", [_FOUND, *ends], [f"{name}.part"])
        if name == "boxes":
            graph.add("Identity", [part], [name])
        else:
            graph.add("Squeeze", [part, graph.constant([2])], [name])
    flat = (TensorProto.FLOAT, [1, _MOST])
    model = graph.model({"boxes": (TensorProto.FLOAT, [1, _MOST, 4]), "scores": flat, "classes": flat})
    (out / "model.onnx").write_bytes(model.SerializeToString())
    labels = _LABEL.findall((package / "src" / "object" / "labels.ts").read_text(encoding="utf-8"))
    (out / "labels.txt").write_text("\n".join(labels) + "\n", encoding="utf-8")
    picture = {"kind": "picture", "input": model.graph.input[0].name, "width": _SIZE, "height": _SIZE}
    boxes = {"kind": "boxes", "boxes": "boxes", "scores": "scores", "classes": "classes"}
    manifest = {
        "description": "CenterNet: which of the 80 things of COCO a picture shows, and where",
        "task": "object-detection",
        "framework": "onnx",
        "file": "model.onnx",
        "preprocessing": {**picture, "fit": "stretch", "layout": "nhwc"},
        "postprocessing": {**boxes, "threshold": 0.3, "overlap": 0.45},
        "labels": "labels.txt",
        "resources": {"memoryBytes": 96 << 20},
        "licence": "LicenseRef-unknown",
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Make it."""
    parser = argparse.ArgumentParser(description="Make the detector of COCO's things.")
    parser.add_argument("--package", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    make(options.package, options.out)


if __name__ == "__main__":
    main()
