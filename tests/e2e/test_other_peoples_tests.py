"""The fixtures in somebody else's repository: our wheel, an environment without Airflow, real Spark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import uv

# Some Sparks, one after the other, the first of which may have to be downloaded.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]

JOB = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
source, target = sys.argv[1:]
sales = spark.read.csv(source, header=True, inferSchema=True)
sales.groupBy("shop").sum("euros").write.parquet(target)
print("shops:", spark.read.parquet(target).count())
"""

TESTS = """
import json, pathlib, subprocess, sys
import pytest
from airflow_provider_emrkit.testing import StepFailedError

@pytest.fixture
def sales(localemr):
    s3 = localemr.client("s3")
    s3.create_bucket(Bucket="sales")
    s3.upload_file("job.py", "sales", "job.py")
    s3.put_object(Bucket="sales", Key="in/day.csv", Body=b"shop,euros\\na,1\\nb,2\\na,3\\n")
    yield s3
    localemr.reset()

def test_the_job_counts_shops(sales, localemr_cluster):
    step = localemr_cluster.run("spark-submit", "s3://sales/job.py", "s3://sales/in", "s3://sales/out")
    assert "shops: 2" in step.output
    assert sales.list_objects_v2(Bucket="sales", Prefix="out/")["KeyCount"] >= 2

def test_after_the_reset_nothing_is_there_and_a_cluster_runs_all_the_same(sales, localemr_cluster):
    assert "Contents" not in sales.list_objects_v2(Bucket="sales", Prefix="out/")
    step = localemr_cluster.run(
        "spark-submit", "--deploy-mode", "cluster", "s3://sales/job.py", "s3://sales/in", "s3://sales/out"
    )
    assert "shops: 2" in step.output
    assert "shops: 2" not in step.stdout

def test_a_failing_job_says_why(sales, localemr_cluster):
    with pytest.raises(StepFailedError, match="PATH_NOT_FOUND"):
        localemr_cluster.run("spark-submit", "s3://sales/job.py", "s3://sales/nowhere", "s3://sales/out")

def test_a_program_of_ours_uses_it(sales, localemr):
    program = "import boto3; print([found['Name'] for found in boto3.client('s3').list_buckets()['Buckets']])"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=localemr.environment, capture_output=True, text=True)
    assert "'sales'" in done.stdout, done.stderr

def test_no_airflow_is_here():
    with pytest.raises(ImportError):
        import airflow
"""


@pytest.fixture
def project(wheel, tmp_path):
    """A repository with one job and its tests, and the interpreter of its environment."""

    def run(*command: str | Path) -> None:
        subprocess.run([str(part) for part in command], cwd=tmp_path, check=True)

    python = tmp_path / "venv" / "bin" / "python"
    locks = ROOT / "requirements"
    run(uv.find_uv_bin(), "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    install = (uv.find_uv_bin(), "pip", "install", "--quiet", "--python", python)
    run(*install, "-r", locks / "localemr.txt", "-c", locks / "test.txt", "pytest")
    # The extra is what the lock holds; the package itself would bring Airflow.
    run(*install, "--no-deps", wheel)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "job.py").write_text(JOB)
    (tmp_path / "shop" / "test_job.py").write_text(TESTS)
    return tmp_path / "shop", python


def users_environment(home: Path) -> dict[str, str]:
    """A developer's: with a profile of their own, whose endpoint is not to be used."""
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("[default]\naws_access_key_id=x\naws_secret_access_key=y\n")
    (home / ".aws" / "config").write_text("[default]\nendpoint_url = http://users-own.invalid\n")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "PYTEST"))
    }
    return {**kept, "HOME": str(home), "AWS_PROFILE": "default"}


def test_a_job_is_tested_with_real_spark_in_a_repository_of_somebody_elses(project, tmp_path):
    folder, python = project
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=folder,
        env={**users_environment(tmp_path / "home"), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout
    assert [left.name for left in temporary.iterdir() if left.name.startswith("localemr-")] == []
