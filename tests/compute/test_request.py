from __future__ import annotations

import json
import re

import pytest

from airflow_provider_emrkit import (
    BootstrapAction,
    ClusterSpec,
    EbsVolumes,
    InstanceRole,
    ManagedScaling,
    SparkJob,
)
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.compute.request import run_job_flow_request, step_characters, step_request
from airflow_provider_emrkit.compute.sizes import SIZES
from airflow_provider_emrkit.jobs.spark_submit import spark_submit
from airflow_provider_emrkit.validation import InvalidValueError

LABEL = "emr-7.11.0"
DEFAULTS = ClusterDefaults(
    log_uri="s3://logs/emr/",
    log_group="/emr/all",
    job_flow_role="nodes",
    service_role="service",
    subnet_ids=["subnet-1", "subnet-2"],
)
SPOT_TASK = InstanceRole(
    ["m5.xlarge", "m4.xlarge"],
    count=3,
    market="spot",
    bid_percent=60,
    spot_timeout=10,
    spot_timeout_action="terminate_cluster",
    allocation_strategy="capacity-optimized-prioritized",
    ebs=EbsVolumes(100, volume_type="gp3", count=2, iops=4000, throughput=250),
)


def request(spec, **arguments):
    return run_job_flow_request(spec, **{"name": "sales", **arguments})


def fleets(spec):
    return {fleet["InstanceFleetType"]: fleet for fleet in request(spec)["Instances"]["InstanceFleets"]}


def groups(spec):
    return {group["InstanceRole"]: group for group in request(spec)["Instances"]["InstanceGroups"]}


def yarn_site(spec):
    found = [
        item for item in request(spec).get("Configurations", []) if item["Classification"] == "yarn-site"
    ]
    return found[0]["Properties"] if found else None


FULL = ClusterSpec(
    LABEL,
    size="medium",
    task=SPOT_TASK,
    applications=["Hadoop", "Spark"],
    configurations=[{"Classification": "spark-env", "Configurations": [{"Classification": "export"}]}],
    bootstrap_actions=[BootstrapAction("s3://b/install.sh", args=["numpy", ""], name="numpy")],
    service_role="S",
    job_flow_role="J",
    auto_scaling_role="A",
    subnet_ids=["subnet-9"],
    ec2_key_name="me",
    primary_security_group="sg-1",
    core_security_group="sg-2",
    service_access_security_group="sg-3",
    additional_primary_security_groups=["sg-4"],
    additional_core_security_groups=["sg-5", "sg-6"],
    log_uri="s3://own/logs",
    log_group="own",
    log_stream_prefix="nightly",
    tags={"team": "data"},
    custom_ami_id="ami-1",
    ebs_root_volume_size=50,
    security_configuration="encrypted",
    step_concurrency=4,
    termination_protected=True,
    managed_scaling=ManagedScaling(2, 20, maximum_on_demand=5, maximum_core=4),
    idle_timeout=600,
    overrides={"ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION"},
)
STEP = step_request("sales", spark_submit(SparkJob("s3://code/a.py", args=[""])), "TERMINATE_CLUSTER")


@pytest.mark.parametrize("collection", ["fleets", "groups"])
@pytest.mark.parametrize("size", SIZES)
def test_emr_accepts_every_size(emr_accepts, size, collection):
    spec = ClusterSpec(LABEL, size=size, instance_collection=collection)
    compiled = request(spec, defaults=DEFAULTS, tags={"emrkit:token": "x"})
    emr_accepts("RunJobFlow", {**compiled, "Steps": [STEP]})


@pytest.mark.parametrize(
    "label", ["emr-5.20.0", "emr-5.36.2", "emr-6.0.0", "emr-6.15.0", "emr-7.14.0", "emr-spark-8.1.0"]
)
def test_emr_accepts_every_family_of_releases(emr_accepts, label):
    emr_accepts("RunJobFlow", request(ClusterSpec(label)))


def test_emr_accepts_a_spec_with_everything_set(emr_accepts):
    emr_accepts("RunJobFlow", {**request(FULL, keep_alive=True), "Steps": [STEP]})


def test_a_request_is_plain_data_of_its_own():
    spec = ClusterSpec(
        LABEL, configurations={"a": {"b": "c"}}, overrides={"KerberosAttributes": {"Realm": "X"}}
    )
    first = request(spec)
    assert json.loads(json.dumps(first)) == first
    first["Configurations"][0]["Properties"]["b"] = "changed"
    first["KerberosAttributes"]["Realm"] = "changed"
    assert request(spec)["Configurations"][0]["Properties"] == {"b": "c"}
    assert request(spec)["KerberosAttributes"] == {"Realm": "X"}


def test_the_whole_of_a_small_request():
    spec = ClusterSpec(
        "emr-7.9.0", size="tiny", core=InstanceRole(["r5.xlarge"]), primary=InstanceRole(["m5.xlarge"])
    )
    on_demand = {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}
    assert request(spec, tags={"emrkit:token": "t"}) == {
        "Name": "sales",
        "ReleaseLabel": "emr-7.9.0",
        "Applications": [{"Name": "Spark"}],
        "Instances": {
            "InstanceFleets": [
                {
                    "Name": "primary",
                    "InstanceFleetType": "MASTER",
                    "TargetOnDemandCapacity": 1,
                    "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge", "WeightedCapacity": 1}],
                    "LaunchSpecifications": on_demand,
                },
                {
                    "Name": "core",
                    "InstanceFleetType": "CORE",
                    "TargetOnDemandCapacity": 1,
                    "InstanceTypeConfigs": [{"InstanceType": "r5.xlarge", "WeightedCapacity": 1}],
                    "LaunchSpecifications": on_demand,
                },
            ],
            "KeepJobFlowAliveWhenNoSteps": False,
            "TerminationProtected": False,
        },
        "JobFlowRole": "EMR_EC2_DefaultRole",
        "ServiceRole": "EMR_DefaultRole",
        "Tags": [{"Key": "emrkit:token", "Value": "t"}],
        "AutoTerminationPolicy": {"IdleTimeout": 3600},
        "StepConcurrencyLevel": 1,
    }


def test_every_field_of_the_spec_arrives():
    sent = request(FULL, defaults=DEFAULTS)
    instances = sent["Instances"]
    assert sent["BootstrapActions"] == [
        {"Name": "numpy", "ScriptBootstrapAction": {"Path": "s3://b/install.sh", "Args": ["numpy", ""]}}
    ]
    assert (sent["ServiceRole"], sent["JobFlowRole"], sent["AutoScalingRole"]) == ("S", "J", "A")
    assert instances["Ec2SubnetIds"] == ["subnet-9"]
    assert instances["Ec2KeyName"] == "me"
    assert instances["EmrManagedMasterSecurityGroup"] == "sg-1"
    assert instances["EmrManagedSlaveSecurityGroup"] == "sg-2"
    assert instances["ServiceAccessSecurityGroup"] == "sg-3"
    assert instances["AdditionalMasterSecurityGroups"] == ["sg-4"]
    assert instances["AdditionalSlaveSecurityGroups"] == ["sg-5", "sg-6"]
    assert instances["TerminationProtected"] is True
    assert sent["LogUri"] == "s3://own/logs"
    assert sent["Tags"] == [{"Key": "team", "Value": "data"}]
    assert (sent["CustomAmiId"], sent["EbsRootVolumeSize"]) == ("ami-1", 50)
    assert (sent["SecurityConfiguration"], sent["StepConcurrencyLevel"]) == ("encrypted", 4)
    assert sent["AutoTerminationPolicy"] == {"IdleTimeout": 600}
    assert sent["ManagedScalingPolicy"]["ComputeLimits"] == {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": 2,
        "MaximumCapacityUnits": 20,
        "MaximumOnDemandCapacityUnits": 5,
        "MaximumCoreCapacityUnits": 4,
    }
    assert sent["ScaleDownBehavior"] == "TERMINATE_AT_TASK_COMPLETION"


def test_the_connection_fills_what_the_spec_leaves_open():
    sent = request(ClusterSpec(LABEL), defaults=DEFAULTS)
    assert (sent["LogUri"], sent["JobFlowRole"], sent["ServiceRole"]) == (
        "s3://logs/emr/",
        "nodes",
        "service",
    )
    assert sent["Instances"]["Ec2SubnetIds"] == ["subnet-1", "subnet-2"]
    assert sent["MonitoringConfiguration"]["CloudWatchLogConfiguration"]["LogGroupName"] == "/emr/all"


def test_a_fleet_of_spot_instances():
    fleet = fleets(ClusterSpec(LABEL, task=SPOT_TASK))["TASK"]
    assert fleet["TargetSpotCapacity"] == 3
    assert "TargetOnDemandCapacity" not in fleet
    assert fleet["LaunchSpecifications"]["SpotSpecification"] == {
        "TimeoutDurationMinutes": 10,
        "TimeoutAction": "TERMINATE_CLUSTER",
        "AllocationStrategy": "capacity-optimized-prioritized",
    }
    volume = {"VolumeType": "gp3", "SizeInGB": 100, "Iops": 4000, "Throughput": 250}
    assert fleet["InstanceTypeConfigs"][1] == {
        "InstanceType": "m4.xlarge",
        "WeightedCapacity": 1,
        "Priority": 1.0,
        "BidPriceAsPercentageOfOnDemandPrice": 60.0,
        "EbsConfiguration": {
            "EbsBlockDeviceConfigs": [{"VolumeSpecification": volume, "VolumesPerInstance": 2}]
        },
    }


def test_spot_fleets_of_the_sizes_look_for_capacity_before_price():
    fleet = fleets(ClusterSpec(LABEL, size="medium"))["TASK"]
    assert fleet["LaunchSpecifications"]["SpotSpecification"] == {
        "TimeoutDurationMinutes": 25,
        "TimeoutAction": "SWITCH_TO_ON_DEMAND",
        "AllocationStrategy": "price-capacity-optimized",
    }


@pytest.mark.parametrize(("price", "sent"), [(0.25, "0.25"), (1, "1"), (0.00001, "0.00001")])
def test_a_bid_in_dollars_is_written_out(price, sent):
    task = InstanceRole(["m5.xlarge"], market="spot", bid_price=price)
    assert fleets(ClusterSpec(LABEL, task=task))["TASK"]["InstanceTypeConfigs"][0]["BidPrice"] == sent
    assert groups(ClusterSpec(LABEL, task=task, instance_collection="groups"))["TASK"]["BidPrice"] == sent


def test_groups_take_the_first_type_and_one_subnet(emr_accepts):
    spec = ClusterSpec(
        LABEL, size="medium", instance_collection="groups", managed_scaling=ManagedScaling(1, 5)
    )
    sent = request(spec, defaults=DEFAULTS)
    emr_accepts("RunJobFlow", sent)
    assert groups(spec)["TASK"] == {
        "Name": "task",
        "InstanceRole": "TASK",
        "InstanceType": "m5.2xlarge",
        "InstanceCount": 8,
        "Market": "SPOT",
    }
    assert sent["Instances"]["Ec2SubnetId"] == "subnet-1"
    assert not {"Ec2SubnetIds", "InstanceFleets"} & sent["Instances"].keys()
    assert sent["ManagedScalingPolicy"]["ComputeLimits"]["UnitType"] == "Instances"


def test_a_role_without_instances_is_left_out():
    nobody = InstanceRole(["m5.xlarge"], count=0)
    assert fleets(ClusterSpec(LABEL, task=nobody)).keys() == {"MASTER", "CORE"}
    assert fleets(ClusterSpec(LABEL, task=nobody, core=nobody)).keys() == {"MASTER"}


@pytest.mark.parametrize("label", ["emr-5.30.0", "emr-6.1.0", "emr-7.11.0", "emr-spark-8.0.0"])
def test_a_cluster_always_ends_when_it_is_idle(label):
    assert request(ClusterSpec(label))["AutoTerminationPolicy"] == {"IdleTimeout": 3600}


@pytest.mark.parametrize(
    ("label", "missing"), [("emr-6.0.0", "AutoTerminationPolicy"), ("emr-5.27.0", "StepConcurrencyLevel")]
)
def test_what_a_release_does_not_know_is_not_sent(label, missing):
    assert missing not in request(ClusterSpec(label))


def test_logs_go_to_cloudwatch_where_the_release_can():
    sent = request(ClusterSpec(LABEL))
    assert sent["Applications"] == [{"Name": "Spark"}, {"Name": "AmazonCloudWatchAgent"}]
    assert sent["MonitoringConfiguration"]["CloudWatchLogConfiguration"] == {
        "Enabled": True,
        "LogTypes": {"STEP_LOGS": ["STDOUT", "STDERR"], "SPARK_DRIVER": ["STDOUT", "STDERR"]},
    }


@pytest.mark.parametrize(("label", "wish"), [("emr-7.10.0", None), (LABEL, False)])
def test_logs_stay_where_it_can_not_or_shall_not(label, wish):
    sent = request(ClusterSpec(label, cloudwatch_logs=wish))
    assert sent["Applications"] == [{"Name": "Spark"}]
    assert "MonitoringConfiguration" not in sent


def test_the_group_and_prefix_of_the_logs_can_be_chosen():
    sent = request(ClusterSpec(LABEL, log_group="own", log_stream_prefix="nightly"), defaults=DEFAULTS)
    chosen = sent["MonitoringConfiguration"]["CloudWatchLogConfiguration"]
    assert (chosen["LogGroupName"], chosen["LogStreamNamePrefix"]) == ("own", "nightly")


def test_executors_logs_are_sent_on_request_and_what_the_author_overrides_wins():
    config = {"CloudWatchLogConfiguration": {"LogTypes": {"SPARK_EXECUTOR": ["STDERR"], "STEP_LOGS": None}}}
    spec = ClusterSpec(LABEL, overrides={"MonitoringConfiguration": config})
    sent = request(spec, executor_logs=True)["MonitoringConfiguration"]["CloudWatchLogConfiguration"]
    assert sent["Enabled"]
    assert sent["LogTypes"] == {"SPARK_DRIVER": ["STDOUT", "STDERR"], "SPARK_EXECUTOR": ["STDERR"]}


def test_a_cluster_that_sends_no_logs_sends_none_of_executors_either():
    sent = request(ClusterSpec(LABEL, cloudwatch_logs=False), executor_logs=True)
    assert "MonitoringConfiguration" not in sent


def test_the_agent_is_not_installed_twice():
    sent = request(ClusterSpec(LABEL, applications=["AmazonCloudWatchAgent", "Spark"]))
    assert sent["Applications"] == [{"Name": "AmazonCloudWatchAgent"}, {"Name": "Spark"}]


CORE_LABELS = {
    "yarn.node-labels.enabled": "true",
    "yarn.node-labels.am.default-node-label-expression": "CORE",
}


@pytest.mark.parametrize("label", ["emr-6.0.0", "emr-7.11.0", "emr-spark-8.0.0"])
def test_drivers_are_kept_off_spot_nodes(label):
    assert yarn_site(ClusterSpec(label, size="medium")) == CORE_LABELS


def test_other_settings_of_yarn_stay_beside_it():
    spec = ClusterSpec(LABEL, size="medium", configurations={"yarn-site": {"yarn.x": "1"}})
    assert yarn_site(spec) == {"yarn.x": "1", **CORE_LABELS}


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(ClusterSpec("emr-5.36.2", size="medium"), id="EMR 5 does so by itself"),
        pytest.param(ClusterSpec(LABEL, size="tiny"), id="no task nodes"),
        pytest.param(ClusterSpec(LABEL, task=InstanceRole(["m5.xlarge"])), id="no spot nodes"),
        pytest.param(
            ClusterSpec(LABEL, task=InstanceRole(["m5.xlarge"], count=0, market="spot")), id="count 0"
        ),
    ],
)
def test_nothing_is_set_where_there_is_no_need(spec):
    assert yarn_site(spec) is None


def test_an_author_who_sets_node_labels_has_the_last_word():
    spec = ClusterSpec(
        LABEL, size="medium", configurations={"yarn-site": {"yarn.node-labels.enabled": "false"}}
    )
    assert yarn_site(spec) == {"yarn.node-labels.enabled": "false"}


def test_overrides_come_last():
    spec = ClusterSpec(
        LABEL, overrides={"LogUri": "s3://other/", "AutoTerminationPolicy": {"IdleTimeout": 99}}
    )
    sent = request(spec, defaults=DEFAULTS)
    assert (sent["LogUri"], sent["AutoTerminationPolicy"]) == ("s3://other/", {"IdleTimeout": 99})


def test_emrkits_own_tags_win_and_count():
    sent = request(ClusterSpec(LABEL, tags={"a": "1"}), tags=[("a", "2"), ("emrkit:token", "t")])
    assert sent["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "emrkit:token", "Value": "t"}]
    with pytest.raises(InvalidValueError, match="51 tags are too many; keep it to 50 in all"):
        request(
            ClusterSpec(LABEL, tags={str(number): "" for number in range(50)}), tags={"emrkit:token": "t"}
        )


def test_the_name_must_fit():
    with pytest.raises(InvalidValueError, match=r"name: .* is longer than 256 characters"):
        request(ClusterSpec(LABEL), name="x" * 257)


def test_a_step_runs_the_command_runner(emr_accepts):
    assert STEP == {
        "Name": "sales",
        "ActionOnFailure": "TERMINATE_CLUSTER",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": ["spark-submit", "--deploy-mode", "cluster", "s3://code/a.py", ""],
        },
    }
    emr_accepts("AddJobFlowSteps", {"JobFlowId": "j-1", "Steps": [STEP]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x" * 257, [], "CONTINUE"), "is longer than 256 characters"),
        (("", [], "CONTINUE"), "step_request.name: '' is empty"),
        (("x", [], "STOP"), "'STOP' is not known; use one of TERMINATE_CLUSTER, CANCEL_AND_WAIT, CONTINUE"),
        (
            ("x", ["a" * 10_240], "CONTINUE"),
            "characters are more than the 10,240 that EMR takes for one step; put long",
        ),
    ],
)
def test_a_step_that_emr_would_refuse_is_refused_here(arguments, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        step_request(*arguments)


def test_characters_are_counted_as_java_does():
    assert step_characters(["é"]) + 1 == step_characters(["🙂"]) == step_characters(["ab"])
