"""Eleven clients at once, on a server process: no error, nothing lost, not after a kill either."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

pytestmark = [pytest.mark.e2e, pytest.mark.alone]

SECONDS = float(os.environ.get("EMRKIT_LOAD_SECONDS", "15"))
S3_CLIENTS, EMR_CLIENTS, LOG_CLIENTS = 7, 3, 1
MOST_MEMORY = 250 * 1024 * 1024
# What is written of a service is on disk within this time, also when the machine is busy.
WINDOW = 6.0

BLOCK = os.urandom(6_500_000)
SIZES = [0, 1, 900, 30_000, 40_000, 200_000]
CLUSTER = {
    "Name": "load",
    "ReleaseLabel": "emr-7.11.0",
    "JobFlowRole": "r",
    "ServiceRole": "r",
    "Instances": {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
}


class Server:
    """The server's process."""

    def __init__(self, data_dir):
        program = Path(__file__).with_name("scripted_server.py")
        repository = Path(__file__).resolve().parents[2]
        self._log = (data_dir.parent / "server.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, program, data_dir],
            env={**os.environ, "PYTHONPATH": str(repository)},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.url = self._process.stdout.readline().strip()

    def client(self, service):
        # No retries: every error is seen.
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="a",
            aws_secret_access_key="b", config=Config(retries={"max_attempts": 0}, max_pool_connections=20),
        )  # fmt: skip

    def memory(self):
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()


@pytest.fixture
def start(tmp_path):
    servers = []

    def call():
        servers.append(Server(tmp_path / "data"))
        return servers[-1]

    yield call
    for server in servers:
        server.kill()


@dataclass
class Done:
    """What has been acknowledged to one client."""

    requests: int = 0
    objects: dict[str, str] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    messages: list[tuple[float, str]] = field(default_factory=list)


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class S3Client:
    """Writes, reads, copies, lists and deletes below a prefix of its own."""

    def __init__(self, server, number):
        self._s3 = server.client("s3")
        self._random = random.Random(number)
        self._prefix = f"client ä{number}/"
        self._count = 0
        self.done = Done()

    def turn(self):
        actions = [self._put, self._put, self._get, self._copy, self._list, self._delete, self._upload]
        self._random.choices(actions, [6, 6, 8, 4, 2, 3, 0.3])[0]()
        self.done.requests += 1

    def _new(self):
        self._count += 1
        return f"{self._prefix}{self._count}"

    def _some(self):
        return self._random.choice(list(self.done.objects)) if self.done.objects else None

    def _put(self, data=None):
        size = self._random.choice(SIZES) if self._random.random() < 0.98 else len(BLOCK)
        start = self._random.randrange(len(BLOCK) - size + 1)
        data = BLOCK[start : start + size]
        key = self._some() if self._random.random() < 0.3 else None
        key = key or self._new()
        self._s3.put_object(Bucket="load", Key=key, Body=data)
        self.done.objects[key] = md5(data)

    def _get(self):
        key = self._some()
        if key is not None:
            found = self._s3.get_object(Bucket="load", Key=key)["Body"].read()
            assert md5(found) == self.done.objects[key], key

    def _copy(self):
        key, new = self._some(), self._new()
        if key is not None:
            self._s3.copy_object(Bucket="load", Key=new, CopySource={"Bucket": "load", "Key": key})
            self.done.objects[new] = self.done.objects[key]

    def _list(self):
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket="load", Prefix=self._prefix)
        found = {entry["Key"] for page in pages for entry in page.get("Contents", [])}
        assert found == set(self.done.objects)

    def _delete(self):
        key = self._some()
        if key is not None:
            self._s3.delete_object(Bucket="load", Key=key)
            del self.done.objects[key]

    def _upload(self):
        key, parts = self._new(), [BLOCK[: 5 * 1024 * 1024], BLOCK[-1000:]]
        place = {"Bucket": "load", "Key": key}
        place["UploadId"] = self._s3.create_multipart_upload(**place)["UploadId"]
        etags = [
            self._s3.upload_part(**place, PartNumber=number, Body=part)["ETag"]
            for number, part in enumerate(parts, 1)
        ]
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        self._s3.complete_multipart_upload(**place, MultipartUpload={"Parts": listed})
        self.done.objects[key] = md5(b"".join(parts))


class EmrClient:
    """Adds steps and looks at them."""

    def __init__(self, server, cluster_id, number):
        self._emr = server.client("emr")
        self._cluster_id = cluster_id
        self._number = number
        self.done = Done()

    def turn(self):
        step = {
            "Name": f"step {self._number}",
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://load/job.py"]},
        }
        added = self._emr.add_job_flow_steps(JobFlowId=self._cluster_id, Steps=[step, step])["StepIds"]
        self.done.steps += added
        self._emr.describe_cluster(ClusterId=self._cluster_id)
        assert self._emr.describe_step(ClusterId=self._cluster_id, StepId=added[0])["Step"]["Id"] == added[0]
        listed = self._emr.list_steps(ClusterId=self._cluster_id, StepIds=added)["Steps"]
        assert {found["Id"] for found in listed} == set(added)
        self.done.requests += 4


class LogClient:
    """Writes log lines and reads the last ones."""

    def __init__(self, server, number):
        self._logs = server.client("logs")
        self._place = {"logGroupName": "/load", "logStreamName": f"stream {number}"}
        self._logs.create_log_stream(**self._place)
        self.done = Done()

    def turn(self):
        texts = [f"line {len(self.done.messages) + n}" for n in range(10)]
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": text} for text in texts]
        self._logs.put_log_events(**self._place, logEvents=events)
        self.done.messages += [(time.monotonic(), text) for text in texts]
        last = self._logs.get_log_events(**self._place, limit=10)["events"]
        assert texts[-1] in {event["message"] for event in last}
        self.done.requests += 2


def run(clients):
    end = time.monotonic() + SECONDS

    def work(client):
        while time.monotonic() < end:
            client.turn()
        return client.done

    with ThreadPoolExecutor(len(clients)) as pool:
        return list(pool.map(work, clients))


def check(server, cluster_id, done, written_before=None):
    """Compare everything with what was acknowledged; log lines only of before a time."""
    s3 = server.client("s3")
    expected = {key: digest for found in done for key, digest in found.objects.items()}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="load")
    assert {entry["Key"] for page in pages for entry in page.get("Contents", [])} == set(expected)
    for key, digest in expected.items():
        assert md5(s3.get_object(Bucket="load", Key=key)["Body"].read()) == digest, key
    pages = server.client("emr").get_paginator("list_steps").paginate(ClusterId=cluster_id)
    listed = [step["Id"] for page in pages for step in page["Steps"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {step for found in done for step in found.steps}
    pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/load")
    kept = {event["message"] for page in pages for event in page["events"]}
    messages = [message for found in done for message in found.messages]
    assert {text for at, text in messages if written_before is None or at < written_before} <= kept


def test_a_load_of_all_kinds_of_requests_loses_nothing_even_when_the_server_is_killed(start, record_property):
    server = start()
    server.client("s3").create_bucket(Bucket="load")
    server.client("logs").create_log_group(logGroupName="/load")
    cluster_id = server.client("emr").run_job_flow(**CLUSTER)["JobFlowId"]
    idle = server.memory()
    clients = [S3Client(server, number) for number in range(S3_CLIENTS)]
    clients += [EmrClient(server, cluster_id, number) for number in range(EMR_CLIENTS)]
    clients += [LogClient(server, number) for number in range(LOG_CLIENTS)]
    done = run(clients)
    figures = {
        "requests": sum(found.requests for found in done),
        "objects": sum(len(found.objects) for found in done),
        "steps": sum(len(found.steps) for found in done),
        "log lines": sum(len(found.messages) for found in done),
        "idle MB": idle >> 20,
        "MB after the load": server.memory() >> 20,
    }
    for name, value in figures.items():
        record_property(name, value)
    print(figures)
    killed = time.monotonic()
    check(server, cluster_id, done)
    assert idle < MOST_MEMORY
    assert server.memory() < MOST_MEMORY
    server.client("s3").put_object(Bucket="load", Key="client ä0/last", Body=b"last")
    done[0].objects["client ä0/last"] = md5(b"last")
    server.kill()

    again = start()
    check(again, cluster_id, done, killed - WINDOW)
