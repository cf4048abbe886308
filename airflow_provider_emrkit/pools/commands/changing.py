"""``emrkit pool drain`` and ``emrkit pool delete``: what is asked, done, and waited for."""

from __future__ import annotations

import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.account import AccountError, explained, open_session
from airflow_provider_emrkit.pools.holder import new_holder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.pools.care import PoolCare
    from airflow_provider_emrkit.pools.commands.listing import ListedPool

# Seconds between two looks at a pool whose clusters are to go: EMR takes minutes.
LOOK_AGAIN = 10.0


class UnclearError(Exception):
    """What was asked for can't be meant, or must be confirmed; the message says how."""


def open_care(given: argparse.Namespace, place: PoolPlace) -> PoolCare:
    """Make what changes a pool, with the account of the command line.

    :raises AccountError: when there is no Airflow beside emrkit, or no region.
    """
    try:
        from airflow_provider_emrkit.hooks.clients import AwsClients
        from airflow_provider_emrkit.pools.care import PoolCare
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "airflow":
            raise
        raise AccountError(
            "changing a pool needs apache-airflow beside emrkit; run it in an environment of Airflow"
        ) from error
    # Airflow prints what is logged to where this prints its answers.
    for name in ("botocore", "airflow_provider_emrkit"):
        logging.getLogger(name).setLevel(logging.WARNING)
    session = open_session(given)
    if not session.region_name:
        raise AccountError("You must specify a region; see --region, --profile, --endpoint-url")
    clients = AwsClients(session, session.region_name, lambda _: given.endpoint_url)
    return PoolCare(clients, place, new_holder(), threading.Event().wait)


class PoolChange:
    """One change of a pool by hand.

    :param pool: The pool as it was found.
    :param open_care: Makes what changes it.
    :param say: Gets lines for the user.

    >>> PoolChange(pool, partial(open_care, given), print).drain([])  # doctest: +SKIP
    """

    def __init__(
        self, pool: ListedPool, open_care: Callable[[PoolPlace], PoolCare], say: Callable[[str], None]
    ) -> None:
        self._pool = pool
        self._say = say
        if pool.place is None:
            raise UnclearError(
                f"the tags of the clusters of pool {pool.name} do not tell where its lease is kept; "
                "say so with --lease-uri and, where it is a team's, --team"
            )
        self._care = open_care(pool.place)

    def drain(self, ids: Sequence[str]) -> None:
        """Give clusters no more work, and end those that have none.

        :param ids: Which; all where there are none.
        """
        there = [one.cluster.id for one in self._pool.clusters]
        strange = [one for one in ids if one not in there]
        if strange:
            known = f"it has {', '.join(there)}" if there else "it has no clusters"
            raise UnclearError(f"{', '.join(strange)} is not in pool {self._pool.name}; {known}")
        self._told(_changed(lambda: self._care.drain(list(ids) or None)))

    def delete(self, *, force: bool, yes: bool, wait: bool) -> None:
        """End all clusters, and remove the pool's record.

        :param force: Whether clusters end at once, whatever runs on them.
        :param yes: Whether the user need not be asked.
        :param wait: Whether to return only when the clusters are gone.
        """
        busy = sum(len(one.cluster.steps) for one in self._pool.clusters)
        if force and busy and not yes and not self._agrees(busy):
            self._say("nothing was changed")
            return
        self._told(_changed(lambda: self._care.delete(force=force)))
        if wait:
            self._wait()
            self._forget()

    def _agrees(self, busy: int) -> bool:
        name, clusters = self._pool.name, len(self._pool.clusters)
        if not sys.stdin.isatty():
            raise UnclearError(f"{busy} steps of pool {name} wait or run; to end them give --yes as well")
        question = f"End {clusters} clusters of pool {name} with {busy} steps that wait or run? [y/N] "
        return input(question).strip().lower() in ("y", "yes")

    def _told(self, report: Any) -> None:
        if report.retired:
            self._say(f"ending  {', '.join(report.retired)}")
        if report.draining:
            self._say(f"draining  {', '.join(report.draining)}: no more work, ends when it has done its own")
        if not report.retired and not report.draining:
            self._say(f"pool {self._pool.name} has no cluster to end")

    def _wait(self) -> None:
        """Wait until the clusters that were there end; those whose work is done are told to."""
        from airflow_provider_emrkit.pools.awaiting import Awaited
        from airflow_provider_emrkit.pools.watching import PoolWatch, wait_for_pool

        gone = Awaited(gone=tuple(one.cluster.id for one in self._pool.clusters))
        watch = PoolWatch(self._care, gone, LOOK_AGAIN)

        def tell(level: int, text: str) -> None:  # noqa: ARG001
            self._say(text)

        _changed(lambda: wait_for_pool(watch, threading.Event().wait, tell, None))

    def _forget(self) -> None:
        if _changed(self._care.forget):
            self._say(f"pool {self._pool.name} is gone")
        else:
            self._say(f"pool {self._pool.name} has new clusters: jobs use it")


def _changed(work: Callable[[], Any]) -> Any:
    """Do it; what goes wrong becomes one sentence."""
    from airflow_provider_emrkit.exceptions import EmrKitError

    try:
        with explained():
            return work()
    except EmrKitError as error:
        raise AccountError(str(error)) from error
