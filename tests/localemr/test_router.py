"""Which request goes where."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request

import pytest

from airflow_provider_emrkit.localemr.http import Scope, is_waiter, request_scope

SCOPE = "AKID/20260102/{region}/{service}/aws4_request"
SIGNATURE = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0"


def request(localemr_server, method, path, body=None, **headers):
    """Send a raw request and return status, content type and body."""
    host, _, port = localemr_server.endpoint_url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    with connection.getresponse() as response:
        return response.status, response.getheader("Content-Type"), response.read()


def emr_headers(operation="ListClusters", region="us-east-1", **headers):
    return {
        "Authorization": SIGNATURE.format(region=region, service="elasticmapreduce"),
        "X_Amz_Target": f"ElasticMapReduce.{operation}",
        **headers,
    }


@pytest.mark.parametrize(
    ("environ", "scope"),
    [
        pytest.param(
            {"HTTP_AUTHORIZATION": SIGNATURE.format(region="eu-west-1", service="s3")},
            Scope("eu-west-1", "s3"),
            id="header",
        ),
        pytest.param(
            {"QUERY_STRING": "X-Amz-Credential=A%2F20260102%2Feu-west-1%2Felasticmapreduce%2Faws4_request"},
            Scope("eu-west-1", "elasticmapreduce"),
            id="presigned",
        ),
        pytest.param({"HTTP_AUTHORIZATION": "Basic abc"}, Scope("us-east-1", ""), id="other-scheme"),
        pytest.param({}, Scope("us-east-1", ""), id="unsigned"),
    ],
)
def test_region_and_service_come_from_the_credential_scope(environ, scope):
    assert request_scope(environ) == scope


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        ("Boto3/1.40 md/Botocore#1.40 ua/2.1 os/linux m/Z,b,B,n cfg/retry-mode#legacy", True),
        ("aws-cli/1.45 m/B", True),
        ("Boto3/1.40 m/Z,b,AB,n", False),
        ("Boto3/1.40 team/B", False),
        ("", False),
    ],
)
def test_waiters_are_known_by_their_user_agent(user_agent, expected):
    assert is_waiter(user_agent) is expected


def test_emr_is_ours_by_its_target_even_unsigned(localemr_server):
    status, content_type, body = request(
        localemr_server, "POST", "/", "{}", X_Amz_Target="ElasticMapReduce.ListClusters"
    )
    assert (status, content_type) == (200, "application/x-amz-json-1.1")
    assert json.loads(body) == {"Clusters": []}


def test_everything_else_is_motos(localemr_server):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="a_b/c d", Body=b"x" * 100_000, Metadata={"under_score": "1"})
    found = s3.get_object(Bucket="data", Key="a_b/c d")
    assert found["Body"].read() == b"x" * 100_000
    assert found["Metadata"] == {"under_score": "1"}
    assert localemr_server.client("sts").get_caller_identity()["Account"] == "123456789012"
    table = localemr_server.client("dynamodb").list_tables()
    assert table["TableNames"] == []


def test_a_presigned_url_works(localemr_server):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "data", "Key": "k"})
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"hello"


def test_an_emr_request_without_a_known_operation_is_an_aws_error(localemr_server):
    for operation in ("", "Nonsense", "../x"):
        status, content_type, body = request(localemr_server, "POST", "/", "{}", **emr_headers(operation))
        assert (status, content_type) == (400, "application/x-amz-json-1.1")
        assert json.loads(body)["__type"] == "UnknownOperationException"


def test_a_body_that_is_too_long_is_refused_before_it_is_read(localemr_server):
    headers = emr_headers(Content_Length=str(17 * 1024 * 1024))
    status, _, body = request(localemr_server, "POST", "/", "{}", **headers)
    assert status == 400
    assert json.loads(body)["__type"] == "SerializationException"


def test_health_says_who_and_how_many(localemr_server):
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    step_id = localemr_server.add_step(cluster_id, "x")
    localemr_server.wait_step(cluster_id, step_id, "COMPLETED")
    status, content_type, body = request(localemr_server, "GET", "/_emrkit/health")
    health = json.loads(body)
    assert (status, content_type, health["status"]) == (200, "application/json", "ok")
    assert health["url"] == localemr_server.endpoint_url
    assert health["clusters"] == {"WAITING": 1}
    assert health["steps"] == {"COMPLETED": 1}


def test_our_other_pages_do_not_exist(localemr_server):
    assert request(localemr_server, "GET", "/_emrkit/nothing")[0] == 404
    assert request(localemr_server, "POST", "/_emrkit/health")[0] == 405


def test_reset_ends_clusters_and_empties_everything(localemr_server):
    cluster_id = localemr_server.run_cluster()
    localemr_server.wait_cluster(cluster_id, "WAITING")
    localemr_server.client("s3").create_bucket(Bucket="data")
    stopped = list(localemr_server.runner.stopped)
    status, _, _ = request(localemr_server, "POST", "/moto-api/reset", "")
    assert status == 200
    assert localemr_server.runner.stopped == [*stopped, cluster_id]
    assert localemr_server.client("emr").list_clusters()["Clusters"] == []
    assert localemr_server.client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": "evil.example:5005"}, id="rebound-name"),
        pytest.param({"Origin": "https://evil.example"}, id="foreign-page"),
        pytest.param({"Origin": "null"}, id="sandboxed-page"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/_emrkit/health", "/moto-api/reset", "/bucket/key"])
def test_web_pages_are_refused(localemr_server, headers, path):
    status, _, body = request(localemr_server, "POST", path, "{}", **emr_headers(), **headers)
    assert status == 403
    assert json.loads(body)["__type"] == "AccessDeniedException"


def test_the_answer_to_head_has_no_body(localemr_server):
    host, _, port = localemr_server.endpoint_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"HEAD /_emrkit/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")
