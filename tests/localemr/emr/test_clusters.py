"""Clusters: what RunJobFlow accepts, the states they go through, how they end and how they are listed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

ACTION = {"Name": "setup", "ScriptBootstrapAction": {"Path": "s3://code/setup.sh", "Args": ["-v"]}}
STEP = {"Name": "first", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
FLEETS = [
    {
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    },
    {
        "InstanceFleetType": "CORE",
        "TargetSpotCapacity": 4,
        "InstanceTypeConfigs": [{"InstanceType": "m5.2xlarge", "WeightedCapacity": 2}],
    },
]


def error(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]


def describe(localemr_server, cluster_id):
    return localemr_server.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]


def test_a_cluster_shows_the_runners_progress_and_then_waits_for_steps(localemr_server):
    localemr_server.runner.start_lines = ["installing Spark 3.5.6: 120 of 302 MB"]
    localemr_server.runner.hold_starts()
    cluster_id = localemr_server.run_cluster()
    localemr_server._wait(cluster_id, lambda record: record.reason_message != "", "progress")
    status = describe(localemr_server, cluster_id)["Status"]
    assert status["State"] == "STARTING"
    assert status["StateChangeReason"] == {"Message": "installing Spark 3.5.6: 120 of 302 MB"}
    assert "ReadyDateTime" not in status["Timeline"]

    localemr_server.runner.release_starts()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    status = describe(localemr_server, cluster_id)["Status"]
    assert status["StateChangeReason"] == {"Message": "Cluster ready to run steps."}
    assert status["Timeline"]["ReadyDateTime"] >= status["Timeline"]["CreationDateTime"]


def test_a_bootstrap_action_puts_the_cluster_into_bootstrapping(localemr_server):
    localemr_server.runner.start_lines = ["bootstrap action 1: install"]
    localemr_server.runner.hold_starts()
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "BOOTSTRAPPING")
    localemr_server.runner.release_starts()
    localemr_server.wait_cluster(cluster_id, "WAITING")


def test_describe_cluster_gives_back_what_was_asked_for(localemr_server):
    request = {
        "LogUri": "s3://logs/emr",
        "Applications": [{"Name": "Spark"}, {"Name": "AmazonCloudWatchAgent"}],
        "Configurations": [
            {"Classification": "spark-defaults", "Properties": {"spark.executor.memory": "2g"}}
        ],
        "Tags": [{"Key": "team", "Value": "data"}],
        "MonitoringConfiguration": {"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": "/emr"}},
        "EbsRootVolumeSize": 20,
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "StepConcurrencyLevel": 2,
        "AutoScalingRole": "EMR_AutoScaling_DefaultRole",
        "EbsRootVolumeIops": 3000,
        "EbsRootVolumeThroughput": 125,
        "ExtendedSupport": True,
        "LogEncryptionKmsKeyId": "key-1",
        "OSReleaseLabel": "2023.3.20240108",
        "RepoUpgradeOnBoot": "NONE",
        "SessionEnabled": True,
        "Instances": {
            "InstanceFleets": FLEETS,
            "KeepJobFlowAliveWhenNoSteps": True,
            "Ec2SubnetIds": ["subnet-1", "subnet-2"],
            "Ec2KeyName": "key",
            "EmrManagedMasterSecurityGroup": "sg-1",
        },
    }
    cluster_id = localemr_server.run_cluster(**request)
    cluster = describe(localemr_server, cluster_id)
    assert cluster["ReleaseLabel"] == "emr-7.11.0"
    # EMR itself changes the scheme of the log URI.
    assert cluster["LogUri"] == "s3n://logs/emr/"
    assert cluster["Applications"][0] == {"Name": "Spark", "Version": "3.5.6"}
    assert cluster["InstanceCollectionType"] == "INSTANCE_FLEET"
    assert cluster["AutoTerminate"] is False
    assert cluster["VisibleToAllUsers"] is True
    for name in request.keys() - {"LogUri", "Applications", "Instances"}:
        assert cluster[name] == request[name]
    attributes = cluster["Ec2InstanceAttributes"]
    assert attributes["RequestedEc2SubnetIds"] == ["subnet-1", "subnet-2"]
    assert attributes["IamInstanceProfile"] == "EMR_EC2_DefaultRole"
    assert attributes["EmrManagedMasterSecurityGroup"] == "sg-1"


def test_the_runner_gets_what_decides_how_steps_run(localemr_server):
    actions = [{"Name": "setup", "ScriptBootstrapAction": {"Path": "s3://code/setup.sh", "Args": ["-v"]}}]
    cluster_id = localemr_server.run_cluster(LogUri="s3://logs/x", BootstrapActions=actions)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    (request,) = localemr_server.runner.clusters
    assert (request.cluster_id, request.release_label) == (cluster_id, "emr-7.11.0")
    assert (request.log_uri, request.region) == ("s3://logs/x", "us-east-1")
    assert request.bootstrap_actions == actions


def test_the_primary_nodes_configurations_come_over_the_clusters(localemr_server):
    def spark(value):
        return [{"Classification": "spark-defaults", "Properties": {"spark.executor.memory": value}}]

    groups = [
        {"InstanceRole": role, "InstanceType": "m5.xlarge", "InstanceCount": 1, "Configurations": spark(role)}
        for role in ("MASTER", "CORE")
    ]
    master = {**FLEETS[0]["InstanceTypeConfigs"][0], "Configurations": spark("MASTER")}
    fleets = [{**FLEETS[0], "InstanceTypeConfigs": [master]}]
    for instances in ({"InstanceGroups": groups}, {"InstanceFleets": fleets}):
        cluster_id = localemr_server.run_cluster(Instances=instances, Configurations=spark("cluster"))
        localemr_server.wait_cluster(cluster_id, "TERMINATED")
        request = localemr_server.runner.clusters[-1]
        assert list(request.configurations) == spark("cluster") + spark("MASTER")


def test_a_cluster_without_keep_alive_ends_after_its_steps(localemr_server):
    instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}
    cluster_id = localemr_server.run_cluster(Instances=instances, Steps=[STEP])
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert (record.reason_code, record.reason_message) == ("ALL_STEPS_COMPLETED", "Steps completed")
    assert localemr_server.runner.stopped == [cluster_id]


def test_a_cluster_without_keep_alive_and_without_steps_ends_at_once(localemr_server):
    cluster_id = localemr_server.run_cluster(
        Instances={"InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}
    )
    localemr_server.wait_cluster(cluster_id, "TERMINATED")


@pytest.mark.parametrize(
    ("failure", "code", "text"),
    [
        pytest.param(ClusterStartError("no Java; install one"), "VALIDATION_ERROR", "no Java", id="software"),
        pytest.param(
            ClusterStartError("bootstrap action 1 failed", "BOOTSTRAP_FAILURE"),
            "BOOTSTRAP_FAILURE",
            "bootstrap action 1",
            id="bootstrap",
        ),
        pytest.param(ZeroDivisionError("a bug"), "INTERNAL_ERROR", "traceback", id="bug"),
    ],
)
def test_a_cluster_that_cannot_start_ends_with_errors_and_says_why(localemr_server, failure, code, text):
    localemr_server.runner.start_error = failure
    cluster_id = localemr_server.run_cluster(Steps=[STEP])
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    assert record.reason_code == code
    assert text in record.reason_message
    assert [step.state for step in record.steps.values()] == ["CANCELLED"]


def test_a_cluster_can_be_terminated_while_it_starts(localemr_server):
    localemr_server.runner.hold_starts()
    cluster_id = localemr_server.run_cluster(Steps=[STEP])
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert record.reason_code == "USER_REQUEST"
    assert record.ready is None


def test_terminating_cancels_the_pending_steps_and_kills_the_running_one(localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster_id = localemr_server.run_cluster()
    running, pending = (localemr_server.add_step(cluster_id, name) for name in ("long", "next"))
    localemr_server.runner.wait_started("long")
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert {step.id: step.state for step in record.steps.values()} == {
        running: "CANCELLED",
        pending: "CANCELLED",
    }
    assert localemr_server.runner.cancels == [(running, False)]


def test_a_protected_cluster_is_not_terminated_but_its_neighbour_is(localemr_server):
    protected, other = localemr_server.run_cluster(), localemr_server.run_cluster()
    emr = localemr_server.client("emr")
    emr.set_termination_protection(JobFlowIds=[protected], TerminationProtected=True)
    refused = error(emr.terminate_job_flows, JobFlowIds=[protected, other])
    assert refused["Code"] == "ValidationException"
    assert "termination protected" in refused["Message"]
    localemr_server.wait_cluster(other, "TERMINATED")
    # It may still be on its way up.
    localemr_server.wait_cluster(protected, "WAITING")
    assert describe(localemr_server, protected)["Status"]["State"] == "WAITING"
    emr.set_termination_protection(JobFlowIds=[protected], TerminationProtected=False)
    emr.terminate_job_flows(JobFlowIds=[protected])
    localemr_server.wait_cluster(protected, "TERMINATED")


def test_terminating_twice_is_no_error(localemr_server):
    cluster_id = localemr_server.run_cluster()
    for _ in range(2):
        localemr_server.client("emr").terminate_job_flows(JobFlowIds=[cluster_id])
        localemr_server.wait_cluster(cluster_id, "TERMINATED")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param(
            {"ReleaseLabel": "emr-99.9.9"}, "release label is invalid: emr-99.9.9", id="unknown-label"
        ),
        pytest.param({"ReleaseLabel": "latest"}, "release label is invalid: latest", id="no-label"),
        pytest.param({"ReleaseLabel": ""}, "ReleaseLabel is required", id="label-missing"),
        pytest.param({"JobFlowRole": ""}, "InstanceProfile is required", id="no-profile"),
        pytest.param({"ServiceRole": ""}, "ServiceRole is required", id="no-role"),
        pytest.param({"LogUri": "file:///tmp"}, "LogUri", id="log-uri"),
        pytest.param({"StepConcurrencyLevel": 257}, "1 to 256", id="concurrency"),
        pytest.param({"Steps": [STEP] * 257}, "Maximum number of active steps", id="too-many-steps"),
        pytest.param(
            {"StepConcurrencyLevel": 2, "Steps": [{**STEP, "ActionOnFailure": "TERMINATE_CLUSTER"}]},
            "ActionOnFailure",
            id="action-with-concurrency",
        ),
        pytest.param({"AutoTerminationPolicy": {"IdleTimeout": 59}}, "IdleTimeout 59", id="idle-short"),
        pytest.param({"AutoTerminationPolicy": {"IdleTimeout": 604_801}}, "60 to 604800", id="idle-long"),
        pytest.param(
            {"ReleaseLabel": "emr-5.29.0", "AutoTerminationPolicy": {"IdleTimeout": 60}},
            "AutoTerminationPolicy is not supported by release emr-5.29.0",
            id="idle-release",
        ),
        pytest.param(
            {"MonitoringConfiguration": {"CloudWatchLogConfiguration": {"Enabled": True}}},
            "AmazonCloudWatchAgent",
            id="cloudwatch-agent",
        ),
        pytest.param({"Tags": [{"Key": "k" * 129, "Value": ""}]}, "tag", id="tag"),
        pytest.param(
            {"AmiVersion": "3.11.0"},
            "Provided AMI: 3.11.0, release label: emr-7.11.0",
            id="ami-version-and-label",
        ),
        pytest.param({"CustomAmiId": "my-image"}, "CustomAmiId 'my-image'", id="custom-ami"),
        pytest.param(
            {"CustomAmiId": "ami-0123456789abcdef0", "OSReleaseLabel": "2023.3.20240108"},
            "Only one of CustomAmiId and OSReleaseLabel",
            id="custom-ami-and-os",
        ),
        pytest.param(
            {"CustomAmiId": "ami-0123456789abcdef0", "ReleaseLabel": "emr-5.6.0"},
            "CustomAmiId is not supported by release emr-5.6.0",
            id="custom-ami-release",
        ),
        pytest.param({"EbsRootVolumeSize": 5}, "EbsRootVolumeSize 5", id="root-volume"),
        pytest.param(
            {"EbsRootVolumeIops": 3000, "ReleaseLabel": "emr-6.14.0"},
            "EbsRootVolumeIops is not supported by release emr-6.14.0",
            id="root-volume-iops",
        ),
        pytest.param(
            {"PlacementGroupConfigs": [{"InstanceRole": "MASTER"}]}, "several primary", id="placement-group"
        ),
        pytest.param(
            {"PlacementGroupConfigs": [{"InstanceRole": "CORE"}]}, "MASTER only", id="placement-group-role"
        ),
        pytest.param(
            {"BootstrapActions": [{"Name": "x", "ScriptBootstrapAction": {"Path": "s3://x"}}] * 17},
            "at most 16 bootstrap actions",
            id="bootstrap-actions",
        ),
        pytest.param(
            {"Instances": {"InstanceCount": 1, "MasterInstanceType": "big"}},
            "Instance type 'big' is not supported",
            id="instance-type",
        ),
        pytest.param(
            {"Instances": {"InstanceGroups": [], "InstanceFleets": []}}, "exactly one of", id="no-instances"
        ),
        pytest.param(
            {"Instances": {"InstanceFleets": FLEETS, "InstanceCount": 3}},
            "exactly one of",
            id="fleets-and-count",
        ),
        pytest.param({"Instances": {"InstanceFleets": FLEETS[1:]}}, "exactly one MASTER", id="no-master"),
        pytest.param(
            {"Instances": {"InstanceFleets": [{**FLEETS[0], "TargetOnDemandCapacity": 0}]}},
            "greater than 0",
            id="no-capacity",
        ),
        pytest.param(
            {"Instances": {"InstanceFleets": FLEETS, "Ec2SubnetId": "a", "Ec2SubnetIds": ["b"]}},
            "at most one of",
            id="subnets",
        ),
    ],
)
def test_run_job_flow_refuses(localemr_server, change, text):
    refused = error(localemr_server.run_cluster, **change)
    assert refused["Code"] == "ValidationException"
    assert text in refused["Message"]
    assert localemr_server.client("emr").list_clusters()["Clusters"] == []


def test_a_release_the_runner_cannot_run_is_refused_with_its_reason(localemr_server):
    localemr_server.runner.refused_labels["emr-5.36.0"] = "Spark 2.4 needs Java 8; set EMRKIT_JAVA_8_HOME"
    refused = error(localemr_server.run_cluster, ReleaseLabel="emr-5.36.0")
    assert refused["Code"] == "ValidationException"
    assert refused["Message"].endswith("Spark 2.4 needs Java 8; set EMRKIT_JAVA_8_HOME")


def test_kerberos_passwords_are_not_kept(localemr_server):
    attributes = {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "hunter2"}
    cluster_id = localemr_server.run_cluster(KerberosAttributes=attributes)
    shown = describe(localemr_server, cluster_id)["KerberosAttributes"]
    assert shown == {"Realm": "EC2.INTERNAL", "KdcAdminPassword": "****"}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("describe_cluster", {}),
        ("list_steps", {}),
        ("describe_step", {"StepId": "s-1"}),
        ("cancel_steps", {"StepIds": ["s-1"]}),
        ("list_instances", {}),
        ("list_instance_groups", {}),
        ("list_bootstrap_actions", {}),
        ("modify_cluster", {"StepConcurrencyLevel": 2}),
        ("get_auto_termination_policy", {}),
        ("get_managed_scaling_policy", {}),
    ],
)
def test_an_unknown_cluster_id_is_an_invalid_request(localemr_server, operation, params):
    refused = error(getattr(localemr_server.client("emr"), operation), ClusterId="j-NOTTHERE", **params)
    assert refused["Code"] == "InvalidRequestException"
    assert "Cluster id 'j-NOTTHERE' is not valid." in refused["Message"]


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("terminate_job_flows", {"JobFlowIds": ["j-NOTTHERE"]}),
        ("add_job_flow_steps", {"JobFlowId": "j-NOTTHERE", "Steps": [STEP]}),
        ("set_termination_protection", {"JobFlowIds": ["j-NOTTHERE"], "TerminationProtected": True}),
    ],
)
def test_an_unknown_job_flow_is_a_validation_error(localemr_server, operation, params):
    refused = error(getattr(localemr_server.client("emr"), operation), **params)
    assert refused["Code"] == "ValidationException"
    assert "Specified job flow ID not valid." in refused["Message"]


def test_a_cluster_is_seen_from_its_own_region_only(localemr_server):
    cluster_id = localemr_server.run_cluster(region="eu-west-1")
    emr = localemr_server.client("emr")
    assert emr.list_clusters()["Clusters"] == []
    assert error(emr.describe_cluster, ClusterId=cluster_id)["Code"] == "InvalidRequestException"
    (found,) = localemr_server.client("emr", "eu-west-1").list_clusters()["Clusters"]
    assert found["Id"] == cluster_id
    assert found["ClusterArn"] == f"arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/{cluster_id}"


def test_clusters_are_listed_newest_first_fifty_to_a_page(localemr_server):
    ids = [localemr_server.run_cluster(Name=f"cluster {number}") for number in range(52)]
    emr = localemr_server.client("emr")
    first = emr.list_clusters()
    assert [cluster["Id"] for cluster in first["Clusters"]] == ids[:1:-1]
    second = emr.list_clusters(Marker=first["Marker"])
    assert [cluster["Id"] for cluster in second["Clusters"]] == [ids[1], ids[0]]
    assert "Marker" not in second


def test_clusters_can_be_listed_by_state_and_time(localemr_server):
    ended, waiting = localemr_server.run_cluster(), localemr_server.run_cluster()
    emr = localemr_server.client("emr")
    emr.terminate_job_flows(JobFlowIds=[ended])
    localemr_server.wait_cluster(ended, "TERMINATED")
    created = localemr_server.wait_cluster(waiting, "WAITING").created

    def ids(**filters):
        return {cluster["Id"] for cluster in emr.list_clusters(**filters)["Clusters"]}

    assert ids(ClusterStates=["WAITING"]) == {waiting}
    assert ids(ClusterStates=["TERMINATED", "WAITING"]) == {ended, waiting}
    assert ids(CreatedAfter=created) == set()
    assert ids(CreatedBefore=created) <= {ended}


def test_a_marker_that_is_none_is_an_invalid_request(localemr_server):
    refused = error(localemr_server.client("emr").list_clusters, Marker="not base64!")
    assert refused["Code"] == "InvalidRequestException"


def job_flows(localemr_server, **filters):
    # boto3 has no such method any more; the operation is in its model.
    return localemr_server.client("emr")._make_api_call("DescribeJobFlows", filters)["JobFlows"]


def test_describe_job_flows_still_answers(localemr_server):
    localemr_server.runner.script("broken", fails="boom")
    cluster_id = localemr_server.run_cluster(Steps=[STEP], BootstrapActions=[ACTION])
    broken = localemr_server.add_step(cluster_id, "broken")
    localemr_server.wait_step(cluster_id, broken, "FAILED")
    localemr_server.wait_cluster(cluster_id, "WAITING")
    (flow,) = job_flows(localemr_server, JobFlowIds=[cluster_id])
    detail = flow["ExecutionStatusDetail"]
    assert (detail["State"], detail["LastStateChangeReason"]) == (
        "WAITING",
        "Cluster ready after last step completed.",
    )
    assert detail["CreationDateTime"] <= detail["ReadyDateTime"]
    assert flow["BootstrapActions"] == [{"BootstrapActionConfig": ACTION}]
    instances = flow["Instances"]
    assert (instances["InstanceCount"], instances["KeepJobFlowAliveWhenNoSteps"]) == (3, True)
    assert instances["MasterInstanceId"].startswith("i-")
    group = instances["InstanceGroups"][1]
    assert (group["InstanceRole"], group["InstanceRunningCount"], group["State"]) == ("CORE", 2, "RUNNING")
    steps = {step["StepConfig"]["Name"]: step["ExecutionStatusDetail"] for step in flow["Steps"]}
    assert steps["first"]["State"] == "COMPLETED"
    assert (steps["broken"]["State"], steps["broken"]["LastStateChangeReason"]) == (
        "FAILED",
        "Unknown Error.",
    )


def test_job_flows_are_found_by_id_state_and_time(localemr_server):
    ended, waiting = localemr_server.run_cluster(), localemr_server.run_cluster()
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[ended])
    localemr_server.wait_cluster(ended, "TERMINATED")
    created = localemr_server.wait_cluster(waiting, "WAITING").created

    def ids(**filters):
        return {flow["JobFlowId"] for flow in job_flows(localemr_server, **filters)}

    assert ids() == {ended, waiting}
    assert ids(JobFlowStates=["WAITING"]) == {waiting}
    assert ids(JobFlowStates=["TERMINATED"]) == {ended}
    assert ids(CreatedAfter=created) == set()
    assert ids(CreatedBefore=created, JobFlowIds=[waiting]) == set()
    with pytest.raises(ClientError, match="Specified job flow ID not valid"):
        ids(JobFlowIds=["j-NOTTHERE"])


def test_without_filters_only_the_job_flows_of_two_weeks_are_described(localemr_server):
    old, ancient = localemr_server.run_cluster(), localemr_server.run_cluster()
    emr = localemr_server.server.emr
    localemr_server.client("emr").terminate_job_flows(JobFlowIds=[old, ancient])
    for cluster_id, days in ((old, 20), (ancient, 61)):
        record = localemr_server.wait_cluster(cluster_id, "TERMINATED")
        record.created = emr.now() - timedelta(days=days)
    assert job_flows(localemr_server) == []
    found = job_flows(localemr_server, JobFlowStates=["TERMINATED"])
    assert [flow["JobFlowId"] for flow in found] == [old]
