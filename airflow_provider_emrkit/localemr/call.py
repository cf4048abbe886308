"""One request as an operation sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Call:
    """One request.

    :param operation: E.g. ``DescribeCluster``.
    :param params: Its parameters, checked against the service's model.
    :param region: Region the request was signed for.
    :param is_waiter: Whether one of botocore's waiters asks, which would sleep long before it asked again.

    >>> Call("ListClusters", {}, "us-east-1").is_waiter
    False
    """

    operation: str
    params: Mapping[str, Any]
    region: str
    is_waiter: bool = False
