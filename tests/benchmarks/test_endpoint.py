"""The endpoint as a process, asked by boto3: what the contestants' clients see."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from benchmarks.endpoint.tls import Certificate, make_certificate
from benchmarks.logs.plan import GROUP, LogShape, make_plan, stream_names
from benchmarks.processes import Endpoint
from benchmarks.scenarios import EMRKIT, Scenario
from benchmarks.schedule import Shape, make_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = 3
STARTED = 1_700_000_000.0  # all jobs have long ended
SCENARIO = Scenario(
    "one",
    "one step",
    Shape(1, 1, 0.1, 5.0, 6.0),
    interval=1,
    contestants=(EMRKIT,),
    cut_off=9,
    settled=1,
    quotas={"DescribeStep": (1, 0.0)},
    log=LogShape(1, 20, rate=100, begins=1),
)
(JOB,) = make_schedule(SCENARIO.shape, SEED)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
def endpoint(certificate: Certificate) -> Iterator[Endpoint]:
    started = Endpoint(SCENARIO, SEED, certificate)
    started.start(STARTED)
    yield started
    started.close()


def client(endpoint: Endpoint, certificate: Certificate, service: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=endpoint.url,
        verify=str(certificate.bundle),
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_boto3_understands_it_and_every_call_is_counted(endpoint: Endpoint, certificate: Certificate) -> None:
    emr = client(endpoint, certificate, "emr")
    (step,) = emr.list_steps(ClusterId=JOB.cluster_id, StepIds=[JOB.step_id])["Steps"]
    assert step["Status"]["State"] == "COMPLETED"
    assert step["Status"]["Timeline"]["EndDateTime"].timestamp() == pytest.approx(
        STARTED + JOB.ends, abs=1e-3
    )
    assert emr.describe_cluster(ClusterId=JOB.cluster_id)["Cluster"]["Status"]["State"] == "RUNNING"
    sqs = client(endpoint, certificate, "sqs")
    received = sqs.receive_message(QueueUrl=f"{endpoint.url}/1/events", MaxNumberOfMessages=10)["Messages"]
    assert len(received) == 3
    assert client(endpoint, certificate, "sts").get_caller_identity()["Account"] == "123456789012"
    counts = endpoint.counts()
    assert counts["served"] == {
        "ListSteps": 1,
        "DescribeCluster": 1,
        "ReceiveMessage": 1,
        "GetCallerIdentity": 1,
    }
    assert counts["shown"] == 1
    assert counts["connections"] == 3


def test_throttled_calls_are_refused_as_emr_does_and_counted_apart(
    endpoint: Endpoint, certificate: Certificate
) -> None:
    emr = client(endpoint, certificate, "emr")
    emr.describe_step(ClusterId=JOB.cluster_id, StepId=JOB.step_id)
    with pytest.raises(ClientError) as refused:
        emr.describe_step(ClusterId=JOB.cluster_id, StepId=JOB.step_id)
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    counts = endpoint.counts()
    assert (counts["served"], counts["throttled"]) == ({"DescribeStep": 1}, {"DescribeStep": 1})


def test_other_refusals_are_told_apart(endpoint: Endpoint, certificate: Certificate) -> None:
    with pytest.raises(ClientError):
        client(endpoint, certificate, "emr").list_studios()
    assert endpoint.counts()["refused"] == {"ListStudios: UnknownOperationException": 1}


def test_the_jobs_log_can_be_read_and_each_call_is_timed(
    endpoint: Endpoint, certificate: Certificate
) -> None:
    assert SCENARIO.log is not None
    (stream,) = stream_names(SCENARIO.log, JOB.step_id)
    logs = client(endpoint, certificate, "logs")
    (found,) = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="steps/")["logStreams"]
    assert found["logStreamName"] == stream
    page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in page["events"]] == [
        event.text for event in make_plan(SCENARIO.log, SEED)
    ]
    assert page["events"][0]["timestamp"] == round((STARTED + 1) * 1000)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/other", logStreamName=stream)
    first, second, third = endpoint.counts()["log_calls"]
    assert time.time() - 60 < first < second < third < time.time()


def test_a_task_of_ecs_runs_as_long_as_the_job(endpoint: Endpoint, certificate: Certificate) -> None:
    ecs = client(endpoint, certificate, "ecs")
    (task,) = ecs.describe_tasks(cluster="bench", tasks=["arn:aws:ecs:us-east-1:1:task/bench/0"])["tasks"]
    assert task["lastStatus"] == "STOPPED"
