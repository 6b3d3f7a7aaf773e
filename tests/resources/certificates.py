"""Certificates as authorities sign them: good ones, expired ones, and those of other names."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, each in a file of its own."""

    chain: Path
    key: Path
    serial: int

    def move_to(self, chain: Path, key: Path) -> None:
        """Take the place of another pair, as what renews certificates does."""
        self.chain.replace(chain)
        self.key.replace(key)


class Authority:
    """Signs certificates."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        is_one = x509.BasicConstraints(ca=True, path_length=0)
        made = _builder(self._name, self._name, self._key, days=3).add_extension(is_one, critical=True)
        self.file = folder / f"{name}.pem"  #: for SSL_CERT_FILE
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def sign(self, *names: str, days: int = 2, called: str = "server", password: bytes = b"") -> Pair:
        """A certificate for some names or addresses.

        Args:
            days: that it lasts; negative: it has ended.
            called: what its files are.
            password: of the key.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        said = x509.SubjectAlternativeName([_named(each) for each in names])
        made = _builder(subject, self._name, key, days=days).add_extension(said, critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        chain, private = self._folder / f"{called}.pem", self._folder / f"{called}.key"
        chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        kept = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        private.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, kept))
        return Pair(chain, private, signed.serial_number)


def _named(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now + timedelta(days=days))
    )
