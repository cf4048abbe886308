"""Which steps EMR accepts, and steps as records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.emr.errors import validation_error
from airflow_provider_emrkit.localemr.emr.ids import new_id
from airflow_provider_emrkit.localemr.emr.model import StepRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

MAX_ACTIVE_STEPS = 256
MAX_JAR_STEP_CHARACTERS = 10_240


def check_steps(configs: Sequence[Mapping[str, Any]], *, active: int, concurrency: int) -> None:
    """Check steps that are to be added to a cluster.

    :param configs: EMR's list of ``StepConfig``.
    :param active: How many pending and running steps the cluster has.
    :param concurrency: The cluster's ``StepConcurrencyLevel``.
    :raises ApiError: ``ValidationException``.
    """
    if active + len(configs) > MAX_ACTIVE_STEPS:
        raise validation_error(
            "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') "
            "for cluster exceeded."
        )
    for config in configs:
        _check_step(config, concurrency)


def _check_step(config: Mapping[str, Any], concurrency: int) -> None:
    name = config["Name"]
    action = config.get("ActionOnFailure", "CONTINUE")
    if concurrency > 1 and action != "CONTINUE":
        raise validation_error(
            f"The ActionOnFailure setting {action} of step '{name}' is not valid "
            "when StepConcurrencyLevel is greater than 1; use CONTINUE."
        )
    jar_step = config["HadoopJarStep"]
    texts = [jar_step["Jar"], jar_step.get("MainClass", ""), *jar_step.get("Args", [])]
    pairs = jar_step.get("Properties", [])
    total = sum(map(len, texts)) + sum(len(pair.get("Key", "") + pair.get("Value", "")) for pair in pairs)
    if total > MAX_JAR_STEP_CHARACTERS:
        raise validation_error(
            f"The HadoopJarStep of step '{name}' has {total} characters; "
            f"the limit is {MAX_JAR_STEP_CHARACTERS}."
        )


def step_record(
    config: Mapping[str, Any], created: datetime, *, concurrency: int, role_arn: str | None = None
) -> StepRecord:
    """Make a new step's record.

    :param role_arn: The runtime role of the request that adds the step.
    """
    jar_step = config["HadoopJarStep"]
    monitoring = config.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
    default_action = "TERMINATE_CLUSTER" if concurrency == 1 else "CONTINUE"
    return StepRecord(
        id=new_id("s"),
        name=config["Name"],
        jar=jar_step["Jar"],
        created=created,
        args=list(jar_step.get("Args", [])),
        main_class=jar_step.get("MainClass"),
        properties={
            pair["Key"]: pair.get("Value", "") for pair in jar_step.get("Properties", []) if "Key" in pair
        },
        action_on_failure=config.get("ActionOnFailure", default_action),
        log_uri=monitoring.get("LogUri"),
        encryption_key_arn=monitoring.get("EncryptionKeyArn"),
        execution_role_arn=role_arn,
    )
