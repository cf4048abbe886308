"""Clusters and steps from start to end, with a Spark that only prints its arguments."""

from __future__ import annotations

import gc
import gzip
import os
import re
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.run import preparation as module
from airflow_provider_emrkit.localemr.run.bootstrap import master_instance_id
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, ClusterStartError, StepRequest
from airflow_provider_emrkit.localemr.run.process import Session, StepProcess
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner
from airflow_provider_emrkit.localemr.spark.install import InstallError

if TYPE_CHECKING:
    from pathlib import Path

LIVE = {"CloudWatchLogConfiguration": {"Enabled": True}}


def step(*args: str, step_id: str = "s-1", jar: str = "command-runner.jar") -> StepRequest:
    return StepRequest(step_id, "a step", jar, args)


def on_s3(endpoint: str, key: str) -> str:
    body = aws_client("s3", endpoint, "us-east-1").get_object(Bucket="emr-logs", Key=key)["Body"]
    return gzip.decompress(body.read()).decode()


def in_cloudwatch(endpoint: str, group: str) -> dict[str, list[str]]:
    logs = aws_client("logs", endpoint, "us-east-1")
    streams = [
        stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group)["logStreams"]
    ]
    return {
        stream: [
            event["message"]
            for event in logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)[
                "events"
            ]
        ]
        for stream in streams
    }


def test_in_client_mode_everything_is_the_steps_own_log(start, endpoint):
    cluster = start("j-CLIENT", log_uri="s3n://emr-logs/a", monitoring=LIVE)
    result = cluster.start_step(step("spark-submit", "job.py", "a b", "x\ny")).wait()
    assert result.succeeded
    assert on_s3(endpoint, "a/j-CLIENT/steps/s-1/stdout.gz").endswith("job.py\na b\nx\ny\n")
    assert "exit code 0" in on_s3(endpoint, "a/j-CLIENT/steps/s-1/controller.gz")
    assert in_cloudwatch(endpoint, "/aws/emr/j-CLIENT")["steps/s-1/stdout"][-4:] == [
        "job.py",
        "a b",
        "x",
        "y",
    ]


def test_in_cluster_mode_the_driver_has_a_container(start, endpoint):
    cluster = start("j-CLUSTER", log_uri="s3://emr-logs/", monitoring=LIVE)
    assert cluster.start_step(step("spark-submit", "--deploy-mode", "cluster", "job.py")).wait().succeeded
    streams = in_cloudwatch(endpoint, "/aws/emr/j-CLUSTER")
    report = streams["steps/s-1/stderr"]
    application = next(line.split()[-1] for line in report if "Submitted application" in line)
    container = application.replace("application", "container") + "_01_000001"
    assert streams[f"applications/{application}/{container}/stdout"][-1] == "job.py"
    assert "steps/s-1/stdout" not in streams
    assert on_s3(endpoint, f"j-CLUSTER/containers/{application}/{container}/stdout.gz").endswith("job.py\n")
    assert any("final status: SUCCEEDED" in line for line in report)


def test_applications_of_one_cluster_have_different_ids(start, tmp_path):
    cluster = start()
    for number in (1, 2):
        cluster.start_step(
            step("spark-submit", "--deploy-mode", "cluster", "job.py", step_id=f"s-{number}")
        ).wait()
    logs = (tmp_path / "instance").glob("clusters/*/steps/s-*/stderr")
    ids = {line.split()[-1] for log in logs for line in log.read_text().splitlines() if "Submitted" in line}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        pytest.param(["spark-submit", "job-that-fails"], "ValueError: boom", id="client"),
        pytest.param(
            ["spark-submit", "--deploy-mode", "cluster", "job-that-fails"],
            r'Exception in thread "main" .* Application application_\d+_0001 finished with failed status',
            id="cluster",
        ),
        pytest.param(["bash", "-c", "echo no such table >&2; exit 3"], "no such table", id="script"),
        pytest.param(["false"], "exit code 1", id="silent"),
        pytest.param(["no-such-program"], "Cannot run program 'no-such-program'", id="unknown-program"),
        pytest.param([], "Args is empty", id="nothing"),
    ],
)
def test_a_failure_says_why_and_where(start, args, message):
    cluster = start(log_uri="s3://emr-logs/f")
    result = cluster.start_step(step(*args)).wait()
    assert not result.succeeded
    assert not result.cancelled
    assert result.reason == "Unknown Error."
    assert re.search(message, result.message)
    assert result.log_file.startswith("s3://emr-logs/f/j-")
    assert result.log_file.endswith("/steps/s-1/stderr.gz")


def test_a_log_bucket_that_is_not_there_fails_no_step(start, caplog):
    cluster = start(log_uri="s3://absent-bucket/")
    assert cluster.start_step(step("true")).wait().succeeded
    assert "absent-bucket" in caplog.text


def test_cancel_ends_a_step(start):
    cluster = start()
    running = cluster.start_step(step("sleep", "600"))
    threading.Timer(0.1, running.cancel).start()
    result = running.wait()
    assert result.cancelled
    assert not result.succeeded
    running.cancel()
    assert running.wait() is result


def test_a_step_that_ignores_the_interrupt_runs_on_until_it_is_killed(start, tmp_path):
    script = f"trap '' TERM; touch {tmp_path}/ready; while :; do sleep 0.05; done"
    running = start().start_step(step("bash", "-c", script))
    deadline, pause = time.monotonic() + 20, threading.Event()
    while not (tmp_path / "ready").exists():
        assert time.monotonic() < deadline
        pause.wait(0.02)
    waiter = threading.Thread(target=running.wait)
    waiter.start()
    running.cancel()
    waiter.join(0.5)
    assert waiter.is_alive()
    running.cancel(force=True)
    waiter.join(10)
    assert running.wait().cancelled


def test_steps_run_side_by_side(start, tmp_path):
    # Each waits for a file that the other one makes.
    script = 'touch "$1"; for _ in $(seq 200); do [ -e "$2" ] && exit 0; sleep 0.05; done; exit 1'
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    cluster = start()
    first = cluster.start_step(step("bash", "-c", script, "x", a, b, step_id="s-1"))
    second = cluster.start_step(step("bash", "-c", script, "x", b, a, step_id="s-2"))
    assert first.wait().succeeded
    assert second.wait().succeeded


def test_stop_kills_and_removes(start, tmp_path):
    cluster = start()
    running = cluster.start_step(step("sleep", "600"))
    cluster.stop()
    cluster.stop()
    assert not running.wait().succeeded
    assert list((tmp_path / "instance" / "clusters").iterdir()) == []
    with pytest.raises(RuntimeError, match="was stopped"):
        cluster.start_step(step("true", step_id="s-2"))


def test_a_new_runner_ends_what_an_earlier_one_left(runner, server_config, tmp_path):
    left = tmp_path / "instance" / "clusters" / "j-OLD" / "steps" / "s-1"
    left.mkdir(parents=True)
    process = StepProcess(["sleep", "600"], env={"PATH": os.defpath}, cwd=tmp_path, mark="left-behind")
    process.session.save(left / "process.json")
    assert Session.load(left / "process.json") == process.session
    waiter = threading.Thread(target=process.wait)
    waiter.start()
    SparkClusterRunner(server_config)
    waiter.join(10)
    assert not waiter.is_alive()
    assert not left.exists()


@pytest.mark.parametrize("label", ["emr-5.36.0", "emr-seven"])
def test_a_label_that_cannot_run_is_refused_before_a_cluster_is_made(runner, label):
    with pytest.raises(ClusterStartError, match="emr-"):
        runner.check(label)


def test_software_that_cannot_be_had_is_the_clusters_reason(runner, monkeypatch, tmp_path):
    def refuse(*_):
        raise InstallError("Spark 3.5.6: the package index can't be reached")

    monkeypatch.setattr(module, "install_software", refuse)
    with pytest.raises(ClusterStartError, match="can't be reached"):
        runner.start(ClusterRequest("j-1", "emr-7.11.0"), print)


def bootstrap(path: Path, *args: str) -> list[dict]:
    return [{"Name": "one", "ScriptBootstrapAction": {"Path": str(path), "Args": list(args)}}]


def test_a_bootstrap_action_really_runs_in_the_clusters_environment(start, tmp_path, endpoint):
    script = tmp_path / "boot.sh"
    script.write_text('#!/bin/bash\necho "$1" > ~/made; which python3; echo $AWS_ACCESS_KEY_ID')
    cluster = start("j-BOOT", log_uri="s3://emr-logs/", bootstrap_actions=bootstrap(script, "a b"))
    assert cluster.start_step(step("bash", "-c", 'grep "a b" ~/made')).wait().succeeded
    log = on_s3(endpoint, f"j-BOOT/node/{master_instance_id('j-BOOT')}/bootstrap-actions/1/stdout.gz")
    assert "/j-BOOT/bin/python3" in log
    assert log.endswith("localemr\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("echo no disk >&2; exit 7", "{}, bootstrap action 1 {}$", id="fails"),
        pytest.param(None, "download bootstrap action 1 file from S3: .*can't be read", id="absent"),
    ],
)
def test_a_bootstrap_action_that_fails_stops_the_cluster(start, tmp_path, text, message):
    script = tmp_path / "boot.sh"
    if text:
        script.write_text(text)
    instance = master_instance_id("j-BAD")
    where = rf"^On the master instance \({instance}\)"
    with pytest.raises(
        ClusterStartError, match=message.format(where, "returned a non-zero return code")
    ) as caught:
        start("j-BAD", log_uri="s3://emr-logs/", bootstrap_actions=bootstrap(script))
    assert caught.value.code == "BOOTSTRAP_FAILURE"
    (detail,) = caught.value.details
    assert {"primary-instance-id": instance} in detail["ErrorData"]
    assert list((tmp_path / "instance" / "clusters").iterdir()) == []


def test_the_log_of_a_bootstrap_action_says_how_it_ended(start, tmp_path, endpoint):
    script = tmp_path / "boot.sh"
    script.write_text("echo no disk >&2; exit 7")
    with pytest.raises(ClusterStartError):
        start("j-BADLOG", log_uri="s3://emr-logs/", bootstrap_actions=bootstrap(script, "a b"))
    folder = f"j-BADLOG/node/{master_instance_id('j-BADLOG')}/bootstrap-actions/1"
    assert on_s3(endpoint, f"{folder}/stderr.gz") == "no disk\n"
    assert on_s3(endpoint, f"{folder}/stdout.gz") == ""
    told = [line.split(" ", 1)[1] for line in on_s3(endpoint, f"{folder}/controller.gz").splitlines()]
    assert told == [
        f"INFO Fetching file '{script}'",
        f"""INFO startExec "{script} 'a b'\"""",
        f"INFO waitProcessCompletion ended with exit code 7 : {script}",
        "ERROR Execution failed with code '7'",
    ]


def test_without_logs_on_s3_the_reason_says_what_a_bootstrap_action_wrote(start, tmp_path):
    script = tmp_path / "boot.sh"
    script.write_text("echo no disk >&2; exit 7")
    with pytest.raises(ClusterStartError, match=r"non-zero return code: no disk$"):
        start("j-BAD", bootstrap_actions=bootstrap(script))


def test_a_bootstrap_action_ends_when_the_cluster_is_not_wanted_any_more(runner, tmp_path):
    pid_file, script = tmp_path / "pid", tmp_path / "boot.sh"
    # The file is there with its text.
    script.write_text(
        f"setsid sleep 600 &\necho $! > {pid_file}.part\nmv {pid_file}.part {pid_file}\nsleep 600\n"
    )

    def progress(_: str) -> None:
        if pid_file.exists():
            raise ClusterStartError("the cluster was terminated", "USER_REQUEST")

    request = ClusterRequest("j-UNWANTED", "emr-7.11.0", bootstrap_actions=bootstrap(script))
    with pytest.raises(ClusterStartError, match="was terminated"):
        runner.start(request, progress)
    assert Process.of(int(pid_file.read_text())) is None
    assert not (tmp_path / "instance" / "clusters" / "j-UNWANTED").exists()


@pytest.mark.parametrize(
    ("arguments", "jar"),
    [
        pytest.param([], "file://[x/y.jar", id="odd-uri"),
        pytest.param(
            ["spark-submit", "--deploy-mode", "cluster", "--files", "/etc/hosts#a/b", "x.py"],
            "command-runner.jar",
            id="alias-in-no-directory",
        ),
        pytest.param(
            ["spark-submit", "--properties-file", "/proc/self/mem", "x.py"],
            "command-runner.jar",
            id="unreadable-properties",
        ),
    ],
)
def test_a_step_that_cannot_be_prepared_says_so_in_its_log(start, endpoint, request, arguments, jar):
    name = f"j-ODD{abs(hash(request.node.name))}"
    result = start(name, log_uri="s3://emr-logs/").start_step(step(*arguments, jar=jar)).wait()
    assert not result.succeeded
    assert result.message in on_s3(endpoint, f"{name}/steps/s-1/stderr.gz")


def test_steps_that_are_over_take_no_memory(start):
    cluster = start("j-MANY")
    steps = [cluster.start_step(step("true", step_id=f"s-{number}")) for number in range(3)]
    for started in steps:
        started.wait()
    alive = [weakref.ref(started) for started in steps]
    del steps, started
    last = cluster.start_step(step("true", step_id="s-last"))
    gc.collect()
    assert [known() for known in alive] == [None] * 3
    assert last.wait().succeeded


def test_clusters_share_their_clients(endpoint):
    assert aws_client("s3", endpoint, "us-east-1") is aws_client("s3", endpoint, "us-east-1")
    assert aws_client("s3", endpoint, "us-east-1") is not aws_client("s3", endpoint, "eu-west-1")
