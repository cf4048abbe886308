from __future__ import annotations

import itertools
import json

import pytest

from airflow_provider_emrkit.compute.pool_mark import PoolMark, PoolPlace

BUCKET = "pools-test"
SPEC = "0123456789ab"


class PoolsOnServer:
    """Pools of a local EMR, made by hand: what other processes would have made.

    :param server: The local EMR.
    """

    def __init__(self, server):
        self.server = server
        self.s3 = server.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        self._starts = itertools.count(1)

    def place(self, name="medium", team="", base=f"s3://{BUCKET}/emrkit"):
        return PoolPlace.below(base, name, team)

    def start(self, place, *, spec=SPEC, capacity=(1, 2, 8), tags=None, at_once=2, state="WAITING"):
        """Start a cluster of a pool, and wait until it is in a state."""
        mark = PoolMark(place.name, place.key, spec, capacity, f"{next(self._starts):012x}")
        if tags is None:
            tags = {"emrkit:pool": place.name, "emrkit:lease": place.uri, "emrkit:owner": "data-platform"}
            tags.update({"emrkit:team": place.team} if place.team else {})
        cluster = self.server.run_cluster(
            Name=mark.marked(),
            StepConcurrencyLevel=at_once,
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        self.server.wait_cluster(cluster, state)
        return cluster

    def work(self, cluster, name, state="RUNNING"):
        """Give a cluster a step that runs until it is cancelled or its cluster ends."""
        self.server.runner.script(name, hold=True)
        step = self.server.add_step(cluster, name)
        self.server.wait_step(cluster, step, state)
        return step

    def write(self, place, **record):
        """Write a pool's record, as JSON."""
        key = place.uri.removeprefix(f"s3://{BUCKET}/")
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps({"version": 1, **record}).encode())


@pytest.fixture
def pools_on_server(localemr_server):
    """Make pools on a local EMR."""
    return PoolsOnServer(localemr_server)
