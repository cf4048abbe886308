"""The pool whose clusters the endpoint plays, and the jobs that are placed on them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from airflow_provider_emrkit.compute.pool_mark import PoolMark, PoolPlace
from airflow_provider_emrkit.pools.order import PoolBounds, PoolOrder
from airflow_provider_emrkit.runs.token import RunToken

if TYPE_CHECKING:
    from collections.abc import Sequence

BUCKET = "bench"
PLACE = PoolPlace.below(f"s3://{BUCKET}/emrkit", "bench")
SPEC, CAPACITY = "0123456789ab", (1, 2, 8)

# More than the steps that are there, so that there is room.
STEPS_PER_CLUSTER = 100


def cluster_name(number: int) -> str:
    """Name a cluster of the pool.

    >>> PoolMark.of(cluster_name(3)).start
    '000000000003'
    """
    return PoolMark(PLACE.name, PLACE.key, SPEC, CAPACITY, f"{number:012x}").marked()


def make_orders(number: int, clusters: int, turn: int) -> Sequence[PoolOrder]:
    """Make the orders of jobs that are to be placed at the same time.

    :param clusters: How many there are; there may be no more.
    :param turn: Tells them from those of other turns.
    """
    bounds = PoolBounds(clusters, steps_per_cluster=STEPS_PER_CLUSTER)
    tokens = [RunToken("bench", f"turn-{turn}", "place", index, 0, 1) for index in range(number)]
    return [_order(token, bounds) for token in tokens]


def _order(token: RunToken, bounds: PoolBounds) -> PoolOrder:
    step = {
        "Name": token.marked(),
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", f"s3://{BUCKET}/job.py"]},
    }
    return PoolOrder(PLACE, bounds, SPEC, CAPACITY, {"Instances": {}}, step, token, time.time())
