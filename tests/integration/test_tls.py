"""TLS at both ends: what the API shows, and whom the command line believes."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.network.certificates import Certificate
from tests.conftest import Pitchey
from tests.integration.test_api_daemon import start
from tests.resources.certificates import Authority
from tests.resources.waiting import until


@dataclass
class Secure:
    """A daemon that serves TLS, and whoever has signed its certificate."""

    pitchey: Pitchey
    authority: Authority
    port: int
    said: str

    def ask(self, url: str, **environment: str) -> tuple[int, str]:
        answer = self.pitchey("--server", url, "jobs", "--json", **environment)
        return answer.code, answer.err

    def shown(self) -> int:
        """The serial number of the certificate that is shown now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection(("127.0.0.1", self.port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as secure,
        ):
            return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"").serial_number


@pytest.fixture
def secure(pitchey: Pitchey, tmp_path: Path) -> Iterator[Secure]:
    authority = Authority(tmp_path)
    pair = authority.sign("localhost")
    pitchey.environment |= {"PITCHEY_API_TLS_CERT": str(pair.chain), "PITCHEY_API_TLS_KEY": str(pair.key)}
    daemon = start(pitchey)
    yield Secure(pitchey, authority, int(daemon.address.rpartition(":")[2]), "".join(daemon.said))


def test_a_server_is_believed_whose_certificate_is_good_and_no_other_one(secure: Secure, tmp_path: Path) -> None:
    url, known = f"https://localhost:{secure.port}", {"SSL_CERT_FILE": str(secure.authority.file)}
    assert f"API at https://127.0.0.1:{secure.port}" in secure.said
    assert secure.ask(url, **known) == (0, "")
    code, said = secure.ask(url)
    assert code == 4 and "is not to be trusted: unable to get local issuer" in said and "SSL_CERT_FILE" in said
    stranger = Authority(tmp_path, "stranger")
    code, said = secure.ask(url, SSL_CERT_FILE=str(stranger.file))
    assert code == 4 and "is not to be trusted" in said and len(said.splitlines()) == 2
    code, said = secure.ask(f"https://127.0.0.1:{secure.port}", **known)
    assert code == 4 and "not valid for '127.0.0.1'" in said and "the name" in said
    code, said = secure.ask(f"http://localhost:{secure.port}", **known)
    assert code == 8 and "https://" in said


def test_a_certificate_that_is_renewed_is_shown_and_one_that_has_expired_is_refused(secure: Secure) -> None:
    url, known = f"https://localhost:{secure.port}", {"SSL_CERT_FILE": str(secure.authority.file)}
    environment = secure.pitchey.environment
    chain, key = Path(environment["PITCHEY_API_TLS_CERT"]), Path(environment["PITCHEY_API_TLS_KEY"])
    before = secure.shown()
    renewed = secure.authority.sign("localhost", called="renewed")
    renewed.move_to(chain, key)
    until(lambda: secure.shown() == renewed.serial, "the new certificate is shown")
    assert before != renewed.serial and secure.ask(url, **known) == (0, "")
    expired = secure.authority.sign("localhost", days=-1, called="expired")
    expired.move_to(chain, key)
    until(lambda: secure.shown() == expired.serial, "the new certificate is shown")
    code, said = secure.ask(url, **known)
    assert code == 4 and "certificate has expired" in said and "SSL_CERT_FILE" not in said


def test_files_that_are_no_certificate_are_one_sentence_before_anything_starts(
    pitchey: Pitchey, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    good, other = authority.sign("localhost"), authority.sign("localhost", called="other")
    locked = authority.sign("localhost", called="locked", password=b"open sesame")
    (tmp_path / "text.pem").write_text("no certificate\n")
    for cert, key, words in (
        (tmp_path / "missing.pem", good.key, "cannot be read"),
        (good.chain, tmp_path / "missing.key", "cannot be read"),
        (tmp_path / "text.pem", good.key, "there is no certificate with its key"),
        (good.chain, None, "there is no certificate with its key"),
        (good.chain, other.key, "they do not belong together"),
        (locked.chain, locked.key, "has a password"),
        (None, good.key, "no certificate"),
    ):
        options = [*(["--tls-cert", cert] if cert else []), *(["--tls-key", key] if key else [])]
        answer = pitchey("daemon", "run", "--api", "127.0.0.1:0", *options)
        assert answer.code == 2 and words in answer.err and "Traceback" not in answer.err, (words, answer.err)
    at_a_socket = pitchey("daemon", "run", "--api", "unix:api.sock", "--tls-cert", good.chain, "--tls-key", good.key)
    assert at_a_socket.code == 2 and "A Unix socket has no TLS." in at_a_socket.err


def test_half_of_a_pair_is_not_shown(tmp_path: Path) -> None:
    """Whatever renews them replaces one file after the other."""
    authority = Authority(tmp_path)
    pair, new = authority.sign("localhost"), authority.sign("localhost", called="new")
    shown = Certificate(pair.chain, pair.key)
    assert not shown.renew()
    new.chain.replace(pair.chain)
    with pytest.raises(UsageError, match="do not belong together"):
        shown.renew()
    assert not shown.renew(), "trouble is told once"
    new.key.replace(pair.key)
    assert shown.renew()
