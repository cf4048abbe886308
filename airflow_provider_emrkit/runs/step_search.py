"""Finds the steps, and the clusters made for them, that a task instance has started: by marks in names."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.compute.pool_mark import PoolMark, PoolPlace
from airflow_provider_emrkit.compute.pool_request import pool_place
from airflow_provider_emrkit.compute.targets import ExistingCluster
from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.runs.earlier import Found
from airflow_provider_emrkit.runs.refusals import refusal
from airflow_provider_emrkit.runs.states import CLUSTER_COMING_UP, CLUSTER_GONE, CLUSTER_UP
from airflow_provider_emrkit.runs.step_calls import (
    cluster_state,
    created_at,
    ended_at,
    run_of,
    run_status,
)
from airflow_provider_emrkit.runs.token import Mark

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.runs.protocol import Compute
    from airflow_provider_emrkit.runs.token import RunToken

log = logging.getLogger(__name__)

# Seconds back that finished work is looked for where nobody knows since when.
SEARCH_WITHIN = 24 * 3600.0
# Seconds that the clocks of Airflow and AWS may differ by. What was just sent must be found by all means;
# what is older than the DAG run is of another one, which had the same id and was deleted.
CLOCK_SKEW = 300.0
DAG_RUN_SKEW = 60.0
# Pages of 50. EMR lists a cluster's last 1,000 steps; of clusters there may be any number.
STEP_PAGES = 20
CLUSTER_PAGES = 40
# Seconds before what is looked for in which a pool's cluster may have been started that has ended since.
POOL_CLUSTER_LIFE = 48 * 3600.0
# Seconds after which a second look is taken when nothing is listed of the try before this one: it may have
# submitted its job and died just now.
LATE_LIST = 3.0
# Seconds between the looks for the step that a new cluster was started with.
LIST_PAUSES = (2.0, 5.0, 10.0)

ACTIVE_STEPS = ("PENDING", "CANCEL_PENDING", "RUNNING")
ACTIVE_CLUSTERS = tuple(sorted(CLUSTER_COMING_UP | CLUSTER_UP | {"TERMINATING"}))
ENDED_CLUSTERS = tuple(sorted(CLUSTER_GONE))


@dataclass(frozen=True)
class _Wanted:
    """What is looked for.

    :param fits: Tells it by its mark.
    :param oldest: Seconds since 1970 from which on it was started, when it is over.
    :param generation: Of other generations, clusters that have ended do not matter.
    :param older: Whether work that is not over is looked for however old it is.
    """

    fits: Callable[[Mark], bool]
    oldest: float
    generation: int
    older: bool = True


class StepSearch:
    """Finds what a task instance has started.

    :param clients: AWS clients.
    :param pause: Waits some seconds between attempts to ask; gives True when the work is to stop. Without it,
        everything is asked once.
    :param staging_uri: The connection's, which tells where a pool is kept.

    >>> StepSearch(hook.clients, stop.wait).earlier(compute, token)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        pause: Callable[[float], bool] | None = None,
        staging_uri: str | None = None,
    ) -> None:
        self._clients = clients
        self._pause = pause
        self._staging_uri = staging_uri

    @property
    def _emr(self) -> Any:
        # Who asks here has more patience than boto3, and tells when it ends.
        return self._clients.client("emr", retries=False)

    def earlier(self, compute: Compute, token: RunToken, since: float | None = None) -> list[Found]:
        """Find all that a task instance has started, of all its tries and generations, the newest first.

        An existing cluster's steps are listed (ListSteps), or the account's clusters (ListClusters) and the
        steps of those that carry the mark, or that are the pool's. Work that is not over is found however old
        it is. Where nothing is listed of the try before, which may have submitted just now, a second look is
        taken.

        :param since: Seconds since 1970 from which on finished work is looked for, e.g. the start of the DAG
            run; by default a day ago.
        :raises SubmitRefusedError: when AWS can't be asked; nobody knows then whether the job runs.
        """
        since = time.time() - SEARCH_WITHIN if since is None else since
        tries: set[int] = set()

        def is_ours(mark: Mark) -> bool:
            if mark.stem == token.stem:
                tries.add(mark.try_number)
            return mark.stem == token.stem

        wanted = _Wanted(is_ours, since - DAG_RUN_SKEW, token.generation)
        try:
            found = list(self._search(compute, wanted))
            the_last_is_missing = max(tries, default=0) < token.try_number - 1
            if the_last_is_missing and self._pause and not self._pause(LATE_LIST):
                found = list(self._search(compute, wanted))
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            what = (
                "it could not be found out whether an earlier try's job still runs, so nothing was submitted"
            )
            raise refusal(what, error, self._clients.region_name) from error
        return sorted(found, key=lambda one: one.age, reverse=True)

    def carrying(self, compute: Compute, token: RunToken, since: float) -> list[Found]:
        """Find what carries exactly this token, the oldest first.

        :param since: When it may have been started, in seconds since 1970.
        :return: For a dynamic cluster that does not list its step yet, a run without a ``step_id``.
        """
        wanted = _Wanted(lambda mark: mark == token.mark, since - CLOCK_SKEW, token.generation, older=False)
        return sorted(self._search(compute, wanted), key=lambda one: one.run.submitted_at)

    def on_pool(self, place: PoolPlace, marks: Collection[Mark], since: float) -> list[Found]:
        """Find what carries one of some marks on the clusters of a pool, the oldest first.

        :param since: When it may have been placed, in seconds since 1970.
        """
        wanted = _Wanted(lambda mark: mark in marks, since - CLOCK_SKEW, generation=0, older=False)
        return sorted(self._on_pool(place, wanted), key=lambda one: one.run.submitted_at)

    def _search(self, compute: Compute, wanted: _Wanted) -> Iterator[Found]:
        if isinstance(compute, ExistingCluster):
            yield from self._on_cluster(compute.cluster_id, wanted)
            return
        if isinstance(compute, ClusterPool):
            yield from self._on_pool(pool_place(compute, self._staging_uri), wanted)
            return
        for cluster_id, mark in self._own_clusters(wanted).items():
            yield self._on_own_cluster(cluster_id, mark)

    def _on_cluster(self, cluster_id: str, wanted: _Wanted) -> Iterator[Found]:
        cluster: Mapping[str, Any] | None = None
        for step in self._steps(cluster_id, wanted.oldest, older=wanted.older):
            mark = Mark.of(step.get("Name") or "")
            if mark and wanted.fits(mark):
                cluster = cluster or self._describe(cluster_id)
                yield self._found(cluster, step, mark, owns_cluster=False)

    def _on_pool(self, place: PoolPlace, wanted: _Wanted) -> Iterator[Found]:
        """Search the clusters of a pool, also those that have ended since."""
        border = datetime.fromtimestamp(wanted.oldest, timezone.utc)
        first = datetime.fromtimestamp(max(0.0, wanted.oldest - POOL_CLUSTER_LIFE), timezone.utc)
        requests: list[dict[str, Any]] = [
            {"CreatedAfter": border},
            {"CreatedBefore": border, "ClusterStates": list(ACTIVE_CLUSTERS)},
            {"CreatedBefore": border, "CreatedAfter": first, "ClusterStates": list(ENDED_CLUSTERS)},
        ]
        found: dict[str, None] = {}
        for cluster in chain.from_iterable(map(self._clusters, requests)):
            mark = PoolMark.of(cluster.get("Name") or "")
            if mark and (mark.pool, mark.place) == (place.name, place.key):
                ended = ended_at(cluster)
                if ended is None or ended >= wanted.oldest:
                    found[cluster["Id"]] = None
        for cluster_id in found:
            for one in self._on_cluster(cluster_id, wanted):
                yield replace(one, run=replace(one.run, pool=place.name))

    def _on_own_cluster(self, cluster_id: str, mark: Mark) -> Found:
        for wait in (*LIST_PAUSES, None):
            # In this order: a step that succeeds between the two calls ends the cluster, and would seem to
            # have been lost with it.
            cluster = self._describe(cluster_id)
            listed = self._steps(cluster_id, oldest=0.0)
            step = next((step for step in listed if Mark.of(step.get("Name") or "") == mark), None)
            gone = cluster_state(cluster)[0] in CLUSTER_GONE
            # Who stops the work does not wait for a step either.
            if step or gone or wait is None or self._pause is None or self._pause(wait):
                break
        return self._found(cluster, step, mark, owns_cluster=True)

    def _found(
        self, cluster: Mapping[str, Any], step: Mapping[str, Any] | None, mark: Mark, *, owns_cluster: bool
    ) -> Found:
        run = run_of(
            cluster,
            step["Id"] if step else "",
            mark,
            name=(step or cluster).get("Name") or "",
            region=self._clients.region_name,
            submitted_at=created_at(step or cluster) or time.time(),
            owns_cluster=owns_cluster,
        )
        return Found(replace(run, driver_apart=_has_driver_apart(step)), run_status(step, cluster), mark)

    def _own_clusters(self, wanted: _Wanted) -> dict[str, Mark]:
        """Give the clusters of a task instance, but for the ended ones of other generations."""
        border = datetime.fromtimestamp(wanted.oldest, timezone.utc)
        requests: list[dict[str, Any]] = [{"CreatedAfter": border}]
        if wanted.older:
            requests.append({"CreatedBefore": border, "ClusterStates": list(ACTIVE_CLUSTERS)})
        marks: dict[str, Mark] = {}
        for cluster in chain.from_iterable(map(self._clusters, requests)):
            mark = Mark.of(cluster.get("Name") or "")
            if mark is None or not wanted.fits(mark):
                continue
            if mark.generation == wanted.generation or cluster_state(cluster)[0] not in CLUSTER_GONE:
                marks[cluster["Id"]] = mark
        return marks

    def _clusters(self, request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """List clusters, in no order (ListClusters)."""
        for page in self._pages("list_clusters", request, CLUSTER_PAGES):
            yield from page["Clusters"]

    def _steps(self, cluster_id: str, oldest: float, *, older: bool = True) -> Iterator[Mapping[str, Any]]:
        """List a cluster's steps, newest first, and older ones that are not over (ListSteps).

        :param older: Whether those are looked for beyond the page that the time ends on.
        """
        seen: set[str] = set()
        for page in self._pages("list_steps", {"ClusterId": cluster_id}, STEP_PAGES):
            steps = [step for step in page["Steps"] if _is_recent(step, oldest) or _is_active(step)]
            seen.update(step["Id"] for step in steps)
            yield from steps
            if page.get("Marker") and len(steps) < len(page["Steps"]):
                break
        else:
            older = False
        if not older:
            return
        active = {"ClusterId": cluster_id, "StepStates": list(ACTIVE_STEPS)}
        for page in self._pages("list_steps", active, STEP_PAGES):
            yield from (step for step in page["Steps"] if step["Id"] not in seen)

    def _pages(self, call: str, request: Mapping[str, Any], limit: int) -> Iterator[Mapping[str, Any]]:
        ask = getattr(self._emr, call)
        more: dict[str, Any] = {}
        for _ in range(limit):
            answer = self._ask(partial(ask, **request, **more))
            yield answer
            if not answer.get("Marker"):
                return
            more = {"Marker": answer["Marker"]}
        log.warning(
            "Earlier work of this task was looked for in %s pages of EMR's %s; there are more, "
            "which were not looked at.",
            limit,
            call.partition("_")[2],
        )

    def _ask(self, ask: Callable[[], Any]) -> Any:
        return patiently(ask, self._pause) if self._pause else ask()

    def _describe(self, cluster_id: str) -> Mapping[str, Any]:
        cluster: Mapping[str, Any] = self._ask(partial(self._emr.describe_cluster, ClusterId=cluster_id))[
            "Cluster"
        ]
        return cluster


def _is_recent(step: Mapping[str, Any], oldest: float) -> bool:
    created = created_at(step)
    return created is None or created >= oldest


def _is_active(step: Mapping[str, Any]) -> bool:
    return (step.get("Status") or {}).get("State") in ACTIVE_STEPS


def _has_driver_apart(step: Mapping[str, Any] | None) -> bool:
    """Tell whether a step's driver may run in YARN: always, unless its arguments can be read and say no."""
    arguments = ((step or {}).get("Config") or {}).get("Args") or []
    modes = [value for flag, value in pairwise(arguments) if flag == "--deploy-mode"]
    return modes[:1] != ["client"]
