"""Security configurations: kept and shown; nothing here encrypts or authenticates by them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.model import ResourceRecord
from airflow_provider_emrkit.localemr.emr.paging import page

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr


def create_security_configuration(emr: Emr, call: Call) -> dict[str, Any]:
    """CreateSecurityConfiguration."""
    name, document = call.params["Name"], call.params["SecurityConfiguration"]
    if emr.store.resources.get("security configuration", call.region, name) is not None:
        raise invalid_request(f"Security configuration with name '{name}' already exists.")
    try:
        json.loads(document)
    except (ValueError, RecursionError) as error:
        raise invalid_request(f"Security configuration '{name}' is not valid JSON.") from error
    now = emr.now()
    data = {"SecurityConfiguration": document}
    emr.store.resources.put(ResourceRecord("security configuration", call.region, name, now, now, data))
    return {"Name": name, "CreationDateTime": now}


def describe_security_configuration(emr: Emr, call: Call) -> dict[str, Any]:
    """DescribeSecurityConfiguration."""
    record = _found(emr, call)
    return {"Name": record.name, "CreationDateTime": record.created, **record.data}


def delete_security_configuration(emr: Emr, call: Call) -> dict[str, Any]:
    """DeleteSecurityConfiguration."""
    emr.store.resources.remove(_found(emr, call))
    return {}


def list_security_configurations(emr: Emr, call: Call) -> dict[str, Any]:
    """ListSecurityConfigurations."""
    records = emr.store.resources.all("security configuration", call.region)
    found, marker = page(records, call.params.get("Marker"), lambda record: record.name)
    summaries = [{"Name": record.name, "CreationDateTime": record.created} for record in found]
    return {"SecurityConfigurations": summaries, "Marker": marker}


def _found(emr: Emr, call: Call) -> ResourceRecord:
    name = call.params["Name"]
    record = emr.store.resources.get("security configuration", call.region, name)
    if record is None:
        raise invalid_request(f"Security configuration with name '{name}' does not exist.")
    return record


OPERATIONS = {
    "CreateSecurityConfiguration": create_security_configuration,
    "DeleteSecurityConfiguration": delete_security_configuration,
    "DescribeSecurityConfiguration": describe_security_configuration,
    "ListSecurityConfigurations": list_security_configurations,
}
