"""Faults of clusters, as the API shows them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_emrkit.localemr.clock import utc_now
from airflow_provider_emrkit.testing.faults import faults

SPOT_WORKERS = {
    "InstanceGroups": [
        {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
        {"InstanceRole": "CORE", "InstanceType": "r5.xlarge", "InstanceCount": 2, "Market": "SPOT"},
        {"InstanceRole": "TASK", "InstanceType": "r5.2xlarge", "InstanceCount": 3, "Market": "SPOT"},
    ],
    "KeepJobFlowAliveWhenNoSteps": True,
}
ONE_NODE = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}


@pytest.fixture
def url(localemr_server):
    return localemr_server.endpoint_url


def status(localemr_server, cluster_id):
    return localemr_server.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]


def reason(localemr_server, cluster_id):
    shown = status(localemr_server, cluster_id)
    return shown["State"], shown["StateChangeReason"]["Code"], shown["StateChangeReason"]["Message"]


def nodes(localemr_server, cluster_id, role):
    instances = localemr_server.client("emr").list_instances(ClusterId=cluster_id, InstanceGroupTypes=[role])
    return sorted(item["Status"]["State"] for item in instances["Instances"])


def test_a_cluster_starts_slowly_and_is_up_when_the_fault_is_gone(localemr_server, url):
    with faults(url, slow_start={"seconds": 3600, "cluster": "slow*"}):
        slow = localemr_server.run_cluster(Name="slow one")
        localemr_server.wait_cluster(localemr_server.run_cluster(Name="other"), "WAITING")
        localemr_server._wait(slow, lambda record: record.reason_message != "", "progress")
        shown = status(localemr_server, slow)
        assert shown["State"] == "STARTING"
        assert shown["StateChangeReason"]["Message"] == "Provisioning Amazon EC2 capacity"
    localemr_server.wait_cluster(slow, "WAITING")


def test_a_cluster_bootstraps_slowly(localemr_server, url):
    with faults(url, slow_start={"bootstrapping": 3600}):
        cluster_id = localemr_server.run_cluster()
        localemr_server.wait_cluster(cluster_id, "BOOTSTRAPPING")
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_a_cluster_that_starts_slowly_comes_up_by_itself(localemr_server, url):
    with faults(url, slow_start=[{"seconds": [0.1, 0.2]}]):
        record = localemr_server.wait_cluster(localemr_server.run_cluster(), "WAITING")
    assert (record.ready - record.created).total_seconds() >= 0.1


def test_a_cluster_that_starts_slowly_can_be_terminated(localemr_server, url):
    with faults(url, slow_start=3600):
        cluster_id = localemr_server.run_cluster()
        localemr_server.wait_cluster(cluster_id, "STARTING")
        localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
        localemr_server.wait_cluster(cluster_id, "TERMINATED")


def test_a_cluster_without_capacity_ends_in_emrs_words(localemr_server, url):
    with faults(url, no_capacity={"times": 1}):
        cluster_id = localemr_server.run_cluster()
        localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
        localemr_server.wait_cluster(localemr_server.run_cluster(), "WAITING")
    assert reason(localemr_server, cluster_id) == (
        "TERMINATED_WITH_ERRORS",
        "INTERNAL_ERROR",
        "EC2 is out of capacity for m5.xlarge in availability zone us-east-1a. "
        "Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancecapacity",
    )
    (detail,) = status(localemr_server, cluster_id)["ErrorDetails"]
    assert detail["ErrorCode"] == "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"
    assert {"instance-type": "m5.xlarge"} in detail["ErrorData"]


def test_clusters_are_counted_in_the_order_in_which_they_are_asked_for(localemr_server, url):
    with faults(url, no_capacity={"nth": 3}):
        with faults(url, slow_start=3600):
            ids = [localemr_server.run_cluster() for _ in range(5)]
        ended = [localemr_server.wait_cluster(name, "WAITING", "TERMINATED_WITH_ERRORS") for name in ids]
    assert [number for number, record in enumerate(ended, 1) if record.state != "WAITING"] == [3]


def test_a_cluster_that_waited_for_its_failure_comes_up_when_the_faults_are_gone(localemr_server, url):
    with faults(url, slow_start=3600, no_capacity=True):
        cluster_id = localemr_server.run_cluster()
        localemr_server.wait_cluster(cluster_id, "STARTING")
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_a_spot_primary_without_capacity_has_a_code_of_its_own(localemr_server, url):
    fleet = {
        "InstanceFleetType": "MASTER",
        "TargetSpotCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "c5.xlarge"}],
    }
    instances = {"InstanceFleets": [fleet], "KeepJobFlowAliveWhenNoSteps": True}
    with faults(url, no_capacity={"code": "INSTANCE_FLEET_TIMEOUT", "message": "not in time"}):
        cluster_id = localemr_server.run_cluster(Instances=instances)
        localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert reason(localemr_server, cluster_id)[1:] == ("INSTANCE_FLEET_TIMEOUT", "not in time")
    (detail,) = status(localemr_server, cluster_id)["ErrorDetails"]
    assert detail["ErrorCode"] == "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"


def test_a_bootstrap_action_fails(localemr_server, url):
    actions = [
        {"Name": name, "ScriptBootstrapAction": {"Path": f"s3://code/{name}.sh"}} for name in ("one", "two")
    ]
    with faults(url, bootstrap_failure={"action": 2}):
        cluster_id = localemr_server.run_cluster(BootstrapActions=actions)
        localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    (primary,) = localemr_server.client("emr").list_instances(
        ClusterId=cluster_id, InstanceGroupTypes=["MASTER"]
    )["Instances"]
    code, message = reason(localemr_server, cluster_id)[1:]
    assert code == "BOOTSTRAP_FAILURE"
    where = f"On the master instance ({primary['Ec2InstanceId']})"
    assert message == f"{where}, bootstrap action 2 returned a non-zero return code"
    (detail,) = status(localemr_server, cluster_id)["ErrorDetails"]
    assert {"amazon-s3-path": "s3://code/two.sh"} in detail["ErrorData"]


def test_the_installation_of_applications_fails_where_there_is_no_bootstrap_action(localemr_server, url):
    with faults(url, bootstrap_failure=True):
        cluster_id = localemr_server.run_cluster()
        localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert reason(localemr_server, cluster_id)[2].endswith("application provisioning failed")


def test_task_nodes_are_lost_and_the_step_that_ran_fails(localemr_server, url):
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
    step_id = localemr_server.add_step(cluster_id, "etl")
    localemr_server.runner.wait_started("etl")
    with faults(url, lost_nodes={"role": "TASK", "count": 2}):
        step = localemr_server.wait_step(cluster_id, step_id, "FAILED")
    assert "Container released on a *lost* node" in step.failure.message
    assert nodes(localemr_server, cluster_id, "TASK") == ["RUNNING", "TERMINATED", "TERMINATED"]
    assert nodes(localemr_server, cluster_id, "CORE") == ["RUNNING", "RUNNING"]
    groups = localemr_server.client("emr").list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
    (task,) = [group for group in groups if group["InstanceGroupType"] == "TASK"]
    assert (task["RequestedInstanceCount"], task["RunningInstanceCount"]) == (3, 1)
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_a_lost_instance_says_that_it_was_lost(localemr_server, url):
    cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    with faults(url, lost_nodes="TASK") as active:
        localemr_server._wait(cluster_id, lambda _: active.struck == 1, "a strike")
    instances = localemr_server.client("emr").list_instances(
        ClusterId=cluster_id, InstanceGroupTypes=["TASK"]
    )
    assert {item["Status"]["StateChangeReason"]["Code"] for item in instances["Instances"]} == {
        "INSTANCE_FAILURE"
    }


def test_a_cluster_loses_nodes_once_however_often_something_happens_in_it(localemr_server, url):
    cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
    with faults(url, lost_nodes={"role": "TASK", "count": 1}):
        for number in range(3):
            step_id = localemr_server.add_step(cluster_id, f"step {number}")
            localemr_server.wait_step(cluster_id, step_id, "COMPLETED", "FAILED")
    assert nodes(localemr_server, cluster_id, "TASK") == ["RUNNING", "RUNNING", "TERMINATED"]


def test_nodes_are_lost_while_a_step_of_some_name_runs(localemr_server, url):
    localemr_server.runner.script("hold", hold=True)
    with faults(url, lost_nodes={"role": "TASK", "step": "hold *"}):
        cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
        first = localemr_server.add_step(cluster_id, "first")
        second = localemr_server.add_step(cluster_id, "hold it")
        localemr_server.wait_step(cluster_id, second, "FAILED")
    assert localemr_server.wait_step(cluster_id, first, "COMPLETED")


def test_steps_may_survive_the_loss_of_task_nodes(localemr_server, url):
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
    step_id = localemr_server.add_step(cluster_id, "etl")
    localemr_server.runner.wait_started("etl")
    with faults(url, lost_nodes={"role": "TASK", "steps_fail": False}) as active:
        localemr_server._wait(cluster_id, lambda _: active.struck == 1, "a strike")
        localemr_server.runner.finish("etl")
        localemr_server.wait_step(cluster_id, step_id, "COMPLETED")


@pytest.mark.parametrize(
    ("role", "instances", "message"),
    [
        ("MASTER", SPOT_WORKERS, "The master node was terminated"),
        ("MASTER", ONE_NODE, "All instances in the job flow are terminated"),
        ("CORE", SPOT_WORKERS, "All slaves in the job flow were terminated due to Spot"),
    ],
)
def test_a_cluster_ends_when_it_loses_its_primary_or_all_core_nodes(
    localemr_server, url, role, instances, message
):
    localemr_server.runner.script("etl", hold=True)
    cluster_id = localemr_server.run_cluster(Instances=instances)
    running = localemr_server.add_step(cluster_id, "etl")
    pending = localemr_server.add_step(cluster_id, "etl later")
    localemr_server.runner.wait_started("etl")
    with faults(url, lost_nodes=role):
        localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert reason(localemr_server, cluster_id) == ("TERMINATED_WITH_ERRORS", "INSTANCE_FAILURE", message)
    for step_id in (running, pending):
        assert localemr_server.wait_step(cluster_id, step_id, "CANCELLED")
    assert {force for _, force in localemr_server.runner.cancels} >= {True}


def test_a_cluster_that_keeps_a_core_node_goes_on(localemr_server, url):
    cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    with faults(url, lost_nodes={"role": "CORE", "count": 1}) as active:
        localemr_server._wait(cluster_id, lambda _: active.struck == 1, "a strike")
    assert nodes(localemr_server, cluster_id, "CORE") == ["RUNNING", "TERMINATED"]
    assert status(localemr_server, cluster_id)["State"] == "WAITING"


def test_nodes_are_lost_some_time_after_the_cluster_came_up(localemr_server, url):
    with faults(url, lost_nodes={"role": "MASTER", "seconds": 0.3}):
        cluster_id = localemr_server.run_cluster()
        record = localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert (record.ended - record.ready).total_seconds() >= 0.3


def test_a_loss_that_has_not_come_yet_never_does_when_the_fault_is_taken_away(
    localemr_server, url, monkeypatch
):
    passed = timedelta()
    monkeypatch.setattr(localemr_server.server.emr, "now", lambda: utc_now() + passed)
    with faults(url, lost_nodes={"role": "MASTER", "seconds": 3600}):
        cluster_id = localemr_server.run_cluster()
        localemr_server.wait_cluster(cluster_id, "WAITING")
    passed = timedelta(hours=2)
    # What runs a step looks for losses first.
    step_id = localemr_server.add_step(cluster_id, "later")
    localemr_server.wait_step(cluster_id, step_id, "COMPLETED")
    assert status(localemr_server, cluster_id)["State"] == "WAITING"


def test_lost_nodes_survive_in_the_journal(localemr_server, url):
    from airflow_provider_emrkit.localemr.emr.record_json import from_json, to_json

    cluster_id = localemr_server.run_cluster(Instances=SPOT_WORKERS)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    with faults(url, lost_nodes={"role": "TASK", "count": 1}) as active:
        record = localemr_server._wait(cluster_id, lambda _: active.struck == 1, "a strike")
    with localemr_server.server.emr.store.lock:
        again = from_json(type(record), to_json(record))
    assert [batch.lost for batch in again.instances[2].batches] == [False, True]
