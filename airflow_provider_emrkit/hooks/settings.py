"""What the ``emrkit`` connection says, checked field by field."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.defaults import (
    JOB_FLOW_ROLE,
    SERVICE_ROLE,
    ApplicationDefaults,
    ClusterDefaults,
)
from airflow_provider_emrkit.exceptions import ConnectionFieldError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_AWS_CONN_ID = "aws_default"

_S3_URI = re.compile(r"s3[an]?://[^/\s]+(/\S*)?")
_ENDPOINT = re.compile(r"https?://[^\s/]+\S*")
_ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/\S+", re.ASCII)
_PATTERNS = {
    "staging_uri": (_S3_URI, "s3://my-bucket/emrkit"),
    "log_uri": (_S3_URI, "s3://my-bucket/logs/"),
    "endpoint_url": (_ENDPOINT, "http://127.0.0.1:5005"),
    "execution_role_arn": (_ROLE, "arn:aws:iam::123456789012:role/emr-serverless-job"),
    "events_queue_url": (_ENDPOINT, "https://sqs.us-east-1.amazonaws.com/123456789012/emrkit-events"),
}


@dataclass(frozen=True)
class EmrKitSettings:
    """The ``emrkit`` connection, or its defaults where there is none.

    :param aws_conn_id: AWS connection with the credentials; None for boto3's own way of finding them.
    :param region_name: AWS region; by default the AWS connection's.
    :param endpoint_url: Another address for all AWS services, such as a local EMR; by default the AWS
        connection's.
    :param staging_uri: Where local files of jobs are put, ``s3://bucket/prefix``.
    :param log_uri: Where clusters archive their logs, for specs that don't say.
    :param log_group: CloudWatch log group of clusters, for specs that don't say.
    :param job_flow_role: Instance profile of clusters, for specs that don't say.
    :param service_role: IAM role of the EMR service, for specs that don't say.
    :param execution_role_arn: Job runtime role of EMR Serverless, for applications that don't say.
    :param subnet_ids: VPC subnets of clusters, for specs that don't say.
    :param events_queue_url: SQS queue that brings state changes at once (``emrkit events-setup`` makes it);
        without it, they are only polled for.

    >>> EmrKitSettings.from_extra("emrkit_default", {"staging_uri": "s3://my-bucket/emrkit"}).aws_conn_id
    'aws_default'
    """

    aws_conn_id: str | None = DEFAULT_AWS_CONN_ID
    region_name: str | None = None
    endpoint_url: str | None = None
    staging_uri: str | None = None
    log_uri: str | None = None
    log_group: str | None = None
    job_flow_role: str = JOB_FLOW_ROLE
    service_role: str = SERVICE_ROLE
    subnet_ids: tuple[str, ...] = ()
    events_queue_url: str | None = None
    execution_role_arn: str | None = None

    @classmethod
    def from_extra(cls, conn_id: str, extra: Mapping[str, Any]) -> EmrKitSettings:
        """Read the extra of a connection.

        :param conn_id: Named in errors.
        :param extra: The extra's JSON object; unknown members are ignored, empty ones left out.
        :raises ConnectionFieldError: when a field can't be right; it names the field.
        """
        given = {
            field.name: extra[field.name] for field in fields(cls) if extra.get(field.name) not in ("", None)
        }
        if "aws_conn_id" in extra and extra["aws_conn_id"] is None:
            given["aws_conn_id"] = None
        if "subnet_ids" in given:
            given["subnet_ids"] = _subnets(conn_id, given["subnet_ids"])
        for name, value in given.items():
            _check(conn_id, name, value)
        return cls(**given)

    def cluster_defaults(self) -> ClusterDefaults:
        """Give what ``ClusterSpec`` takes from the connection."""
        return ClusterDefaults(
            region_name=self.region_name,
            log_uri=self.log_uri,
            log_group=self.log_group,
            job_flow_role=self.job_flow_role,
            service_role=self.service_role,
            subnet_ids=self.subnet_ids,
        )

    def application_defaults(self) -> ApplicationDefaults:
        """Give what ``ApplicationSpec`` and ``ServerlessApplication`` take from the connection."""
        return ApplicationDefaults(
            region_name=self.region_name,
            log_uri=self.log_uri,
            log_group=self.log_group,
            execution_role_arn=self.execution_role_arn,
        )


def unknown_fields(extra: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the members of an extra that no setting has, such as misspelt ones."""
    known = {field.name for field in fields(EmrKitSettings)}
    return tuple(sorted(set(map(str, extra)) - known))


def _subnets(conn_id: str, value: Any) -> tuple[Any, ...]:
    """Take a JSON list, or what people write into a form: ids with commas between them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, (list, tuple)):
        return tuple(value)
    raise ConnectionFieldError(
        f"connection {conn_id}, field subnet_ids: {value!r} is not a list of ids; "
        "write ['subnet-1', 'subnet-2']"
    )


def _check(conn_id: str, name: str, value: Any) -> None:
    where = f"connection {conn_id}, field {name}"
    if name == "aws_conn_id" and value is None:
        return
    for item in value if name == "subnet_ids" else (value,):
        if not isinstance(item, str):
            raise ConnectionFieldError(f"{where}: {item!r} is not text; put it in quotes")
    pattern, example = _PATTERNS.get(name, (None, ""))
    if pattern and not pattern.fullmatch(value):
        raise ConnectionFieldError(f"{where}: {value!r} can't be right; write it like {example}")
