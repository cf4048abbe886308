"""EMR Serverless' errors, in its words."""

from __future__ import annotations

from airflow_provider_emrkit.localemr.aws_json import ApiError


def validation_error(message: str) -> ApiError:
    """Give the error for a request that EMR Serverless understands and refuses."""
    return ApiError("ValidationException", message)


def not_found(what: str, name: str) -> ApiError:
    """Give the error for an id that is none.

    :param what: E.g. ``Application``.
    """
    return ApiError("ResourceNotFoundException", f"{what} {name} does not exist", 404)


def token_conflict(token: str) -> ApiError:
    """Give the error for a ``clientToken`` that came with another request before."""
    return ApiError(
        "ConflictException", f"Client token {token} has been used before, with other parameters", 409
    )
