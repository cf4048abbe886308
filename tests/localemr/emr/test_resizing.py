"""Instance groups and fleets that are added, resized and reconfigured while their cluster runs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from airflow_provider_emrkit.localemr.clock import utc_now

GROUP = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 2}
TYPES = [{"InstanceType": "m5.2xlarge", "WeightedCapacity": 2}]
FLEETS = [
    {
        "InstanceFleetType": "MASTER",
        "TargetOnDemandCapacity": 1,
        "InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}],
    },
    {"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 4, "InstanceTypeConfigs": TYPES},
]


class Clock:
    """The server's clock, which stands until it is put forward: a resize takes two seconds."""

    def __init__(self) -> None:
        self.now = utc_now()

    def __call__(self):
        return self.now

    def forward(self, seconds=60):
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(localemr_server, monkeypatch):
    found = Clock()
    monkeypatch.setattr(localemr_server.server.emr, "now", found)
    return found


@pytest.fixture
def cluster(localemr_server, clock):
    """A cluster of a primary node and two core nodes, which waits."""
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    return Cluster(localemr_server.client("emr"), cluster_id)


@pytest.fixture
def fleets(localemr_server, clock):
    """A cluster of fleets."""
    instances = {"InstanceFleets": FLEETS, "KeepJobFlowAliveWhenNoSteps": True}
    cluster_id = localemr_server.run_cluster(Instances=instances)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    return Cluster(localemr_server.client("emr"), cluster_id)


class Cluster:
    """What clients see of a cluster's instances."""

    def __init__(self, emr, cluster_id):
        self.emr = emr
        self.id = cluster_id

    def group(self, role):
        groups = self.emr.list_instance_groups(ClusterId=self.id)["InstanceGroups"]
        return next(group for group in groups if group["InstanceGroupType"] == role)

    def fleet(self, role):
        fleets = self.emr.list_instance_fleets(ClusterId=self.id)["InstanceFleets"]
        return next(fleet for fleet in fleets if fleet["InstanceFleetType"] == role)

    def instances(self, **filters):
        return self.emr.list_instances(ClusterId=self.id, **filters)["Instances"]

    def modify(self, role, **change):
        change = {"InstanceGroupId": self.group(role)["Id"], **change}
        self.emr.modify_instance_groups(ClusterId=self.id, InstanceGroups=[change])

    def modify_fleet(self, role, **change):
        change = {"InstanceFleetId": self.fleet(role)["Id"], **change}
        self.emr.modify_instance_fleet(ClusterId=self.id, InstanceFleet=change)


def sizes(group):
    return group["Status"]["State"], group["RequestedInstanceCount"], group["RunningInstanceCount"]


def capacity(fleet):
    return fleet["Status"]["State"], fleet["TargetOnDemandCapacity"], fleet["ProvisionedOnDemandCapacity"]


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]


def test_a_group_grows_after_a_moment(cluster, clock):
    before = cluster.instances(InstanceGroupTypes=["CORE"])
    cluster.modify("CORE", InstanceCount=5)
    assert sizes(cluster.group("CORE")) == ("RESIZING", 5, 2)
    assert len(cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["PROVISIONING"])) == 3
    clock.forward()
    assert sizes(cluster.group("CORE")) == ("RUNNING", 5, 5)
    after = cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])
    assert [item["Id"] for item in after[:2]] == [item["Id"] for item in before]
    assert len({item["Ec2InstanceId"] for item in after}) == 5
    assert after[4]["Status"]["Timeline"]["ReadyDateTime"] > before[0]["Status"]["Timeline"]["ReadyDateTime"]


def test_a_group_shrinks_and_shows_what_is_gone(cluster, clock):
    oldest, newest = cluster.instances(InstanceGroupTypes=["CORE"])
    cluster.modify("CORE", InstanceCount=1)
    assert sizes(cluster.group("CORE")) == ("RESIZING", 1, 2)
    clock.forward()
    assert sizes(cluster.group("CORE")) == ("RUNNING", 1, 1)
    (gone,) = cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["TERMINATED"])
    assert gone["Id"] == newest["Id"]
    assert gone["Status"]["Timeline"]["EndDateTime"] > gone["Status"]["Timeline"]["ReadyDateTime"]
    (left,) = cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])
    assert left["Id"] == oldest["Id"]


def test_a_group_that_was_resized_to_nothing_grows_again_with_new_instances(cluster, clock):
    first = cluster.instances(InstanceGroupTypes=["CORE"])
    cluster.modify("CORE", InstanceCount=0)
    clock.forward()
    assert sizes(cluster.group("CORE")) == ("RUNNING", 0, 0)
    cluster.modify("CORE", InstanceCount=1)
    clock.forward()
    (new,) = cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])
    assert new["Ec2InstanceId"] not in {item["Ec2InstanceId"] for item in first}


def test_a_resize_can_be_taken_back_while_it_is_under_way(cluster, clock):
    cluster.modify("CORE", InstanceCount=9)
    cluster.modify("CORE", InstanceCount=2)
    clock.forward()
    assert sizes(cluster.group("CORE")) == ("RUNNING", 2, 2)


def test_instances_can_be_ended_by_id(cluster, clock):
    oldest, newest = (item["Ec2InstanceId"] for item in cluster.instances(InstanceGroupTypes=["CORE"]))
    cluster.modify("CORE", EC2InstanceIdsToTerminate=[oldest])
    clock.forward()
    assert sizes(cluster.group("CORE")) == ("RUNNING", 1, 1)
    (left,) = cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])
    assert left["Ec2InstanceId"] == newest


@pytest.mark.parametrize("name", ["InstancesToTerminate", "InstancesToProtect"])
def test_a_shrink_policy_chooses_the_instances(cluster, clock, name):
    oldest, newest = (item["Ec2InstanceId"] for item in cluster.instances(InstanceGroupTypes=["CORE"]))
    chosen = oldest if name == "InstancesToTerminate" else newest
    policy = {"InstanceResizePolicy": {name: [chosen]}}
    cluster.modify("CORE", InstanceCount=1, ShrinkPolicy=policy)
    clock.forward()
    (left,) = cluster.instances(InstanceGroupTypes=["CORE"], InstanceStates=["RUNNING"])
    assert left["Ec2InstanceId"] == newest
    assert cluster.group("CORE")["ShrinkPolicy"] == policy


def test_task_groups_are_added(cluster, clock):
    answer = cluster.emr.add_instance_groups(JobFlowId=cluster.id, InstanceGroups=[GROUP, GROUP])
    ids = answer["InstanceGroupIds"]
    groups = cluster.emr.list_instance_groups(ClusterId=cluster.id)["InstanceGroups"]
    assert [group["Id"] for group in groups[2:]] == ids
    assert sizes(groups[2]) == ("PROVISIONING", 2, 0)
    clock.forward()
    assert sizes(cluster.group("TASK")) == ("RUNNING", 2, 2)
    assert len(cluster.instances(InstanceGroupId=ids[1])) == 2


def test_a_groups_configurations_have_a_version(cluster, clock):
    one = {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "1"}}
    two = {"Classification": "spark-defaults", "Properties": {"b": "2"}}
    cluster.modify("CORE", Configurations=[one])
    group = cluster.group("CORE")
    assert group["Status"]["State"] == "RECONFIGURING"
    assert (group["Configurations"], group["LastSuccessfullyAppliedConfigurations"]) == ([one], [])
    assert group["ConfigurationsVersion"] == 1
    assert group["LastSuccessfullyAppliedConfigurationsVersion"] == 0
    clock.forward()
    cluster.modify("CORE", Configurations=[two], ReconfigurationType="MERGE")
    assert cluster.group("CORE")["LastSuccessfullyAppliedConfigurations"] == [one]
    clock.forward()
    group = cluster.group("CORE")
    assert group["Status"]["State"] == "RUNNING"
    merged = {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "2"}}
    assert group["LastSuccessfullyAppliedConfigurations"] == [merged]
    assert group["LastSuccessfullyAppliedConfigurationsVersion"] == 2
    cluster.modify("CORE", Configurations=[two], ReconfigurationType="OVERWRITE")
    assert cluster.group("CORE")["Configurations"] == [two]


def test_instances_that_were_added_and_gone_count_for_the_hours_they_ran(cluster, clock):
    def hours():
        return cluster.emr.describe_cluster(ClusterId=cluster.id)["Cluster"]["NormalizedInstanceHours"]

    assert hours() == 3 * 8
    cluster.modify("CORE", InstanceCount=1)
    clock.forward(2 * 3600 + 60)
    # Two instances of weight 8 for three begun hours, one that is gone for one.
    assert hours() == 2 * 8 * 3 + 8


def test_groups_are_modified_all_or_none(cluster):
    core, master = cluster.group("CORE")["Id"], cluster.group("MASTER")["Id"]
    changes = [{"InstanceGroupId": name, "InstanceCount": 3} for name in (core, master)]
    refused = refusal(cluster.emr.modify_instance_groups, InstanceGroups=changes)
    assert refused["Code"] == "ValidationException"
    assert "A master instance group may not be modified" in refused["Message"]
    assert sizes(cluster.group("CORE")) == ("RUNNING", 2, 2)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        pytest.param({}, "Please provide", id="nothing"),
        pytest.param({"InstanceCount": -1}, "InstanceCount -1", id="negative"),
        pytest.param({"InstanceCount": 2_000_000_000}, "0 to 2000", id="too-many"),
        pytest.param({"EC2InstanceIdsToTerminate": ["i-0"]}, "'i-0' is not a running instance", id="unknown"),
        pytest.param({"InstanceCount": 1, "EC2InstanceIdsToTerminate": ["i-0"]}, "exclusive", id="both"),
    ],
)
def test_modify_instance_groups_refuses(cluster, change, text):
    with pytest.raises(ClientError, match=text):
        cluster.modify("CORE", **change)


def test_a_group_that_is_none_cannot_be_modified(cluster):
    change = {"InstanceGroupId": "ig-NOTTHERE", "InstanceCount": 1}
    refused = refusal(cluster.emr.modify_instance_groups, ClusterId=cluster.id, InstanceGroups=[change])
    assert "Instance group id 'ig-NOTTHERE' is not valid" in refused["Message"]


def test_a_fleet_is_no_group(fleets):
    change = {"InstanceGroupId": fleets.fleet("CORE")["Id"], "InstanceCount": 1}
    refused = refusal(fleets.emr.modify_instance_groups, ClusterId=fleets.id, InstanceGroups=[change])
    assert "is not valid" in refused["Message"]


def test_a_group_is_modified_only_while_its_cluster_is_up(localemr_server, cluster):
    cluster.emr.terminate_job_flows(JobFlowIds=[cluster.id])
    localemr_server.wait_cluster(cluster.id, "TERMINATED")
    with pytest.raises(ClientError, match="may only be modified when the cluster is running or waiting"):
        cluster.modify("CORE", InstanceCount=1)
    refused = refusal(cluster.emr.add_instance_groups, JobFlowId=cluster.id, InstanceGroups=[GROUP])
    assert "running or waiting" in refused["Message"]


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ({**GROUP, "InstanceRole": "CORE"}, "Only task instance groups"),
        ({**GROUP, "InstanceType": "large"}, "Instance type 'large' is not supported"),
        ({**GROUP, "InstanceCount": -2}, "InstanceCount -2"),
    ],
)
def test_add_instance_groups_refuses(cluster, group, text):
    assert (
        text
        in refusal(cluster.emr.add_instance_groups, JobFlowId=cluster.id, InstanceGroups=[group])["Message"]
    )


def test_a_cluster_has_at_most_48_task_groups(cluster):
    refused = refusal(cluster.emr.add_instance_groups, JobFlowId=cluster.id, InstanceGroups=[GROUP] * 49)
    assert "at most 48 task instance groups" in refused["Message"]


def test_a_fleet_grows_and_shrinks_by_capacity(fleets, clock):
    fleets.modify_fleet("CORE", TargetOnDemandCapacity=7, TargetSpotCapacity=2)
    assert capacity(fleets.fleet("CORE")) == ("RESIZING", 7, 4)
    clock.forward()
    # An instance counts two units: the target is overshot rather than missed.
    assert capacity(fleets.fleet("CORE")) == ("RUNNING", 7, 8)
    assert fleets.fleet("CORE")["ProvisionedSpotCapacity"] == 2
    fleets.modify_fleet("CORE", TargetOnDemandCapacity=3, TargetSpotCapacity=0)
    clock.forward()
    assert capacity(fleets.fleet("CORE")) == ("RUNNING", 3, 4)
    assert len(fleets.instances(InstanceFleetType="CORE", InstanceStates=["RUNNING"])) == 2


def test_a_task_fleet_is_added_once(fleets, clock):
    task = {**FLEETS[1], "InstanceFleetType": "TASK", "Name": "spot"}
    fleet_id = fleets.emr.add_instance_fleet(ClusterId=fleets.id, InstanceFleet=task)["InstanceFleetId"]
    assert capacity(fleets.fleet("TASK")) == ("PROVISIONING", 4, 0)
    clock.forward()
    assert fleets.fleet("TASK")["Id"] == fleet_id
    assert capacity(fleets.fleet("TASK")) == ("RUNNING", 4, 4)
    refused = refusal(fleets.emr.add_instance_fleet, ClusterId=fleets.id, InstanceFleet=task)
    assert (refused["Code"], "already" in refused["Message"]) == ("InvalidRequestException", True)


def test_a_fleet_takes_other_instance_types_for_what_it_adds(fleets, clock):
    fleets.modify_fleet("CORE", TargetOnDemandCapacity=6, InstanceTypeConfigs=[{"InstanceType": "r5.xlarge"}])
    clock.forward()
    types = [item["InstanceType"] for item in fleets.instances(InstanceFleetType="CORE")]
    assert types == ["m5.2xlarge", "m5.2xlarge", "r5.xlarge", "r5.xlarge"]


@pytest.mark.parametrize(
    ("role", "change", "text"),
    [
        ("MASTER", {"TargetOnDemandCapacity": 2}, "master instance fleet may not be modified"),
        ("CORE", {"InstanceTypeConfigs": [{"InstanceType": "x"}]}, "Instance type 'x' is not supported"),
        ("CORE", {"InstanceTypeConfigs": [*TYPES, *TYPES]}, "given twice"),
        ("CORE", {"TargetSpotCapacity": 2_000_000_000}, "the limit is 2000"),
    ],
)
def test_modify_instance_fleet_refuses(fleets, role, change, text):
    with pytest.raises(ClientError, match=text):
        fleets.modify_fleet(role, **change)


def test_groups_and_fleets_do_not_mix(cluster, fleets):
    task = {**FLEETS[1], "InstanceFleetType": "TASK"}
    for refused in (
        refusal(cluster.emr.add_instance_fleet, ClusterId=cluster.id, InstanceFleet=task),
        refusal(fleets.emr.add_instance_groups, JobFlowId=fleets.id, InstanceGroups=[GROUP]),
    ):
        assert "mutually exclusive" in refused["Message"]


@pytest.mark.parametrize(
    ("filters", "text"),
    [
        (
            {"InstanceFleetType": "CORE"},
            "not valid for a cluster that uses instance groups",
        ),
        ({"InstanceGroupId": "ig-NOTTHERE"}, "Instance group id 'ig-NOTTHERE' is not valid"),
    ],
)
def test_instances_are_listed_by_groups_that_are_there(cluster, filters, text):
    refused = refusal(cluster.emr.list_instances, ClusterId=cluster.id, **filters)
    assert refused["Code"] == "InvalidRequestException"
    assert text in refused["Message"]


def test_instances_come_fifty_to_a_page(cluster, clock):
    cluster.modify("CORE", InstanceCount=120)
    clock.forward()
    pages = [
        page["Instances"]
        for page in cluster.emr.get_paginator("list_instances").paginate(ClusterId=cluster.id)
    ]
    assert [len(page) for page in pages] == [50, 50, 21]
    assert len({item["Id"] for page in pages for item in page}) == 121


def test_volumes_are_attached_to_every_instance(localemr_server):
    volume = {
        "VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 64},
        "VolumesPerInstance": 2_000_000_000,
    }
    ebs = {"EbsBlockDeviceConfigs": [volume]}
    groups = [{**GROUP, "InstanceRole": "MASTER", "InstanceCount": 1, "EbsConfiguration": ebs}]
    cluster_id = localemr_server.run_cluster(
        Instances={"InstanceGroups": groups, "KeepJobFlowAliveWhenNoSteps": True}
    )
    (instance,) = localemr_server.client("emr").list_instances(ClusterId=cluster_id)["Instances"]
    first, *_, last = instance["EbsVolumes"]
    assert (first["Device"], last["Device"]) == ("/dev/sdb", "/dev/sdx")
    assert first["VolumeId"].startswith("vol-")
    assert first["VolumeId"] != last["VolumeId"]


def test_several_primary_nodes_keep_and_protect_their_cluster(localemr_server):
    groups = [{**GROUP, "InstanceRole": role, "InstanceCount": 3} for role in ("MASTER", "CORE")]
    cluster_id = localemr_server.run_cluster(
        Instances={"InstanceGroups": groups}, PlacementGroupConfigs=[{"InstanceRole": "MASTER"}]
    )
    localemr_server.wait_cluster(cluster_id, "WAITING")
    cluster = localemr_server.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert (cluster["AutoTerminate"], cluster["TerminationProtected"]) == (False, True)
    assert cluster["PlacementGroups"] == [{"InstanceRole": "MASTER"}]
    localemr_server.client("emr").set_termination_protection(
        JobFlowIds=[cluster_id], TerminationProtected=False
    )


def test_resizes_survive_a_restart(localemr_server, cluster, clock):
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord
    from airflow_provider_emrkit.localemr.emr.record_json import from_json, to_json

    cluster.modify("CORE", InstanceCount=5)
    cluster.modify("CORE", Configurations=[{"Classification": "x", "Properties": {"created": "no date"}}])
    record = localemr_server.server.emr.store.cluster("us-east-1", cluster.id)
    again = from_json(ClusterRecord, to_json(record))
    assert again.instances == record.instances
