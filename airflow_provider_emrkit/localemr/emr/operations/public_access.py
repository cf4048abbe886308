"""The account's block public access configuration: kept and shown; there are no networks to guard here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.config import ACCOUNT_ID
from airflow_provider_emrkit.localemr.emr.errors import invalid_request
from airflow_provider_emrkit.localemr.emr.model import ResourceRecord

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.emr.context import Call, Emr

_NAME = "account"
_MAX_PORT = 65_535
# What a new account has.
_DEFAULT = {
    "BlockPublicSecurityGroupRules": True,
    "PermittedPublicSecurityGroupRuleRanges": [{"MinRange": 22, "MaxRange": 22}],
}


def get_block_public_access(emr: Emr, call: Call) -> dict[str, Any]:
    """GetBlockPublicAccessConfiguration."""
    record = emr.store.resources.get("public access", call.region, _NAME)
    return {
        "BlockPublicAccessConfiguration": record.data if record else _DEFAULT,
        "BlockPublicAccessConfigurationMetadata": {
            "CreationDateTime": record.created if record else emr.started,
            "CreatedByArn": f"arn:aws:iam::{ACCOUNT_ID}:root",
        },
    }


def put_block_public_access(emr: Emr, call: Call) -> dict[str, Any]:
    """PutBlockPublicAccessConfiguration."""
    configuration = call.params["BlockPublicAccessConfiguration"]
    for ports in configuration.get("PermittedPublicSecurityGroupRuleRanges", []):
        low, high = ports["MinRange"], ports.get("MaxRange", ports["MinRange"])
        if not 0 <= low <= high <= _MAX_PORT:
            raise invalid_request(f"The port range {low} to {high} is not valid.")
    now = emr.now()
    emr.store.resources.put(ResourceRecord("public access", call.region, _NAME, now, now, configuration))
    return {}


OPERATIONS = {
    "GetBlockPublicAccessConfiguration": get_block_public_access,
    "PutBlockPublicAccessConfiguration": put_block_public_access,
}
