"""What CloudWatch tells about the clusters of a pool: their memory, and the containers that wait."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_transient
from airflow_provider_emrkit.pools.selection import Figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients

log = logging.getLogger(__name__)

NAMESPACE = "AWS/ElasticMapReduce"
# By the member of Figures they fill.
METRICS = {"memory_available": "YARNMemoryAvailablePercentage", "containers_pending": "ContainerPending"}
# EMR gives figures every five minutes, with managed scaling every minute. Older ones tell nothing.
MAX_AGE = 900.0
PERIOD = 60
# Queries that GetMetricData takes at once.
QUERIES_AT_ONCE = 500
# Seconds that figures are kept: they don't change more often.
KEPT = 60.0
# Seconds that CloudWatch is let alone after it could not be asked: who asks holds the lease meanwhile.
REST = 300.0


class PoolFigures:
    """The newest figures of clusters, asked for at most once a minute. Thread-safe.

    Where there are none (CloudWatch can't be asked, all clusters are young, EMR is a local one) that is said
    once, and clusters are chosen by their steps.

    :param clients: AWS clients.
    :param clock: Seconds that only go up.

    >>> PoolFigures(hook.clients).of(["j-1", "j-2"])["j-1"].memory_available  # doctest: +SKIP
    62.5
    """

    def __init__(self, clients: AwsClients, clock: Callable[[], float] = time.monotonic) -> None:
        self._clients = clients
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: frozenset[str] = frozenset()
        self._known: Mapping[str, Figures] = {}
        self._good_until = self._rests_until = float("-inf")
        self._said: set[int] = set()

    def of(self, cluster_ids: Iterable[str]) -> Mapping[str, Figures]:
        """Give the figures of clusters, as far as there are any (one GetMetricData for up to 250)."""
        wanted = frozenset(cluster_ids)
        with self._lock:
            now = self._clock()
            if now >= self._rests_until and not (now < self._good_until and wanted <= self._asked):
                self._known = self._read(sorted(wanted), now)
                self._asked, self._good_until = wanted, now + KEPT
            return self._known

    def _read(self, wanted: Sequence[str], now: float) -> Mapping[str, Figures]:
        try:
            # Not tried again: nobody waits for what is only a hint.
            found = read_figures(self._clients.client("cloudwatch", retries=False), wanted)
        except Exception as error:
            if not is_aws_error(error) and not is_transient(error):
                raise
            self._say_once(logging.WARNING, explain(error, self._clients.region_name))
            self._rests_until = now + REST
            return {}
        if wanted and not found:
            self._say_once(logging.INFO, "it has no figures of them of the last 15 minutes")
        return found

    def _say_once(self, level: int, why: str) -> None:
        if level not in self._said:
            self._said.add(level)
            log.log(
                level,
                "CloudWatch does not tell how much memory the pool's clusters have (%s); "
                "they are chosen by their steps.",
                why,
            )


def read_figures(cloudwatch: Any, cluster_ids: Sequence[str]) -> dict[str, Figures]:
    """Read the newest figures of clusters, each at most 15 minutes old (GetMetricData).

    :param cloudwatch: boto3 client.
    :raises botocore.exceptions.ClientError: when CloudWatch refuses.
    """
    now = datetime.now(timezone.utc)
    newest: dict[tuple[str, str], tuple[float, float]] = {}
    wanted = [(cluster, member) for cluster in cluster_ids for member in METRICS]
    for first in range(0, len(wanted), QUERIES_AT_ONCE):
        asked = {f"q{number}": key for number, key in enumerate(wanted[first : first + QUERIES_AT_ONCE])}
        request = {
            "MetricDataQueries": [_query(query, *key) for query, key in asked.items()],
            "StartTime": now - timedelta(seconds=MAX_AGE),
            "EndTime": now,
            "ScanBy": "TimestampDescending",
        }
        for result in _results(cloudwatch, request):
            if result.get("Values"):
                at, value = result["Timestamps"][0].timestamp(), float(result["Values"][0])
                newest.setdefault(asked[result["Id"]], (at, value))
    return _by_cluster(newest)


def _query(query: str, cluster_id: str, member: str) -> dict[str, Any]:
    metric = {
        "Namespace": NAMESPACE,
        "MetricName": METRICS[member],
        "Dimensions": [{"Name": "JobFlowId", "Value": cluster_id}],
    }
    return {"Id": query, "MetricStat": {"Metric": metric, "Period": PERIOD, "Stat": "Average"}}


def _results(cloudwatch: Any, request: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    more: dict[str, Any] = {}
    while True:
        answer = cloudwatch.get_metric_data(**request, **more)
        yield from answer.get("MetricDataResults", ())
        if not answer.get("NextToken"):
            return
        more = {"NextToken": answer["NextToken"]}


def _by_cluster(newest: Mapping[tuple[str, str], tuple[float, float]]) -> dict[str, Figures]:
    found: dict[str, dict[str, float]] = {}
    for (cluster, member), (at, value) in newest.items():
        figures = found.setdefault(cluster, {"at": at})
        figures[member] = value
        # How old the memory's figure is decides which jobs it does not know of.
        figures["at"] = at if member == "memory_available" else figures["at"]
    return {cluster: Figures(**figures) for cluster, figures in found.items()}
