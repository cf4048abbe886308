"""EMR's errors, in EMR's words."""

from __future__ import annotations

from airflow_provider_emrkit.localemr.aws_json import ApiError


def validation_error(message: str) -> ApiError:
    """Give the error for a request that EMR understands and refuses."""
    return ApiError("ValidationException", message)


def invalid_request(message: str) -> ApiError:
    """Give the error of the newer operations, which name clusters instead of job flows."""
    return ApiError("InvalidRequestException", message)


def unknown_cluster(cluster_id: str) -> ApiError:
    """Give the error for a cluster id that is none."""
    return invalid_request(f"Cluster id '{cluster_id}' is not valid.")


def closed_job_flow() -> ApiError:
    """Give the error for a change of a cluster that ends or has ended."""
    return validation_error("A job flow that is shutting down, terminated, or finished may not be modified.")


def unknown_job_flow() -> ApiError:
    """Give the error of the older operations for a cluster id that is none."""
    return validation_error("Specified job flow ID not valid.")
