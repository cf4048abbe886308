"""A certificate for this machine's loopback address, and a bundle of authorities that trusts it."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"

_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    key_cert_sign=True,
    crl_sign=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Certificate(NamedTuple):
    """Files in PEM.

    :param chain: The certificate.
    :param key: Its key.
    :param bundle: The usual authorities and this one: clients of AWS read all of them, so these do as well.
    """

    chain: Path
    key: Path
    bundle: Path


def make_certificate(folder: Path, host: str = HOST) -> Certificate:
    """Write a certificate for a day into a folder, which is its own authority.

    :param host: Address or name that it is for.
    """
    made = Certificate(folder / "endpoint.pem", folder / "endpoint.key", folder / "authorities.pem")
    key = ec.generate_private_key(ec.SECP256R1())
    chain = _sign(key, host).public_bytes(serialization.Encoding.PEM)
    made.chain.write_bytes(chain)
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    made.bundle.write_bytes(Path(certifi.where()).read_bytes() + b"\n" + chain)
    return made


def _sign(key: ec.EllipticCurvePrivateKey, host: str) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bench")])
    now = datetime.now(timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        # Python 3.13 wants both of an authority.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(_KEY_USAGE, True)
        .sign(key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
