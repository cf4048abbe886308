"""What the Airflow connection says about clusters and applications, for specs that leave it open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import check_optional_text, check_text, check_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB_FLOW_ROLE = "EMR_EC2_DefaultRole"
SERVICE_ROLE = "EMR_DefaultRole"


@dataclass(frozen=True, repr=False)
class ClusterDefaults(FrozenSpec):
    """Values from the ``emrkit`` connection, for what a ``ClusterSpec`` leaves open.

    :param region_name: AWS region of the cluster.
    :param log_uri: Where EMR archives logs, ``s3://bucket/prefix/``; None for nowhere.
    :param log_group: CloudWatch log group; None for EMR's own, ``/aws/emr/<cluster id>``.
    :param job_flow_role: Instance profile of the cluster's EC2 instances.
    :param service_role: IAM role of the EMR service.
    :param subnet_ids: VPC subnets to start in; none for the account's default VPC.
    :raises InvalidValueError: when a field can't be right.

    >>> ClusterDefaults(log_uri="s3://my-logs/emr/").service_role
    'EMR_DefaultRole'
    """

    region_name: str | None = None
    log_uri: str | None = None
    log_group: str | None = None
    job_flow_role: str = JOB_FLOW_ROLE
    service_role: str = SERVICE_ROLE
    subnet_ids: Sequence[str] = ()

    def __post_init__(self) -> None:
        owner = "ClusterDefaults"
        for field in ("region_name", "log_uri", "log_group"):
            check_optional_text(owner, field, getattr(self, field))
        for field in ("job_flow_role", "service_role"):
            check_text(owner, field, getattr(self, field))
        self._set("subnet_ids", check_texts(owner, "subnet_ids", self.subnet_ids))


@dataclass(frozen=True, repr=False)
class ApplicationDefaults(FrozenSpec):
    """Values from the ``emrkit`` connection, for what an application of EMR Serverless leaves open.

    :param region_name: AWS region of the application.
    :param log_uri: Where logs are archived, ``s3://bucket/prefix/``; None for nowhere.
    :param log_group: CloudWatch log group; None for EMR Serverless' own, ``/aws/emr-serverless``.
    :param execution_role_arn: Job runtime role.
    :raises InvalidValueError: when a field can't be right.

    >>> ApplicationDefaults(log_group="/emrkit").log_uri is None
    True
    """

    region_name: str | None = None
    log_uri: str | None = None
    log_group: str | None = None
    execution_role_arn: str | None = None

    def __post_init__(self) -> None:
        for field in ("region_name", "log_uri", "log_group", "execution_role_arn"):
            check_optional_text("ApplicationDefaults", field, getattr(self, field))
