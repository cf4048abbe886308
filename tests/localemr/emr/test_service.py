"""The API as a whole: every answer fits the service model, and what is not supported says so."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from botocore.exceptions import ClientError
from botocore.model import ListShape, StructureShape

from airflow_provider_emrkit.localemr.aws_json import AwsJson
from airflow_provider_emrkit.localemr.emr.context import Call
from airflow_provider_emrkit.localemr.emr.service import OPERATIONS


def unknown_members(shape, value):
    """List the members of an answer that the model does not know: typing mistakes, that clients never see."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name, item in value.items():
            if name not in shape.members:
                yield f"{shape.name}.{name}"
            else:
                yield from unknown_members(shape.members[name], item)
    if isinstance(shape, ListShape):
        for item in value or ():
            yield from unknown_members(shape.member, item)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_an_operation_is_in_the_service_model(operation):
    assert AwsJson("emr").operation(operation).name == operation


@pytest.mark.parametrize(
    "operation",
    [
        "DescribeCluster",
        "ListClusters",
        "ListInstanceGroups",
        "ListInstances",
        "ListBootstrapActions",
        "GetAutoTerminationPolicy",
        "GetManagedScalingPolicy",
        "DescribeJobFlows",
        "DescribeReleaseLabel",
        "ListReleaseLabels",
    ],
)
def test_an_answer_has_only_members_of_the_model(localemr_server, operation):
    step = {"Name": "first", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["true"]}}
    action = {"Name": "setup", "ScriptBootstrapAction": {"Path": "s3://code/setup.sh"}}
    cluster_id = localemr_server.run_cluster(Steps=[step], BootstrapActions=[action])
    emr = localemr_server.server.emr
    with emr.store.lock:
        output = OPERATIONS[operation](emr, Call(operation, {"ClusterId": cluster_id}, "us-east-1"))
    shape = AwsJson("emr").operation(operation).output_shape
    assert list(unknown_members(shape, output)) == []


def test_an_operation_that_is_not_supported_says_so_by_name(localemr_server):
    with pytest.raises(ClientError) as caught:
        localemr_server.client("emr").list_notebook_executions()
    assert caught.value.response["Error"]["Code"] == "UnsupportedOperationException"
    assert "ListNotebookExecutions" in caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_a_bug_of_ours_is_an_aws_error_with_a_request_id(localemr_server, monkeypatch, caplog):
    monkeypatch.setattr(localemr_server.server.emr, "now", lambda: 1 / 0)
    with pytest.raises(ClientError) as caught:
        localemr_server.run_cluster()
    response = caught.value.response
    assert response["Error"]["Code"] == "InternalServerException"
    assert response["ResponseMetadata"]["RequestId"] in response["Error"]["Message"]
    # Not 500: clients would send RunJobFlow again.
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "ZeroDivisionError" in caplog.text


def test_no_cluster_is_started_while_everything_ends(localemr_server):
    localemr_server.run_cluster()
    assert localemr_server.server.emr.stop()
    with pytest.raises(ClientError, match="is stopping"):
        localemr_server.run_cluster()
    localemr_server.server.emr.reset()
    localemr_server.run_cluster()
