"""A real Spark on an S3 that is not the built-in one, and that takes well-signed requests only."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from signed_s3 import ExternalS3, external_s3

from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

JOB = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
table = "s3://data-x/a table/é"
spark.range(100).selectExpr("id", "id % 3 as part").write.partitionBy("part").parquet(table)
print("rows:", spark.read.parquet(table).where("part = 1").count())
"""


@pytest.fixture
def external() -> Iterator[ExternalS3]:
    with external_s3() as running:
        client = running.client()
        client.create_bucket(Bucket="data-x")
        client.put_object(Bucket="data-x", Key="job.py", Body=JOB.encode())
        yield running


def test_a_job_of_a_cluster_uses_it(
    external: ExternalS3, endpoint: str, tmp_path: Path, server_config: Any
) -> None:
    keys = tmp_path / "keys"
    names = ("aws_access_key_id", "aws_secret_access_key")
    pairs = "".join(f"{name} = {value}\n" for name, value in zip(names, external.keys, strict=True))
    keys.write_text(f"[default]\n{pairs}")
    config = server_config(endpoint, tmp_path / "data")
    runner = SparkClusterRunner(replace(config, s3_endpoint=external.url, s3_credentials=keys))
    cluster = runner.start(ClusterRequest("j-X", "emr-7.11.0", log_uri="s3://data-x/logs"), print)
    try:
        args = ["spark-submit", "--deploy-mode", "cluster", "s3://data-x/job.py"]
        result = cluster.start_step(StepRequest("s-X", "job", "command-runner.jar", args)).wait()
    finally:
        cluster.stop()
    stored = external.keys_in("data-x")
    assert result.succeeded, result
    assert len([key for key in stored if key.startswith("a table/é/part=") and key.endswith(".parquet")]) >= 3
    driver = next(key for key in stored if "/containers/" in key and key.endswith("/stdout.gz"))
    body = external.client().get_object(Bucket="data-x", Key=driver)["Body"].read()
    assert gzip.decompress(body).decode() == "rows: 33\n"
    assert external.refused() == []
    # The built-in S3 has seen nothing of it.
    own = boto3.client("s3", endpoint_url=endpoint)
    assert "data-x" not in [bucket["Name"] for bucket in own.list_buckets()["Buckets"]]
