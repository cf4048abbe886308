from __future__ import annotations

from dataclasses import fields

import pytest

from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.exceptions import ConnectionFieldError
from airflow_provider_emrkit.get_provider_info import get_provider_info
from airflow_provider_emrkit.hooks.settings import EmrKitSettings, unknown_fields


def read(**extra: object) -> EmrKitSettings:
    return EmrKitSettings.from_extra("mine", extra)


def test_an_empty_connection_has_the_defaults():
    assert read() == EmrKitSettings()
    assert read(region_name="", log_uri=None, aws_conn_id="") == EmrKitSettings()


def test_no_aws_connection_at_all_can_be_asked_for():
    assert read(aws_conn_id=None).aws_conn_id is None


@pytest.mark.parametrize(
    "subnets",
    [
        pytest.param(["subnet-1", "subnet-2"], id="list"),
        pytest.param("subnet-1, subnet-2", id="as written into a form"),
    ],
)
def test_subnets(subnets):
    assert read(subnet_ids=subnets).subnet_ids == ("subnet-1", "subnet-2")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        pytest.param(
            {"staging_uri": "my-bucket"}, "field staging_uri: 'my-bucket' can't be right", id="staging"
        ),
        pytest.param(
            {"log_uri": "/logs"}, "field log_uri: '/logs' can't be right; write it like s3://", id="logs"
        ),
        pytest.param(
            {"endpoint_url": "localhost:5005"}, "field endpoint_url: .*http://127.0.0.1:5005", id="endpoint"
        ),
        pytest.param({"region_name": 1}, "field region_name: 1 is not text", id="number"),
        pytest.param({"subnet_ids": 5}, "field subnet_ids: 5 is not a list", id="no list"),
        pytest.param({"subnet_ids": [5]}, "field subnet_ids: 5 is not text", id="no text"),
    ],
)
def test_a_field_that_can_t_be_right_is_named(extra, message):
    with pytest.raises(ConnectionFieldError, match=f"connection mine, {message}"):
        read(**extra)


def test_misspelt_fields_are_named():
    assert unknown_fields({"stagging_uri": "s3://x", "log_uri": "s3://y"}) == ("stagging_uri",)


def test_clusters_get_what_the_connection_says():
    settings = read(region_name="eu-west-1", log_uri="s3://l/", subnet_ids=["subnet-1"], service_role="mine")
    assert settings.cluster_defaults() == ClusterDefaults(
        region_name="eu-west-1", log_uri="s3://l/", subnet_ids=["subnet-1"], service_role="mine"
    )


def test_the_connection_form_has_exactly_these_fields():
    assert set(get_provider_info()["connection-types"][0]["conn-fields"]) == {
        field.name for field in fields(EmrKitSettings)
    }
