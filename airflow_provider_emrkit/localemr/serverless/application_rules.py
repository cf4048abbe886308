"""Which applications EMR Serverless accepts, and applications as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.serverless.capacity_rules import check_capacity
from airflow_provider_emrkit.localemr.serverless.errors import validation_error
from airflow_provider_emrkit.localemr.serverless.ids import new_id
from airflow_provider_emrkit.localemr.serverless.image_settings import check_images, without_empty_images
from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, Token
from airflow_provider_emrkit.localemr.serverless.tag_rules import checked_tags
from airflow_provider_emrkit.releases import Release, release

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_WORKERS = frozenset({"driver", "executor"})
_LIMITS = {"queueTimeoutMinutes": (15, 720), "maxConcurrentRuns": (1, 1000)}
_NO_SETTINGS = frozenset({"applicationId", "clientToken", "name", "tags", "type"})


def application_record(
    request: Mapping[str, Any], region: str, token: Token, created: datetime
) -> ApplicationRecord:
    """Check a CreateApplication request and make the application's record.

    :raises ApiError: ``ValidationException``.
    """
    _check_engine(request["type"])
    settings = updated_settings({}, request)
    return ApplicationRecord(
        id=new_id(),
        region=region,
        name=request.get("name"),
        settings=settings,
        created=created,
        updated=created,
        token=token,
        tags=checked_tags(request.get("tags", {})),
    )


def updated_settings(settings: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Check what a request sets, and give the settings with it; what is set to nothing goes.

    :raises ApiError: ``ValidationException``.
    """
    asked = {name: value for name, value in request.items() if name not in _NO_SETTINGS}
    merged = {**settings, **asked}
    new = without_empty_images(
        {name: value for name, value in merged.items() if value != {} or name == "schedulerConfiguration"}
    )
    known = _check_release(new["releaseLabel"])
    for name in ("initialCapacity", "workerTypeSpecifications"):
        _check_workers(name, merged.get(name, {}))
    check_capacity(new, known)
    check_images(new)
    _check_scheduler(new.get("schedulerConfiguration"), known)
    return new


def _check_engine(engine: str) -> None:
    if engine.upper() == "HIVE":
        raise validation_error("localemr does not support applications of type HIVE, only of type SPARK.")
    if engine.upper() != "SPARK":
        raise validation_error(f"Unsupported engine {engine}")


def _check_release(label: str) -> Release:
    try:
        known = release(label)
    except ValueError as error:
        raise validation_error(f"Release label {label} is not valid; write it like emr-7.11.0.") from error
    if not known.supports("serverless"):
        raise validation_error(
            f"Release label {label} is not supported by EMR Serverless, which begins with emr-6.6.0."
        )
    return known


def _check_workers(name: str, workers: Mapping[str, Any]) -> None:
    unknown = [worker for worker in workers if worker.lower() not in _WORKERS]
    if unknown:
        raise validation_error(
            f"Worker type {unknown[0]} in {name} is not supported by an application of type SPARK, "
            "which has Driver and Executor."
        )


def _check_scheduler(config: Mapping[str, int] | None, known: Release) -> None:
    if config is None:
        return
    if not known.supports("serverless_queue"):
        raise validation_error(f"schedulerConfiguration is not supported by release {known.label}.")
    for name, value in config.items():
        low, high = _LIMITS[name]
        if not low <= value <= high:
            raise validation_error(f"{name} {value} is not valid; it must be {low} to {high}.")
