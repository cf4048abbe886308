"""Job runs of EMR Serverless from start to end, with a Spark that only prints its arguments."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import tarfile
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.processes import Process
from airflow_provider_emrkit.localemr.run import preparation as module
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError, JobRunRequest, JobRunResult
from airflow_provider_emrkit.localemr.run.job_runner import SparkJobRunner
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE, StepProcess
from airflow_provider_emrkit.localemr.spark.install import InstallError

APPLICATION = "00fapplication01"
LIVE = {"cloudWatchLoggingConfiguration": {"enabled": True}}
ON_S3 = {"s3MonitoringConfiguration": {"logUri": "s3://emr-logs/serverless/"}}
EXAMPLES = "local:///usr/lib/spark/examples/jars/spark-examples.jar"
TELLS = """#!/bin/sh
echo "DAY=$DAY"
echo "python=$PYSPARK_PYTHON"
echo "options=$SPARK_SUBMIT_OPTS"
[ ! -x ./environment/bin/python ] || ./environment/bin/python
ls
printf '<%s>\\n' "$@"
"""


@pytest.fixture
def start(jobs, run_id):
    def call(entry_point: str = "job.py", *arguments: str, attempt: int = 1, **fields):
        request = JobRunRequest(APPLICATION, run_id, attempt, "emr-7.11.0", entry_point, arguments, **fields)
        return jobs.start(request)

    return call


@pytest.fixture
def folder(run_id):
    return f"applications/{APPLICATION}/jobs/{run_id}"


def on_s3(endpoint: str, key: str) -> str:
    client = aws_client("s3", endpoint, "us-east-1")
    body = client.get_object(Bucket="emr-logs", Key=f"serverless/{key}")["Body"]
    return gzip.decompress(body.read()).decode()


def in_cloudwatch(endpoint: str, group: str, prefix: str) -> dict[str, list[str]]:
    logs = aws_client("logs", endpoint, "us-east-1")
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
    names = [stream["logStreamName"] for stream in streams]
    pages = {
        name: logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)
        for name in names
    }
    return {name: [event["message"] for event in page["events"]] for name, page in pages.items()}


def test_a_job_writes_its_log_where_emr_serverless_puts_it(start, endpoint, folder):
    result = start("s3://code/job.py", "a b", "", "--x", monitoring={**LIVE, **ON_S3}).wait()
    assert result == JobRunResult(succeeded=True)
    assert on_s3(endpoint, f"{folder}/SPARK_DRIVER/stdout.gz").endswith("s3://code/job.py\na b\n\n--x\n")
    assert on_s3(endpoint, f"{folder}/SPARK_DRIVER/stderr.gz") == ""
    streams = in_cloudwatch(endpoint, "/aws/emr-serverless", f"/{folder}")
    assert list(streams) == [f"/{folder}/SPARK_DRIVER/stdout"]
    assert streams[f"/{folder}/SPARK_DRIVER/stdout"][-4:] == ["s3://code/job.py", "a b", " ", "--x"]


def test_a_later_attempt_has_a_folder_of_its_own(start, endpoint, folder):
    start(monitoring=ON_S3).wait()
    start("other.py", attempt=2, monitoring=ON_S3).wait()
    assert on_s3(endpoint, f"{folder}/SPARK_DRIVER/stdout.gz").endswith("job.py\n")
    assert on_s3(endpoint, f"{folder}/attempts/2/SPARK_DRIVER/stdout.gz").endswith("other.py\n")


def test_a_first_attempt_that_may_not_be_the_last_has_one_too(start, endpoint, folder):
    start(monitoring=ON_S3, keeps_attempts_apart=True).wait()
    assert on_s3(endpoint, f"{folder}/attempts/1/SPARK_DRIVER/stdout.gz").endswith("job.py\n")


def test_group_prefix_and_types_of_logs_are_as_asked(start, endpoint, folder, fake_spark):
    (fake_spark / "bin/spark-submit").write_text("#!/bin/sh\necho out\necho err >&2\n")
    config = {
        "enabled": True,
        "logGroupName": "/mine",
        "logStreamNamePrefix": "a/b/",
        "logTypes": {"SPARK_DRIVER": ["stderr"], "SPARK_EXECUTOR": ["stdout"]},
    }
    assert start(monitoring={"cloudWatchLoggingConfiguration": config}).wait().succeeded
    assert in_cloudwatch(endpoint, "/mine", "a/") == {f"a/b/{folder}/SPARK_DRIVER/stderr": ["err"]}


@pytest.mark.parametrize(
    "monitoring",
    [
        {},
        {"cloudWatchLoggingConfiguration": {"enabled": False, "logGroupName": "/never"}},
        {"managedPersistenceMonitoringConfiguration": {"enabled": True}, "s3MonitoringConfiguration": {}},
    ],
)
def test_logs_go_nowhere_unless_asked_for(start, endpoint, monitoring, folder):
    assert start(monitoring=monitoring).wait().succeeded
    logs, s3 = aws_client("logs", endpoint, "us-east-1"), aws_client("s3", endpoint, "us-east-1")
    assert not logs.describe_log_groups(logGroupNamePrefix="/never")["logGroups"]
    assert not s3.list_objects_v2(Bucket="emr-logs", Prefix=f"serverless/{folder}").get("Contents")


def test_parameters_and_configurations_become_the_jobs(start, endpoint, folder, fake_spark, run_id):
    (fake_spark / "bin/spark-submit").write_text(TELLS)
    job = start(
        "s3://code/main.jar",
        "--conf",
        spark_submit_parameters="--class org.Main --conf spark.emr-serverless.driverEnv.DAY='1 2' "
        "--conf spark.executor.memory=3g --conf spark.executor.instances=4 "
        "--conf spark.dynamicAllocation.enabled=true",
        configurations=[
            {
                "classification": "spark-defaults",
                "properties": {
                    "spark.executorEnv.DAY": "other",
                    "spark.emr-serverless.driverEnv.PYSPARK_PYTHON": "./environment/bin/python",
                },
            }
        ],
        monitoring=ON_S3,
    )
    assert job.wait().succeeded
    told = on_s3(endpoint, f"{folder}/SPARK_DRIVER/stdout.gz").splitlines()
    assert "DAY=1 2" in told
    assert "python=./environment/bin/python" in told
    assert any(f"-Dspark.emrkit.owner={run_id}" in line for line in told)
    assert told[-2:] == ["<s3://code/main.jar>", "<--conf>"]
    assert told[told.index("<--class>") :][:2] == ["<--class>", "<org.Main>"]
    assert "<3072m>" in told
    assert not [line for line in told if "dynamicAllocation" in line]


def test_a_java_that_only_emr_has_is_ours(start, endpoint, folder, fake_spark, tmp_path):
    (fake_spark / "bin/spark-submit").write_text('#!/bin/sh\necho "$JAVA_HOME"\n')
    corretto = "/usr/lib/jvm/java-11-amazon-corretto.x86_64"
    variable = "spark.emr-serverless.driverEnv.JAVA_HOME"
    start(spark_submit_parameters=f"--conf {variable}={corretto}", monitoring=ON_S3).wait()
    assert on_s3(endpoint, f"{folder}/SPARK_DRIVER/stdout.gz").startswith(f"{tmp_path}/instance/jobs/")
    mine = tmp_path / "java"
    start(spark_submit_parameters=f"--conf {variable}={mine}", attempt=2, monitoring=ON_S3).wait()
    assert on_s3(endpoint, f"{folder}/attempts/2/SPARK_DRIVER/stdout.gz") == f"{mine}\n"


def test_an_archives_python_is_in_the_working_directory(start, endpoint, folder, fake_spark):
    (fake_spark / "bin/spark-submit").write_text(TELLS)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        program = b"#!/bin/sh\necho I am the packed Python\n"
        entry = tarfile.TarInfo("bin/python")
        entry.mode, entry.size = 0o755, len(program)
        archive.addfile(entry, io.BytesIO(program))
    s3 = aws_client("s3", endpoint, "us-east-1")
    s3.put_object(Bucket="emr-logs", Key="env.tar.gz", Body=packed.getvalue())
    s3.put_object(Bucket="emr-logs", Key="conf.json", Body=b"{}")
    parameters = "--archives s3://emr-logs/env.tar.gz#environment --files s3://emr-logs/conf.json"
    assert start(spark_submit_parameters=parameters, monitoring=ON_S3).wait().succeeded
    told = on_s3(endpoint, f"{folder}/SPARK_DRIVER/stdout.gz").splitlines()
    assert "I am the packed Python" in told
    assert "conf.json" in told


def test_a_job_that_fails_says_so_as_emr_serverless_does(start, endpoint, folder):
    result = start("job-that-fails", monitoring=ON_S3).wait()
    assert result == JobRunResult(
        succeeded=False,
        details="Job failed, please check complete logs in configured logging destination. ExitCode: 1. "
        "Last few exceptions: ValueError: boom",
    )


def test_a_job_killed_by_the_system_has_the_signals_exit_code(start, fake_spark):
    (fake_spark / "bin/spark-submit").write_text("#!/bin/sh\nkill -9 $$\n")
    assert "ExitCode: 137. " in start().wait().details


@pytest.mark.parametrize(
    ("entry_point", "parameters", "message"),
    [
        ("job.py", "--archives s3://emr-logs/absent.tar.gz#environment", "s3://emr-logs/absent.tar.gz can't"),
        ("job.py", "--conf 'spark.x=1", "No closing quotation"),
        ("job.py", "--files /etc/hosts#../../x", "leads out"),
        ("--kill", "", "'--kill' is no file"),
        (EXAMPLES, "--class org.apache.spark.examples.NoSuchThing", "NoSuchThing can't run here"),
    ],
)
def test_a_job_that_cannot_be_prepared_fails_and_says_so_in_its_log(
    start, endpoint, folder, entry_point, parameters, message
):
    result = start(entry_point, spark_submit_parameters=parameters, monitoring=ON_S3).wait()
    assert not result.succeeded
    assert re.search(f"^Job failed, .*{message}", result.details)
    log = on_s3(endpoint, f"{folder}/SPARK_DRIVER/stderr.gz").strip()
    assert log
    assert log in result.details


def sleeping(jobs_dir: Path) -> list[str]:
    return [str(path) for path in jobs_dir.glob("*/steps/driver/stdout") if "sleeping" in path.read_text()]


def wait_until(condition) -> None:
    deadline, pause = time.monotonic() + 20, threading.Event()
    while not condition():
        assert time.monotonic() < deadline
        pause.wait(0.02)


def processes_of(directory: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(directory).encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("force", [False, True])
def test_a_cancelled_job_leaves_nothing(start, server_config, force):
    job = start("job-that-sleeps")
    jobs_dir = server_config.data_dir / "jobs"
    wait_until(lambda: sleeping(jobs_dir))
    job.cancel(force=force)
    job.cancel(force=force)
    assert job.wait() == JobRunResult(succeeded=False, cancelled=True)
    assert processes_of(jobs_dir) == []
    assert list(jobs_dir.iterdir()) == []
    job.cancel(force=True)


def test_a_job_that_ends_in_good_order_when_it_is_cancelled_is_cancelled(start, fake_spark, tmp_path):
    begun = tmp_path / "begun"
    (fake_spark / "bin/spark-submit").write_text(
        f"#!/bin/sh\ntrap 'exit 0' TERM\n: > '{begun}'\nsleep 600 &\nwait\n"
    )
    job = start()
    wait_until(begun.exists)
    job.cancel()
    assert job.wait() == JobRunResult(succeeded=False, cancelled=True)


def test_a_job_that_is_cancelled_while_its_logs_are_written_has_succeeded(start, monkeypatch):
    job = start()
    close = job._logs.close
    monkeypatch.setattr(job._logs, "close", lambda: (job.cancel(), close()))
    assert job.wait() == JobRunResult(succeeded=True)


def test_a_job_whose_end_comes_before_its_cancel_has_succeeded(start):
    job = start()
    assert job.wait().succeeded
    job.cancel()
    assert job.wait().succeeded


def test_jobs_run_side_by_side_and_end_with_the_runner(jobs, server_config):
    running = [
        jobs.start(JobRunRequest(APPLICATION, f"00f{number}", 1, "emr-7.11.0", "job-that-sleeps"))
        for number in range(3)
    ]
    jobs_dir = server_config.data_dir / "jobs"
    wait_until(lambda: len(sleeping(jobs_dir)) == 3)
    jobs.stop()
    assert [job.wait().cancelled for job in running] == [True] * 3
    assert processes_of(jobs_dir) == []
    assert not jobs_dir.exists()
    jobs.stop()
    with pytest.raises(ClusterStartError, match="being stopped"):
        jobs.start(JobRunRequest(APPLICATION, "00flate", 1, "emr-7.11.0", "job.py"))
    assert processes_of(jobs_dir) == []


def test_a_new_runner_ends_what_a_killed_one_left(server_config, fake_spark):
    own = server_config.data_dir / "jobs" / "00fleft" / "steps" / "driver"
    own.mkdir(parents=True)
    # As a server leaves it that is killed: nobody waits for the process.
    process = StepProcess.start(["/bin/sleep", "600"], env=dict(os.environ), cwd=own, directory=own)
    assert (own / SESSION_FILE).is_file()
    SparkJobRunner(server_config)
    process.wait()
    assert Process.of(process.session.sid) is None
    assert list((server_config.data_dir / "jobs").iterdir()) == []


def test_software_that_cannot_be_had_is_said(jobs, start, monkeypatch):
    def refuse(*_):
        raise InstallError("Spark 3.5.6: the package index can't be reached")

    monkeypatch.setattr(module, "install_software", refuse)
    with pytest.raises(ClusterStartError, match="can't be reached"):
        start()
    with pytest.raises(ClusterStartError, match="can't be reached"):
        jobs.prepare("emr-7.11.0", print)


@pytest.mark.parametrize("label", ["emr-5.36.0", "emr-6.0.0", "nonsense"])
def test_a_release_that_cannot_run_is_refused(jobs, label):
    with pytest.raises(ClusterStartError):
        jobs.check(label)


def test_a_release_that_can_run_is_taken_for_any_architecture(jobs):
    jobs.check("emr-7.11.0")
    jobs.check("emr-7.11.0", "ARM64")
    jobs.prepare("emr-7.11.0", print)
