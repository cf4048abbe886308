"""Credentials for the endpoints of a cluster with runtime roles."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.model import READY_STATES
from airflow_provider_emrkit.localemr.emr.release_rules import release_of
from airflow_provider_emrkit.localemr.emr.runtime_roles import check_runtime_role

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr

_VALID = timedelta(hours=1)


def get_cluster_session_credentials(emr: Emr, call: Call) -> dict[str, Any]:
    """GetClusterSessionCredentials: new ones each time. No endpoint of this server asks for them."""
    cluster = emr.cluster(call, call.params["ClusterId"])
    if cluster.state not in READY_STATES:
        raise invalid_request(f"Cluster {cluster.id} gives no credentials in state {cluster.state}.")
    if not cluster.runtime_roles:
        raise invalid_request(f"Runtime roles are not enabled for cluster {cluster.id}.")
    role = call.params.get("ExecutionRoleArn")
    check_runtime_role(role, release_of(cluster.release_label), cluster.runtime_roles)
    pair = {"Username": secrets.token_hex(8), "Password": secrets.token_urlsafe(24)}
    return {"Credentials": {"UsernamePassword": pair}, "ExpiresAt": emr.now() + _VALID}


OPERATIONS = {"GetClusterSessionCredentials": get_cluster_session_credentials}
