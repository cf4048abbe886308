"""The awsJson1.1 protocol: what is read, what is refused and in which words, what is written."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest

from airflow_provider_emrkit.localemr.aws_json import ApiError, AwsJson, error_body

WIRE = AwsJson("emr")


def refused(operation, body):
    with pytest.raises(ApiError) as caught:
        WIRE.read(operation, body)
    return caught.value


def test_numbers_become_times():
    params = WIRE.read("ListClusters", b'{"CreatedAfter": 1700000000.5}')
    assert params == {"CreatedAfter": datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=timezone.utc)}


def test_nulls_and_unknown_members_are_left_out():
    body = b'{"ClusterId": "j-1", "Marker": null, "SomethingNew": {"a": 1}}'
    assert WIRE.read("ListSteps", body) == {"ClusterId": "j-1"}


def test_an_empty_body_is_an_empty_request():
    assert WIRE.read("ListClusters", b"") == {}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<xml/>", id="no-json"),
        pytest.param(b"[]", id="no-object"),
        pytest.param(b"\xff\xfe", id="no-text"),
        pytest.param(b"[" * 100_000, id="too-deep"),
        pytest.param(b'{"CreatedAfter": 1e300}', id="no-time"),
        pytest.param(b'{"CreatedAfter": NaN}', id="nan"),
        pytest.param(b'{"CreatedAfter": "2026-11-28"}', id="a-text-as-a-time"),
        pytest.param(b'{"CreatedAfter": "9999-12-31T23:59:59-23:59"}', id="a-text-later-than-utc"),
        pytest.param(b'{"Marker": "\\ud800"}', id="half-a-surrogate-pair"),
        pytest.param(b'{"Unknown": Infinity}', id="no-json-number"),
    ],
)
def test_what_cannot_be_read_is_a_serialization_error(body):
    assert refused("ListClusters", body).code == "SerializationException"


@pytest.mark.parametrize(
    ("operation", "params", "text"),
    [
        pytest.param("DescribeCluster", {}, "ClusterId", id="missing"),
        pytest.param("DescribeCluster", {"ClusterId": 7}, "ClusterId", id="wrong-type"),
        pytest.param("ListClusters", {"ClusterStates": "WAITING"}, "ClusterStates", id="no-list"),
        pytest.param(
            "ListClusters",
            {"ClusterStates": ["WAITING", "SLEEPING"]},
            "1 validation error detected: Value 'SLEEPING' at 'clusterStates.2.member' "
            "failed to satisfy constraint: Member must satisfy enum value set: [STARTING,",
            id="enum",
        ),
        pytest.param(
            "DescribeCluster",
            {"ClusterId": "j" * 257},
            "Member must have length less than or equal to 256",
            id="length",
        ),
        pytest.param(
            "TerminateJobFlows",
            {"JobFlowIds": ["j-1\u0000"]},
            "Member must satisfy regular expression pattern",
            id="pattern",
        ),
    ],
)
def test_what_breaks_the_model_is_a_validation_error(operation, params, text):
    error = refused(operation, json.dumps(params).encode())
    assert (error.code, error.status) == ("ValidationException", 400)
    assert text in error.message


def test_several_problems_are_counted():
    error = refused("ListClusters", b'{"ClusterStates": ["A", "B"]}')
    assert error.message.startswith("2 validation errors detected: ")


def test_characters_beyond_the_basic_plane_are_fine():
    assert WIRE.read("TerminateJobFlows", '{"JobFlowIds": ["\U0001f600"]}'.encode())


def test_an_operation_that_does_not_exist():
    assert refused("RunJobFlo", b"{}").code == "UnknownOperationException"


def test_times_are_written_as_seconds_and_what_is_none_is_left_out():
    time = datetime(2023, 11, 14, 22, 13, 20, 500_000, tzinfo=timezone.utc)
    output = {
        "Cluster": {"Id": "j-1", "Name": None, "Status": {"Timeline": {"CreationDateTime": time}}, "New": 1}
    }
    assert json.loads(WIRE.write("DescribeCluster", output)) == {
        "Cluster": {"Id": "j-1", "Status": {"Timeline": {"CreationDateTime": 1700000000.5}}}
    }


def test_an_operation_without_output_writes_an_empty_object():
    assert WIRE.write("TerminateJobFlows", {}) == b"{}"


def test_errors_are_written_as_emr_writes_them():
    body = json.loads(error_body(ApiError("ValidationException", "Nö.")))
    assert body == {"__type": "ValidationException", "Message": "Nö."}
