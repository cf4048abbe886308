"""A local EMR whose process is killed: what it knew is known, what it ran is gone."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.launcher import start, stop
from airflow_provider_emrkit.localemr.processes import Process
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
        started.append(start(ServerConfig(**given), lambda _: None))
        return started[-1], aws_client("emr", started[-1].url, "us-east-1")

    yield call
    for status in started:
        if status.process.is_alive:
            stop(status, lambda _: None)


def kill(status) -> None:
    status.process.send(signal.SIGKILL)
    assert status.process.wait_gone(10)


def command(name: str, *args: str) -> dict:
    jar_step = {"Jar": "command-runner.jar", "Args": list(args)}
    return {"Name": name, "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar_step}


def await_file(path: Path) -> str:
    deadline, pause = time.monotonic() + 120, threading.Event()
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
    assert job.wait_gone(10)
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
