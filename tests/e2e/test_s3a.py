"""``--s3 s3a``: clusters whose ``s3://`` is Hadoop's own S3A."""

from __future__ import annotations

import ast
import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, ClusterStartError, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

if TYPE_CHECKING:
    from collections.abc import Iterator

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SCRIPTS = Path(__file__).parent / "s3_filesystem"
LABEL = os.environ.get("EMRKIT_TEST_S3_RELEASE", "emr-7.11.0")
CODE = "s3://data-bucket/code"


@pytest.fixture(scope="module")
def s3(endpoint: str) -> Any:
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="data-bucket")
    for name in ("s3a_checks.py", "data_checks.py", "verdicts.py", "hello_from_s3.py"):
        client.upload_file(str(SCRIPTS / name), "data-bucket", f"code/{name}")
    client.put_object(Bucket="data-bucket", Key="code/settings.txt", Body=b"settings from --files")
    return client


@pytest.fixture(scope="module")
def cluster(
    endpoint: str, s3: Any, tmp_path_factory: pytest.TempPathFactory, server_config: Any
) -> Iterator[Any]:
    config = replace(server_config(endpoint, tmp_path_factory.mktemp("s3a")), s3_filesystem="s3a")
    # The checks look at S3 with boto3, which a cluster's own Python does not have.
    exported = {"PYTHONPATH": str(Path(boto3.__file__).parents[1]), "TEST_S3_ENDPOINT": endpoint}
    export = {"Classification": "export", "Properties": exported}
    environment = {"Classification": "spark-env", "Configurations": [export]}
    request = ClusterRequest("j-S3A", LABEL, log_uri="s3://data-bucket/logs", configurations=[environment])
    try:
        started = SparkClusterRunner(config).start(request, print)
    except ClusterStartError as error:
        if "can't be reached" not in str(error):
            raise
        pytest.skip(str(error))
    yield started
    started.stop()


def output(s3: Any, cluster: Any, step_id: str, *args: str) -> str:
    """Run a step to its end; its stdout."""
    result = cluster.start_step(StepRequest(step_id, step_id, "command-runner.jar", list(args))).wait()
    key = f"logs/j-S3A/steps/{step_id}/stdout.gz"
    text = gzip.decompress(s3.get_object(Bucket="data-bucket", Key=key)["Body"].read()).decode()
    assert result.succeeded, (result, text)
    return text


@pytest.fixture(scope="module")
def verdicts(s3: Any, cluster: Any) -> dict[str, str]:
    modules = ",".join(f"{CODE}/{name}.py" for name in ("verdicts", "hello_from_s3", "data_checks"))
    args = ("spark-submit", "--py-files", modules, "--files", f"{CODE}/settings.txt", f"{CODE}/s3a_checks.py")
    text = output(s3, cluster, "s-checks", *args)
    line = next(line for line in text.splitlines() if line.startswith("VERDICTS "))
    return dict(json.loads(line.removeprefix("VERDICTS ")))


def checks() -> list[str]:
    """The names of the checks, without importing them (they need a Spark)."""
    body = ast.parse((SCRIPTS / "s3a_checks.py").read_text(encoding="utf-8")).body
    own = [item.name for item in body if isinstance(item, ast.FunctionDef)]
    shared = [alias.name for item in body if isinstance(item, ast.ImportFrom) for alias in item.names]
    return [name for name in (*own, *shared) if name.startswith("check_")]


@pytest.mark.parametrize("check", checks())
def test_s3a(verdicts: dict[str, str], check: str) -> None:
    assert verdicts[check] == ""


def test_hadoops_own_commands_use_it_too(s3: Any, cluster: Any) -> None:
    listed = output(s3, cluster, "s-ls", "hadoop", "fs", "-ls", f"{CODE}/")
    assert f"{CODE}/verdicts.py" in listed
