"""A store with years of work in it: answers stay quick, and so does a restart."""

from __future__ import annotations

import json
import statistics
import time
from datetime import datetime, timezone

import pytest

from airflow_provider_emrkit.localemr.emr.cluster_rules import cluster_record
from airflow_provider_emrkit.localemr.emr.context import Emr
from airflow_provider_emrkit.localemr.emr.journal import Journal
from airflow_provider_emrkit.localemr.emr.service import EmrApi

CLUSTERS, STEPS = 1_000, 10
# The goals; usual are a few milliseconds, and half a second.
GOAL_SECONDS = 0.05
GOAL_START_SECONDS = 3

STEP = {
    "Name": "daily_sales",
    "ActionOnFailure": "CONTINUE",
    "HadoopJarStep": {
        "Jar": "command-runner.jar",
        "Args": ["spark-submit", "--deploy-mode", "cluster", "s3://code/job.py", "--day", "2026-01-01"],
    },
}
REQUEST = {
    "Name": "nightly",
    "ReleaseLabel": "emr-7.11.0",
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "Configurations": [{"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "2g"}}],
    "Instances": {"InstanceCount": 21, "MasterInstanceType": "m5.xlarge", "SlaveInstanceType": "m5.xlarge"},
    "Steps": [STEP] * STEPS,
}


def ended_clusters():
    now = datetime.now(timezone.utc)
    for _ in range(CLUSTERS):
        record = cluster_record(REQUEST, "us-east-1", now)
        record.state, record.reason_code = "TERMINATED", "ALL_STEPS_COMPLETED"
        record.ready = record.ended = now
        for step in record.steps.values():
            step.state, step.started, step.ended = "COMPLETED", now, now
        yield record


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """A journal with all that work in it."""
    path = tmp_path_factory.mktemp("scale") / "state.db"
    written = Journal(path)
    for record in ended_clusters():
        written.save(record)
    written.close()
    return path


def test_a_start_is_quick_and_so_are_the_answers(localemr_server, journal):
    begun = time.perf_counter()
    emr = Emr(localemr_server.runner, str, journal=Journal(journal))
    assert time.perf_counter() - begun < GOAL_START_SECONDS
    assert emr.store.count() == ({"TERMINATED": CLUSTERS}, {"COMPLETED": CLUSTERS * STEPS})

    api, oldest = EmrApi(emr), emr.store.all_clusters()[0]

    def call(operation, **params):
        return json.loads(api.answer(operation, json.dumps(params).encode(), region="us-east-1"))

    markers = [None]
    while markers[-1] is not None or len(markers) == 1:
        page = call("ListClusters", **({"Marker": markers[-1]} if markers[-1] else {}))
        markers.append(page.get("Marker"))
    assert len(markers) == CLUSTERS // 50 + 1
    calls = {
        "ListClusters, newest": lambda: call("ListClusters"),
        "ListClusters, oldest": lambda: call("ListClusters", Marker=markers[-2]),
        "ListClusters, none": lambda: call("ListClusters", ClusterStates=["WAITING"]),
        "DescribeCluster": lambda: call("DescribeCluster", ClusterId=oldest.id),
        "ListSteps": lambda: call("ListSteps", ClusterId=oldest.id),
        "DescribeStep": lambda: call("DescribeStep", ClusterId=oldest.id, StepId=next(iter(oldest.steps))),
        "ListInstances": lambda: call("ListInstances", ClusterId=oldest.id),
        "the counts of the health page": emr.store.count,
    }
    # Not among the quick ones: it has all their steps.
    assert len(call("DescribeJobFlows")["JobFlows"]) == 512
    slow = {name: seconds for name, ask in calls.items() if (seconds := median(ask)) > GOAL_SECONDS}
    assert slow == {}


def median(call):
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)
