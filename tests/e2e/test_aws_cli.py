"""The stock AWS CLI against a local EMR that was started with ``emrkit local up``, with real Spark."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import client_environment
from airflow_provider_emrkit.localemr.processes import Process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

REPOSITORY = Path(__file__).resolve().parents[2]
EMRKIT = [sys.executable, "-c", "import sys; from airflow_provider_emrkit.cli import main; sys.exit(main())"]
LABEL = "emr-7.11.0"
ROLE = "arn:aws:iam::123456789012:role/job"
ENDED_RUN = ("SUCCESS", "FAILED", "CANCELLED")
JOB = """
import sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
source, target = sys.argv[1:]
people = spark.read.csv(source, header=True, inferSchema=True)
people.groupBy("team").sum("points").write.parquet(target)
print("rows:", spark.read.parquet(target).count())
"""
PEOPLE = "name,team,points\nAda,red,1\nBob,blue,2\nCy,red,3\n"

# The CLI's waiters sleep 30 s between two requests; held back by the server, they need not.
WAITERS_SLEEP = 30


def emrkit(*arguments):
    done = subprocess.run(
        [*EMRKIT, "local", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Cli:
    """The AWS CLI in an environment of its own.

    :param url: The local EMR's address.
    :param data_dir: Its data directory.
    """

    def __init__(self, url, pid, data_dir):
        self.url = url
        self.pid = pid
        self.data_dir = data_dir
        self.program = _program()
        settings = {
            name: value for name, value in client_environment(url).items() if name != "AWS_ENDPOINT_URL"
        }
        self.environment = {**os.environ, **settings, "AWS_PAGER": ""}

    def __call__(self, *arguments):
        """Run a command and give its JSON answer, or its text."""
        done = subprocess.run(
            [self.program, "--endpoint-url", self.url, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"aws {arguments}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout


def _program():
    own = REPOSITORY / ".venv" / "awscli" / "bin" / "aws"
    found = str(own) if own.exists() else shutil.which("aws")
    if found is None:
        pytest.fail("the AWS CLI is missing; install it with: python3 dev/bootstrap.py awscli")
    return found


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("localemr") / "data"
    up = emrkit("up", "--port", 0, "--data-dir", data_dir)
    url, pid = re.search(r"local EMR at (\S+) \(pid (\d+)\)", up).groups()
    cli = Cli(url, int(pid), data_dir)
    files = tmp_path_factory.mktemp("files")
    (files / "job.py").write_text(JOB)
    (files / "people.csv").write_text(PEOPLE)
    cli("s3", "mb", "s3://cli")
    cli("s3", "cp", "--recursive", str(files), "s3://cli/in")
    yield cli
    emrkit("down", "--data-dir", data_dir)


@pytest.fixture
def cluster_id(aws):
    made = aws(
        *("emr", "create-cluster", "--name", "cli", "--release-label", LABEL, "--applications", "Name=Spark"),
        *("--instance-type", "m5.xlarge", "--instance-count", "2", "--use-default-roles"),
        *("--log-uri", "s3://cli/logs/", "--tags", "team=data", "--configurations"),
        '[{"Classification":"spark-defaults","Properties":{"spark.sql.shuffle.partitions":"2"}}]',
    )
    aws("emr", "wait", "cluster-running", "--cluster-id", made["ClusterId"])
    yield made["ClusterId"]
    aws("emr", "terminate-clusters", "--cluster-ids", made["ClusterId"])
    aws("emr", "wait", "cluster-terminated", "--cluster-id", made["ClusterId"])
    status = aws("emr", "describe-cluster", "--cluster-id", made["ClusterId"])["Cluster"]["Status"]
    assert status["State"] == "TERMINATED"
    assert status["StateChangeReason"]["Code"] == "USER_REQUEST"


def add_step(aws, cluster_id, step):
    return aws("emr", "add-steps", "--cluster-id", cluster_id, "--steps", step)["StepIds"][0]


def test_a_spark_step_from_beginning_to_end(aws, cluster_id):
    cluster = aws("emr", "describe-cluster", "--cluster-id", cluster_id)["Cluster"]
    assert cluster["Status"]["State"] == "WAITING"
    assert cluster["Tags"] == [{"Key": "team", "Value": "data"}]
    assert [group["InstanceGroupType"] for group in cluster["InstanceGroups"]] == ["MASTER", "CORE"]

    args = "s3://cli/in/job.py,s3://cli/in/people.csv,s3://cli/out"
    step_id = add_step(aws, cluster_id, f"Type=Spark,Name=points,ActionOnFailure=CONTINUE,Args=[{args}]")
    aws("emr", "wait", "step-complete", "--cluster-id", cluster_id, "--step-id", step_id)

    step = aws("emr", "describe-step", "--cluster-id", cluster_id, "--step-id", step_id)["Step"]
    assert step["Status"]["State"] == "COMPLETED"
    assert step["Config"]["Args"] == ["spark-submit", *args.split(",")]
    listed = aws("emr", "list-steps", "--cluster-id", cluster_id, "--step-states", "COMPLETED")["Steps"]
    assert [(item["Id"], item["Name"]) for item in listed] == [(step_id, "points")]
    assert "_SUCCESS" in aws("s3", "ls", "s3://cli/out/")
    assert "stdout.gz" in aws("s3", "ls", f"s3://cli/logs/{cluster_id}/steps/{step_id}/")

    # A step that takes no longer than a request is held back, however slow Spark is here.
    short = 'Jar=command-runner.jar,Args=[bash,-c,"sleep 5"]'
    step_id = add_step(aws, cluster_id, f"Type=CUSTOM_JAR,Name=short,ActionOnFailure=CONTINUE,{short}")
    begun = time.monotonic()
    aws("emr", "wait", "step-complete", "--cluster-id", cluster_id, "--step-id", step_id)
    assert time.monotonic() - begun < WAITERS_SLEEP


def test_a_step_that_fails_says_why(aws, cluster_id):
    step_id = add_step(
        aws, cluster_id, "Type=Spark,Name=lost,ActionOnFailure=CONTINUE,Args=[s3://cli/gone.py]"
    )
    wait_in_vain(aws, cluster_id, step_id)
    status = aws("emr", "describe-step", "--cluster-id", cluster_id, "--step-id", step_id)["Step"]["Status"]
    assert status["State"] == "FAILED"
    assert "gone.py" in status["FailureDetails"]["Message"]


def test_a_running_step_can_be_cancelled(aws, cluster_id):
    command = 'Jar=command-runner.jar,Args=[bash,-c,"sleep 600"]'
    step_id = add_step(aws, cluster_id, f"Type=CUSTOM_JAR,Name=sleep,ActionOnFailure=CONTINUE,{command}")
    wait_for_a_child(aws.pid, "sleep\x00600")
    aws("emr", "cancel-steps", "--cluster-id", cluster_id, "--step-ids", step_id)
    wait_in_vain(aws, cluster_id, step_id)
    step = aws("emr", "describe-step", "--cluster-id", cluster_id, "--step-id", step_id)["Step"]
    assert step["Status"]["State"] == "CANCELLED"


def test_a_serverless_job_from_beginning_to_end(aws):
    made = aws(
        "emr-serverless", "create-application", "--name", "cli", "--release-label", LABEL, "--type", "SPARK"
    )
    application = ("--application-id", made["applicationId"])
    driver = {
        "sparkSubmit": {
            "entryPoint": "s3://cli/in/job.py",
            "entryPointArguments": ["s3://cli/in/people.csv", "s3://cli/serverless-out"],
        }
    }
    logs = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://cli/logs/"}}}
    started = aws(
        *("emr-serverless", "start-job-run", *application, "--execution-role-arn", ROLE, "--name", "points"),
        *("--job-driver", json.dumps(driver), "--configuration-overrides", json.dumps(logs)),
    )
    run = (*application, "--job-run-id", started["jobRunId"])
    deadline = time.monotonic() + 400
    while (seen := aws("emr-serverless", "get-job-run", *run)["jobRun"])["state"] not in ENDED_RUN:
        assert time.monotonic() < deadline, seen
    assert seen["state"] == "SUCCESS", seen
    listed = aws("emr-serverless", "list-job-runs", *application, "--states", "SUCCESS")["jobRuns"]
    assert [(item["id"], item["name"]) for item in listed] == [(started["jobRunId"], "points")]
    assert "_SUCCESS" in aws("s3", "ls", "s3://cli/serverless-out/")
    folder = f"s3://cli/logs/applications/{made['applicationId']}/jobs/{started['jobRunId']}/SPARK_DRIVER/"
    assert "stdout.gz" in aws("s3", "ls", folder)
    aws("emr-serverless", "stop-application", *application)


def wait_in_vain(aws, cluster_id, step_id):
    """Wait for a step that does not complete; 255 is the CLI's exit code for that."""
    ids = ["--cluster-id", cluster_id, "--step-id", step_id]
    command = [aws.program, "--endpoint-url", aws.url, "emr", "wait", "step-complete", *ids]
    waited = subprocess.run(command, env=aws.environment, capture_output=True, check=False, timeout=240)
    assert waited.returncode == 255


def wait_for_a_child(pid, command):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in Process.of(pid).descendants():
            if command in command_line(process):
                return process
        time.sleep(0.1)
    raise AssertionError(f"{command!r} never ran")


def command_line(process):
    try:
        return Path(f"/proc/{process.pid}/cmdline").read_text()
    except OSError:
        return ""


def test_down_leaves_no_process_of_a_step_behind(tmp_path):
    data_dir = tmp_path / "data"
    up = emrkit("up", "--port", 0, "--data-dir", data_dir)
    url, pid = re.search(r"local EMR at (\S+) \(pid (\d+)\)", up).groups()
    aws = Cli(url, int(pid), data_dir)
    step = {
        "Type": "CUSTOM_JAR",
        "Name": "sleep",
        "Jar": "command-runner.jar",
        # A child in a session of its own, that nobody waits for.
        "Args": ["bash", "-c", "setsid sleep 601 & exec sleep 602"],
    }
    aws(
        *(
            "emr",
            "create-cluster",
            "--name",
            "down",
            "--release-label",
            LABEL,
            "--instance-type",
            "m5.xlarge",
        ),
        *("--use-default-roles", "--steps", json.dumps([step])),
    )
    processes = [wait_for_a_child(int(pid), "sleep\x00602"), wait_for_a_child(int(pid), "sleep\x00601")]
    emrkit("down", "--data-dir", data_dir)
    assert [process for process in [*processes, Process.of(int(pid))] if process and process.is_alive] == []
