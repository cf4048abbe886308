"""Clusters whose Spark is a shell script that prints its arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from airflow_provider_emrkit.localemr.config import ServerConfig
from airflow_provider_emrkit.localemr.run import preparation as module
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest
from airflow_provider_emrkit.localemr.run.job_runner import SparkJobRunner
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner
from airflow_provider_emrkit.localemr.spark.java import Java
from airflow_provider_emrkit.localemr.spark.software import Software
from airflow_provider_emrkit.localemr.spark.versions import candidates

FAKE_SPARK = """#!/bin/sh
for arg do
  [ "$arg" = job-that-fails ] || continue
  printf '%s\\n' 'Traceback (most recent call last):' 'ValueError: boom'
  exit 1
done
for arg do
  [ "$arg" = job-that-sleeps ] || continue
  sleep 600 &
  echo "sleeping in $PWD"
  wait
done
printf '%s\\n' "$@"
"""


@pytest.fixture(scope="module")
def endpoint():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    aws_client("s3", url, "us-east-1").create_bucket(Bucket="emr-logs")
    yield url
    server.stop()


@pytest.fixture
def server_config(endpoint, tmp_path):
    port = urlsplit(endpoint).port
    return ServerConfig(data_dir=tmp_path / "instance", port=port, cache_dir=tmp_path / "cache")


@pytest.fixture
def fake_spark(tmp_path, monkeypatch):
    spark, java = tmp_path / "spark", tmp_path / "java"
    for program, text in ((spark / "bin/spark-submit", FAKE_SPARK), (java / "bin/java", "#!/bin/sh\n")):
        program.parent.mkdir(parents=True)
        program.write_text(text)
        program.chmod(0o755)
    (tmp_path / "s3.jar").write_bytes(b"jar")
    monkeypatch.setattr(module, "s3_jar", lambda cache_dir: tmp_path / "s3.jar")
    software = Software(candidates("emr-7.11.0")[0], spark, Java(java, 17, "17"), Path(sys.executable))
    monkeypatch.setattr(module, "install_software", lambda label, cache_dir, progress: software)
    return spark


@pytest.fixture
def runner(server_config, fake_spark):
    return SparkClusterRunner(server_config)


@pytest.fixture
def start(runner, request):
    clusters = []

    def call(cluster_id: str = "", **fields):
        cluster_id = cluster_id or f"j-{abs(hash(request.node.name)):X}"
        clusters.append(runner.start(ClusterRequest(cluster_id, "emr-7.11.0", **fields), lambda _: None))
        return clusters[-1]

    yield call
    for cluster in clusters:
        cluster.stop()


@pytest.fixture
def jobs(server_config, fake_spark):
    runner = SparkJobRunner(server_config)
    yield runner
    runner.stop()


@pytest.fixture
def run_id(request):
    return f"00f{abs(hash(request.node.name)):x}"
