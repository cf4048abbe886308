"""A local EMR whose process is killed: what it knew is known, what it ran is gone."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.launcher import start, stop
from airflow_provider_emrkit.localemr.persistence.files import state_bytes
from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.reset_command import reset
from airflow_provider_emrkit.localemr.run.clients import aws_client

pytestmark = pytest.mark.e2e

CLUSTER = {
    "ReleaseLabel": "emr-7.11.0",
    "JobFlowRole": "r",
    "ServiceRole": "r",
    "Instances": {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True},
}


@pytest.fixture
def config(tmp_path):
    return ServerConfig(data_dir=tmp_path / "data", port=0, cache_dir=Path(os.environ["EMRKIT_CACHE_DIR"]))


@pytest.fixture
def up(config):
    started = []

    def call(**changes):
        given = {"data_dir": config.data_dir, "cache_dir": config.cache_dir, "port": config.port, **changes}
        started.append(start(ServerConfig(**given), lambda _: None, timeout=200))
        return started[-1], aws_client("emr", started[-1].url, "us-east-1")

    yield call
    for status in started:
        if status.process.is_alive:
            stop(status, lambda _: None)


def kill(status) -> None:
    status.process.send(signal.SIGKILL)
    assert status.process.wait_gone(60)


def command(name: str, *args: str) -> dict:
    jar_step = {"Jar": "command-runner.jar", "Args": list(args)}
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar_step}


def await_file(path: Path) -> str:
    deadline, pause = time.monotonic() + 200, threading.Event()
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"no {path}"
        pause.wait(0.1)
    return path.read_text()


def test_a_killed_server_has_forgotten_nothing_and_leaves_nothing_running(up, tmp_path):
    status, emr = up()
    write_pid = f"echo $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; sleep 600 & wait"
    first = emr.run_job_flow(Name="over", **CLUSTER)["JobFlowId"]
    emr.terminate_job_flows(JobFlowIds=[first])
    emr.get_waiter("cluster_terminated").wait(ClusterId=first)
    steps = [command("done", "true"), command("busy", "bash", "-c", write_pid), command("waits", "true")]
    second = emr.run_job_flow(Name="lost", Steps=steps, Tags=[{"Key": "a", "Value": "b"}], **CLUSTER)[
        "JobFlowId"
    ]
    job = Process.of(int(await_file(tmp_path / "pid")))
    added = emr.add_job_flow_steps(JobFlowId=second, Steps=[command("added", "true")])["StepIds"][0]
    kill(status)
    assert job is not None

    _, emr = up(port=status.port)
    assert job.wait_gone(60)
    assert [cluster["Name"] for cluster in emr.list_clusters()["Clusters"]] == ["lost", "over"]
    cluster = emr.describe_cluster(ClusterId=second)["Cluster"]
    assert cluster["Status"]["State"] == "TERMINATED_WITH_ERRORS"
    assert cluster["Status"]["StateChangeReason"]["Code"] == "INTERNAL_ERROR"
    assert cluster["Tags"] == [{"Key": "a", "Value": "b"}]
    found = emr.list_steps(ClusterId=second)["Steps"]
    assert found[0]["Id"] == added
    assert {step["Name"]: step["Status"]["State"] for step in found} == {
        "done": "COMPLETED", "busy": "INTERRUPTED", "waits": "CANCELLED", "added": "CANCELLED"
    }  # fmt: skip
    assert emr.describe_cluster(ClusterId=first)["Cluster"]["Status"]["State"] == "TERMINATED"
    assert emr.run_job_flow(Name="new", **CLUSTER)["JobFlowId"] not in {first, second}


def test_a_server_that_is_killed_during_a_step_has_kept_s3_and_finished_work(up, tmp_path):
    status, emr = up()
    s3 = aws_client("s3", status.url, "us-east-1")
    big = os.urandom(7_000_000)
    s3.put_object(Bucket="emrkit-local", Key="data/big", Body=big)
    write_pid = f"echo $$ > {tmp_path}/pid.part; mv {tmp_path}/pid.part {tmp_path}/pid; sleep 600 & wait"
    steps = [command("done", "bash", "-c", "echo from the step"), command("busy", "bash", "-c", write_pid)]
    logs = {"LogUri": "s3://emrkit-local/logs/"}
    cluster = emr.run_job_flow(Name="lost", Steps=steps, **logs, **CLUSTER)["JobFlowId"]
    job = Process.of(int(await_file(tmp_path / "pid")))
    done = emr.list_steps(ClusterId=cluster)["Steps"][1]["Id"]
    s3.put_object(Bucket="emrkit-local", Key="data/last", Body=b"just before")
    kill(status)
    assert job is not None

    status, emr = up(port=status.port)
    s3 = aws_client("s3", status.url, "us-east-1")
    assert s3.get_object(Bucket="emrkit-local", Key="data/big")["Body"].read() == big
    assert s3.get_object(Bucket="emrkit-local", Key="data/last")["Body"].read() == b"just before"
    log = s3.get_object(Bucket="emrkit-local", Key=f"logs/{cluster}/steps/{done}/stdout.gz")["Body"].read()
    assert gzip.decompress(log) == b"from the step\n"
    assert emr.describe_step(ClusterId=cluster, StepId=done)["Step"]["Status"]["State"] == "COMPLETED"
    assert job.wait_gone(60)
    listed = s3.list_objects_v2(Bucket="emrkit-local", Prefix="data/")["Contents"]
    assert [found["Key"] for found in listed] == ["data/big", "data/last"]


def test_a_reset_empties_a_running_server_and_what_it_has_kept(up, config):
    status, emr = up()
    cluster = emr.run_job_flow(Name="gone", **CLUSTER)["JobFlowId"]
    emr.get_waiter("cluster_running").wait(ClusterId=cluster)
    aws_client("s3", status.url, "us-east-1").put_object(
        Bucket="emrkit-local", Key="gone", Body=b"x" * 100_000
    )
    before = state_bytes(config.data_dir)
    said = []
    assert reset(status, config.data_dir, yes=True, say=said.append)
    assert "1 clusters" in said[0]
    assert state_bytes(config.data_dir) < before
    kill(status)
    status, emr = up(port=status.port)
    assert emr.list_clusters()["Clusters"] == []
    s3 = aws_client("s3", status.url, "us-east-1")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["emrkit-local"]
    assert "Contents" not in s3.list_objects_v2(Bucket="emrkit-local")


def test_a_server_needs_little_memory_however_much_s3_holds(up):
    status, _ = up()
    s3 = aws_client("s3", status.url, "us-east-1")
    block = os.urandom(6_000_000)
    held = []
    for number in range(50):
        s3.put_object(Bucket="emrkit-local", Key=f"{number}", Body=block)
        held.append(memory(status))
    assert max(held) < 250 * 1024 * 1024
    # The first ones bring what is imported, and the most that is under way at a time.
    assert max(held[10:]) - held[9] < 3 * len(block)
    kill(status)
    status, _ = up(port=status.port)
    s3 = aws_client("s3", status.url, "us-east-1")
    assert s3.get_object(Bucket="emrkit-local", Key="49")["Body"].read() == block
    assert memory(status) < 250 * 1024 * 1024


def memory(status) -> int:
    lines = Path(f"/proc/{status.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024


def test_an_ephemeral_server_begins_with_nothing_and_keeps_nothing(up):
    status, emr = up()
    emr.create_security_configuration(Name="kept", SecurityConfiguration="{}")
    kill(status)
    status, emr = up(port=status.port, ephemeral=True)
    assert emr.list_security_configurations()["SecurityConfigurations"] == []
    emr.create_security_configuration(Name="lost", SecurityConfiguration="{}")
    kill(status)
    _, emr = up(port=status.port)
    names = [found["Name"] for found in emr.list_security_configurations()["SecurityConfigurations"]]
    assert names == ["kept"]
