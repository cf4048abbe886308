"""Job runs of EMR Serverless in containers of a real engine, with real Spark: inside, and nothing is left."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from faulty_emr import clients_of

from airflow_provider_emrkit import ApplicationSpec, ServerlessApplication, SparkJob
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.engine.settings import instance_id
from airflow_provider_emrkit.localemr.launcher import start as start_server
from airflow_provider_emrkit.localemr.launcher import stop as stop_server
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.event_logs import (
    EventLogs,
    event_log_directory,
    job_application_id,
)
from airflow_provider_emrkit.logs.wishes import NO_WISHES
from airflow_provider_emrkit.runs.serverless_runs import ServerlessRuns
from airflow_provider_emrkit.runs.token import RunToken

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

RELEASE = "emr-7.11.0"
LABEL = "emrkit.localemr"
ROLE = "arn:aws:iam::123456789012:role/job"
GROUP = "/aws/emr-serverless"
IMAGE = "emrkit-serverless:1"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
# The package is in the image alone; so is the file, in EMR Serverless's home directory. The image's entry
# point would end at once.
DOCKERFILE = """\
FROM {base}
RUN mkdir -p /home/hadoop/conf && echo of the image > /home/hadoop/conf/base.txt \
 && printf 'print("FROM THE IMAGE")\\n' > /home/hadoop/main.py
RUN ln -s "$(command -v python3)" /usr/local/bin/chosen-python
ENV PYSPARK_PYTHON=/usr/local/bin/chosen-python
ENTRYPOINT ["/bin/false"]
"""
JOB = """
import getpass, json, os, sys
from pathlib import Path
from haversine import haversine
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
def distance(_):
    import haversine
    print("TASK", os.environ.get("MINE"), file=sys.stderr, flush=True)
    return int(haversine.haversine((45.7, 4.8), (48.8, 2.3)))
print("DRIVER", int(haversine((45.7, 4.8), (48.8, 2.3))), os.environ["MINE"], sys.argv[1:])
print("EXECUTORS", sorted(set(spark.sparkContext.parallelize(range(4), 4).map(distance).collect())))
pythons = spark.sparkContext.parallelize([0], 1).map(lambda _: __import__("sys").executable).collect()
print("PYTHON", sys.executable, *pythons)
spark.range(10).write.mode("overwrite").parquet("s3://data/inside")
print("ROWS", spark.read.parquet("s3://data/inside").count())
print("USER", getpass.getuser(), Path.home() == Path.cwd())
print("SEEN", Path("conf/base.txt").read_text().strip())
hidden = "DOCKER", "EMRKIT_C", "EMRKIT_L", "AIRFLOW"
print("SECRETS", sorted(name for name in os.environ if name.startswith(hidden)))
"""
FAILS = "import haversine\nraise ValueError('boom of ' + haversine.__name__)\n"
SLEEPS = """
import signal, time, haversine
from pyspark.sql import SparkSession
signal.signal(signal.SIGTERM, signal.SIG_IGN)
spark = SparkSession.builder.getOrCreate()
print("RUNNING", flush=True)
time.sleep(600)
"""
JOBS = {"job.py": JOB, "fails.py": FAILS, "sleeps.py": SLEEPS}


@pytest.fixture(scope="module")
def image(docker_engine, example_image, tmp_path_factory) -> str:
    """The URI of an image, as one in ECR; the engine has it under its name without the registry."""
    context = tmp_path_factory.mktemp("image")
    (context / "Dockerfile").write_text(DOCKERFILE.format(base=example_image))
    docker_engine.build(context, f"--tag={IMAGE}", say=print)
    return f"{REGISTRY}/{IMAGE}"


class Emr:
    """A local EMR with the tests' scripts, and what they ask it."""

    def __init__(self, url: str, data_dir: Path) -> None:
        self.s3, self.logs = aws_client("s3", url, "us-east-1"), aws_client("logs", url, "us-east-1")
        self.serverless = aws_client("emr-serverless", url, "us-east-1")
        self.url, self.data_dir = url, data_dir
        self.s3.create_bucket(Bucket="data")
        for name, text in JOBS.items():
            self.s3.put_object(Bucket="data", Key=name, Body=text.encode())

    def application(self, **settings) -> str:
        """Make an application."""
        made = self.serverless.create_application(releaseLabel=RELEASE, type="SPARK", **settings)
        return made["applicationId"]

    def start(self, application_id: str, entry_point: str, *arguments: str, parameters="", **request) -> str:
        """Start a job run."""
        uri = entry_point if "://" in entry_point else f"s3://data/{entry_point}"
        spark = {"entryPoint": uri, "entryPointArguments": list(arguments)}
        if parameters:
            spark["sparkSubmitParameters"] = parameters
        monitoring = {
            "s3MonitoringConfiguration": {"logUri": "s3://data/logs/"},
            "cloudWatchLoggingConfiguration": {
                "enabled": True,
                "logTypes": {"SPARK_DRIVER": ["STDOUT", "STDERR"], **request.pop("log_types", {})},
            },
        }
        return self.serverless.start_job_run(
            applicationId=application_id,
            executionRoleArn=ROLE,
            jobDriver={"sparkSubmit": spark},
            configurationOverrides={"monitoringConfiguration": monitoring},
            **request,
        )["jobRunId"]

    def ended(self, application_id: str, run_id: str) -> dict:
        """Wait for a job run's end."""
        ids = {"applicationId": application_id, "jobRunId": run_id}
        deadline, pause = time.monotonic() + 200, threading.Event()
        while True:
            run = self.serverless.get_job_run(**ids)["jobRun"]
            if run["state"] in ("SUCCESS", "FAILED", "CANCELLED"):
                return run
            assert time.monotonic() < deadline, run["state"]
            pause.wait(0.1)

    def log(self, application_id: str, run_id: str, name: str) -> str:
        """Read a log that the driver has left on S3."""
        key = f"logs/applications/{application_id}/jobs/{run_id}/SPARK_DRIVER/{name}.gz"
        return gzip.decompress(self.s3.get_object(Bucket="data", Key=key)["Body"].read()).decode()

    def printed(self, application_id: str, run_id: str) -> str:
        """Read what a driver has printed from CloudWatch Logs."""
        stream = f"/applications/{application_id}/jobs/{run_id}/SPARK_DRIVER/stdout"
        page = self.logs.get_log_events(logGroupName=GROUP, logStreamName=stream, startFromHead=True)
        return "\n".join(event["message"] for event in page["events"])

    def await_output(self, text: str) -> None:
        """Wait until a driver that runs has written a text."""
        deadline, pause = time.monotonic() + 200, threading.Event()
        while not any(text in path.read_text() for path in self.data_dir.glob("jobs/*/steps/driver/stdout")):
            assert time.monotonic() < deadline, f"no {text}"
            pause.wait(0.1)


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> ServerConfig:
    cache = Path(os.environ["EMRKIT_CACHE_DIR"])
    return ServerConfig(data_dir=tmp_path_factory.mktemp("localemr") / "data", port=0, cache_dir=cache)


@pytest.fixture(scope="module")
def emr(config, docker_engine):
    server = start_server(config, lambda _: None)
    yield Emr(server.url, config.data_dir)
    stop_server(server, lambda _: None)


@pytest.fixture(scope="module")
def application(emr, image) -> str:
    return emr.application(imageConfiguration={"imageUri": image})


@pytest.fixture
def left(docker_engine, config):
    """The containers of the tests' local EMR, running or not."""
    return lambda: docker_engine.containers(f"{LABEL}={instance_id(config.data_dir)}")


@pytest.mark.parametrize("executors", ["threads", "processes"])
def test_driver_and_executors_have_what_is_in_the_image(emr, application, left, executors):
    apart = {"SPARK_EXECUTOR": ["STDERR"]} if executors == "processes" else {}
    conf = "--conf spark.emr-serverless.driverEnv.MINE=mine --conf spark.executorEnv.MINE=mine"
    run_id = emr.start(application, "job.py", "a b", parameters=conf, log_types=apart)
    run = emr.ended(application, run_id)
    assert run["state"] == "SUCCESS", run["stateDetails"]
    told = emr.log(application, run_id, "stdout").splitlines()
    assert told == [
        "DRIVER 392 mine ['a b']",
        "EXECUTORS [392]",
        "PYTHON /usr/local/bin/chosen-python /usr/local/bin/chosen-python",
        "ROWS 10",
        "USER hadoop True",
        "SEEN of the image",
        "SECRETS []",
    ]
    driver_says_it = "TASK mine" in emr.log(application, run_id, "stderr")
    assert driver_says_it is (executors == "threads")
    assert "build it on EMR Serverless's own image" in emr.log(application, run_id, "stderr")
    assert left() == []


def test_the_entry_point_of_a_job_may_be_in_the_image(emr, application):
    run_id = emr.start(application, "local:///home/hadoop/main.py")
    assert emr.ended(application, run_id)["state"] == "SUCCESS"
    assert emr.log(application, run_id, "stdout") == "FROM THE IMAGE\n"


def test_a_home_that_only_the_images_user_may_read_is_told(emr, docker_engine, image, tmp_path):
    closed = "RUN chown -R 999:999 /home/hadoop && chmod 700 /home/hadoop"
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\n{closed}\n")
    docker_engine.build(tmp_path, "--tag=emrkit-serverless:closed", say=print)
    application = emr.application(imageConfiguration={"imageUri": f"{REGISTRY}/emrkit-serverless:closed"})
    run_id = emr.start(application, "fails.py")
    assert "ValueError: boom" in emr.ended(application, run_id)["stateDetails"]
    assert "RUN chmod -R a+rX /home/hadoop" in emr.log(application, run_id, "stderr")


def test_the_jobs_own_error_is_what_the_run_fails_with(emr, application, left):
    run = emr.ended(application, emr.start(application, "fails.py"))
    assert run["state"] == "FAILED"
    assert "ValueError: boom of haversine" in run["stateDetails"]
    assert left() == []


@pytest.mark.parametrize("grace", [60, 0])
def test_a_cancelled_run_ends_in_good_order_within_its_grace(emr, application, left, config, grace):
    run_id = emr.start(application, "sleeps.py")
    emr.await_output("RUNNING")
    assert len(left()) == 1
    ids = {"applicationId": application, "jobRunId": run_id}
    emr.serverless.cancel_job_run(**ids, shutdownGracePeriodInSeconds=grace)
    assert emr.ended(application, run_id)["state"] == "CANCELLED"
    # Spark writes the end of its event log when it is told to end, and not when it is killed.
    events = EventLogs(event_log_directory(config)).find(job_application_id(run_id, 1))
    assert events.is_over is (grace > 0)
    assert left() == []


def test_an_image_that_is_nowhere_fails_the_run_in_the_engines_words(emr, left):
    application = emr.application(imageConfiguration={"imageUri": f"{REGISTRY}/no-such-image:1"})
    run_id = emr.start(application, "job.py")
    run = emr.ended(application, run_id)
    assert run["state"] == "FAILED"
    expected = f"Job run failed: the image {REGISTRY}/no-such-image:1 could not be pulled or started: Error"
    assert run["stateDetails"].startswith(expected)
    assert "startedAt" not in run
    assert "Error" in emr.log(application, run_id, "stderr")
    assert left() == []


def test_the_drivers_image_is_the_whole_jobs(emr, image):
    workers = {
        "Driver": {"imageConfiguration": {"imageUri": image}},
        "Executor": {"imageConfiguration": {"imageUri": f"{REGISTRY}/no-such-image:1"}},
    }
    application = emr.application(workerTypeSpecifications=workers)
    run_id = emr.start(application, "local:///home/hadoop/main.py")
    assert emr.ended(application, run_id)["state"] == "SUCCESS"
    said = emr.log(application, run_id, "stderr")
    assert f"the whole job runs in {image}; on EMR Serverless its driver would run in {image}" in said
    assert "no-such-image" in said


def test_a_moved_tag_is_noticed_by_emrkit_and_its_next_run_has_the_new_image(
    emr, docker_engine, image, tmp_path, caplog
):
    name = "emrkit-moving:1"
    ecr = aws_client("ecr", emr.url, "us-east-1")
    ecr.create_repository(repositoryName="emrkit-moving")

    def push(text: str) -> str:
        """Let the tag mean another image: in the engine, which runs it, and in ECR, which tells digests."""
        (tmp_path / "Dockerfile").write_text(
            f"FROM {IMAGE}\nRUN printf 'print(\"{text}\")' >/home/hadoop/main.py"
        )
        docker_engine.build(tmp_path, f"--tag={name}", say=print)
        layer = {"digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", "size": 1}
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {"schemaVersion": 2, "mediaType": kind, "config": layer, "layers": [layer]}
        pushed = ecr.put_image(
            repositoryName="emrkit-moving", imageManifest=json.dumps(manifest), imageTag="1"
        )
        return pushed["image"]["imageId"]["imageDigest"]

    services = {"s3": emr.s3, "logs": emr.logs, "ecr": ecr}
    runs = ServerlessRuns(
        clients_of(emr.serverless, **services), ApplicationDefaults(), threading.Event().wait, lambda _: False
    )
    spec = ApplicationSpec("moving", RELEASE, image=f"{REGISTRY}/{name}")
    compute = ServerlessApplication(spec=spec, execution_role_arn=ROLE)

    def run(attempt: int) -> tuple[str, str]:
        """Run the image's own script; the digest that EMR shows, and what it has printed."""
        job = SparkJob("local:///home/hadoop/main.py")
        handle = runs.submit(job, compute, RunToken("dag", "run", "task", -1, 0, attempt), NO_WISHES)
        ended = emr.ended(handle.application_id, handle.job_run_id)
        told = emr.printed(handle.application_id, handle.job_run_id)
        return ended["imageConfiguration"]["resolvedImageDigest"], told

    caplog.set_level("INFO")
    first = push("one")
    assert run(1) == (first, "one")
    second = push("two")
    assert first != second
    assert run(2) == (second, "two")
    assert any(second in line for line in caplog.messages)


def test_neither_an_orderly_stop_nor_a_kill_leaves_a_container(tmp_path, image, docker_engine):
    cache = Path(os.environ["EMRKIT_CACHE_DIR"])
    config = ServerConfig(data_dir=tmp_path / "data", port=0, cache_dir=cache)
    mine = f"{LABEL}={instance_id(config.data_dir)}"
    first = start_server(config, lambda _: None)
    emr = Emr(first.url, config.data_dir)
    application = emr.application(imageConfiguration={"imageUri": image})
    run_id = emr.start(application, "sleeps.py")
    emr.await_output("RUNNING")
    first.process.send(signal.SIGKILL)
    assert first.process.wait_gone(60)
    assert len(docker_engine.containers(mine)) == 1
    second = start_server(config, lambda _: None)
    try:
        assert docker_engine.containers(mine) == []
        serverless = aws_client("emr-serverless", second.url, "us-east-1")
        lost = serverless.get_job_run(applicationId=application, jobRunId=run_id)["jobRun"]
        assert lost["state"] == "FAILED"
        again = Emr(second.url, config.data_dir)
        again.start(application, "sleeps.py")
        again.await_output("RUNNING")
        assert len(docker_engine.containers(mine)) == 1
    finally:
        stop_server(second, lambda _: None)
    assert docker_engine.containers(mine) == []
