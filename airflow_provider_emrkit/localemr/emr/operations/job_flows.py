"""DescribeJobFlows: deprecated by AWS, still asked by old clients."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.ids import instance_id
from airflow_provider_emrkit.localemr.emr.instance_shapes import group_details
from airflow_provider_emrkit.localemr.emr.shapes import normalized_hours
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, InstancesRecord, StepRecord

# What AWS documents: nothing older than two months; without parameters, of what has ended only the last two
# weeks.
_KEPT = timedelta(days=60)
_RECENT = timedelta(days=14)
MAX_JOB_FLOWS = 512

_STATES = {"TERMINATING": "SHUTTING_DOWN", "TERMINATED_WITH_ERRORS": "FAILED"}


def describe_job_flows(emr: Emr, call: Call) -> dict[str, Any]:
    """DescribeJobFlows."""
    now = emr.now()
    found = islice(_found(emr, call, now), MAX_JOB_FLOWS)
    return {"JobFlows": [_job_flow(cluster, now) for cluster in found]}


def _found(emr: Emr, call: Call, now: datetime) -> Iterator[ClusterRecord]:
    params = call.params
    for cluster_id in params.get("JobFlowIds", ()):
        emr.job_flow(call, cluster_id)
    ids, states = frozenset(params.get("JobFlowIds", ())), frozenset(params.get("JobFlowStates", ()))
    after, before = params.get("CreatedAfter"), params.get("CreatedBefore")
    for cluster in emr.store.clusters(call.region):
        in_time = (after is None or cluster.created > after) and (before is None or cluster.created < before)
        recent = cluster.created > now - (_KEPT if params or cluster.ended is None else _RECENT)
        wanted = (not ids or cluster.id in ids) and (not states or _state(cluster) in states)
        if in_time and recent and wanted:
            yield cluster


def _state(cluster: ClusterRecord) -> str:
    if cluster.state == "TERMINATED":
        return "COMPLETED" if cluster.reason_code == "ALL_STEPS_COMPLETED" else "TERMINATED"
    return _STATES.get(cluster.state, cluster.state)


def _job_flow(cluster: ClusterRecord, now: datetime) -> dict[str, Any]:
    request = cluster.request
    return {
        "JobFlowId": cluster.id,
        "Name": cluster.name,
        "LogUri": request.get("LogUri"),
        "LogEncryptionKmsKeyId": request.get("LogEncryptionKmsKeyId"),
        "ExecutionStatusDetail": {
            "State": _state(cluster),
            "CreationDateTime": cluster.created,
            "StartDateTime": cluster.ready,
            "ReadyDateTime": cluster.ready,
            "EndDateTime": cluster.ended,
            "LastStateChangeReason": cluster.reason_message,
        },
        "Instances": _instances(cluster, now),
        "Steps": [_step(step) for step in cluster.steps.values()],
        "BootstrapActions": [
            {"BootstrapActionConfig": action} for action in request.get("BootstrapActions", [])
        ],
        "SupportedProducts": request.get("SupportedProducts", []),
        "VisibleToAllUsers": cluster.visible_to_all_users,
        "JobFlowRole": request.get("JobFlowRole"),
        "ServiceRole": request.get("ServiceRole"),
        "AutoScalingRole": request.get("AutoScalingRole"),
        "ScaleDownBehavior": request.get("ScaleDownBehavior"),
    }


def _instances(cluster: ClusterRecord, now: datetime) -> dict[str, Any]:
    requested = cluster.request["Instances"]
    types = {record.role: _type(record) for record in cluster.instances}
    groups = [] if cluster.uses_fleets else [_group(cluster, record, now) for record in cluster.instances]
    return {
        "MasterInstanceType": types["MASTER"],
        "SlaveInstanceType": types.get("CORE", types["MASTER"]),
        "MasterPublicDnsName": "localhost" if cluster.ready else None,
        "MasterInstanceId": instance_id(cluster.id),
        "InstanceCount": sum(
            batch.count for record in cluster.instances for batch in record.batches if batch.ended is None
        ),
        "InstanceGroups": groups,
        "NormalizedInstanceHours": normalized_hours(cluster, now),
        "Ec2KeyName": requested.get("Ec2KeyName"),
        "Ec2SubnetId": requested.get("Ec2SubnetId"),
        "Placement": requested.get("Placement"),
        "KeepJobFlowAliveWhenNoSteps": cluster.keep_alive,
        "TerminationProtected": cluster.termination_protected,
        "UnhealthyNodeReplacement": cluster.unhealthy_node_replacement,
        "HadoopVersion": release(cluster.release_label).hadoop,
    }


def _type(record: InstancesRecord) -> str:
    config = record.config
    return str(config.get("InstanceType") or config["InstanceTypeConfigs"][0]["InstanceType"])


def _group(cluster: ClusterRecord, record: InstancesRecord, now: datetime) -> dict[str, Any]:
    details = group_details(cluster, record, now)
    times = details["Status"]["Timeline"]
    return {
        "InstanceGroupId": record.id,
        "Name": details["Name"],
        "Market": details["Market"],
        "InstanceRole": record.role,
        "InstanceType": details["InstanceType"],
        "InstanceRequestCount": details["RequestedInstanceCount"],
        "InstanceRunningCount": details["RunningInstanceCount"],
        "BidPrice": details["BidPrice"],
        "CustomAmiId": details["CustomAmiId"],
        "State": details["Status"]["State"],
        "LastStateChangeReason": details["Status"]["StateChangeReason"].get("Message"),
        "StartDateTime": times.get("ReadyDateTime"),
        **times,
    }


def _step(step: StepRecord) -> dict[str, Any]:
    # This old enum has no CANCEL_PENDING.
    state = "RUNNING" if step.state == "CANCEL_PENDING" else step.state
    properties = [{"Key": key, "Value": value} for key, value in step.properties.items()]
    return {
        "StepConfig": {
            "Name": step.name,
            "ActionOnFailure": step.action_on_failure,
            "HadoopJarStep": {
                "Jar": step.jar,
                "MainClass": step.main_class,
                "Args": step.args,
                "Properties": properties,
            },
        },
        "ExecutionStatusDetail": {
            "State": state,
            "CreationDateTime": step.created,
            "StartDateTime": step.started,
            "EndDateTime": step.ended,
            "LastStateChangeReason": step.failure.reason if step.failure else step.message,
        },
    }


OPERATIONS = {"DescribeJobFlows": describe_job_flows}
