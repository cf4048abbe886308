"""The ``emrkit`` connection."""

from __future__ import annotations

import json
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import AirflowNotFoundException, BaseHook
from airflow_provider_emrkit.exceptions import ConnectionFieldError
from airflow_provider_emrkit.hooks.clients import AwsClients, Service, make_clients, shared_clients
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error
from airflow_provider_emrkit.hooks.settings import DEFAULT_AWS_CONN_ID, EmrKitSettings, unknown_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_CONN_ID = "emrkit_default"


class EmrKitHook(BaseHook):
    """AWS for emrkit: an AWS connection for the credentials, and defaults for clusters and staging.

    The connection's extra takes ``aws_conn_id``, ``region_name``, ``endpoint_url``, ``staging_uri``,
    ``log_uri``, ``log_group``, ``job_flow_role``, ``service_role``, ``subnet_ids``, ``events_queue_url`` and
    ``execution_role_arn``; see
    :class:`~airflow_provider_emrkit.hooks.settings.EmrKitSettings`.

    :param emrkit_conn_id: The connection. ``emrkit_default`` need not exist.
    :param region_name: AWS region, where it must not be the connection's.

    >>> EmrKitHook("emrkit_default").client("emr").list_clusters()["Clusters"]  # doctest: +SKIP
    """

    conn_name_attr = "emrkit_conn_id"
    default_conn_name = DEFAULT_CONN_ID
    conn_type = "emrkit"
    hook_name = "EMR kit"

    def __init__(self, emrkit_conn_id: str = DEFAULT_CONN_ID, region_name: str | None = None) -> None:
        super().__init__()
        self.emrkit_conn_id = emrkit_conn_id
        self.region_name = region_name

    @cached_property
    def settings(self) -> EmrKitSettings:
        """What the connection says.

        :raises ConnectionFieldError: when a field can't be right, or the connection can't be read.
        :raises AirflowNotFoundException: when a connection that is not the default one is missing.
        """
        try:
            connection = self.get_connection(self.emrkit_conn_id)
        except AirflowNotFoundException:
            _refuse_unread(self.emrkit_conn_id)
            if self.emrkit_conn_id != DEFAULT_CONN_ID:
                raise
            self.log.info(
                "There is no connection %s; using %s and defaults.", DEFAULT_CONN_ID, DEFAULT_AWS_CONN_ID
            )
            return EmrKitSettings()
        extra = _extra(self.emrkit_conn_id, connection.extra)
        for name in unknown_fields(extra):
            self.log.warning("Connection %s: emrkit knows no field %s.", self.emrkit_conn_id, name)
        return EmrKitSettings.from_extra(self.emrkit_conn_id, extra)

    @cached_property
    def clients(self) -> AwsClients:
        """The AWS clients of the connection, one set in a process."""
        return shared_clients(
            self.emrkit_conn_id,
            self.region_name,
            lambda: make_clients(self.settings, self.emrkit_conn_id, self.region_name),
        )

    def client(self, service: Service) -> Any:
        """Give the boto3 client of a service.

        :param service: For example ``emr``.
        """
        return self.clients.client(service)

    def get_conn(self) -> Any:
        """Give the EMR client."""
        return self.client("emr")

    def test_connection(self) -> tuple[bool, str]:
        """Ask STS who we are and EMR for a page of clusters (GetCallerIdentity, ListClusters)."""
        try:
            clients = make_clients(self.settings, self.emrkit_conn_id, self.region_name)
            identity = clients.client("sts").get_caller_identity()
            clients.client("emr").list_clusters()
        except ConnectionFieldError as error:
            return False, str(error)
        except Exception as error:
            if not is_aws_error(error):
                raise
            return False, explain(error, self.region_name or self.settings.region_name)
        return True, f"{identity['Arn']} can use EMR in {clients.region_name}"

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Tell the connection form of Airflow 2.10 to 3.1 what to hide."""
        return {
            "hidden_fields": ["host", "schema", "login", "password", "port"],
            "relabeling": {},
            "placeholders": {},
        }

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Give the fields of the connection form of Airflow 2.10 to 3.1; later ones read provider info."""
        from flask_appbuilder.fieldwidgets import (  # type: ignore[import-not-found,unused-ignore]
            BS3TextFieldWidget,
        )
        from wtforms import StringField  # type: ignore[import-untyped,import-not-found,unused-ignore]

        labels = {
            "aws_conn_id": "AWS connection",
            "region_name": "AWS region",
            "endpoint_url": "Endpoint URL",
            "staging_uri": "Staging URI",
            "log_uri": "Log URI",
            "log_group": "CloudWatch log group",
            "job_flow_role": "Instance profile of clusters",
            "service_role": "EMR service role",
            "subnet_ids": "Subnet ids",
            "events_queue_url": "Events queue URL",
            "execution_role_arn": "Job runtime role of EMR Serverless",
        }
        return {name: StringField(label, widget=BS3TextFieldWidget()) for name, label in labels.items()}


def _refuse_unread(conn_id: str) -> None:
    """Airflow 3.0 counts a connection in the environment that it can't read as missing, and only logs why.

    :raises ConnectionFieldError: when there is one.
    """
    name = f"AIRFLOW_CONN_{conn_id.upper()}"
    if os.environ.get(name):
        raise ConnectionFieldError(
            f"connection {conn_id}: is set by {name}, but Airflow can't read it; "
            "give a JSON object whose extra is a JSON object too, or a URI"
        )


def _extra(conn_id: str, text: str | None) -> Mapping[str, Any]:
    """Read the extra ourselves: Airflow turns what is not JSON into nothing, with a line in the log."""
    try:
        extra = json.loads(text) if text else {}
    except ValueError as error:
        raise ConnectionFieldError(f"connection {conn_id}, field extra: is not JSON ({error})") from None
    if not isinstance(extra, dict):
        raise ConnectionFieldError(f"connection {conn_id}, field extra: is not a JSON object")
    return extra
