"""A cluster whose S3 is another one: scripts come from it, logs go to it, steps are pointed at it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace

import pytest
from signed_s3 import external_s3

from airflow_provider_emrkit.localemr.run.contract import ClusterRequest, StepRequest
from airflow_provider_emrkit.localemr.run.runner import SparkClusterRunner

TELL = """#!/bin/bash
python3 - <<'END'
import json, os
print(json.dumps({name: value for name, value in os.environ.items() if name.startswith("AWS_")}))
END
"""


@pytest.fixture(scope="module")
def external():
    with external_s3() as running:
        client = running.client()
        client.create_bucket(Bucket="code")
        client.create_bucket(Bucket="logs")
        client.put_object(Bucket="code", Key="tell.sh", Body=TELL.encode())
        yield running


@pytest.fixture
def cluster(external, server_config, fake_spark, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(
        f"[default]\naws_access_key_id={external.keys[0]}\naws_secret_access_key={external.keys[1]}\n"
    )
    config = replace(server_config, s3_endpoint=external.url, s3_credentials=keys)
    action = {"Name": "tell", "ScriptBootstrapAction": {"Path": "s3://code/tell.sh"}}
    request = ClusterRequest(
        "j-EXTERNAL", "emr-7.11.0", log_uri="s3://logs/", bootstrap_actions=[action], configurations=()
    )
    started = SparkClusterRunner(config).start(request, lambda _: None)
    yield started
    started.stop()


def test_everything_of_a_cluster_uses_it(cluster, external, tmp_path):
    step = StepRequest(
        "s-1", "tell", "s3://elasticmapreduce/libs/script-runner/script-runner.jar", ["s3://code/tell.sh"]
    )
    assert cluster.start_step(step).wait().succeeded
    found = {key: read(external, key) for key in external.keys_in("logs") if key.endswith("stdout.gz")}
    assert len(found) == 2, found
    for text in found.values():
        told = json.loads(text)
        assert told["AWS_ENDPOINT_URL_S3"] == external.url
        assert told["AWS_ENDPOINT_URL"] != external.url
        assert (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"]) == external.keys
    site = (cluster.context.place.conf / "core-site.xml").read_text()
    assert external.url in site
    assert external.keys[1] in site
    assert external.refused() == []


def read(external, key):
    return gzip.decompress(external.client().get_object(Bucket="logs", Key=key)["Body"].read()).decode()
