"""Instances, bootstrap actions, tags, security configurations and releases."""

from __future__ import annotations

import base64

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.localemr.emr.ids import instance_id
from airflow_provider_emrkit.localemr.run.bootstrap import master_instance_id

FLEETS = [
    {
        "Name": "primary",
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    },
    {
        "InstanceFleetType": "CORE",
        "TargetOnDemandCapacity": 2,
        "TargetSpotCapacity": 4,
        "InstanceTypeConfigs": [
            {
                "InstanceType": "m5.2xlarge",
                "WeightedCapacity": 2,
                "EbsConfiguration": {
                    "EbsBlockDeviceConfigs": [
                        {
                            "VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64},
                            "VolumesPerInstance": 2,
                        }
                    ]
                },
            }
        ],
        "LaunchSpecifications": {
            "SpotSpecification": {"TimeoutDurationMinutes": 10, "TimeoutAction": "SWITCH_TO_ON_DEMAND"}
        },
    },
]


def test_groups_and_their_instances(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    master, core = emr.list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
    assert (master["InstanceGroupType"], core["InstanceGroupType"]) == ("MASTER", "CORE")
    assert (core["RequestedInstanceCount"], core["RunningInstanceCount"]) == (2, 2)
    assert core["Status"]["State"] == "RUNNING"
    instances = emr.list_instances(ClusterId=cluster_id, InstanceGroupTypes=["CORE"])["Instances"]
    assert len({instance["Ec2InstanceId"] for instance in instances}) == 2
    assert {instance["InstanceGroupId"] for instance in instances} == {core["Id"]}
    with pytest.raises(
        emr.exceptions.InvalidRequestException, match="Use the ListInstanceGroups request instead"
    ):
        emr.list_instance_fleets(ClusterId=cluster_id)


def test_fleets_and_their_instances(localemr_server):
    emr = localemr_server.client("emr")
    instances = {"InstanceFleets": FLEETS, "KeepJobFlowAliveWhenNoSteps": True}
    cluster_id = localemr_server.run_cluster(Instances=instances)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    master, core = emr.list_instance_fleets(ClusterId=cluster_id)["InstanceFleets"]
    assert master["Name"] == "primary"
    assert (core["ProvisionedOnDemandCapacity"], core["ProvisionedSpotCapacity"]) == (2, 4)
    assert core["LaunchSpecifications"] == FLEETS[1]["LaunchSpecifications"]
    (kind,) = core["InstanceTypeSpecifications"]
    assert [volume["Device"] for volume in kind["EbsBlockDevices"]] == ["/dev/sdb", "/dev/sdc"]
    markets = [
        item["Market"]
        for item in emr.list_instances(ClusterId=cluster_id, InstanceFleetType="CORE")["Instances"]
    ]
    assert markets == ["ON_DEMAND", "SPOT", "SPOT"]
    with pytest.raises(
        emr.exceptions.InvalidRequestException, match="Use the ListInstanceFleets request instead"
    ):
        emr.list_instance_groups(ClusterId=cluster_id)


def test_instances_end_with_their_cluster(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert len(emr.list_instances(ClusterId=cluster_id, InstanceStates=["TERMINATED"])["Instances"]) == 3
    assert emr.list_instances(ClusterId=cluster_id, InstanceStates=["RUNNING"])["Instances"] == []
    group = emr.list_instance_groups(ClusterId=cluster_id)["InstanceGroups"][0]
    assert group["Status"]["StateChangeReason"]["Code"] == "CLUSTER_TERMINATED"


def test_the_primary_node_has_the_id_its_bootstrap_logs_lie_under():
    assert instance_id("j-1") == master_instance_id("j-1")


def test_bootstrap_actions_are_listed(localemr_server):
    actions = [
        {"Name": f"action {number}", "ScriptBootstrapAction": {"Path": "s3://code/setup.sh", "Args": ["-x"]}}
        for number in range(16)
    ]
    cluster_id = localemr_server.run_cluster(BootstrapActions=actions)
    listed = localemr_server.client("emr").list_bootstrap_actions(ClusterId=cluster_id)["BootstrapActions"]
    assert [action["Name"] for action in listed] == [action["Name"] for action in actions]
    assert listed[0]["ScriptPath"] == "s3://code/setup.sh"
    assert listed[0]["Args"] == ["-x"]


def test_tags_are_added_replaced_and_removed(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    emr.add_tags(ResourceId=cluster_id, Tags=[{"Key": "b", "Value": "3"}, {"Key": "c"}])
    emr.remove_tags(ResourceId=cluster_id, TagKeys=["a", "gone"])
    tags = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Tags"]
    assert tags == [{"Key": "b", "Value": "3"}, {"Key": "c", "Value": ""}]


def test_security_configurations(localemr_server):
    emr = localemr_server.client("emr")
    with pytest.raises(emr.exceptions.InvalidRequestException, match="'strict' does not exist"):
        localemr_server.run_cluster(SecurityConfiguration="strict")
    emr.create_security_configuration(Name="strict", SecurityConfiguration='{"EncryptionConfiguration": {}}')
    with pytest.raises(emr.exceptions.InvalidRequestException, match="already exists"):
        emr.create_security_configuration(Name="strict", SecurityConfiguration="{}")
    with pytest.raises(emr.exceptions.InvalidRequestException, match="not valid JSON"):
        emr.create_security_configuration(Name="broken", SecurityConfiguration="{")
    assert [item["Name"] for item in emr.list_security_configurations()["SecurityConfigurations"]] == [
        "strict"
    ]
    found = emr.describe_security_configuration(Name="strict")
    assert found["SecurityConfiguration"] == '{"EncryptionConfiguration": {}}'
    cluster_id = localemr_server.run_cluster(SecurityConfiguration="strict")
    assert emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["SecurityConfiguration"] == "strict"
    emr.delete_security_configuration(Name="strict")
    with pytest.raises(emr.exceptions.InvalidRequestException, match="does not exist"):
        emr.describe_security_configuration(Name="strict")


def test_releases(localemr_server):
    emr = localemr_server.client("emr")
    labels = emr.list_release_labels(Filters={"Prefix": "emr-7"})["ReleaseLabels"]
    assert "emr-7.11.0" in labels
    assert labels.index("emr-7.11.0") < labels.index("emr-7.1.0")
    assert "emr-7.11.0" in emr.list_release_labels(Filters={"Application": "spark@3.5.6"})["ReleaseLabels"]
    assert emr.list_release_labels(Filters={"Application": "Presto"})["ReleaseLabels"] == []
    first = emr.list_release_labels(MaxResults=2)
    second = emr.list_release_labels(MaxResults=2, NextToken=first["NextToken"])
    assert len({*first["ReleaseLabels"], *second["ReleaseLabels"]}) == 4
    applications = emr.describe_release_label(ReleaseLabel="emr-7.11.0")["Applications"]
    assert {"Name": "Spark", "Version": "3.5.6"} in applications


@pytest.mark.parametrize(
    ("application", "has_it"),
    [
        ("Spark", True),
        ("spark@3.5.6", True),
        ("spark@3.5", False),
        ("spark@", True),
        ("hadoop@3.4.1", True),
        ("park", False),
    ],
)
def test_releases_are_found_by_their_applications(localemr_server, application, has_it):
    labels = localemr_server.client("emr").list_release_labels(Filters={"Application": application})
    assert ("emr-7.11.0" in labels["ReleaseLabels"]) is has_it


def test_a_release_that_is_none(localemr_server):
    emr = localemr_server.client("emr")
    with pytest.raises(ClientError, match=r"The supplied release label is invalid: emr-99\.0\.0"):
        emr.describe_release_label(ReleaseLabel="emr-99.0.0")
    assert emr.describe_release_label()["ReleaseLabel"] == emr.list_release_labels()["ReleaseLabels"][0]


def test_a_marker_that_no_list_gave_is_an_invalid_request(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    other = base64.urlsafe_b64encode(b"s-NOTTHERE").decode()
    for call in (emr.list_steps, emr.list_instances, emr.list_instance_groups, emr.list_bootstrap_actions):
        with pytest.raises(emr.exceptions.InvalidRequestException, match="is not valid"):
            call(ClusterId=cluster_id, Marker=other)
