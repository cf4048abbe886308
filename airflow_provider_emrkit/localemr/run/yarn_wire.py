"""How the programs of a cluster talk to its service: one line of JSON there, any number of lines back.

These programs are started often: this module imports little.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_REQUEST = 16 * 1024 * 1024
"""Longest request (bytes); an argument list has 2 MiB at most."""


class YarnGoneError(Exception):
    """The cluster does not answer; it is ending, or the local EMR is."""


@dataclass(frozen=True)
class YarnAddress:
    """Where a cluster's service listens, and the word it lets in by.

    :param port: Port of 127.0.0.1.
    :param secret: Known to the cluster's own programs only.
    """

    port: int
    secret: str


def ask(address: YarnAddress, **request: Any) -> Iterator[Mapping[str, Any]]:
    """Send a request, and give the answers as they come.

    :raises YarnGoneError: when there is no answer, or it stops before its end.
    """
    message = json.dumps({**request, "secret": address.secret}).encode() + b"\n"
    try:
        with socket.create_connection(("127.0.0.1", address.port)) as connection:
            connection.sendall(message)
            with connection.makefile("rb") as answers:
                for line in answers:
                    answer = json.loads(line)
                    if answer.get("last"):
                        return
                    yield answer
    except (OSError, ValueError) as error:
        raise YarnGoneError(f"the cluster's YARN does not answer: {error}") from error
    raise YarnGoneError("the cluster's YARN has ended")
