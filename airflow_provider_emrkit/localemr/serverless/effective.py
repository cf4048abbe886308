"""The settings that hold for a job run: its own over its application's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.run.contract import JobRunRequest
from airflow_provider_emrkit.localemr.serverless.image_settings import worker_images
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.localemr.serverless.model import RunRecord


def configurations_of(run: RunRecord) -> list[dict[str, Any]]:
    """Give the configurations that hold for a job run, one of each classification."""
    held: dict[str, dict[str, Any]] = {}
    for item in run.application.get("runtimeConfiguration", []):
        held[item["classification"]] = dict(item)
    # Else a classification of the job takes the place of the application's.
    is_merging = release(run.release_label).supports("serverless_merging")
    for item in _overrides(run).get("applicationConfiguration", []):
        name = item["classification"]
        properties = held.get(name, {}).get("properties", {}) if is_merging else {}
        held[name] = {**item, "properties": {**properties, **item.get("properties", {})}}
    return list(held.values())


def monitoring_of(run: RunRecord) -> dict[str, Any]:
    """Give the ``monitoringConfiguration`` that holds: each member is the run's, or else inherited."""
    inherited = run.application.get("monitoringConfiguration", {})
    return {**inherited, **_overrides(run).get("monitoringConfiguration", {})}


def job_run_request(run: RunRecord) -> JobRunRequest:
    """Give the runner's view of a job run's present attempt."""
    spark = run.request["jobDriver"]["sparkSubmit"]
    driver_image, executor_image = worker_images(run.application)
    return JobRunRequest(
        application_id=run.application_id,
        run_id=run.id,
        attempt=run.attempt.number,
        release_label=run.release_label,
        entry_point=spark["entryPoint"],
        arguments=tuple(spark.get("entryPointArguments", ())),
        spark_submit_parameters=spark.get("sparkSubmitParameters", ""),
        configurations=configurations_of(run),
        monitoring=monitoring_of(run),
        image_uri=driver_image,
        executor_image_uri=executor_image,
        region=run.region,
        keeps_attempts_apart=run.keeps_attempts_apart,
    )


def _overrides(run: RunRecord) -> Mapping[str, Any]:
    overrides: Mapping[str, Any] = run.request.get("configurationOverrides", {})
    return overrides
