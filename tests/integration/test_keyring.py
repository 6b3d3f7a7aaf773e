"""Where the token of a context is kept: in a keyring, in a file where there is none, and found again."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Pitchey
from tests.resources.served import served


@pytest.fixture
def shop(pitchey: Pitchey, tmp_path: Path) -> Iterator[tuple[Pitchey, str, str]]:
    """A command line with a keyring in a file, a server, and a token of it."""
    with served(tmp_path / "shop") as ready:
        environment = {
            **pitchey.environment,
            "PYTHON_KEYRING_BACKEND": "tests.resources.keyrings.FileKeyring",
            "KEYRING_FILE": str(tmp_path / "keyring.json"),
        }
        yield replace(pitchey, environment=environment), str(ready.address), ready.token()


def add(command: Pitchey, url: str, token: str) -> str:
    return command.ok("context", "add", "shop", url, "--ask-token", "--use", stdin=f"{token}\n").err


def test_a_keyring_keeps_the_token_and_nothing_else_does(shop: tuple[Pitchey, str, str], tmp_path: Path) -> None:
    command, url, token = shop
    add(command, url, token)
    assert json.loads((tmp_path / "keyring.json").read_text()) == {"pitchey/shop": token}
    assert not [path for path in command.state_dir.rglob("*") if path.is_file() and token in path.read_text()]
    assert command.ok("token", "list", "--json").json["name"] == "test"
    assert token not in command.ok("context", "show", "shop", "--json").out
    command.ok("context", "remove", "shop")
    assert json.loads((tmp_path / "keyring.json").read_text()) == {}


def test_a_token_that_the_keyring_has_lost_is_said_to_be(shop: tuple[Pitchey, str, str], tmp_path: Path) -> None:
    command, url, token = shop
    add(command, url, token)
    (tmp_path / "keyring.json").unlink()
    answer = command("token", "list")
    assert answer.code == 4 and "The keyring does not give the token of shop." in answer.err
    assert command.ok("token", "list", PITCHEY_TOKEN=token).out, "said for once"


@pytest.mark.parametrize(
    "backend",
    ["keyring.backends.null.Keyring", "keyring.backends.fail.Keyring", "tests.resources.keyrings.LockedKeyring"],
)
def test_where_no_keyring_keeps_anything_a_file_does_and_it_is_said(
    shop: tuple[Pitchey, str, str], backend: str
) -> None:
    command, url, token = shop
    command = replace(command, environment={**command.environment, "PYTHON_KEYRING_BACKEND": backend})
    said = add(command, url, token)
    kept = command.state_dir / "config" / "pitchey" / "tokens" / "shop"
    assert str(kept) in said and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert command.ok("token", "list", "--json").json["name"] == "test"
