"""Requests to EMR Serverless, made of jobs: StartJobRun."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.long_conf import divided
from airflow_provider_emrkit.compute.serverless_fit import check_application_image, check_serverless_fit
from airflow_provider_emrkit.compute.tags import serverless_tags
from airflow_provider_emrkit.jobs.serverless_submit import (
    job_driver,
    serverless_conf,
    spark_submit_parameters,
)
from airflow_provider_emrkit.validation import InvalidValueError, check_pattern, check_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    from airflow_provider_emrkit.compute.serverless import ServerlessApplication
    from airflow_provider_emrkit.jobs.spark_job import SparkJob

OWNER = "job_run_request"
MAX_NAME = 256
STREAMS = ("stdout", "stderr")

_CLIENT_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


def job_run_request(
    job: SparkJob,
    compute: ServerlessApplication,
    *,
    name: str,
    client_token: str,
    tags: Mapping[str, str],
    application: Mapping[str, Any],
    defaults: ApplicationDefaults,
    executor_logs: bool = False,
) -> dict[str, Any]:
    """Compile a job to StartJobRun's input.

    :param job: The job, rendered and with its local files replaced by URIs.
    :param compute: How it is to run, rendered.
    :param name: The job run's name, at most 256 characters.
    :param client_token: What makes a repeated request the same one, at most 64 characters.
    :param tags: emrkit's own tags; they win over the author's.
    :param application: GetApplication's ``application``.
    :param defaults: What the connection says.
    :param executor_logs: Whether executors' logs go to CloudWatch too, where the drivers' do.
    :raises InvalidValueError: when EMR Serverless would not take it, or nobody says in which role it is to
        run.
    """
    check_text(OWNER, "name", name, maximum=MAX_NAME)
    mend = "use 1 to 64 letters, digits and . _ -"
    check_pattern(OWNER, "client_token", client_token, _CLIENT_TOKEN, mend)
    compute.check_release(str(application["releaseLabel"]))
    check_application_image(OWNER, job, application)
    others = spark_submit_parameters(job, name, {})
    conf, configurations = divided(serverless_conf(job), others, application)
    overrides = {
        "applicationConfiguration": configurations,
        "monitoringConfiguration": _monitoring(compute, application, defaults, executor_logs=executor_logs),
    }
    request = {
        "applicationId": str(application["applicationId"]),
        "clientToken": client_token,
        "name": name,
        "executionRoleArn": _role(compute, defaults),
        "jobDriver": job_driver(job, name, conf),
        "configurationOverrides": {member: value for member, value in overrides.items() if value},
        "tags": {**compute.tags, **serverless_tags(tags)},
        "executionTimeoutMinutes": compute.execution_timeout_minutes,
        "mode": compute.mode if compute.mode == "STREAMING" else None,
        "retryPolicy": _retry_policy(compute),
    }
    return {member: value for member, value in request.items() if value not in (None, {})}


def check_job_run(job: SparkJob, compute: ServerlessApplication, defaults: ApplicationDefaults) -> None:
    """Check what can be checked of a job run before its application is asked for, made or started.

    :param job: The job, rendered.
    :param compute: How it is to run, rendered.
    :param defaults: What the connection says.
    :raises InvalidValueError: when it can't run.
    """
    _role(compute, defaults)
    check_serverless_fit(OWNER, job, compute)


def _role(compute: ServerlessApplication, defaults: ApplicationDefaults) -> str:
    role = compute.execution_role_arn or defaults.execution_role_arn
    if role is None:
        mend = (
            "give ServerlessApplication(…, execution_role_arn='arn:aws:iam::…'), or say it in the connection"
        )
        raise InvalidValueError("ServerlessApplication", "execution_role_arn", None, "is missing", mend)
    return role


def _retry_policy(compute: ServerlessApplication) -> dict[str, int]:
    given = {
        "maxAttempts": compute.max_attempts,
        "maxFailedAttemptsPerHour": compute.max_failed_attempts_per_hour,
    }
    return {member: value for member, value in given.items() if value is not None}


def _monitoring(
    compute: ServerlessApplication,
    application: Mapping[str, Any],
    defaults: ApplicationDefaults,
    *,
    executor_logs: bool,
) -> dict[str, Any]:
    """Say where the run's logs go, where its application does not say it as it is wanted.

    Each member takes the place of the application's; those that are left out are inherited.
    """
    held = application.get("monitoringConfiguration") or {}
    to_cloudwatch = dict(held.get("cloudWatchLoggingConfiguration") or {})
    to_s3 = held.get("s3MonitoringConfiguration") or {}
    monitoring: dict[str, Any] = {}
    # What a spec says of its application's logs, it says of all its runs'.
    if compute.spec is None and not to_cloudwatch.get("enabled") and not to_s3.get("logUri"):
        if defaults.log_uri:
            monitoring["s3MonitoringConfiguration"] = {"logUri": defaults.log_uri}
        if defaults.log_group:
            to_cloudwatch = {"enabled": True, "logGroupName": defaults.log_group}
            monitoring["cloudWatchLoggingConfiguration"] = to_cloudwatch
    if executor_logs and to_cloudwatch.get("enabled"):
        types = to_cloudwatch.get("logTypes") or {"SPARK_DRIVER": list(STREAMS)}
        wanted = {**types, "SPARK_EXECUTOR": list(STREAMS)}
        monitoring["cloudWatchLoggingConfiguration"] = {**to_cloudwatch, "logTypes": wanted}
    return monitoring
