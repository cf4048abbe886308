"""What real Spark receives on EMR Serverless is what the author wrote."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from airflow_provider_emrkit import ServerlessApplication, SparkJob
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.compute.job_run_request import job_run_request
from airflow_provider_emrkit.localemr.run.clients import aws_client
from airflow_provider_emrkit.localemr.run.contract import JobRunRequest
from airflow_provider_emrkit.localemr.run.job_runner import SparkJobRunner

pytestmark = pytest.mark.e2e

LABEL = "emr-7.11.0"
APPLICATION = {"applicationId": "00f0000000000001", "releaseLabel": LABEL}
DEFAULTS = ApplicationDefaults(execution_role_arn="arn:aws:iam::123456789012:role/job")

TELL = """
import json, os, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
conf = {key: value for key, value in spark.sparkContext.getConf().getAll() if key.startswith("spark.author.")}
env = {name: value for name, value in os.environ.items() if name.startswith("AUTHOR_")}
told = json.dumps({"args": sys.argv[1:], "conf": conf, "env": env, "name": spark.sparkContext.appName})
from pathlib import Path
spark.sparkContext.parallelize([told], 1).saveAsTextFile("s3://data/told-" + sys.argv[1])
"""

TEXTS = [
    "a  b ",
    "it's 'quoted' \"and\"",
    "$HOME ${x} $(date) `date` $$",
    "line\nbreak\n\ttab\n",
    "\\n \\ \\\\ ends in one \\",
    "a; b && c | d > e < f & # g ! * ? [a] {b,c} ~",
    "=a==b,c,=",
    "Zürich 日本 😀",
    "--conf spark.master=local",
    '{"a": ["b c", "d\\"e"]}',
]


@pytest.fixture(scope="module")
def s3(endpoint):
    client = aws_client("s3", endpoint, "us-east-1")
    client.create_bucket(Bucket="data")
    client.put_object(Bucket="data", Key="tell.py", Body=TELL.encode())
    return client


@pytest.fixture(scope="module")
def told(endpoint, s3, tmp_path_factory, server_config):
    """Give a function that runs a job and tells what its Spark was given."""
    runner = SparkJobRunner(server_config(endpoint, tmp_path_factory.mktemp("localemr")))
    runner.prepare(LABEL, print)

    def run(mark: str, *args: str, **fields: Any) -> dict[str, Any]:
        job = SparkJob("s3://data/tell.py", args=[mark, *args], **fields)
        request = job_run_request(
            job,
            ServerlessApplication(APPLICATION["applicationId"]),
            name="sales.load",
            client_token="t",
            tags={},
            application=APPLICATION,
            defaults=DEFAULTS,
        )
        submit = request["jobDriver"]["sparkSubmit"]
        overrides = request.get("configurationOverrides", {})
        result = runner.start(
            JobRunRequest(
                request["applicationId"],
                f"00f{mark:0>13}",
                1,
                LABEL,
                submit["entryPoint"],
                submit["entryPointArguments"],
                submit["sparkSubmitParameters"],
                overrides.get("applicationConfiguration", []),
                {"s3MonitoringConfiguration": {"logUri": "s3://data/logs/"}},
            )
        ).wait()
        assert result.succeeded, result.details + stderr(mark)
        body = s3.get_object(Bucket="data", Key=f"told-{mark}/part-00000")["Body"].read()
        return json.loads(body)

    def stderr(mark: str) -> str:
        key = f"logs/applications/{APPLICATION['applicationId']}/jobs/00f{mark:0>13}/SPARK_DRIVER/stderr.gz"
        return gzip.decompress(s3.get_object(Bucket="data", Key=key)["Body"].read()).decode()[-2000:]

    yield run
    runner.stop()


def test_whatever_the_author_writes(told):
    conf = {f"spark.author.p{place}": text for place, text in enumerate(TEXTS)}
    env = {f"AUTHOR_{place}": text for place, text in enumerate(TEXTS)}
    found = told("1", *TEXTS, conf=conf, env=env, name='it\'s "the" $name')
    assert found["args"] == ["1", *TEXTS]
    assert found["conf"] == conf
    assert found["env"] == env
    assert found["name"] == 'it\'s "the" $name'


def test_spark_s_own_script_drops_carriage_returns(told):
    """``spark-class`` does, for Windows: nobody's quoting helps."""
    found = told("4", "a\r\nb", conf={"spark.author.x": "a\r\nb"})
    assert (found["args"], found["conf"]) == (["4", "a\nb"], {"spark.author.x": "a\nb"})


def test_a_property_of_100_kb(told):
    text = ('x " $y `z` \\ #\n' * 8_000)[:99_999] + "x"
    assert told("2", conf={"spark.author.x": text})["conf"] == {"spark.author.x": text}


def test_properties_that_are_too_long_together(told):
    conf = {f"spark.author.p{place}": f'{place} it\'s "$x" =#! ' + "x" * 1000 for place in range(110)}
    assert told("3", conf=conf)["conf"] == conf
