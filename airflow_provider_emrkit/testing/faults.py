"""Faults of a local EMR for the time of a ``with`` block."""

from __future__ import annotations

import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.faults.client import FaultsClient

if TYPE_CHECKING:
    from collections.abc import Iterator


class FaultsInForce:
    """The faults of a ``with`` block.

    :param client: Asks the local EMR.
    :param name: Name of their set.

    >>> with faults(url, throttle="ListSteps") as active:  # doctest: +SKIP
    ...     call()
    >>> active.struck  # doctest: +SKIP
    1
    """

    def __init__(self, client: FaultsClient, name: str) -> None:
        self._client = client
        self._name = name
        self._last: int | None = None

    @property
    def struck(self) -> int:
        """How often they struck until now, or until the block ended."""
        if self._last is not None:
            return self._last
        return sum(int(item["struck"]) for item in self._client.show(self._name)["active"])

    def end(self) -> None:
        """Take them away. Idempotent."""
        if self._last is None:
            try:
                self._last = self.struck
            finally:
                self._client.remove(self._name)


@contextlib.contextmanager
def faults(url: str, **kinds: Any) -> Iterator[FaultsInForce]:
    """Let things go wrong in a local EMR while a block runs; afterwards all is as it was before.

    Faults that others have set stay, and go on counting.

    :param url: Address of the local EMR.
    :param kinds: Kind → fault, or a list of them, as in the file of ``emrkit local up --faults``.
    :raises InvalidFaultError: when there can be no such fault.
    :raises FaultsError: when the local EMR does not answer.

    >>> with faults(url, throttle={"operation": "ListSteps", "times": 2}, slow_start=30):  # doctest: +SKIP
    ...     boto3.client("emr", endpoint_url=url).list_steps(ClusterId=cluster_id)
    """
    client, name = FaultsClient(url), uuid.uuid4().hex
    active = FaultsInForce(client, name)
    try:
        client.put(kinds, name)
        yield active
    finally:
        # Also when the answer to the request that set them was lost.
        active.end()
