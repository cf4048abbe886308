"""How clusters of a pool ended, and what that means for whoever waited for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.pool_mark import PoolMark
from airflow_provider_emrkit.logs.causes import Cause
from airflow_provider_emrkit.pools.looking import pages
from airflow_provider_emrkit.runs.classify import classify
from airflow_provider_emrkit.runs.states import CLUSTER_GONE, RunState, RunStatus
from airflow_provider_emrkit.runs.step_calls import cluster_state, error_codes, ready_at, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit.compute.pool_mark import PoolPlace
    from airflow_provider_emrkit.exceptions import RunError


@dataclass(frozen=True)
class Ending:
    """A cluster that has ended, or that is ending.

    :param id: ``j-…``
    :param mark: What its name tells; None where it has another name.
    :param state: EMR's word.
    :param code: The code of its reason.
    :param message: The reason in EMR's words.
    :param errors: The codes of what led to it.
    :param created_at: Seconds since 1970.
    :param ready_at: The same; None for a cluster that never came up.
    :param ended_at: The same; None while it is ending.

    >>> str(Ending("j-1", None, "TERMINATED", "USER_REQUEST"))
    'j-1 is TERMINATED: USER_REQUEST'
    """

    id: str
    mark: PoolMark | None
    state: str
    code: str = ""
    message: str = ""
    errors: tuple[str, ...] = ()
    created_at: float | None = None
    ready_at: float | None = None
    ended_at: float | None = None

    @classmethod
    def of(cls, cluster: Mapping[str, Any]) -> Ending:
        """Read it from DescribeCluster's answer, or from a member of ListClusters'."""
        state, code, message = cluster_state(cluster)
        timeline = (cluster.get("Status") or {}).get("Timeline") or {}
        return cls(
            cluster["Id"],
            PoolMark.of(cluster.get("Name") or ""),
            state,
            code,
            message,
            error_codes(cluster),
            seconds(timeline.get("CreationDateTime")),
            ready_at(cluster),
            seconds(timeline.get("EndDateTime")),
        )

    @property
    def never_came_up(self) -> bool:
        """Whether no job could have run on it."""
        return self.ready_at is None

    def __str__(self) -> str:
        return f"{self.id} is {self.state}: {self.message or self.code or 'EMR gives no reason'}"


def start_failure(what: str, endings: Sequence[Ending]) -> RunError:
    """Make the error of clusters that did not come up; its type is that of the first one's reason.

    :param what: What did not work.
    :param endings: How they ended, at least one.

    >>> ending = Ending("j-1", None, "TERMINATED_WITH_ERRORS", "BOOTSTRAP_FAILURE", "action 1 failed")
    >>> str(start_failure("pool medium is not warm", [ending])).split(";")[0]
    'pool medium is not warm: cluster j-1 is TERMINATED_WITH_ERRORS: action 1 failed'
    """
    first = endings[0]
    status = RunStatus(
        RunState.NEVER_RAN,
        "",
        compute_state=first.state,
        compute_message=first.message,
        compute_code=first.code,
        compute_errors=first.errors,
    )
    cause = Cause(first.message or first.code, "cluster")
    verdict = classify(status, cause)
    told = ", ".join(f"cluster {ending}" for ending in endings)
    hint = f"; {verdict.hint}" if verdict.hint else ""
    return verdict.error(f"{what}: {told}{hint}", cause=cause)


def describe_ending(emr: Any, cluster_id: str) -> Ending:
    """Ask EMR what became of a cluster (DescribeCluster)."""
    return Ending.of(emr.describe_cluster(ClusterId=cluster_id)["Cluster"])


def endings_since(emr: Any, place: PoolPlace, since: float) -> tuple[Ending, ...]:
    """Give the clusters of a pool that were asked for since then and have ended (ListClusters).

    :param since: Seconds since 1970.
    """
    request = {
        "ClusterStates": sorted(CLUSTER_GONE),
        "CreatedAfter": datetime.fromtimestamp(since, timezone.utc),
    }
    answers = pages(emr.list_clusters, request)
    found = (Ending.of(cluster) for answer in answers for cluster in answer.get("Clusters", ()))
    return tuple(one for one in found if one.mark and one.mark.place == place.key)
