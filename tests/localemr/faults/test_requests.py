"""Faults of API requests, as boto3 sees them."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from airflow_provider_emrkit.testing.faults import faults


@pytest.fixture
def url(localemr_server):
    return localemr_server.endpoint_url


@pytest.fixture
def emr(localemr_server):
    return localemr_server.client("emr")


def retrying(url, service, attempts=4):
    config = Config(retries={"mode": "standard", "max_attempts": attempts}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=url, region_name="us-east-1", config=config)


def refusal(call, **params):
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["Error"]["Message"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_throttled_operation_of_emr_is_refused_in_emrs_words(url, emr):
    with faults(url, throttle="ListClusters"):
        assert refusal(emr.list_clusters) == ("ThrottlingException", "Rate exceeded", 400)
        emr.list_release_labels()
    emr.list_clusters()


def test_standard_retries_get_through_a_call_that_is_throttled_twice(url):
    with faults(url, throttle={"operation": "ListClusters", "times": 2}) as active:
        answer = retrying(url, "emr").list_clusters()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert active.struck == 2


def test_only_the_nth_call_is_struck(url, emr):
    with faults(url, throttle={"operation": "ListClusters", "nth": 2}):
        emr.list_clusters()
        assert refusal(emr.list_clusters)[0] == "ThrottlingException"
        emr.list_clusters()


def test_a_probability_strikes_the_same_calls_each_time(url, emr):
    def is_answered():
        try:
            emr.list_clusters()
        except ClientError:
            return False
        return True

    def outcomes():
        return [is_answered() for _ in range(12)]

    fault = {"operation": "ListClusters", "probability": 0.5, "seed": 7}
    with faults(url, throttle=fault):
        first = outcomes()
    with faults(url, throttle=fault):
        assert outcomes() == first
    with faults(url, throttle={**fault, "seed": 8}):
        assert outcomes() != first
    assert {*first} == {True, False}


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        ("s3", "list_buckets", ("SlowDown", "Please reduce your request rate.", 503)),
        ("logs", "describe_log_groups", ("ThrottlingException", "Rate exceeded", 400)),
        ("emr-serverless", "list_applications", ("ThrottlingException", "Rate exceeded", 429)),
        ("sts", "get_caller_identity", ("Throttling", "Rate exceeded", 400)),
        ("cloudwatch", "list_metrics", ("Throttling", "Rate exceeded", 400)),
    ],
)
def test_each_service_refuses_in_its_own_form(localemr_server, url, service, call, expected):
    client = localemr_server.client(service)
    with faults(url, throttle={"service": service}):
        code, message, status = refusal(getattr(client, call))
    assert code.startswith(expected[0])
    assert (message, status) in {expected[1:], ("Rate exceeded", 429)}


def test_a_fault_of_one_s3_operation_leaves_the_others_alone(localemr_server, url):
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="bucket")
    with faults(url, throttle={"service": "s3", "operation": "PutObject"}):
        assert refusal(s3.put_object, Bucket="bucket", Key="k/l", Body=b"x")[0] == "SlowDown"
        s3.list_objects_v2(Bucket="bucket")
        s3.create_multipart_upload(Bucket="bucket", Key="k")
    s3.put_object(Bucket="bucket", Key="k/l", Body=b"x")
    with faults(url, throttle={"service": "s3", "operation": "CopyObject"}):
        s3.put_object(Bucket="bucket", Key="k/m", Body=b"x")
        copy = {"Bucket": "bucket", "Key": "c", "CopySource": "bucket/k/l"}
        assert refusal(s3.copy_object, **copy)[0] == "SlowDown"


def test_a_request_of_the_query_protocol_is_still_read_whole(localemr_server, url):
    iam = localemr_server.client("iam")
    with faults(url, throttle={"service": "iam", "operation": "DeleteUser"}):
        assert iam.create_user(UserName="somebody")["User"]["UserName"] == "somebody"
        assert refusal(iam.delete_user, UserName="somebody")[0] == "Throttling"


def test_emrs_documented_quotas_hold(url, emr):
    with faults(url, quotas="emr"):
        answers = [refusal(emr.describe_step, ClusterId="j-1", StepId="s-1")[0] for _ in range(14)]
        assert answers[:10] == ["InvalidRequestException"] * 10
        assert "ThrottlingException" in answers[10:]
        emr.list_clusters()


def test_quotas_may_be_others_than_the_documented_ones(url, emr):
    with faults(url, quotas={"limits": {"ListClusters": [2, 0.001]}}) as active:
        emr.list_clusters()
        emr.list_clusters()
        assert refusal(emr.list_clusters)[0] == "ThrottlingException"
    assert active.struck == 1


def test_quotas_are_those_of_a_region(localemr_server, url, emr):
    with faults(url, quotas={"limits": {"ListClusters": [1, 0.001]}}):
        emr.list_clusters()
        localemr_server.client("emr", "eu-west-1").list_clusters()
        assert refusal(emr.list_clusters)[0] == "ThrottlingException"


def test_what_all_operations_share_runs_out_too(url, emr):
    with faults(url, quotas={"service": "emr", "limits": {"*": [2, 0.001]}}):
        emr.list_clusters()
        emr.list_release_labels()
        assert refusal(emr.list_security_configurations)[0] == "ThrottlingException"


def test_an_answer_comes_later(url, emr):
    with faults(url, latency={"operation": "ListClusters", "seconds": 0.3}):
        begun = time.monotonic()
        emr.list_clusters()
        assert time.monotonic() - begun >= 0.3


def test_internal_errors_are_repeated_by_the_client(url, emr):
    with faults(url, error="ListClusters"):
        assert refusal(emr.list_clusters) == ("InternalFailure", "An internal error occurred.", 500)
    with faults(url, error={"operation": "ListClusters", "times": 1}):
        assert retrying(url, "emr").list_clusters()["ResponseMetadata"]["RetryAttempts"] == 1


def test_an_error_has_the_code_and_the_words_that_are_asked_for(url, emr):
    fault = {
        "operation": "ListClusters",
        "code": "AccessDeniedException",
        "message": "no <way>",
        "status": 403,
    }
    with faults(url, error=fault):
        assert refusal(emr.list_clusters) == ("AccessDeniedException", "no <way>", 403)


def test_a_lost_answer_is_of_a_request_that_was_carried_out(localemr_server, url):
    with faults(url, lost_answer={"operation": "RunJobFlow", "times": 1}):
        with pytest.raises(ConnectionClosedError):
            localemr_server.run_cluster(Name="once")
        clusters = localemr_server.client("emr").list_clusters()["Clusters"]
    assert [cluster["Name"] for cluster in clusters] == ["once"]


def test_a_lost_request_was_not_carried_out(localemr_server, url):
    with faults(url, lost_request={"operation": "RunJobFlow", "times": 1}):
        with pytest.raises(ConnectionClosedError):
            localemr_server.run_cluster(Name="never")
        assert localemr_server.client("emr").list_clusters()["Clusters"] == []


def test_the_body_of_a_lost_request_is_not_taken_for_the_next_request(localemr_server, url):
    body = b"POST /moto-api/reset HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    signed = "AWS4-HMAC-SHA256 Credential=localemr/20260101/us-east-1/s3/aws4_request"
    headers = f"Host: localhost\r\nAuthorization: {signed}\r\nContent-Length: {len(body)}"
    s3 = localemr_server.client("s3")
    s3.create_bucket(Bucket="data")
    address = urlsplit(url)
    with (
        faults(url, lost_request={"service": "s3", "times": 1}),
        socket.create_connection((address.hostname, address.port), 20) as connection,
    ):
        connection.sendall(f"PUT /data/key HTTP/1.1\r\n{headers}\r\n\r\n".encode() + body)
        assert connection.recv(1) == b""
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["data"]


def test_a_client_that_repeats_a_request_whose_answer_was_lost_gets_two_clusters(localemr_server, url):
    with faults(url, lost_answer={"operation": "RunJobFlow", "times": 1}):
        instances = {
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        }
        retrying(url, "emr").run_job_flow(
            Name="twice",
            ReleaseLabel="emr-7.11.0",
            Instances=instances,
            JobFlowRole="EMR_EC2_DefaultRole",
            ServiceRole="EMR_DefaultRole",
        )
    clusters = localemr_server.client("emr").list_clusters()["Clusters"]
    assert [cluster["Name"] for cluster in clusters] == ["twice", "twice"]


def test_localemrs_own_requests_are_left_alone(localemr_server, url):
    from airflow_provider_emrkit.localemr.run.clients import aws_client

    with faults(url, error={"service": "*"}):
        aws_client("s3", url, "us-east-1").list_buckets()
        assert refusal(localemr_server.client("s3").list_buckets)[2] == 500
