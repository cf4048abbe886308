"""Executors as processes of their own, in real Spark: their logs, their deaths, and that none is left."""

from __future__ import annotations

import contextlib
import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, JobRunRequest, StepRequest
from airflow_provider_emrkit.localemr.run.job_runner import SparkJobRunner
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

WORDS = "('{}', 42, 'mine', 'localemr')"
GROUP, JOB_GROUP = "/aws/emr/executors", "/aws/emr-serverless/executors"
HEAD = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.master('yarn').getOrCreate()\n"

# What a job brings with it is where a task of it works; how often it runs at once is what it asked for.
TELLS = (
    HEAD
    + """
import os, sys, time
def tell(number):
    import lib
    words = open("conf.json").read(), lib.VALUE, os.environ["MINE"], os.environ["AWS_ACCESS_KEY_ID"]
    # In one piece: the executor writes to the same file.
    sys.stderr.write(f"TASK {number} {words}\\n")
    time.sleep(0.5)
    return os.getcwd()
# One that starts late would find no task left. The driver is among those that are counted.
deadline = time.monotonic() + 120
while spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size() < 3:
    assert time.monotonic() < deadline, "no two executors"
    time.sleep(0.1)
where = set(spark.sparkContext.parallelize(range(8), 8).map(tell).collect())
print("EXECUTORS", len(where), os.getcwd() in where, spark.sparkContext.getConf().get("spark.executor.cores"))
spark.range(10).write.mode("overwrite").parquet("s3://data/executors")
print("ROWS", spark.read.parquet("s3://data/executors").count())
"""
)
# With one process for all, a task finds what the driver has put into its own directory.
FAILS_APART = (
    HEAD
    + """
open("made-by-the-driver", "w").close()
spark.sparkContext.parallelize([1], 1).map(lambda _: open("made-by-the-driver").name).collect()
"""
)
DIES = (
    HEAD
    + """
import os, time
def die(_):
    print("DYING", flush=True)
    daemon = os.getppid()
    executor = int(open(f"/proc/{daemon}/stat").read().rpartition(")")[2].split()[1])
    # What it prints takes its way through the executor, into a file where that runs.
    deadline = time.monotonic() + 60
    while "DYING" not in open(f"/proc/{executor}/cwd/stderr").read():
        assert time.monotonic() < deadline, "what was printed is not in the executor's log"
        time.sleep(0.1)
    os.kill(executor, 9)
spark.sparkContext.parallelize([1], 1).map(die).collect()
"""
)
# Spark waits five seconds for the exit code of an executor whose connection has ended, then it tells of that.
TELLS_EXIT_CODE = ("--conf", "spark.standalone.executorRemoveDelayOnDisconnection=120s")
RUNS_OUT_OF_MEMORY = HEAD + 'spark.range(1).selectExpr("length(repeat(string(id), 1900000000))").collect()\n'
SLEEPS = (
    HEAD
    + """
import time
def work(number):
    print("SLEEPING", flush=True)
    time.sleep(600)
spark.sparkContext.parallelize(range(4), 4).foreach(work)
"""
)


@pytest.fixture(scope="module")
def s3(endpoint):
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="data")
    jobs = {
        "tells.py": TELLS,
        "fails_apart.py": FAILS_APART,
        "dies.py": DIES,
        "memory.py": RUNS_OUT_OF_MEMORY,
        "sleeps.py": SLEEPS,
        "conf.json": "{}",
        "lib.py": "VALUE = 42\n",
    }
    for name, text in jobs.items():
        client.put_object(Bucket="data", Key=name, Body=text.encode())
    return client


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("localemr")


@pytest.fixture(scope="module")
def start(endpoint, s3, data_dir, server_config):
    """Start a cluster that wants to see its executors."""
    runner = SparkClusterRunner(server_config(endpoint, data_dir))
    types = {key: ["STDOUT", "STDERR"] for key in ("STEP_LOGS", "SPARK_DRIVER", "SPARK_EXECUTOR")}
    monitoring = {"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": GROUP, "LogTypes": types}}
    clusters: dict[str, Any] = {}

    def call(label: str):
        if label not in clusters:
            name = re.sub(r"\W", "", label).upper()
            request = ClusterRequest(f"j-{name}", label, log_uri="s3://data/logs/", monitoring=monitoring)
            clusters[label] = runner.start(request, print)
        return clusters[label]

    yield call
    for cluster in clusters.values():
        cluster.stop()


@pytest.fixture
def submit(start, request):
    """Start a spark-submit step."""

    def call(*args: str, label: str = "emr-7.11.0", mode: str = "cluster"):
        step_id = "s-" + re.sub(r"\W", "-", f"{request.node.name}").upper()[:60]
        argv = ["spark-submit", "--deploy-mode", mode, *args]
        return step_id, start(label).start_step(StepRequest(step_id, "e2e", "command-runner.jar", argv))

    return call


@pytest.fixture(scope="module")
def read(endpoint):
    """Read the streams of a group whose names fit a pattern, as one text each."""
    logs = aws_client("logs", endpoint, "us-east-1")

    def call(pattern: str, group: str = GROUP) -> dict[str, str]:
        found = {}
        pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
        try:
            names = [one["logStreamName"] for page in pages for one in page["logStreams"]]
        except logs.exceptions.ResourceNotFoundException:  # it is made with its first line
            return {}
        for name in filter(re.compile(pattern).search, names):
            events = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
            found[name] = "\n".join(event["message"] for event in events)
        return found

    return call


@pytest.fixture
def driver(read):
    """Read what a driver in deploy mode cluster has written, and give its application's id."""

    def call(step_id: str) -> tuple[str, str]:
        (report,) = read(f"^steps/{step_id}/stderr$").values()
        found = re.search(r"Submitted application (application_\w+)", report)
        assert found
        return found[1], "\n".join(read(f"^applications/{found[1]}/.*_000001/").values())

    return call


@pytest.mark.parametrize(
    ("label", "mode"),
    [("emr-6.8.0", "cluster"), ("emr-7.11.0", "client"), ("emr-spark-8.0.0", "cluster")],
)
def test_what_executors_write_is_where_emr_has_it(submit, read, s3, label, mode):
    files = ("--files", "s3://data/conf.json", "--py-files", "s3://data/lib.py")
    conf = ("--conf", "spark.executorEnv.MINE=mine", "--conf", "spark.dynamicAllocation.enabled=true")
    job = ("--num-executors", "2", "--executor-cores", "1", *files, *conf, "s3://data/tells.py")
    step_id, running = submit(*job, label=label, mode=mode)
    assert running.wait().succeeded
    (report,) = read(f"^steps/{step_id}/stderr$").values()
    (application,) = set(re.findall(r"Submitted application (application_\w+)", report))
    driver = (
        f"^applications/{application}/.*_000001/stdout$" if mode == "cluster" else f"^steps/{step_id}/stdout$"
    )
    (printed,) = read(driver).values()
    apart = f"^applications/{application}/.*_000001/stderr$"
    assert "EXECUTORS 2 False 1" in printed
    assert "ROWS 10" in printed
    # What starts executors here is none of the job's business, least of all when that ends.
    assert not re.search(
        r"Shutdown hooks| (Worker|Master|ExecutorRunner): ", "\n".join((report, *read(apart).values()))
    )
    executors = read(f"^applications/{application}/container_.*(?<!_000001)/stderr$")
    assert [name.split("_")[-1] for name in sorted(executors)] == ["000002/stderr", "000003/stderr"]
    written = "\n".join(executors.values())
    assert sorted(re.findall(r"TASK (\d)", written)) == [str(number) for number in range(8)]
    assert written.count(WORDS) == 8
    assert "Spark Executor Command" not in written
    cluster = f"logs/j-{re.sub(r'[^A-Z0-9]', '', label.upper())}"
    for name, text in executors.items():
        key = f"{cluster}/containers/{name.removeprefix('applications/')}.gz"
        packed = s3.get_object(Bucket="data", Key=key)["Body"].read()
        assert [line for line in gzip.decompress(packed).decode().split("\n") if line.strip()] == [
            line for line in text.split("\n") if line.strip()
        ]


def test_a_task_that_fails_only_in_an_executor_fails(submit, driver, read):
    step_id, running = submit(
        "--num-executors", "1", "--conf", "spark.task.maxFailures=1", "s3://data/fails_apart.py"
    )
    assert not running.wait().succeeded
    application, written = driver(step_id)
    assert "No such file or directory: 'made-by-the-driver'" in written
    (executor,) = read(f"^applications/{application}/.*_000002/stderr$").values()
    assert "No such file or directory: 'made-by-the-driver'" in executor


def test_a_job_whose_executor_is_killed_has_lost_it(submit, driver, read):
    conf = ("--num-executors", "1", "--conf", "spark.task.maxFailures=1", *TELLS_EXIT_CODE)
    step_id, running = submit(*conf, "s3://data/dies.py")
    assert not running.wait().succeeded
    application, written = driver(step_id)
    assert re.search(r"ExecutorLostFailure \(executor 0 exited .*Command exited with code 137", written)
    (executor,) = read(f"^applications/{application}/.*_000002/stderr$").values()
    assert "DYING" in executor


def test_an_executor_without_memory_ends_as_on_emr_and_another_takes_its_place(submit, driver, read):
    conf = ("--num-executors", "1", "--executor-memory", "512m", "--conf", "spark.task.maxFailures=2")
    conf += TELLS_EXIT_CODE
    step_id, running = submit(*conf, "s3://data/memory.py")
    assert not running.wait().succeeded
    application, written = driver(step_id)
    assert re.search(r"Lost executor 0 on .*: Command exited with code 52", written)
    assert "failed 2 times" in written
    executors = read(f"^applications/{application}/.*_00000[23]/stderr$")
    assert [text.count("java.lang.OutOfMemoryError") > 0 for text in executors.values()] == [True, True]


def processes(directory: Path) -> list[str]:
    """The command lines of processes that have to do with a directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(directory) in line:
                found.append(line)
    return found


@pytest.mark.parametrize("force", [False, True])
def test_a_job_that_is_killed_leaves_no_executor(submit, read, data_dir, force, wait_until):
    step_id, running = submit("s3://data/sleeps.py", mode="client")
    application = wait_until(
        lambda: re.search(
            r"Submitted application (application_\w+)", "".join(read(f"^steps/{step_id}/stderr$").values())
        ),
        "an application",
        120,
    )[1]
    wait_until(lambda: "SLEEPING" in "".join(read(f"{application}/").values()), "a task", 120)
    wait_until(
        lambda: sum("CoarseGrainedExecutorBackend" in line for line in processes(data_dir)) == 2,
        "two executors",
    )
    running.cancel(force=force)
    assert running.wait().cancelled
    assert processes(data_dir / "clusters" / "j-EMR7110" / "steps" / step_id) == []
    assert [line for line in processes(data_dir) if "CoarseGrained" in line or "daemon" in line] == []


def test_a_job_run_that_asks_for_them_has_its_executors_logs(endpoint, s3, server_config, tmp_path, read):
    runner = SparkJobRunner(server_config(endpoint, tmp_path))
    monitoring = {
        "s3MonitoringConfiguration": {"logUri": "s3://data/serverless"},
        "cloudWatchLoggingConfiguration": {
            "enabled": True,
            "logGroupName": JOB_GROUP,
            "logTypes": {"SPARK_DRIVER": ["stdout", "stderr"], "SPARK_EXECUTOR": ["stderr"]},
        },
    }
    parameters = (
        "--conf spark.executor.cores=1 --conf spark.executor.instances=2 --conf spark.executorEnv.MINE=mine "
        "--files s3://data/conf.json --py-files s3://data/lib.py"
    )
    request = JobRunRequest(
        "00app",
        "00run",
        1,
        "emr-7.11.0",
        "s3://data/tells.py",
        spark_submit_parameters=parameters,
        monitoring=monitoring,
    )
    try:
        result = runner.start(request).wait()
        assert result.succeeded, result
    finally:
        runner.stop()
    streams = read("SPARK_EXECUTOR", JOB_GROUP)
    folder = "/applications/00app/jobs/00run/SPARK_EXECUTOR"
    assert sorted(streams) == [f"{folder}/1/stderr", f"{folder}/2/stderr"]
    assert "\n".join(streams.values()).count(WORDS) == 8
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="data", Prefix=f"serverless{folder}")["Contents"]]
    assert [key.rpartition("SPARK_EXECUTOR/")[2] for key in keys] == [
        "1/stderr.gz",
        "1/stdout.gz",
        "2/stderr.gz",
        "2/stdout.gz",
    ]
