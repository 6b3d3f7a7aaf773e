"""Small registries of packages: of Python, of npm and of Go, each as files by their paths."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping


def wheel(name: str, version: str, files: Mapping[str, str]) -> bytes:
    """A wheel; its record is not looked at by who installs it into a directory."""
    info = f"{name}-{version}.dist-info"
    all_files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{each},,\n" for each in (*all_files, f"{info}/RECORD"))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, text in {**all_files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return data.getvalue()


def pip_index(wheels: Mapping[str, bytes]) -> dict[str, bytes]:
    """An index below /simple/, of wheels and sources by the names of their files."""
    names = {file.partition("-")[0] for file in wheels}
    pages = {
        f"/simple/{name}/": "".join(
            f'<a href="/files/{file}#sha256={hashlib.sha256(data).hexdigest()}">{file}</a>\n'
            for file, data in wheels.items()
            if file.startswith(f"{name}-")
        ).encode()
        for name in names
    }
    return {**pages, **{f"/files/{file}": data for file, data in wheels.items()}}


def npm_registry(base: str, packages: Mapping[str, Mapping[str, object]]) -> dict[str, bytes]:
    """A registry of packages in one version each.

    Args:
        packages: by name, with their package.json and, under `files`, what else is in them.
    """
    served: dict[str, bytes] = {}
    for name, package in packages.items():
        manifest = {"name": name, "version": "1.0.0", **{k: v for k, v in package.items() if k != "files"}}
        files = package.get("files")
        assert isinstance(files, dict)
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for path, content in {**files, "package.json": json.dumps(manifest)}.items():
                member, content = tarfile.TarInfo(f"package/{path}"), _bytes(content)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        packed = gzip.compress(data.getvalue(), mtime=0)
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(packed).digest()).decode()
        dist = {"tarball": f"{base}/tarballs/{name}.tgz", "integrity": integrity}
        version = str(manifest["version"])
        versions = {version: {**manifest, "dist": dist}}
        document = {"name": name, "dist-tags": {"latest": version}, "versions": versions}
        served |= {f"/{name}": json.dumps(document).encode(), f"/tarballs/{name}.tgz": packed}
    return served


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def go_proxy(modules: Mapping[str, Mapping[str, str]]) -> dict[str, bytes]:
    """A proxy of modules, all at v1.0.0; each with its go.mod and its sources."""
    served: dict[str, bytes] = {}
    for module, files in modules.items():
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for path, text in files.items():
                archive.writestr(f"{module}@v1.0.0/{path}", text)
        served |= {
            f"/{module}/@v/list": b"v1.0.0\n",
            f"/{module}/@v/v1.0.0.info": b'{"Version":"v1.0.0"}',
            f"/{module}/@v/v1.0.0.mod": files["go.mod"].encode(),
            f"/{module}/@v/v1.0.0.zip": data.getvalue(),
        }
    return served
