"""The scripts behind make, as far as they can be tried without an engine."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    path
    for folder in (ROOT / "scripts", ROOT / "scripts" / "lib", ROOT / ".ci")
    for path in folder.iterdir()
    if path.is_file() and b"bash" in path.read_bytes().partition(b"\n")[0]
)


def run(script: str, **environment: str) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses(script):
    subprocess.run(["bash", "-n", script], check=True)


def test_each_target_of_the_makefile_has_its_script():
    targets = {line.split()[1] for line in run("make --no-print-directory help").splitlines()} - {"help"}
    assert {"setup", "demo", "test", "check", "chaos", "bench", "clean"} <= targets
    assert [name for name in targets if not os.access(ROOT / "scripts" / name, os.X_OK)] == []


@pytest.mark.parametrize("deep", ["", "/".join(["a-directory-with-a-long-name"] * 8)])
def test_the_sockets_of_a_private_engine_fit_however_deep_the_state_directory_lies(tmp_path, deep):
    url = run(". scripts/lib/engine_probe.sh; private_url docker", PITCHEY_STATE_DIR=str(tmp_path / deep))
    assert len(url.removeprefix("unix://").encode()) < 108


def test_a_remembered_process_is_not_mistaken_for_a_later_one_with_its_number(tmp_path):
    remember = f". scripts/lib/process.sh; sleep 60 & remember_process {tmp_path}/pid $!; "
    assert run(remember + f"remembered_process {tmp_path}/pid; kill $!").strip()
    lie = f"sed -i 's/ .*/ 1/' {tmp_path}/pid; remembered_process {tmp_path}/pid || echo gone; kill $!"
    assert run(remember + lie).strip() == "gone"


def test_the_locks_name_no_place_that_packages_come_from():
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        assert "://" not in text
        assert "--hash=sha256:" in text
