"""What goes wrong between here and a server, in the words and with the exit codes of the command line."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pitchey_cli import __version__
from pitchey_cli.domain.errors import (
    BudgetReached,
    DaemonError,
    Denied,
    EngineError,
    InputNotFound,
    InputRejected,
    NameTaken,
    NetworkError,
    PitcheyError,
    QuotaReached,
    StaleToken,
    StoreError,
    TimedOut,
    Unauthenticated,
    UsageError,
)

if TYPE_CHECKING:
    import httpx

#: problems by their code; the same words that the API has for these errors
_BY_CODE: Mapping[str, type[PitcheyError]] = {
    "unauthenticated": Unauthenticated,
    "denied": Denied,
    "not-found": InputNotFound,
    "input-rejected": InputRejected,
    "name-taken": NameTaken,
    "usage": UsageError,
    "quota-reached": QuotaReached,
    "budget-reached": BudgetReached,
    "stale": StaleToken,
    "timed-out": TimedOut,
    "network": NetworkError,
    "no-daemon": DaemonError,
    "no-engine": EngineError,
    "store": StoreError,
}
_BY_STATUS: Mapping[int, type[PitcheyError]] = {
    401: Unauthenticated,
    403: Denied,
    404: InputNotFound,
    408: TimedOut,
    429: QuotaReached,
    504: TimedOut,
}
_STRANGER = "SSL_CERT_FILE names a file with the authority that has signed it."
#: what to do about a certificate that is known and not believed, by the codes of OpenSSL (X509_V_ERR_...)
_DISTRUST: Mapping[int, str] = {
    9: "Is the clock of this machine right? It is not valid yet.",
    10: "It has to be renewed there; or is the clock of this machine wrong?",
    62: "Ask for the server by the name that its certificate is of.",
    64: "Ask for the server by the name that its certificate is of.",
}
_TOKENS = "PITCHEY_TOKEN, --token-file or `pitchey context add` say the token."


class Unreachable(DaemonError):
    """Nothing answers at the address of a server."""


class OtherVersion(DaemonError):
    """What answers is no Pitchey, or one that this one does not understand."""


def of_transport(error: Exception, where: str) -> PitcheyError:
    """What an error of the connection means."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"The certificate of {where} is not to be trusted: {cause.verify_message}."
            return Denied(text, hint=_DISTRUST.get(cause.verify_code, _STRANGER))
        if isinstance(cause, ssl.SSLError):
            text = f"{where} speaks no TLS that is understood here."
            return Unreachable(text, hint="Is it http:// there, or another port?")
        if isinstance(cause, ConnectionRefusedError):
            hint = "`pitchey daemon run --api HOST:PORT` serves there; `pitchey context list` names the servers."
            return Unreachable(f"Nobody answers at {where}: the connection is refused.", hint=hint)
        if isinstance(cause, FileNotFoundError):
            return Unreachable(f"There is no socket at {where}.", hint="Is the daemon running, with --api?")
        if isinstance(cause, PermissionError):
            return Denied(f"{where} may not be opened.", hint="A Unix socket is for the user of the daemon alone.")
        cause = cause.__cause__ or cause.__context__
    name = type(error).__name__
    if "Timeout" in name:
        return TimedOut(f"{where} did not answer in time.", hint="Is the network slow, or the server busy? Try again.")
    text = (str(error) or name).rstrip(".")
    may_be_tls = name == "RemoteProtocolError" and where.startswith("http:")
    hint = "Is it https:// there, or another port?" if may_be_tls else "Check the address and the network."
    return Unreachable(f"The connection to {where} failed: {text}.", hint=hint)


def of_answer(answer: httpx.Response, where: str) -> PitcheyError:
    """What an answer means that is none of success."""
    said = problem_of(answer)
    if said is None:
        return _of_a_stranger(answer, where)
    kind = _BY_CODE.get(said.get("code", "")) or _BY_STATUS.get(answer.status_code)
    if kind is None:
        kind = DaemonError if answer.status_code >= 500 else UsageError
    hint = str(said.get("hint") or "")
    if kind is Unauthenticated:
        hint = f"{_TOKENS} `pitchey token add NAME` makes one, at the server."
    if answer.status_code >= 500 and said.get("requestId"):
        hint = f"{hint} It is the request {said['requestId']} in the log of the server.".strip()
    return kind(str(said.get("detail") or f"{where} refuses: {answer.status_code}."), hint=hint)


def problem_of(answer: httpx.Response) -> dict[str, Any] | None:
    """The problem detail of an answer; None where it is none of ours."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        said = answer.json()
    except ValueError:
        return None
    return said if isinstance(said, dict) and "code" in said else None


def _of_a_stranger(answer: httpx.Response, where: str) -> PitcheyError:
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    if "pitchey-version" in answer.headers:
        return _BY_STATUS.get(answer.status_code, DaemonError)(f"{where} answers {status}.")
    if answer.status_code in (502, 503, 504):
        return Unreachable(f"What stands before the server at {where} answers {status}.", hint="Does the daemon run?")
    return OtherVersion(f"What answers at {where} is no Pitchey: {status}.", hint="Check the address and the port.")


def not_understood(version: str, where: str) -> OtherVersion:
    """What the server says is nothing that this version knows."""
    if version == __version__:
        return OtherVersion(f"What {where} says cannot be understood.", hint="Please report it.")
    what = f"Pitchey {version}" if version else "no Pitchey, or an old one"
    hint = "Use the same version here and there."
    return OtherVersion(f"The server at {where} is {what}, and this is {__version__}.", hint=hint)
