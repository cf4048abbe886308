"""Steps in real Spark: s3://, logs, failures, cancelling, and nothing of the user's in a job."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

LABEL = "emr-7.11.0"
CLUSTER = "j-REALSPARK"
GROUP = "/aws/emr/e2e"
HEAD = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"

WORD_COUNT = (
    HEAD
    + """
import sys
from pyspark.sql import functions as f
source, target = sys.argv[1:]
words = spark.read.text(source).select(f.explode(f.split("value", " ")).alias("word"))
words.groupBy("word").count().write.mode("overwrite").partitionBy("count").parquet(target)
print("rows:", spark.read.parquet(target).count())
"""
)
TELL = HEAD + "import json, os, sys\nprint('TOLD ' + json.dumps([sys.argv[1:], dict(os.environ)]))\n"
FAILS = HEAD + "spark.range(1).collect()\nraise ValueError('no such day')\n"
FAILS_IN_TASK = HEAD + "spark.sparkContext.parallelize([1, 0]).map(lambda number: 1 // number).collect()\n"
SLEEPS = (
    HEAD
    + """
import time
def work(number):
    time.sleep(600)
print("sleeping", flush=True)
spark.sparkContext.parallelize(range(2), 2).foreach(work)
"""
)
IN_THE_WORKING_DIRECTORY = HEAD + "import lib\nprint(open('conf.json').read(), lib.VALUE)\n"


@pytest.fixture(scope="module")
def s3(endpoint):
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="data")
    for name, text in {
        "word_count.py": WORD_COUNT,
        "tell.py": TELL,
        "fails.py": FAILS,
        "fails_in_task.py": FAILS_IN_TASK,
        "sleeps.py": SLEEPS,
        "files.py": IN_THE_WORKING_DIRECTORY,
        "conf.json": "{}",
        "words.txt": "a b a\nc a",
    }.items():
        client.put_object(Bucket="data", Key=name, Body=text.encode())
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("lib.py", "VALUE = 42\n")
    client.put_object(Bucket="data", Key="lib.zip", Body=archive.getvalue())
    return client


@pytest.fixture(scope="module")
def clusters_dir(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("localemr")


@pytest.fixture(scope="module")
def cluster(endpoint, s3, clusters_dir, server_config):
    runner = SparkClusterRunner(server_config(endpoint, clusters_dir))
    request = ClusterRequest(
        CLUSTER,
        LABEL,
        log_uri="s3://data/logs/",
        monitoring={"CloudWatchLogConfiguration": {"Enabled": True, "LogGroupName": GROUP}},
    )
    started = runner.start(request, print)
    yield started
    started.stop()


@pytest.fixture
def submit(cluster, request):
    """Start a spark-submit step whose id is made from the test's name."""

    def call(*args: str, number: int = 1):
        step_id = f"s-{request.node.name.upper()[:60].replace('[', '-').replace(']', '')}-{number}"
        running = cluster.start_step(
            StepRequest(step_id, "e2e", "command-runner.jar", ["spark-submit", *args])
        )
        return step_id, running

    return call


@pytest.fixture
def log(endpoint, s3):
    """Read a stream of CloudWatch Logs, and check that the file on S3 says the same."""
    logs = aws_client("logs", endpoint, "us-east-1")

    def lines(stream: str) -> list[str]:
        found: list[str] = []
        token: dict[str, Any] = {}
        while True:
            page = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True, **token)
            found += [event["message"] for event in page["events"]]
            if not page["events"]:
                break
            token = {"nextToken": page["nextForwardToken"]}
        key = f"logs/{CLUSTER}/{stream.replace('applications/', 'containers/')}.gz"
        stored = gzip.decompress(s3.get_object(Bucket="data", Key=key)["Body"].read()).decode()
        assert stored.splitlines() == [line if line != " " else "" for line in found]
        return found

    return lines


def driver_stream(step_log: list[str], name: str) -> str:
    application = next(line.split()[-1] for line in step_log if "Submitted application" in line)
    return f"applications/{application}/{application.replace('application', 'container')}_01_000001/{name}"


def test_a_job_reads_and_writes_s3(submit, s3, log):
    step_id, running = submit("s3://data/word_count.py", "s3://data/words.txt", "s3://data/out")
    assert running.wait().succeeded
    assert "rows: 3" in log(f"steps/{step_id}/stdout")
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="data", Prefix="out/")["Contents"]]
    assert "out/_SUCCESS" in keys
    assert {key.split("/")[1] for key in keys if key.endswith(".parquet")} == {"count=1", "count=3"}
    assert not [key for key in keys if "_temporary" in key]
    assert any(
        "INFO SparkContext: Running Spark version 3.5.6" in line for line in log(f"steps/{step_id}/stderr")
    )


def test_in_cluster_mode_the_drivers_log_is_the_containers(submit, log):
    step_id, running = submit(
        "--deploy-mode", "cluster", "--master", "yarn", "--num-executors", "9",
        "s3://data/word_count.py", "s3a://data/words.txt", "s3a://data/out-cluster",
    )  # fmt: skip
    assert running.wait().succeeded
    report = log(f"steps/{step_id}/stderr")
    assert any("final status: SUCCEEDED" in line for line in report)
    assert not any("SparkContext" in line for line in report)
    assert "rows: 3" in log(driver_stream(report, "stdout"))


def test_files_archives_and_py_files_are_there(submit, log):
    step_id, running = submit(
        "--deploy-mode", "cluster", "--files", "s3://data/conf.json", "--py-files", "s3://data/lib.zip", "s3://data/files.py"
    )  # fmt: skip
    assert running.wait().succeeded
    assert "{} 42" in log(driver_stream(log(f"steps/{step_id}/stderr"), "stdout"))


def test_arguments_arrive_byte_for_byte_and_nothing_of_the_users(submit, log, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real-token")
    monkeypatch.setenv("MY_OWN", "real-thing")
    args = ["a b", "", "'\"", "line\nbreak", "é ß 漢 🎈", "$HOME", "*", "\\", "--conf", "-x", "a=b;c"]
    step_id, running = submit("s3://data/tell.py", *args)
    assert running.wait().succeeded
    told = next(line for line in log(f"steps/{step_id}/stdout") if line.startswith("TOLD "))
    received, environment = json.loads(told.removeprefix("TOLD "))
    assert received == args
    assert environment["AWS_ACCESS_KEY_ID"] == "localemr"
    assert environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert not [
        value for value in environment.values() if "real" in value.lower().split("-") or "AKIA" in value
    ]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("fails.py", "ValueError: no such day", id="driver"),
        pytest.param("fails_in_task.py", "ZeroDivisionError", id="task"),
        pytest.param("absent.py", "absent.py", id="no-such-file"),
    ],
)
def test_a_job_that_fails_says_why(submit, script, message):
    step_id, running = submit(f"s3://data/{script}")
    result = running.wait()
    assert not result.succeeded
    assert message in result.message
    assert result.log_file == f"s3://data/logs/{CLUSTER}/steps/{step_id}/stderr.gz"


def processes_of(clusters_dir: Path) -> list[str]:
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(clusters_dir).encode() in (directory / "environ").read_bytes():
                found.append((directory / "cmdline").read_text().replace("\0", " "))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_cancel_ends_workers_that_sleep_in_a_task(submit, endpoint, clusters_dir):
    step_id, running = submit("s3://data/sleeps.py")
    logs = aws_client("logs", endpoint, "us-east-1")
    pause, deadline = threading.Event(), time.monotonic() + 200
    while not any("pyspark.daemon" in command for command in processes_of(clusters_dir)):
        assert time.monotonic() < deadline
        pause.wait(0.2)
    # The line is seen while the step is running; its stream is made for it.
    events: list[Any] = []
    while not events:
        assert time.monotonic() < deadline
        pause.wait(0.2)
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):
            stream = f"steps/{step_id}/stdout"
            events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream)["events"]
    assert [event["message"] for event in events] == ["sleeping"]
    started = time.monotonic()
    running.cancel()
    assert running.wait().cancelled
    assert time.monotonic() - started < 12
    assert processes_of(clusters_dir) == []


def test_two_steps_run_side_by_side(submit):
    first = submit("s3://data/word_count.py", "s3://data/words.txt", "s3://data/one", number=1)[1]
    second = submit("s3://data/word_count.py", "s3://data/words.txt", "s3://data/two", number=2)[1]
    assert first.wait().succeeded
    assert second.wait().succeeded


def test_a_script_calls_spark_submit_itself(cluster, log):
    command = "spark-submit --master yarn s3://data/tell.py x && hadoop fs -ls s3://data/"
    step = StepRequest("s-SCRIPT", "e2e", "command-runner.jar", ["bash", "-c", command])
    assert cluster.start_step(step).wait().succeeded
    lines = log("steps/s-SCRIPT/stdout")
    assert any(line.startswith("TOLD ") for line in lines)
    assert any(line.endswith("s3://data/words.txt") for line in lines)


FROM_A_FILE = """
set -euo pipefail
file=$(mktemp)
hadoop fs -cat "$1" > "$file"
argv=()
while IFS= read -r -d '' word; do argv+=("$word"); done < "$file"
exec "${argv[@]}"
"""


def test_a_script_submits_what_a_file_on_s3_says(cluster, s3, log):
    args = ["a b", "", "line\nbreak", "é 🎈", "x" * 100_000]
    argv = ["spark-submit", "--deploy-mode", "cluster", "s3://data/tell.py", *args]
    s3.put_object(Bucket="data", Key="argv", Body="".join(f"{word}\0" for word in argv).encode())
    words = ["bash", "-c", FROM_A_FILE, "emrkit", "s3://data/argv"]
    assert cluster.start_step(StepRequest("s-FILE", "e2e", "command-runner.jar", words)).wait().succeeded
    report = log("steps/s-FILE/stderr")
    assert any("final status: SUCCEEDED" in line for line in report)
    told = next(line for line in log(driver_stream(report, "stdout")) if line.startswith("TOLD "))
    assert json.loads(told.removeprefix("TOLD "))[0] == args


def test_hadoop_fs_has_the_usual_commands(cluster, log, s3):
    s3.put_object(Bucket="data", Key="dir/here", Body=b"1")
    command = """set -ex
    echo "a b" > local
    hadoop fs -put local s3://data/dir/put
    hadoop fs -cp s3://data/dir/put s3://data/dir/copy
    hadoop fs -get s3://data/dir/copy back
    cmp local back
    hadoop fs -mkdir -p s3://data/dir/made
    hadoop fs -test -d s3://data/dir/made
    hdfs dfs -rm -r s3://data/dir/made s3://data/dir/put
    ! hadoop fs -test -e s3://data/dir/put
    hadoop fs -cat s3://data/dir/copy
    """
    step = StepRequest("s-HADOOP", "e2e", "command-runner.jar", ["bash", "-c", command])
    result = cluster.start_step(step).wait()
    assert result.succeeded, log("steps/s-HADOOP/stderr")
    assert log("steps/s-HADOOP/stdout")[-1] == "a b"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_a_driver_outlives_its_step_until_it_is_killed_by_its_tag(submit, cluster, log, clusters_dir):
    step_id, running = submit(
        "--deploy-mode", "cluster", "--conf", "spark.yarn.tags=emrkit-E2E-0-1", "s3://data/sleeps.py"
    )
    waiter = threading.Thread(target=running.wait)
    waiter.start()
    pause, deadline = threading.Event(), time.monotonic() + 200
    while not any("pyspark.daemon" in command for command in processes_of(clusters_dir)):
        assert time.monotonic() < deadline
        pause.wait(0.2)
    running.cancel()
    waiter.join(10)
    assert running.wait().cancelled
    assert any("pyspark.daemon" in command for command in processes_of(clusters_dir))
    script = (
        "yarn application -list -appTags EMRKIT-e2e-0-1 | grep -o 'application_[0-9_]*' "
        "| xargs -r yarn application -kill"
    )
    step = StepRequest(f"{step_id}-kill", "e2e", "command-runner.jar", ["bash", "-c", script])
    assert cluster.start_step(step).wait().succeeded
    assert "Killing application" in log(f"steps/{step_id}-kill/stdout")[0]
    assert processes_of(clusters_dir) == []
    assert "sleeping" in log(driver_stream(log(f"steps/{step_id}/stderr"), "stdout"))
