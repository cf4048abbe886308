"""Steps in containers of a real engine, with real Spark: they run inside, and nothing of them is left."""

from __future__ import annotations

import gzip
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.engine.settings import instance_id
from airflow_provider_emrkit.localemr.launcher import start as start_server
from airflow_provider_emrkit.localemr.launcher import stop as stop_server
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.event_logs import EventLogs, event_log_directory
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

# The first of them may have to make the image, and to install Spark.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RELEASE = "emr-6.15.0"
LABEL = "emrkit.localemr"
# No environment of this machine has the package.
JOB = """
import os, sys
from haversine import haversine
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def distance(_):
    import haversine
    print("TASK", os.environ.get("MINE"), file=sys.stderr, flush=True)
    return int(haversine.haversine((45.7, 4.8), (48.8, 2.3)))
print("DRIVER", int(haversine((45.7, 4.8), (48.8, 2.3))), os.environ["MINE"])
print("EXECUTORS", sorted(set(spark.sparkContext.parallelize(range(4), 4).map(distance).collect())))
spark.range(10).write.mode("overwrite").parquet("s3://data/inside")
print("ROWS", spark.read.parquet("s3://data/inside").count())
hidden = "DOCKER", "EMRKIT_C", "EMRKIT_L", "AIRFLOW"
print("SECRETS", sorted(name for name in os.environ if name.startswith(hidden)))
"""
FAILS = "import haversine\nraise ValueError('boom of ' + haversine.__name__)\n"
SLEEPS = """
import signal, time, haversine
from pyspark.sql import SparkSession
signal.signal(signal.SIGTERM, signal.SIG_IGN)
spark = SparkSession.builder.getOrCreate()
def work(_):
    time.sleep(600)
print("RUNNING", flush=True)
spark.sparkContext.parallelize(range(2), 2).foreach(work)
"""
JOBS = {"job.py": JOB, "fails.py": FAILS, "sleeps.py": SLEEPS}


def trust(image: str) -> list[dict]:
    properties = {"docker.trusted.registries": f"local,centos,{image.partition('/')[0]}"}
    docker = {"Classification": "docker", "Properties": properties}
    return [{"Classification": "container-executor", "Properties": {}, "Configurations": [docker]}]


def submit_args(image: str, mode: str, job: str) -> list[str]:
    asked = {
        "YARN_CONTAINER_RUNTIME_TYPE": "docker",
        "YARN_CONTAINER_RUNTIME_DOCKER_IMAGE": image,
        "YARN_CONTAINER_RUNTIME_DOCKER_MOUNTS": "/etc/passwd:/etc/passwd:ro",
        "MINE": "mine",
    }
    prefixes = ("spark.yarn.appMasterEnv.", "spark.executorEnv.")
    conf = [
        w for key, text in asked.items() for prefix in prefixes for w in ("--conf", f"{prefix}{key}={text}")
    ]
    return ["env", "MINE=mine", "spark-submit", "--deploy-mode", mode, *conf, f"s3://data/{job}"]


def upload(endpoint: str):
    s3 = aws_client("s3", endpoint, "us-east-1")
    s3.create_bucket(Bucket="data")
    for name, text in JOBS.items():
        s3.put_object(Bucket="data", Key=name, Body=text.encode())
    return s3


@pytest.fixture(scope="module")
def s3(endpoint):
    return upload(endpoint)


@pytest.fixture(scope="module", params=["threads", "processes"])
def executors(request):
    return request.param


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, executors) -> Path:
    return tmp_path_factory.mktemp(executors)


@pytest.fixture(scope="module")
def cluster(endpoint, s3, data_dir, example_image, executors):
    port = int(endpoint.rpartition(":")[2])
    cache = Path(os.environ["EMRKIT_CACHE_DIR"])
    runner = SparkClusterRunner(
        ServerConfig(data_dir=data_dir, port=port, cache_dir=cache, executors=executors)
    )
    asked = ClusterRequest(
        f"j-{executors.upper()}", RELEASE, log_uri="s3://data/logs/", configurations=trust(example_image)
    )
    cluster = runner.start(asked, print)
    yield cluster
    cluster.stop()


@pytest.fixture
def step(cluster, example_image, request):
    def call(job: str, mode: str = "cluster"):
        step_id = f"s-{abs(hash(request.node.name)):X}"
        args = submit_args(example_image, mode, job)
        return step_id, cluster.start_step(StepRequest(step_id, "e2e", "command-runner.jar", args))

    return call


@pytest.fixture
def left(docker_engine, data_dir):
    """The containers of the tests' data directory, running or not."""
    return lambda: docker_engine.containers(f"{LABEL}={instance_id(data_dir)}")


def logs_below(s3, prefix: str) -> dict[str, str]:
    found = s3.list_objects_v2(Bucket="data", Prefix=prefix).get("Contents", [])
    keys = [one["Key"] for one in found]
    return {
        key: gzip.decompress(s3.get_object(Bucket="data", Key=key)["Body"].read()).decode() for key in keys
    }


def await_text(path, text: str) -> None:
    deadline, pause = time.monotonic() + 90, threading.Event()
    while not any(text in file.read_text() for file in path()):
        assert time.monotonic() < deadline, f"no {text}"
        pause.wait(0.1)


def test_driver_and_executors_have_what_is_in_the_image(step, cluster, s3, left, data_dir, executors):
    _, running = step("job.py")
    assert running.wait().succeeded
    (application,) = cluster.context.manager.applications()
    ids = application.ids
    logs = logs_below(s3, f"logs/{cluster.context.cluster_id}/containers/{ids.application_id}/")
    driver = next(text for key, text in logs.items() if f"{ids.driver_container}/stdout" in key)
    assert driver.splitlines() == ["DRIVER 392 mine", "EXECUTORS [392]", "ROWS 10", "SECRETS []"]
    told = [key for key, text in logs.items() if "TASK mine" in text]
    assert all((ids.driver_container in key) is (executors == "threads") for key in told)
    assert told
    stderr = next(text for key, text in logs.items() if f"{ids.driver_container}/stderr" in key)
    assert "has no Java, and runs here by this machine's" in stderr
    assert EventLogs(event_log_directory(ServerConfig(data_dir=data_dir))).find(ids.application_id).is_over
    assert left() == []


def test_the_jobs_own_error_is_the_steps(step, cluster, left):
    step_id, running = step("fails.py", "client")
    result = running.wait()
    assert result.message == "ValueError: boom of haversine"
    stdout = (cluster.context.place.steps / step_id / "stdout").read_text()
    assert "Traceback (most recent call last)" in stdout + result.message
    assert left() == []


@pytest.mark.parametrize("force", [False, True])
def test_a_cancelled_step_leaves_no_container(step, cluster, left, force):
    step_id, running = step("sleeps.py", "client")
    await_text(lambda: [cluster.context.place.steps / step_id / "stdout"], "RUNNING")
    assert len(left()) == 1
    running.cancel(force=force)
    assert running.wait().cancelled
    assert left() == []


def test_a_killed_application_leaves_no_container(step, cluster, left):
    _, running = step("sleeps.py")
    newest = cluster.context.manager.applications()[0]
    stdout = cluster.context.place.applications / newest.ids.application_id / "stdout"
    await_text(lambda: [stdout], "RUNNING")
    assert len(left()) == 1
    newest.kill()
    assert not running.wait().succeeded
    assert newest.state == "KILLED"
    assert left() == []


def test_a_container_whose_watcher_is_killed_is_not_left(step, cluster, left):
    _, running = step("sleeps.py")
    newest = cluster.context.manager.applications()[0]
    stdout = cluster.context.place.applications / newest.ids.application_id / "stdout"
    await_text(lambda: [stdout], "RUNNING")
    os.kill(newest._process._watcher.pid, signal.SIGKILL)
    assert not running.wait().succeeded
    assert left() == []


def test_an_engine_that_is_not_there_is_what_the_step_says(step, left, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        result = step("job.py")[1].wait()
    assert "does not answer" in result.message
    assert "DOCKER_HOST" in result.message
    assert left() == []


def test_an_image_that_is_nowhere_fails_in_the_engines_words(cluster, example_image, left):
    missing = f"{example_image.partition('/')[0]}/no-such-image:1"
    args = submit_args(missing, "cluster", "job.py")
    running = cluster.start_step(StepRequest("s-MISSING", "e2e", "command-runner.jar", args))
    assert not running.wait().succeeded
    stderr = (cluster.context.place.steps / "s-MISSING" / "stderr").read_text()
    assert "Exception from container-launch." in stderr
    assert "Error" in stderr.partition("Shell error output: ")[2].splitlines()[0]
    assert left() == []


def test_a_killed_server_that_starts_again_leaves_no_container(tmp_path, example_image, docker_engine):
    cache = Path(os.environ["EMRKIT_CACHE_DIR"])
    config = ServerConfig(data_dir=tmp_path / "data", port=0, cache_dir=cache)
    first = start_server(config, lambda _: None)
    upload(first.url)
    emr = aws_client("emr", first.url, "us-east-1")
    instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}
    args = submit_args(example_image, "cluster", "sleeps.py")
    emr.run_job_flow(
        Name="killed",
        ReleaseLabel=RELEASE,
        Instances=instances,
        JobFlowRole="r",
        ServiceRole="r",
        Configurations=trust(example_image),
        Steps=[{"Name": "sleeps", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": args}}],
    )
    await_text(lambda: (tmp_path / "data").glob("clusters/*/applications/*/stdout"), "RUNNING")
    first.process.send(signal.SIGKILL)
    assert first.process.wait_gone(10)
    mine = f"{LABEL}={instance_id(tmp_path / 'data')}"
    assert len(docker_engine.containers(mine)) == 1
    second = start_server(config, lambda _: None)
    try:
        assert docker_engine.containers(mine) == []
    finally:
        stop_server(second, lambda _: None)
