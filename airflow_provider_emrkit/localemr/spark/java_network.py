"""What a JVM must be told to reach the network as this machine's other programs do: proxies, certificates."""

from __future__ import annotations

import hashlib
import re
import ssl
import struct
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def network_options(environ: Mapping[str, str], directory: Path) -> list[str]:
    """Give the JVM options that say what the environment says to others.

    :param environ: Environment with the machine's proxies and ``SSL_CERT_FILE`` or ``REQUESTS_CA_BUNDLE``.
    :param directory: Where the certificates are written in Java's own form.
    """
    return [*proxy_options(environ), *_trust_options(environ, directory)]


def proxy_options(environ: Mapping[str, str]) -> list[str]:
    """Give the JVM options for the machine's proxies.

    >>> proxy_options({"https_proxy": "http://proxy:3128", "no_proxy": "localhost,.local"})[:2]
    ['-Dhttps.proxyHost=proxy', '-Dhttps.proxyPort=3128']
    """
    options = []
    for scheme in ("http", "https"):
        names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
        text = next((environ[name] for name in names if environ.get(name)), "")
        parts = urlsplit(text if "://" in text else f"http://{text}")
        if parts.hostname:
            options += [
                f"-D{scheme}.proxyHost={parts.hostname}",
                f"-D{scheme}.proxyPort={parts.port or 80}",
            ]
    direct = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = [
        f"*{host}" if host.startswith(".") else host for host in map(str.strip, direct.split(",")) if host
    ]
    return [*options, f"-Dhttp.nonProxyHosts={'|'.join(hosts)}"] if options and hosts else options


def _trust_options(environ: Mapping[str, str], directory: Path) -> list[str]:
    """Java has certificates of its own; where the machine names others (a company's proxy), those count."""
    name = environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE")
    try:
        text = Path(name).read_text(encoding="ascii", errors="replace") if name else ""
    except OSError:
        return []
    certificates = [ssl.PEM_cert_to_DER_cert(found) for found in _CERTIFICATE.findall(text)]
    if not certificates:
        return []
    store = directory / "certificates.jks"
    store.write_bytes(trust_store(certificates))
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=JKS"]


def trust_store(certificates: Sequence[bytes]) -> bytes:
    """Write certificates (DER) the way ``keytool`` writes its oldest format, which every Java reads."""
    out = struct.pack(">III", 0xFEEDFEED, 2, len(certificates))
    for number, certificate in enumerate(certificates):
        # A trusted certificate: its alias, the time it was added, its type, itself.
        out += struct.pack(">I", 2) + _text(str(number)) + struct.pack(">Q", 0)
        out += _text("X.509") + struct.pack(">I", len(certificate)) + certificate
    # A digest with a password would protect it from others; Java asks for none when it is given none.
    return out + hashlib.sha1(b"Mighty Aphrodite" + out, usedforsecurity=False).digest()


def _text(text: str) -> bytes:
    data = text.encode("ascii")
    return struct.pack(">H", len(data)) + data
