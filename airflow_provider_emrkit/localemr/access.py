"""Which requests are let in: programs of this machine's user, not web pages by way of the browser.

A page on the internet can send requests to addresses like 127.0.0.1, and by DNS rebinding even read the
answers; EMR steps are commands, so one such request would be enough to run anything. Browsers tell on such
pages by the ``Origin`` and ``Host`` headers they send, which scripts can't change.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

# Names that public DNS can't point at this machine: AWS's own, for clients that map an endpoint's name to it,
# and reserved ones; names of one label are never asked of public DNS.
_HOST_SUFFIXES = (".localhost", ".internal", ".amazonaws.com", ".amazonaws.com.cn")


def refusal(host: str | None, origin: str | None, allowed: Collection[str] = ()) -> str | None:
    """Say why a request is refused, or None for one that is let in.

    :param host: The ``Host`` header.
    :param origin: The ``Origin`` header, sent by browsers only.
    :param allowed: Further host names that are fine.
    """
    if not _is_our_host(_name(host or ""), allowed):
        return f"the host {host!r} is not this local EMR; use 127.0.0.1, or allow it with --allow-host"
    if origin is not None and not _is_our_page(origin, host, allowed):
        return f"web pages of {origin!r} may not use this local EMR; allow its host with --allow-host"
    return None


def _name(host: str) -> str:
    """Take the port and the brackets of an IPv6 address away."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].rstrip(".").lower()


def _is_our_host(name: str, allowed: Collection[str]) -> bool:
    if not name or _is_allowed(name, allowed):
        return bool(name)
    return _address(name) is not None or "." not in name or name.endswith(_HOST_SUFFIXES)


def _is_our_page(origin: str, host: str | None, allowed: Collection[str]) -> bool:
    """Tell pages of this machine from others; anybody can have a page at an address or in an S3 bucket."""
    netloc = origin.partition("://")[2]
    name = _name(netloc)
    address = _address(name)
    if address is not None and address.is_loopback:
        return True
    return bool(name) and (
        netloc == host or name == "localhost" or name.endswith(".localhost") or _is_allowed(name, allowed)
    )


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_allowed(name: str, allowed: Collection[str]) -> bool:
    return name in allowed or name.endswith(tuple(f".{item}" for item in allowed))
