"""What belongs to an instance that shares no files with this host: its porter, the secret, and the way to it.

Host and porter know each other by what they were given through the engine: the porter by a key of its own, whose
certificate is the only one that the host takes for it, and the host by the secret, which it tells nobody else. So what
is between the two machines neither reads nor changes anything, without an authority that anybody would have to keep.
"""

from __future__ import annotations

import os
import secrets
import ssl
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pitchey_cli.daemon.line import Line, LostLine, PorterLine, SocketLine
from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.engines.port import GIVEN_DIR, KEPT_DIR, TAKEN_DIR, PorterSpec

_PORT = 7117
_SECRET_NAME = "secret"  # in the instance's directory, of which such an instance sees nothing
_CERTIFICATE_NAME = "porter.pem"  # beside it: by which the porter is known
_SECRET_BYTES = 32
_ALWAYS = (
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
)  # RFC 5280, 4.1.2.5: no end
_OWN = f"{KEPT_DIR}/porter"
_INPUTS, _SPOOL, _RUN = f"{GIVEN_DIR}/inputs", f"{TAKEN_DIR}/spool", f"{TAKEN_DIR}/run"

#: Where worker and porter meet: options of both.
MEETING = ("--run", _RUN, "--inputs", _INPUTS, "--spool", _SPOOL)


def prepare_porter(node: Node, config: ServiceConfig, directory: Path, *, idle_exit_seconds: float) -> PorterSpec:
    """Make the secret, and say what stands in front of the worker. Blocks."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    key, certificate = identity()
    (directory / _CERTIFICATE_NAME).write_bytes(certificate)
    descriptor = os.open(directory / _SECRET_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret)
    command = ["--service", config.service, "--slots", str(config.slots), *MEETING]
    command += ["--listen", f"0.0.0.0:{_PORT}", "--secret", f"{_OWN}/secret", "--journal", f"{_OWN}/journal"]
    command += ["--idle-exit", str(idle_exit_seconds)]
    command += ["--identity", f"{_OWN}/identity"]
    files = {f"{_OWN}/secret": secret.encode(), f"{_OWN}/identity": key + certificate}
    if node.config.ca_file is not None:
        files[f"{_OWN}/ca.pem"] = node.config.ca_file.read_bytes()
        command += ["--ca-file", f"{_OWN}/ca.pem"]
    return PorterSpec(
        command=tuple(command),
        port=_PORT,
        files=files,
        directories=(_INPUTS, _SPOOL, _RUN, _OWN, f"{_OWN}/journal"),
        network=node.config.porter_network,
    )


def identity() -> tuple[bytes, bytes]:
    """A key, and a certificate of nobody in particular for it, both as PEM. The certificate does not expire: the two
    end with the instance, and clocks of machines differ.
    """
    from cryptography import x509  # late: most daemons have no porters
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "porter")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), *_ALWAYS)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text, made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def known_by(certificate: str) -> ssl.SSLContext:
    """Whoever has the key of this certificate, and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # it is the only one that is trusted, whatever the machine is called
    context.load_verify_locations(cadata=certificate)
    return context


def shares_files(directory: Path) -> bool:
    """Whether the instance of a directory has its files there."""
    return not (directory / _SECRET_NAME).exists()


def line_to(node: Node, instance_id: str, directory: Path) -> Line:
    """The way to an instance; one that is lost where what is known of its porter is missing or damaged."""
    if shares_files(directory):
        return SocketLine(directory / "run")
    try:
        secret = (directory / _SECRET_NAME).read_text(encoding="ascii")
        known = known_by((directory / _CERTIFICATE_NAME).read_text(encoding="ascii"))
    except (OSError, ValueError) as error:  # a daemon has to start all the same, and discards such an instance
        return LostLine(f"By {directory / _CERTIFICATE_NAME} its porter is not to be known: {error}.")
    return PorterLine(partial(node.engine.address, instance_id), secret, known)
