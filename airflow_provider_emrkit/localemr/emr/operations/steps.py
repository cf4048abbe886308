"""Adding, showing and cancelling steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import closed_job_flow, invalid_request
from airflow_provider_emrkit.localemr.emr.paging import page
from airflow_provider_emrkit.localemr.emr.release_rules import release_of
from airflow_provider_emrkit.localemr.emr.runtime_roles import check_runtime_role
from airflow_provider_emrkit.localemr.emr.shapes import cluster_arn, step_details
from airflow_provider_emrkit.localemr.emr.step_rules import check_steps, step_record
from airflow_provider_emrkit.localemr.faults.clusters import is_listed

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr
    from airflow_provider_emrkit.localemr.emr.model import ClusterRecord, StepRecord

MAX_LISTED_IDS = 10
MAX_CANCELLED_AT_ONCE = 256


def add_job_flow_steps(emr: Emr, call: Call) -> dict[str, Any]:
    """AddJobFlowSteps."""
    cluster = emr.job_flow(call, call.params["JobFlowId"])
    if not cluster.is_open:
        raise closed_job_flow()
    configs, level = call.params["Steps"], cluster.step_concurrency
    check_steps(configs, active=len(cluster.active_steps), concurrency=level)
    role, now = call.params.get("ExecutionRoleArn"), emr.now()
    check_runtime_role(role, release_of(cluster.release_label), cluster.runtime_roles)
    added = [step_record(config, now, concurrency=level, role_arn=role) for config in configs]
    cluster.steps.update({step.id: step for step in added})
    emr.changed(cluster)
    return {"StepIds": [step.id for step in added], "ClusterArn": cluster_arn(cluster)}


def describe_step(emr: Emr, call: Call) -> dict[str, Any]:
    """DescribeStep."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    step = _step(cluster, call.params["StepId"])
    emr.hold(call, cluster, lambda: not step.is_active)
    return {"Step": step_details(step)}


def list_steps(emr: Emr, call: Call) -> dict[str, Any]:
    """ListSteps: newest first."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if len(call.params.get("StepIds", ())) > MAX_LISTED_IDS:
        raise invalid_request(f"At most {MAX_LISTED_IDS} StepIds can be given.")
    ids, states = frozenset(call.params.get("StepIds", ())), frozenset(call.params.get("StepStates", ()))
    now = emr.now()
    found, marker = page(
        (step for step in reversed(cluster.steps.values()) if is_listed(emr.faults, cluster, step, now)),
        call.params.get("Marker"),
        lambda step: step.id,
        keep=lambda step: (not ids or step.id in ids) and (not states or step.state in states),
    )
    return {"Steps": [step_details(step) for step in found], "Marker": marker}


def cancel_steps(emr: Emr, call: Call) -> dict[str, Any]:
    """CancelSteps: SEND_INTERRUPT asks a running step to end, TERMINATE_PROCESS kills it."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    ids = call.params["StepIds"]
    if len(ids) > MAX_CANCELLED_AT_ONCE:
        raise invalid_request(f"At most {MAX_CANCELLED_AT_ONCE} StepIds can be given.")
    force = call.params.get("StepCancellationOption") == "TERMINATE_PROCESS"
    steps = [_step(cluster, step_id) for step_id in ids]
    return {"CancelStepsInfoList": [_cancel(emr, cluster, step, force) for step in steps]}


def _cancel(emr: Emr, cluster: ClusterRecord, step: StepRecord, force: bool) -> dict[str, str]:
    # Since the release that brought concurrent steps, running ones can be cancelled as well.
    running_too = release_of(cluster.release_label).supports("step_concurrency")
    supervisor = emr.supervisor(cluster)
    possible = supervisor is not None and (step.state == "PENDING" or running_too)
    if possible and supervisor is not None and supervisor.cancel_step(step, force=force):
        return {"StepId": step.id, "Status": "SUBMITTED"}
    reason = f"Cannot cancel a step that is in state {step.state}."
    return {"StepId": step.id, "Status": "FAILED", "Reason": reason}


def _step(cluster: ClusterRecord, step_id: str) -> StepRecord:
    found = cluster.steps.get(step_id)
    if found is None:
        raise invalid_request(f"Step id '{step_id}' is not valid.")
    return found


OPERATIONS = {
    "AddJobFlowSteps": add_job_flow_steps,
    "CancelSteps": cancel_steps,
    "DescribeStep": describe_step,
    "ListSteps": list_steps,
}
