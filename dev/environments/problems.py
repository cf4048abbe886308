"""What can go wrong while an environment is made, and what a user can do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Kind(Enum):
    """Problems with a mend of their own."""

    NO_SPACE = "no space left on the disk"
    NO_REGISTRY = "the package registry cannot be reached"
    BAD_CERTIFICATE = "the package registry's certificate is not trusted"
    OTHER = "a command failed"


_SIGNS = (
    (Kind.NO_SPACE, r"no space left on device|os error 28|errno 28|disk quota exceeded"),
    (Kind.BAD_CERTIFICATE, r"certificate.?verify.?failed|invalid peer certificate|unknownissuer"),
    (
        Kind.NO_REGISTRY,
        r"are you offline|error sending request|client error \(connect\)|tcp connect error|dns error"
        r"|failed to lookup address|operation timed out|failed to establish a new connection"
        r"|newconnectionerror|name or service not known|temporary failure in name resolution"
        r"|connection (refused|reset)|network is unreachable|readtimeouterror|proxyerror"
        r"|cannot connect to proxy|failed to fetch|network connectivity is disabled",
    ),
)

_SHOWN_LINES, _SHOWN_WIDTH = 8, 200

_MENDS = {
    Kind.NO_SPACE: (
        "free some space, or move the checkout (and UV_CACHE_DIR) to a larger disk; then run it again"
    ),
    Kind.NO_REGISTRY: (
        "check the network. Behind a proxy set HTTPS_PROXY; with a mirror of your own set PIP_INDEX_URL or"
        " UV_INDEX_URL (pip's configuration files are read as well); then run it again"
    ),
    Kind.BAD_CERTIFICATE: (
        "name your company's CA bundle in PIP_CERT or SSL_CERT_FILE, or set UV_SYSTEM_CERTS=1 if this machine"
        " already trusts it; then run it again"
    ),
    Kind.OTHER: "read its output above; the next run goes on from here",
}


def kind_of(output: str) -> Kind:
    """Recognise a problem by what uv, pip or the system wrote about it."""
    lowered = output.lower()
    return next((kind for kind, signs in _SIGNS if re.search(signs, lowered)), Kind.OTHER)


@dataclass
class BootstrapError(Exception):
    """Something the user has to mend.

    :param what: What went wrong.
    :param mend: What to do about it.
    :param tried: The commands and places that were tried, in order.
    """

    what: str
    mend: str
    tried: Sequence[str] = field(default_factory=tuple)
    kind: Kind = Kind.OTHER

    def __str__(self) -> str:
        """Lay the three parts out for a terminal."""
        tried = [f"  tried: {line}" for line in self.tried]
        return "\n".join([f"error: {self.what}", *tried, f"  mend:  {self.mend}"])


class SkippedError(Exception):
    """An environment cannot be made here, and that is no fault: the text says why."""


def from_output(step: str, command: str, output: str) -> BootstrapError:
    """Make the error for a command that failed, from what it wrote.

    :param step: What was being done, e.g. ``installing airflow-3.3``.
    :param command: The command line that failed.
    """
    kind = kind_of(output)
    shown = [line.rstrip()[:_SHOWN_WIDTH] for line in output.splitlines() if line.strip()][-_SHOWN_LINES:]
    return BootstrapError(
        f"{step}: {kind.value}", _MENDS[kind], (command, *(f"| {line}" for line in shown)), kind
    )
