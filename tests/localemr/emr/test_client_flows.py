"""What well-known clients do with EMR, call by call and in their order, with boto3."""

from __future__ import annotations

import re
import time
from functools import partial

import pytest

GROUPS = [
    {"Name": "main", "InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1},
    {"Name": "core", "InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 2},
]
ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")


@pytest.fixture
def emr(localemr_server):
    localemr_server.client("s3").create_bucket(Bucket="logs")
    return localemr_server.client("emr")


def step(name, *args, action="CONTINUE"):
    arguments = list(args) or ["spark-submit", "s3://code/job.py"]
    return {
        "Name": name,
        "ActionOnFailure": action,
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": arguments},
    }


def poll(look, *wanted, seconds=20):
    """Look until the answer is a wanted one; every look is a request, so none has to sleep between them."""
    deadline = time.monotonic() + seconds
    while (found := look()) not in wanted:
        assert time.monotonic() < deadline, f"still {found}, not one of {wanted}"
    return found


def cluster_state(emr, cluster_id):
    return emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]


def step_state(emr, cluster_id, step_id):
    return emr.describe_step(ClusterId=cluster_id, StepId=step_id)["Step"]["Status"]["State"]


def test_terraforms_aws_emr_cluster(emr):
    request = {
        "Name": "terraform",
        "ReleaseLabel": "emr-7.11.0",
        "Applications": [{"Name": "Spark"}],
        "LogUri": "s3://logs/terraform/",
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole",
        "VisibleToAllUsers": True,
        "StepConcurrencyLevel": 2,
        "AutoTerminationPolicy": {"IdleTimeout": 3600},
        "Tags": [{"Key": "env", "Value": "dev"}],
        "BootstrapActions": [
            {"Name": "setup", "ScriptBootstrapAction": {"Path": "s3://code/setup.sh", "Args": ["a"]}}
        ],
        "Steps": [step("first")],
        "Instances": {
            "InstanceGroups": GROUPS,
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": True,
            "Ec2SubnetId": "subnet-1",
            "EmrManagedMasterSecurityGroup": "sg-1",
            "EmrManagedSlaveSecurityGroup": "sg-2",
        },
    }
    cluster_id = emr.run_job_flow(**request)["JobFlowId"]
    # Create waits for WAITING or, with steps to run, RUNNING; then Read fills the state.
    poll(lambda: cluster_state(emr, cluster_id), "WAITING")
    cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert (cluster["ReleaseLabel"], cluster["StepConcurrencyLevel"]) == ("emr-7.11.0", 2)
    assert (cluster["TerminationProtected"], cluster["AutoTerminate"]) == (True, False)
    assert cluster["Tags"] == request["Tags"]
    assert cluster["Ec2InstanceAttributes"]["EmrManagedMasterSecurityGroup"] == "sg-1"
    assert cluster["MasterPublicDnsName"]
    groups = emr.list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
    assert [(group["Name"], group["RequestedInstanceCount"]) for group in groups] == [
        ("main", 1),
        ("core", 2),
    ]
    (action,) = emr.list_bootstrap_actions(ClusterId=cluster_id)["BootstrapActions"]
    assert (action["Name"], action["ScriptPath"], action["Args"]) == ("setup", "s3://code/setup.sh", ["a"])
    (shown,) = emr.list_steps(ClusterId=cluster_id)["Steps"]
    assert (shown["Config"]["Jar"], shown["ActionOnFailure"]) == ("command-runner.jar", "CONTINUE")
    policy = emr.get_auto_termination_policy(ClusterId=cluster_id)["AutoTerminationPolicy"]
    assert policy == {"IdleTimeout": 3600}

    # Update: tags, the level of concurrency, the core group's size.
    emr.remove_tags(ResourceId=cluster_id, TagKeys=["env"])
    emr.add_tags(ResourceId=cluster_id, Tags=[{"Key": "env", "Value": "prod"}])
    emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=3)
    resize = {"InstanceGroupId": groups[1]["Id"], "InstanceCount": 3}
    emr.modify_instance_groups(ClusterId=cluster_id, InstanceGroups=[resize])
    cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert (cluster["Tags"], cluster["StepConcurrencyLevel"]) == ([{"Key": "env", "Value": "prod"}], 3)

    # Delete: without the protection, then until no instance runs.
    emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
    emr.terminate_job_flows(JobFlowIds=[cluster_id])

    def living():
        pages = emr.get_paginator("list_instances").paginate(ClusterId=cluster_id)
        instances = [item for page in pages for item in page["Instances"]]
        assert len(instances) == 4
        return sum(item["Status"]["State"] != "TERMINATED" for item in instances)

    poll(living, 0)
    assert cluster_state(emr, cluster_id) == "TERMINATED"


def test_mrjobs_cluster_pooling(emr, localemr_server):
    idle = {
        "Name": "idle",
        "ScriptBootstrapAction": {"Path": "s3://code/terminate_idle.sh", "Args": ["1800"]},
    }
    tags = [{"Key": "__mrjob_pool_name", "Value": "default"}, {"Key": "__mrjob_version", "Value": "0.7.4"}]
    made = emr.run_job_flow(
        Name="mr_count.user.20260101 (pooled)",
        ReleaseLabel="emr-6.15.0",
        LogUri="s3://logs/mrjob/logs/",
        JobFlowRole="mrjob-role",
        ServiceRole="mrjob-service",
        BootstrapActions=[idle],
        AutoTerminationPolicy={"IdleTimeout": 600},
        Tags=tags,
        Instances={"InstanceGroups": GROUPS, "KeepJobFlowAliveWhenNoSteps": True},
    )["JobFlowId"]
    localemr_server.wait_cluster(made, "WAITING")

    # Another job looks for a cluster of the pool.
    summaries = [
        summary
        for page in emr.get_paginator("list_clusters").paginate(ClusterStates=["WAITING"])
        for summary in page["Clusters"]
    ]
    assert [summary["Id"] for summary in summaries] == [made]
    assert summaries[0]["Name"].endswith("(pooled)")
    assert summaries[0]["NormalizedInstanceHours"] > 0
    cluster = emr.describe_cluster(ClusterId=made)["Cluster"]
    assert {"Key": "__mrjob_pool_name", "Value": "default"} in cluster["Tags"]
    assert cluster["InstanceCollectionType"] == "INSTANCE_GROUP"
    groups = emr.list_instance_groups(ClusterId=made)["InstanceGroups"]
    assert {group["Status"]["State"] for group in groups} == {"RUNNING"}
    assert [action["Name"] for action in emr.list_bootstrap_actions(ClusterId=made)["BootstrapActions"]] == [
        "idle"
    ]
    assert emr.list_steps(ClusterId=made, StepStates=["PENDING", "RUNNING"])["Steps"] == []

    # It takes the cluster by a tag, and reads it back.
    emr.add_tags(ResourceId=made, Tags=[{"Key": "__mrjob_pool_lock", "Value": "job 1700000000"}])
    locked = emr.describe_cluster(ClusterId=made)["Cluster"]["Tags"]
    assert {"Key": "__mrjob_pool_lock", "Value": "job 1700000000"} in locked
    added = emr.add_job_flow_steps(
        JobFlowId=made,
        Steps=[step(f"mr_count: Step {n} of 2", action="CANCEL_AND_WAIT") for n in (1, 2)],
    )["StepIds"]
    emr.remove_tags(ResourceId=made, TagKeys=["__mrjob_pool_lock"])
    newest_first = [item["Id"] for item in emr.list_steps(ClusterId=made)["Steps"]]
    assert newest_first == added[::-1]
    for step_id in added:
        look = partial(step_state, emr, made, step_id)
        assert poll(look, "COMPLETED", "FAILED") == "COMPLETED"

    # Nobody needs it any more.
    emulator = localemr_server.server.emr
    with emulator.store.lock:
        record = emulator.store.cluster("us-east-1", made)
        record.auto_termination = 0.05
        emulator.changed(record)
    poll(lambda: cluster_state(emr, made), *ENDED)
    reason = emr.describe_cluster(ClusterId=made)["Cluster"]["Status"]["StateChangeReason"]
    assert reason["Code"] == "ALL_STEPS_COMPLETED"


def test_dagsters_emr_job_runner(emr, localemr_server):
    localemr_server.runner.script("second", fails="ValueError: no such day")
    made = emr.run_job_flow(
        Name="dagster",
        ReleaseLabel="emr-7.11.0",
        LogUri="s3://logs/dagster",
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
        Instances={"InstanceGroups": GROUPS, "KeepJobFlowAliveWhenNoSteps": True},
    )["JobFlowId"]
    emr.add_tags(ResourceId=made, Tags=[{"Key": "dagster", "Value": "yes"}])
    named = [
        cluster["Id"]
        for page in emr.get_paginator("list_clusters").paginate(
            ClusterStates=["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"]
        )
        for cluster in page["Clusters"]
        if cluster["Name"] == "dagster"
    ]
    assert named == [made]
    steps = emr.add_job_flow_steps(JobFlowId=made, Steps=[step("first"), step("second")])["StepIds"]

    for step_id, end in zip(steps, ("COMPLETED", "FAILED"), strict=True):
        assert poll(partial(step_state, emr, made, step_id), "COMPLETED", "FAILED") == end
    failed = emr.describe_step(ClusterId=made, StepId=steps[1])["Step"]["Status"]["FailureDetails"]
    assert failed["Message"] == "ValueError: no such day"
    # The log's place is worked out from the cluster's LogUri.
    log_uri = emr.describe_cluster(ClusterId=made)["Cluster"]["LogUri"]
    found = re.match(r"s3.*://([^/]+)/(.*)", log_uri)
    bucket, prefix = found.groups()
    key = f"{prefix}{made}/steps/{steps[1]}/stderr.gz"
    assert localemr_server.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0
    emr.terminate_job_flows(JobFlowIds=[made])
    poll(lambda: cluster_state(emr, made), *ENDED)
