"""Runtime roles of steps: EMR takes them only where a security configuration allows them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.localemr.emr.release_rules import need_since

if TYPE_CHECKING:
    from airflow_provider_emrkit.releases import Release

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


def allows_runtime_roles(document: str) -> bool:
    """Tell whether a security configuration allows steps to have roles of their own."""
    parts: Any = json.loads(document)
    for name in ("AuthorizationConfiguration", "IAMConfiguration", "EnableApplicationScopedIAMRole"):
        parts = parts.get(name) if isinstance(parts, dict) else None
    return parts is True


def check_runtime_role(role_arn: str | None, known: Release, allowed: bool) -> None:
    """Check the runtime role that steps are to run with, if there is one.

    :param allowed: Whether the cluster's security configuration allows it.
    :raises ApiError: ``ValidationException``.
    """
    if role_arn is None:
        return
    if not _ROLE.fullmatch(role_arn):
        raise validation_error(f"The execution role '{role_arn}' is not the ARN of an IAM role.")
    need_since(known, "emr-6.7.0", "ExecutionRoleArn")
    if not allowed:
        raise validation_error(
            "Runtime roles are not enabled for this cluster: its security configuration must have "
            "AuthorizationConfiguration.IAMConfiguration.EnableApplicationScopedIAMRole set to true."
        )
