"""Policies, and the other settings that can be changed while a cluster lives."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError
from waiting import wait_until

SCALING = {"ComputeLimits": {"UnitType": "Instances", "MinimumCapacityUnits": 1, "MaximumCapacityUnits": 5}}


def test_an_auto_termination_policy_is_kept_replaced_and_removed(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster(AutoTerminationPolicy={"IdleTimeout": 600})

    def policy():
        return emr.get_auto_termination_policy(ClusterId=cluster_id).get("AutoTerminationPolicy")

    assert policy() == {"IdleTimeout": 600}
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 60})
    assert policy() == {"IdleTimeout": 60}
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={})
    assert policy() == {"IdleTimeout": 3600}
    emr.remove_auto_termination_policy(ClusterId=cluster_id)
    assert policy() is None
    with pytest.raises(ClientError, match="IdleTimeout 59"):
        emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 59})


def shorten_idle_time(localemr_server, cluster_id, seconds=0.05):
    """Make a policy shorter than the API allows, so that a test need not wait a minute."""
    emr = localemr_server.server.emr
    with emr.store.lock:
        record = emr.store.cluster("us-east-1", cluster_id)
        record.auto_termination = seconds
        emr.changed(record)


def test_an_idle_cluster_ends_by_itself(localemr_server):
    cluster_id = localemr_server.run_cluster(AutoTerminationPolicy={"IdleTimeout": 60})
    localemr_server.wait_cluster(cluster_id, "WAITING")
    shorten_idle_time(localemr_server, cluster_id)
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert "auto-termination" in record.reason_message


def test_a_cluster_with_a_running_step_is_not_idle(localemr_server):
    localemr_server.runner.script("long", hold=True)
    cluster_id = localemr_server.run_cluster(AutoTerminationPolicy={"IdleTimeout": 60})
    localemr_server.add_step(cluster_id, "long")
    localemr_server.runner.wait_started("long")
    shorten_idle_time(localemr_server, cluster_id, 0.0)
    assert (
        localemr_server.client("emr").describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"]
        == "RUNNING"
    )
    localemr_server.runner.finish("long")
    localemr_server.wait_cluster(cluster_id, "TERMINATED")


def test_the_idle_time_counts_from_the_end_of_what_ran_without_a_step(localemr_server):
    cluster_id = localemr_server.run_cluster(AutoTerminationPolicy={"IdleTimeout": 60})
    record = localemr_server.wait_cluster(cluster_id, "WAITING")
    an_hour_later = time.time() + 3600
    localemr_server.runner.last_active = an_hour_later
    shorten_idle_time(localemr_server, cluster_id)
    emr = localemr_server.server.emr
    with emr.store.lock:
        changed = emr.supervisor(record).changed
        assert not changed.wait_for(lambda: record.state != "WAITING", 0.3)
    is_later = pytest.approx(an_hour_later)
    wait_until(lambda: record.idle_since.timestamp() == is_later, "it counts from the end of what ran")
    assert record.state == "WAITING"
    with emr.store.lock:
        localemr_server.runner.last_active = time.time() - 60
        record.idle_since = emr.now()
        emr.changed(record)
    localemr_server.wait_cluster(cluster_id, "TERMINATED")


def test_a_managed_scaling_policy_is_kept_and_removed(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    assert "ManagedScalingPolicy" not in emr.get_managed_scaling_policy(ClusterId=cluster_id)
    emr.put_managed_scaling_policy(ClusterId=cluster_id, ManagedScalingPolicy=SCALING)
    assert emr.get_managed_scaling_policy(ClusterId=cluster_id)["ManagedScalingPolicy"] == SCALING
    emr.remove_managed_scaling_policy(ClusterId=cluster_id)
    assert "ManagedScalingPolicy" not in emr.get_managed_scaling_policy(ClusterId=cluster_id)


def test_managed_scaling_limits_must_make_sense(localemr_server):
    limits = {**SCALING["ComputeLimits"], "MinimumCapacityUnits": 9}
    with pytest.raises(ClientError, match="MinimumCapacityUnits 9"):
        localemr_server.run_cluster(ManagedScalingPolicy={"ComputeLimits": limits})


def test_a_cluster_that_need_not_be_kept_alive_any_more_ends(localemr_server):
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    localemr_server.client("emr").set_keep_job_flow_alive_when_no_steps(
        JobFlowIds=[cluster_id], KeepJobFlowAliveWhenNoSteps=False
    )
    record = localemr_server.wait_cluster(cluster_id, "TERMINATED")
    assert record.reason_code == "ALL_STEPS_COMPLETED"


def test_settings_are_shown(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    emr.set_visible_to_all_users(JobFlowIds=[cluster_id], VisibleToAllUsers=False)
    emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    emr.set_unhealthy_node_replacement(JobFlowIds=[cluster_id], UnhealthyNodeReplacement=True)
    cluster = emr.describe_cluster(ClusterId=cluster_id)["Cluster"]
    assert cluster["VisibleToAllUsers"] is False
    assert cluster["TerminationProtected"] is True
    assert cluster["UnhealthyNodeReplacement"] is True


@pytest.mark.parametrize("level", [0, 257])
def test_modify_cluster_refuses_a_concurrency_that_is_none(localemr_server, level):
    cluster_id = localemr_server.run_cluster()
    with pytest.raises(ClientError, match="1 to 256"):
        localemr_server.client("emr").modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=level)


def test_a_cluster_that_has_ended_cannot_be_modified(localemr_server):
    cluster_id = localemr_server.run_cluster()
    emr = localemr_server.client("emr")
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    with pytest.raises(emr.exceptions.InvalidRequestException, match="TERMINATED"):
        emr.modify_cluster(ClusterId=cluster_id, StepConcurrencyLevel=2)
    with pytest.raises(ClientError, match="may not be modified"):
        emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    return error["Message"]


AUTOSCALING = {
    "Constraints": {"MinCapacity": 1, "MaxCapacity": 5},
    "Rules": [
        {
            "Name": "out",
            "Action": {"SimpleScalingPolicyConfiguration": {"ScalingAdjustment": 1, "CoolDown": 300}},
            "Trigger": {
                "CloudWatchAlarmDefinition": {
                    "ComparisonOperator": "LESS_THAN",
                    "MetricName": "YARNMemoryAvailablePercentage",
                    "Period": 300,
                    "Threshold": 15,
                    "Dimensions": [{"Key": "JobFlowId", "Value": "${emr.clusterId}"}],
                }
            },
        }
    ],
}


def core_group(localemr_server, cluster_id):
    groups = localemr_server.client("emr").list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
    return next(group for group in groups if group["InstanceGroupType"] == "CORE")


def test_an_automatic_scaling_policy_is_attached_and_removed(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster(AutoScalingRole="EMR_AutoScaling_DefaultRole")
    place = {"ClusterId": cluster_id, "InstanceGroupId": core_group(localemr_server, cluster_id)["Id"]}
    answer = emr.put_auto_scaling_policy(**place, AutoScalingPolicy=AUTOSCALING)
    assert answer["AutoScalingPolicy"]["Status"]["State"] == "PENDING"
    shown = core_group(localemr_server, cluster_id)["AutoScalingPolicy"]
    assert (shown["Status"]["State"], shown["Constraints"]) == ("ATTACHED", AUTOSCALING["Constraints"])
    alarm = shown["Rules"][0]["Trigger"]["CloudWatchAlarmDefinition"]
    assert alarm["Dimensions"] == [{"Key": "JobFlowId", "Value": cluster_id}]
    emr.remove_auto_scaling_policy(**place)
    assert "AutoScalingPolicy" not in core_group(localemr_server, cluster_id)


def test_automatic_and_managed_scaling_exclude_each_other(localemr_server):
    emr = localemr_server.client("emr")
    role = {"AutoScalingRole": "EMR_AutoScaling_DefaultRole"}
    cluster_id = localemr_server.run_cluster(**role, ManagedScalingPolicy=SCALING)
    place = {"ClusterId": cluster_id, "InstanceGroupId": core_group(localemr_server, cluster_id)["Id"]}
    put = emr.put_auto_scaling_policy
    assert "together" in refusal(put, **place, AutoScalingPolicy=AUTOSCALING)
    emr.remove_managed_scaling_policy(ClusterId=cluster_id)
    put(**place, AutoScalingPolicy=AUTOSCALING)
    managed = {"ClusterId": cluster_id, "ManagedScalingPolicy": SCALING}
    assert "together" in refusal(emr.put_managed_scaling_policy, **managed)


def test_put_auto_scaling_policy_refuses(localemr_server):
    put = localemr_server.client("emr").put_auto_scaling_policy
    cluster_id = localemr_server.run_cluster()
    core = {"ClusterId": cluster_id, "InstanceGroupId": core_group(localemr_server, cluster_id)["Id"]}
    assert "AutoScalingRole" in refusal(put, **core, AutoScalingPolicy=AUTOSCALING)
    cluster_id = localemr_server.run_cluster(AutoScalingRole="EMR_AutoScaling_DefaultRole")
    core = {"ClusterId": cluster_id, "InstanceGroupId": core_group(localemr_server, cluster_id)["Id"]}
    wrong = {**AUTOSCALING, "Constraints": {"MinCapacity": 6, "MaxCapacity": 5}}
    assert "MinCapacity 6" in refusal(put, **core, AutoScalingPolicy=wrong)
    assert "at least one rule" in refusal(put, **core, AutoScalingPolicy={**AUTOSCALING, "Rules": []})
    groups = localemr_server.client("emr").list_instance_groups(ClusterId=cluster_id)["InstanceGroups"]
    primary = {**core, "InstanceGroupId": groups[0]["Id"]}
    assert "core and task" in refusal(put, **primary, AutoScalingPolicy=AUTOSCALING)
    unknown = {**core, "InstanceGroupId": "ig-NOTTHERE"}
    assert "'ig-NOTTHERE' is not valid" in refusal(put, **unknown, AutoScalingPolicy=AUTOSCALING)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"UnitType": "InstanceFleetUnits"}, "UnitType InstanceFleetUnits is not valid"),
        ({"MaximumOnDemandCapacityUnits": 6}, "MaximumOnDemandCapacityUnits 6"),
        ({"MaximumCoreCapacityUnits": 6}, "MaximumCoreCapacityUnits 6"),
        ({"MinimumCapacityUnits": 0}, "MinimumCapacityUnits 0"),
    ],
)
def test_managed_scaling_limits_are_checked(localemr_server, change, text):
    policy = {"ComputeLimits": {**SCALING["ComputeLimits"], **change}}
    assert text in refusal(localemr_server.run_cluster, ManagedScalingPolicy=policy)


def test_policies_of_a_cluster_that_has_ended_cannot_be_changed(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster()
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
    # Terraform's AWS provider looks for these words.
    words = "A job flow that is shutting down, terminated, or finished may not be modified."
    for call, params in (
        (emr.put_managed_scaling_policy, {"ManagedScalingPolicy": SCALING}),
        (emr.remove_managed_scaling_policy, {}),
        (emr.put_auto_termination_policy, {"AutoTerminationPolicy": {"IdleTimeout": 60}}),
        (emr.remove_auto_termination_policy, {}),
    ):
        assert refusal(call, ClusterId=cluster_id, **params) == words
    assert emr.get_managed_scaling_policy(ClusterId=cluster_id)


def test_a_protected_cluster_does_not_end_by_its_auto_termination_policy(localemr_server):
    emr = localemr_server.client("emr")
    cluster_id = localemr_server.run_cluster(AutoTerminationPolicy={"IdleTimeout": 60})
    emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=True)
    localemr_server.wait_cluster(cluster_id, "WAITING")
    shorten_idle_time(localemr_server, cluster_id, 0.0)
    emulator = localemr_server.server.emr
    with emulator.store.lock:
        record = emulator.store.cluster("us-east-1", cluster_id)
        assert not emulator.supervisor(record).changed.wait_for(lambda: record.state != "WAITING", 0.3)
    emr.set_termination_protection(JobFlowIds=[cluster_id], TerminationProtected=False)
    localemr_server.wait_cluster(cluster_id, "TERMINATED")
