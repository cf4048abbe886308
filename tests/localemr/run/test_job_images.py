"""Job runs with an image, in an engine that is a small program."""

from __future__ import annotations

import threading

import pytest
from fake_engine import fake_engine  # noqa: F401 - the fixture
from waiting import wait_until

from airflow_provider_emrkit.exceptions import DockerError
from airflow_provider_emrkit.localemr.engine.settings import RECORDS
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import JobRunRequest
from airflow_provider_emrkit.logs.causes import find_cause
from airflow_provider_emrkit.runs.serverless_classify import classify_job_run
from airflow_provider_emrkit.runs.states import RunState, RunStatus

ECR = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
IMAGE = f"{ECR}/etl:1"


pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def start(jobs, run_id):
    def call(entry_point: str = "s3://code/job.py", image: str | None = IMAGE, attempt: int = 1, **fields):
        monitoring = {
            "s3MonitoringConfiguration": {"logUri": "s3://emr-logs/images/"},
            "cloudWatchLoggingConfiguration": {"enabled": True},
        }
        return jobs.start(
            JobRunRequest(
                "00fapp",
                run_id,
                attempt,
                "emr-7.11.0",
                entry_point,
                image_uri=image,
                monitoring=monitoring,
                **fields,
            )
        )

    return call


@pytest.fixture
def log(endpoint, run_id):
    logs = aws_client("logs", endpoint, "us-east-1")

    def lines(name: str, attempt: int = 1) -> list[str]:
        folder = f"{run_id}/attempts/{attempt}" if attempt > 1 else run_id
        stream = f"/applications/00fapp/jobs/{folder}/SPARK_DRIVER/{name}"
        page = logs.get_log_events(
            logGroupName="/aws/emr-serverless", logStreamName=stream, startFromHead=True
        )
        return [event["message"] for event in page["events"]]

    return lines


def test_a_job_runs_in_the_image_that_the_engine_has_without_its_registry(start, log, fake_engine):  # noqa: F811
    job = start()
    assert job.wait_begun()
    assert job.wait().succeeded
    assert len(fake_engine.calls("start")) == 1
    assert log("stdout")[-1] == "s3://code/job.py"
    assert fake_engine.containers() == []


def test_a_job_without_an_image_needs_no_engine(start, fake_engine):  # noqa: F811
    assert start(image=None).wait().succeeded
    assert fake_engine.calls() == []


def test_the_images_entry_point_plays_no_part(start, fake_engine):  # noqa: F811
    start().wait()
    (created,) = fake_engine.calls("create")
    assert "--entrypoint=bash" in created
    (asked,) = fake_engine.calls("run")
    assert "--entrypoint=bash" in asked
    assert "bash" not in asked


def test_the_job_is_the_user_hadoop_and_at_home_where_it_works(start, log, fake_spark):
    (fake_spark / "bin/spark-submit").write_text('#!/bin/sh\n[ "$HOME" = "$PWD" ] && echo "at home"\n')
    assert start().wait().succeeded
    assert log("stdout") == ["at home"]


def test_a_home_that_the_job_asks_for_is_its_home(start, log, fake_spark):
    (fake_spark / "bin/spark-submit").write_text("#!/bin/sh\necho $HOME\n")
    start(spark_submit_parameters="--conf spark.emr-serverless.driverEnv.HOME=/mine").wait()
    assert log("stdout") == ["/mine"]


def test_the_images_own_python_is_left_to_it_unless_the_job_names_one(start, log, fake_spark):
    (fake_spark / "bin/spark-submit").write_text("#!/bin/sh\necho ${PYSPARK_PYTHON-none}\n")
    start(attempt=1).wait()
    start(attempt=2, spark_submit_parameters="--conf spark.executorEnv.PYSPARK_PYTHON=/opt/python").wait()
    assert (log("stdout"), log("stdout", attempt=2)) == (["none"], ["/opt/python"])


def test_files_of_this_machine_are_not_seen_for_those_of_the_image(start, fake_engine, tmp_path):  # noqa: F811
    mine = tmp_path / "mine.py"
    mine.touch()
    start(str(mine), spark_submit_parameters=f"--files local://{mine} --archives file://{mine}").wait()
    assert not any(str(mine) in word for call in fake_engine.calls("create") for word in call)
    (created,) = fake_engine.calls("create")
    assert any("target=/etc/passwd" in word for word in created)


def test_an_image_of_the_executors_alone_takes_the_driver_along(start, log):
    assert start(image=None, executor_image_uri=IMAGE).wait().succeeded
    (said,) = log("stderr")
    assert f"the whole job runs in {IMAGE}" in said
    assert "its driver would run in EMR Serverless's own image" in said


def verdict(details: str):
    return classify_job_run(RunStatus(RunState.FAILED, "FAILED", details), find_cause([], details)).error


def test_an_image_that_is_nowhere_is_said_in_the_engines_words(start, log, fake_engine):  # noqa: F811
    missing = f"{ECR}/nothing:1"
    job = start(image=missing)
    assert not job.wait_begun()
    result = job.wait()
    assert (result.succeeded, result.cancelled) == (False, False)
    words = f"Error response from daemon: manifest for {missing} not found: manifest unknown"
    assert result.details == f"Job run failed: the image {missing} could not be pulled or started: {words}"
    assert words in log("stderr")
    assert verdict(result.details) is DockerError
    assert fake_engine.containers() == []


def test_without_an_engine_the_run_says_what_to_install(start, log, fake_engine):  # noqa: F811
    fake_engine.tell("fail-at-info", "Cannot connect to the Docker daemon")
    job = start()
    assert not job.wait_begun()
    details = job.wait().details
    assert "a job's image needs a container engine, and docker does not answer" in details
    assert verdict(details) is DockerError
    assert "name its socket in DOCKER_HOST" in "".join(log("stderr"))


def test_the_jobs_own_failure_is_what_the_run_fails_with(start):
    result = start("job-that-fails").wait()
    assert "ExitCode: 1. Last few exceptions: ValueError: boom" in result.details


@pytest.mark.parametrize("force", [False, True])
def test_a_cancelled_job_leaves_no_container(start, fake_engine, force):  # noqa: F811
    job = start("job-that-sleeps")
    wait_until(lambda: any(box.get("pid") for box in fake_engine.boxes()), "it runs")
    threading.Thread(target=job.cancel, kwargs={"force": force}).start()
    assert job.wait().cancelled
    assert fake_engine.containers() == []


def test_a_stop_leaves_no_container(jobs, start, fake_engine, server_config):  # noqa: F811
    job = start("job-that-sleeps")
    wait_until(lambda: any(box.get("pid") for box in fake_engine.boxes()), "it runs")
    jobs.stop()
    assert job.wait().cancelled
    assert fake_engine.containers() == []
    assert list((server_config.data_dir / RECORDS).iterdir()) == []
