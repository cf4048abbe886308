"""What EMR says of a bootstrap action that fails. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError

if TYPE_CHECKING:
    from collections.abc import Mapping

_GUIDE = "https://docs.aws.amazon.com/emr/latest/ManagementGuide"
_STATE_CODE = "BOOTSTRAP_FAILURE"


def returned(instance: str, number: int, path: str, code: int, why: str = "") -> ClusterStartError:
    """Give the end of a cluster whose bootstrap action has failed.

    :param instance: Id of the instance that it ran on.
    :param number: Its number, from 1.
    :param path: Its script.
    :param code: Its exit code.
    :param why: What it wrote about it, where no log is kept that would tell.

    >>> str(returned("i-1", 1, "s3://b/boot.sh", 7))
    'On the master instance (i-1), bootstrap action 1 returned a non-zero return code'
    """
    message = (
        f"On the master instance ({instance}), bootstrap action {number} returned a non-zero return code"
    )
    data = {
        "primary-instance-id": instance,
        "bootstrap-action": str(number),
        "return-code": str(code),
        "amazon-s3-path": path,
    }
    detail = error_detail("BOOTSTRAP_FAILURE_PRIMARY_WITH_NON_ZERO_CODE", message, data)
    return ClusterStartError(f"{message}: {why}" if why else message, _STATE_CODE, [detail])


def not_downloaded(instance: str, number: int, path: str, why: str) -> ClusterStartError:
    """Give the end of a cluster whose bootstrap action's script can't be had; see :func:`returned`."""
    message = (
        f"Master instance ({instance}) failed attempting to download bootstrap action {number} file from S3"
    )
    data = {"primary-instance-id": instance, "bootstrap-action": str(number), "amazon-s3-path": path}
    detail = error_detail("BOOTSTRAP_FAILURE_BA_DOWNLOAD_FAILED_PRIMARY", message, data)
    return ClusterStartError(f"{message}: {why}", _STATE_CODE, [detail])


def error_detail(code: str, message: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Give one of a cluster's ``ErrorDetails``."""
    items = [{name: value} for name, value in {**data, "public-doc": f"{_GUIDE}/{code}.html"}.items()]
    return {"ErrorCode": code, "ErrorData": items, "ErrorMessage": message}
