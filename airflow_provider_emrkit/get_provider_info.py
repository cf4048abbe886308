"""What Airflow asks of a provider package.

Imports nothing from Airflow: on 3.2 and later it is read while Airflow is still being imported.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_emrkit import __version__

INTEGRATION = "Amazon EMR (emrkit)"


def get_provider_info() -> dict[str, Any]:
    """Give the provider's metadata, in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-emrkit",
        "name": "EMR kit",
        "description": "Run Spark jobs on `Amazon EMR <https://aws.amazon.com/emr/>`__: submitted once, "
        "watched cheaply, logs streamed into the task log.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.aws.amazon.com/emr/",
                "tags": ["aws"],
            }
        ],
        "connection-types": [_connection_type()],
        "config": _config(),
        "hooks": _modules("airflow_provider_emrkit.hooks.emrkit", "airflow_provider_emrkit.hooks.logs"),
        "operators": _modules(
            "airflow_provider_emrkit.operators.application",
            "airflow_provider_emrkit.operators.pool",
            "airflow_provider_emrkit.operators.spark",
        ),
        "sensors": _modules("airflow_provider_emrkit.sensors.pool"),
        "triggers": _modules(
            "airflow_provider_emrkit.triggers.application",
            "airflow_provider_emrkit.triggers.job_run",
            "airflow_provider_emrkit.triggers.pool_care",
            "airflow_provider_emrkit.triggers.pooled",
        ),
        "extra-links": [
            "airflow_provider_emrkit.links.EmrClusterLink",
            "airflow_provider_emrkit.links.EmrApplicationLink",
            "airflow_provider_emrkit.links.EmrSparkUiLink",
            "airflow_provider_emrkit.links.EmrLogsLink",
            "airflow_provider_emrkit.links.EmrCloudWatchLink",
        ],
    }


def _modules(*names: str) -> list[dict[str, Any]]:
    return [{"integration-name": INTEGRATION, "python-modules": list(names)}]


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "emrkit",
        "hook-class-name": "airflow_provider_emrkit.hooks.emrkit.EmrKitHook",
        "hook-name": "EMR kit",
        "ui-field-behaviour": {"hidden-fields": ["host", "schema", "login", "password", "port"]},
        "conn-fields": {
            "aws_conn_id": _field("AWS connection", "Connection with the AWS credentials.", "aws_default"),
            "region_name": _field("AWS region", "By default that of the AWS connection."),
            "endpoint_url": _field(
                "Endpoint URL", "Address of a local EMR, e.g. http://127.0.0.1:5005; leave empty for AWS."
            ),
            "staging_uri": _field(
                "Staging URI", "s3://bucket/prefix that local files of jobs are put under."
            ),
            "log_uri": _field(
                "Log URI", "s3://bucket/prefix that EMR archives the logs of new clusters under."
            ),
            "log_group": _field("CloudWatch log group", "Log group of new clusters; EMR's own if empty."),
            "job_flow_role": _field(
                "Instance profile of clusters", "Role of their EC2 instances.", "EMR_EC2_DefaultRole"
            ),
            "service_role": _field("EMR service role", "IAM role of the EMR service.", "EMR_DefaultRole"),
            "subnet_ids": _field("Subnet ids", "Subnets of new clusters, separated by commas."),
            "events_queue_url": _field(
                "Events queue URL", "SQS queue of EMR's state changes, as emrkit events-setup makes it."
            ),
            "execution_role_arn": _field(
                "Job runtime role of EMR Serverless", "ARN of the IAM role that job runs have."
            ),
        },
    }


def _field(label: str, description: str, default: str | None = None) -> dict[str, Any]:
    schema = {"type": ["string", "null"], "default": default}
    return {"label": label, "description": description, "schema": schema}


def _config() -> dict[str, Any]:
    options = {
        "poll_interval": _seconds("Seconds between two looks at the state of a run.", "5"),
        "log_poll_interval": _seconds("Seconds between two looks for new log lines of a run.", "2"),
        "log_drain": _seconds("Seconds the log of an ended run must be silent before its task goes on.", "5"),
        "max_log_lines": _lines(
            "Lines of a run to show at most for one look at its log; more are counted only.", "1000"
        ),
        "max_run_log_lines": _lines(
            "Lines of a run to show at most in all; of more, the last 100 are shown and the others counted.",
            "100000",
        ),
        "worker_log_lines": _lines(
            "Last lines of a deferred task's job that the worker writes again at the end, since the logs of "
            "triggerers are not kept everywhere; 0 for none.",
            "50",
        ),
        "s3_log_wait": _seconds(
            "Seconds for which the log of a failed job is waited for until EMR has put it on S3, where it is "
            "found nowhere else.",
            "60",
        ),
        "api_quotas": {
            "description": "AWS API quotas that differ from the documented defaults: a JSON object of "
            "operation: [burst, calls per second]. Each process keeps to them. For other addresses than "
            "AWS's, such as a local EMR, none hold unless this is set.",
            "version_added": "0.1.0",
            "type": "string",
            "example": '{"ListSteps": [20, 1.0]}',
            "default": "",
        },
        "deployment": {
            "description": "Name of this Airflow, where another one with DAGs of the same names uses the "
            "same applications or clusters, e.g. in development: jobs are told apart by it. The same for "
            "all components; set it while no job runs.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "dev",
            "default": "",
        },
        "pools_file": {
            "description": "YAML file that load_pools() reads cluster pools from, with its whole path.",
            "version_added": "0.1.0",
            "type": "string",
            "example": "/opt/airflow/config/pools.yaml",
            "default": "",
        },
    }
    return {"emrkit": {"description": "Settings of the EMR kit provider.", "options": options}}


def _seconds(description: str, default: str) -> dict[str, Any]:
    return _option(description, "float", default)


def _lines(description: str, default: str) -> dict[str, Any]:
    return _option(description, "integer", default)


def _option(description: str, kind: str, default: str) -> dict[str, Any]:
    return {
        "description": description,
        "version_added": "0.1.0",
        "type": kind,
        "example": None,
        "default": default,
    }
