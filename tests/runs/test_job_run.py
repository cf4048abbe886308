from __future__ import annotations

import json
from dataclasses import replace

from airflow_provider_emrkit.logs.wishes import LogWishes
from airflow_provider_emrkit.runs.job_run import JobRun

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1", True, 12.5, "s3://logs/", False)


def test_it_survives_json():
    assert JobRun.from_dict(json.loads(json.dumps(RUN.to_dict()))) == RUN


def test_what_is_wanted_of_its_logs_survives_json():
    run = RUN.with_wishes(LogWishes(True, (("/team", "driver"), ("/team", "worker-*"))))
    assert json.loads(json.dumps(run.to_dict())) == run.to_dict()
    back = JobRun.from_dict(json.loads(json.dumps(run.to_dict())))
    assert (back.executor_logs, back.log_streams) == (True, (("/team", "driver"), ("/team", "worker-*")))
    assert {run: 1}[back] == 1


def test_it_ignores_what_another_version_wrote_and_fills_in_what_it_did_not():
    old = {
        "kind": "step",
        "cluster_id": "j-1",
        "step_id": "s-1",
        "token": "t-1",
        "name": "n",
        "region": "r",
        "x": 1,
    }
    assert JobRun.from_dict(old) == JobRun("step", "j-1", "s-1", "t-1", "n", "r")


def test_the_digests_of_its_image_survive_json():
    run = replace(RUN, image_digests=("sha256:index", "sha256:platform"))
    back = JobRun.from_dict(json.loads(json.dumps(run.to_dict())))
    assert (back, back.image_digest) == (run, "")
    assert replace(RUN, image_digests=("sha256:one",)).image_digest == "sha256:one"


def test_it_can_be_a_key():
    assert {RUN: 1}[JobRun.from_dict(RUN.to_dict())] == 1
