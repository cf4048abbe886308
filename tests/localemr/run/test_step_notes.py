"""What a step's logs say besides what its command writes."""

from __future__ import annotations

import dataclasses
import gzip

import pytest

from airflow_provider_emrkit.localemr.run import preparation as module
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import StepRequest

NOTICE = "emr-7.11.0 holds Spark 3.5.6; Spark 3.5.9 runs instead, the nearest that can run here"


@pytest.fixture
def run(start, endpoint):
    """Run a step and give its result and one of its logs."""

    def call(*args: str, log: str):
        cluster = start("j-NOTES", log_uri="s3://emr-logs/notes")
        result = cluster.start_step(StepRequest("s-1", "notes", "command-runner.jar", args)).wait()
        s3 = aws_client("s3", endpoint, "us-east-1")
        body = s3.get_object(Bucket="emr-logs", Key=f"notes/j-NOTES/steps/s-1/{log}.gz")["Body"].read()
        return result, gzip.decompress(body).decode()

    return call


def test_the_controller_says_which_spark_stands_in(run, monkeypatch):
    software = module.install_software("emr-7.11.0", None, None)
    noted = dataclasses.replace(software, notice=NOTICE)
    monkeypatch.setattr(module, "install_software", lambda label, cache_dir, progress: noted)
    assert f"WARN {NOTICE}\n" in run("true", log="controller")[1]


def test_and_nothing_where_none_does(run):
    assert "WARN" not in run("true", log="controller")[1]


def test_a_step_that_has_nothing_to_do_says_so_and_succeeds(run):
    result, stderr = run("state-pusher-script", log="stderr")
    assert result.succeeded
    assert stderr.startswith("state-pusher-script: nothing to do")


def test_a_program_that_is_not_here_fails_the_step_with_its_reason(run):
    result, stderr = run("hive-script", "--run-hive-script", log="stderr")
    assert not result.succeeded
    assert result.message == stderr.strip()
    assert "use spark-sql -f" in result.message
