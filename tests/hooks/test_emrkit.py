from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS, AIRFLOW_V_3_1_PLUS, AirflowNotFoundException
from airflow_provider_emrkit.exceptions import ConnectionFieldError
from airflow_provider_emrkit.hooks.clients import forget_clients, renew_clients
from airflow_provider_emrkit.hooks.emrkit import EmrKitHook
from airflow_provider_emrkit.hooks.settings import EmrKitSettings


@pytest.fixture(autouse=True)
def _no_old_clients():
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def no_connection(monkeypatch):
    """An Airflow that knows no connection."""

    def not_found(conn_id: str) -> None:
        raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")

    monkeypatch.setattr(EmrKitHook, "get_connection", staticmethod(not_found))


def set_connection(monkeypatch, conn_id: str = "emrkit_default", **extra: object) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "emrkit", "extra": extra}))


def test_the_default_connection_need_not_exist(no_connection):
    assert EmrKitHook().settings == EmrKitSettings()


def test_a_connection_that_was_named_must_exist(no_connection):
    with pytest.raises(AirflowNotFoundException, match="mine"):
        EmrKitHook("mine").settings  # noqa: B018


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        pytest.param("{no json", "is not JSON", id="no JSON"),
        pytest.param("[1]", "is not a JSON object", id="a list"),
    ],
)
@pytest.mark.parametrize("conn_id", ["mine", "emrkit_default"])
def test_an_extra_that_can_t_be_read_is_named(monkeypatch, conn_id, extra, message):
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps({"conn_type": "emrkit", "extra": extra}))
    told = f"connection {conn_id}, field extra: {message}"
    if AIRFLOW_V_3_0_PLUS and not AIRFLOW_V_3_1_PLUS:  # it can't be had to be looked at
        told = f"connection {conn_id}: is set by AIRFLOW_CONN_{conn_id.upper()}, but Airflow can't read it"
    with pytest.raises(ConnectionFieldError, match=told):
        EmrKitHook(conn_id).settings  # noqa: B018


@pytest.mark.parametrize("conn_id", ["mine", "emrkit_default"])
def test_a_connection_that_airflow_can_t_read_is_not_a_missing_one(monkeypatch, no_connection, conn_id):
    """As Airflow 3.0 does it: what is wrong with a connection in the environment is only logged."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", "{broken, secret")
    with pytest.raises(ConnectionFieldError, match=f"AIRFLOW_CONN_{conn_id.upper()}, but .* can't") as caught:
        EmrKitHook(conn_id).settings  # noqa: B018
    assert "secret" not in str(caught.value)


def test_all_threads_of_a_process_share_one_client(emrkit_connection):
    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(lambda _: EmrKitHook().client("emr"), range(32)))
    assert len({id(client) for client in clients}) == 1


def test_regions_and_services_have_their_own_clients(emrkit_connection):
    here, there = EmrKitHook(), EmrKitHook(region_name="eu-west-1")
    assert here.client("emr") is EmrKitHook().client("emr")
    assert here.client("emr") is not here.client("logs")
    assert here.client("emr").meta.region_name == "us-east-1"
    assert there.client("emr").meta.region_name == "eu-west-1"


def test_the_endpoint_is_the_connection_s(emrkit_connection):
    hook = EmrKitHook()
    assert hook.client("emr").meta.endpoint_url == emrkit_connection["endpoint_url"]
    assert hook.clients.has_own_endpoint is True


def test_an_endpoint_in_a_vpc_is_aws_s(emrkit_connection, monkeypatch):
    address = "https://vpce-1.elasticmapreduce.us-east-1.vpce.amazonaws.com"
    extra = {**emrkit_connection, "endpoint_url": address}
    monkeypatch.setenv("AIRFLOW_CONN_EMRKIT_DEFAULT", json.dumps({"conn_type": "emrkit", "extra": extra}))
    assert EmrKitHook().clients.has_own_endpoint is False


def test_without_an_endpoint_it_is_aws(monkeypatch, no_connection):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "extra": {}}))
    hook = EmrKitHook()
    assert hook.client("emr").meta.endpoint_url == "https://elasticmapreduce.us-east-1.amazonaws.com"
    assert hook.clients.has_own_endpoint is False


def test_credentials_and_configuration_come_from_the_aws_connection(monkeypatch):
    aws = {
        "conn_type": "aws",
        "login": "AKIAMINE",
        "password": "x",
        "extra": {"region_name": "eu-central-1", "config_kwargs": {"retries": {"total_max_attempts": 9}}},
    }
    monkeypatch.setenv("AIRFLOW_CONN_MY_AWS", json.dumps(aws))
    set_connection(monkeypatch, aws_conn_id="my_aws")
    emr = EmrKitHook().client("emr")
    assert emr.meta.region_name == "eu-central-1"
    assert emr.meta.config.retries["total_max_attempts"] == 9
    assert emr._request_signer._credentials.access_key == "AKIAMINE"


def test_a_role_to_assume_is_assumed_when_it_is_needed(localemr_server, emrkit_connection, monkeypatch):
    extra = {
        "role_arn": "arn:aws:iam::123456789012:role/airflow",
        "service_config": {"sts": {"endpoint_url": localemr_server.endpoint_url}},
    }
    aws = {"conn_type": "aws", "login": "localemr", "password": "localemr", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(aws))
    credentials = EmrKitHook().clients.session.get_credentials()
    assert credentials.get_frozen_credentials().token
    assert credentials.method == "sts-assume-role"


def test_aws_learns_who_calls(emrkit_connection):
    assert "emrkit/" in EmrKitHook().client("emr").meta.config.user_agent_extra


def test_what_must_not_be_sent_twice_is_not(emrkit_connection):
    clients = EmrKitHook().clients
    assert clients.client("emr", retries=False).meta.config.retries["total_max_attempts"] == 1
    assert clients.client("emr").meta.config.retries["total_max_attempts"] > 1


def test_no_region_is_said_before_anything_is_asked(monkeypatch):
    set_connection(monkeypatch)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws"}))
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(ConnectionFieldError, match="field region_name: no AWS region is set"):
        EmrKitHook().client("emr")


def test_testing_the_connection_says_who_we_are(emrkit_connection):
    ok, message = EmrKitHook().test_connection()
    assert ok
    assert message.startswith("arn:aws:sts::123456789012")
    assert message.endswith("can use EMR in us-east-1")


def test_testing_the_connection_says_what_is_wrong(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws", "login": "a", "password": "b"})
    )
    set_connection(monkeypatch, region_name="us-east-1", staging_uri="nonsense")
    assert EmrKitHook().test_connection() == (
        False,
        "connection emrkit_default, field staging_uri: 'nonsense' can't be right; write it like "
        "s3://my-bucket/emrkit",
    )


def test_an_address_that_is_not_aws_s_has_no_quotas_but_those_that_are_set(emrkit_connection, monkeypatch):
    assert EmrKitHook().clients.quotas.limits == {}
    forget_clients()
    monkeypatch.setenv("AIRFLOW__EMRKIT__API_QUOTAS", '{"ListSteps": [20, 1]}')
    assert EmrKitHook().clients.quotas.limits["ListSteps"] == (20, 1)


@pytest.mark.parametrize(
    "endpoint",
    [
        pytest.param(None, id="the public one"),
        pytest.param("https://vpce-1.elasticmapreduce.eu-west-1.vpce.amazonaws.com", id="a private one"),
    ],
)
def test_aws_s_own_addresses_have_aws_s_quotas(monkeypatch, endpoint):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps({"conn_type": "aws"}))
    set_connection(monkeypatch, region_name="us-east-1", endpoint_url=endpoint)
    assert EmrKitHook().clients.quotas.limits["ListSteps"] == (10, 0.5)


def test_the_clients_of_a_connection_keep_to_its_quotas_together(emrkit_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__EMRKIT__API_QUOTAS", '{"ListClusters": [4, 0.01]}')
    clients = EmrKitHook().clients
    clients.client("emr").list_clusters()
    clients.client("emr", retries=False).list_clusters()
    assert clients.quotas.spare("ListClusters") == pytest.approx(0.5, abs=0.01)


def test_clients_that_are_renewed_do_not_start_with_full_quotas(emrkit_connection, monkeypatch):
    monkeypatch.setenv("AIRFLOW__EMRKIT__API_QUOTAS", '{"ListClusters": [4, 0.01]}')
    before = EmrKitHook().clients
    before.client("emr").list_clusters()
    renew_clients("emrkit_default", None)
    after = EmrKitHook().clients
    assert after is not before
    after.client("emr").list_clusters()
    assert after.quotas.spare("ListClusters") == pytest.approx(0.5, abs=0.01)
