"""Named servers: where each is, for whom, and where its token comes from. Light: every verb asks for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitchey_cli import settings
from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.values import dataclass

if TYPE_CHECKING:
    from pitchey_cli.remote.address import ServerAddress

LOCAL = "local"  #: the name that is this machine
KEYRING, FILE, ENVIRONMENT, NONE = "keyring", "file", "environment", "none"
_FROM_FILE = "file:"  #: before the path of a file of the user's own


@dataclass(frozen=True)
class Context:
    """A server with a name."""

    server: str
    organisation: str = ""  #: for whom jobs are submitted; empty: whose the token is
    token: str = ENVIRONMENT  #: where it comes from: keyring, file, environment, none, or file:PATH


@dataclass(frozen=True)
class Contexts:
    """All of them, and the one in use."""

    path: Path
    contexts: Mapping[str, Context] = field(default_factory=dict)
    current: str = ""

    def named(self, name: str) -> Context:
        """One of them; InputNotFound when there is none of that name."""
        if name not in self.contexts:
            known = ", ".join([*sorted(self.contexts), LOCAL])
            raise InputNotFound(f"There is no context {name[:100]!r}.", hint=f"There is {known}.")
        return self.contexts[name]

    def with_context(self, name: str, context: Context) -> Contexts:
        """The same with one more, or another of that name."""
        return replace(self, contexts={**self.contexts, name: context})

    def without(self, name: str) -> Contexts:
        """The same without one of them."""
        self.named(name)
        left = {each: context for each, context in self.contexts.items() if each != name}
        return replace(self, contexts=left, current="" if self.current == name else self.current)


@dataclass(frozen=True)
class Chosen:
    """The server that a command works at."""

    address: ServerAddress
    token: str = field(default="", repr=False)
    organisation: str = ""


def directory(environ: Mapping[str, str]) -> Path:
    """The folder of the settings file."""
    return settings.config_path(environ).parent


def read(environ: Mapping[str, str]) -> Contexts:
    """All contexts; none where nobody has made one.

    Raises:
        UsageError, Denied: the file cannot be read.
    """
    path = directory(environ) / "contexts.toml"
    try:
        text = path.read_bytes()
        import tomllib  # late: many have no such file

        table = tomllib.loads(text.decode())
        found = {name: Context(**each) for name, each in table.get("contexts", {}).items()}
    except FileNotFoundError:
        return Contexts(path)
    except PermissionError as error:
        raise Denied(f"{path} may not be read.") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.", hint="Mend it, or remove it.") from error
    return Contexts(path, found, str(table.get("current", "")))


def write(contexts: Contexts) -> None:
    """Keep them; the file is written as a whole, for its owner alone."""
    import tomli_w  # late: only what changes them needs it

    table: dict[str, Any] = {"current": contexts.current} if contexts.current else {}
    table["contexts"] = {name: asdict(each) for name, each in sorted(contexts.contexts.items())}
    write_private(contexts.path, tomli_w.dumps(table))


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, as a whole or not at all.

    Raises:
        Denied: it cannot be written.
    """
    import tempfile  # late: only what changes something needs it

    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # of mode 0600
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except OSError as error:
        raise Denied(f"{path} cannot be written: {error.strerror}.") from error


def choose(
    server: str, context: str, *, token_file: Path | None, token: str, environ: Mapping[str, str]
) -> Chosen | None:
    """The server that is meant; None for this machine.

    Args:
        server: its address; it goes before a context.
        context: its name; empty: the context in use.
        token_file: goes before everything else that says a token.
        token: of the environment; it goes before what the context says.
    """
    known = Contexts(Path()) if server else read(environ)
    name = context or known.current
    if not server and name in ("", LOCAL):
        return None
    from pitchey_cli.remote.address import checked_token, server_at, token_in_file

    found = Context(server) if server else known.named(name)
    address = server_at(found.server, what="The server")
    if token_file is not None:
        return Chosen(address, token_in_file(token_file), found.organisation)
    if token:
        return Chosen(address, checked_token(token, "PITCHEY_TOKEN"), found.organisation)
    if found.token.startswith(_FROM_FILE):
        return Chosen(address, token_in_file(Path(found.token.removeprefix(_FROM_FILE))), found.organisation)
    if found.token in (KEYRING, FILE):
        from pitchey_cli.remote import tokens

        return Chosen(address, tokens.kept(name, found, environ), found.organisation)
    return Chosen(address, "", found.organisation)
