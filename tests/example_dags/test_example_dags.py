"""Every example can be imported, is off by default, and asks nothing of AWS while it is parsed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "example_dags"
FILES = sorted(EXAMPLES.glob("example_*.py"))

_PROGRAM = """
import json, runpy, sys
sys.modules.pop("boto3", None)
before = set(sys.modules)
from airflow_provider_emrkit._compat import AIRFLOW_V_3_0_PLUS
if AIRFLOW_V_3_0_PLUS:
    from airflow.sdk import DAG
else:
    from airflow import DAG
found = [value for value in runpy.run_path(sys.argv[1]).values() if isinstance(value, DAG)]
facts = [
    {"dag_id": dag.dag_id, "tags": sorted(dag.tags), "schedule": str(dag.schedule) if AIRFLOW_V_3_0_PLUS
     else str(dag.schedule_interval), "tasks": sorted(dag.task_ids)}
    for dag in found
]
heavy = sorted({"boto3", "botocore", "moto", "pyspark"} & set(sys.modules))
print("FACTS" + json.dumps({"dags": facts, "heavy": heavy}))
"""


@pytest.fixture(scope="module", params=FILES, ids=[file.stem for file in FILES])
def parsed(request):
    """What importing one example file in a process of its own gives."""
    command = [sys.executable, "-c", _PROGRAM, str(request.param)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("FACTS"))
    return request.param, json.loads(line.removeprefix("FACTS"))


def test_there_are_examples():
    assert FILES


def test_each_file_holds_one_dag_of_its_name(parsed):
    file, facts = parsed
    assert [dag["dag_id"] for dag in facts["dags"]] == [file.stem]


def test_each_dag_is_an_example_that_nobody_schedules(parsed):
    _, facts = parsed
    for dag in facts["dags"]:
        assert dag["tags"] == ["example"]
        assert dag["schedule"] == "None"
        assert dag["tasks"]


def test_parsing_our_operators_loads_no_aws_client(parsed):
    file, facts = parsed
    # The amazon provider's own operators, in the examples that show them, import boto3.
    theirs = ["boto3", "botocore"] if file.stem.startswith("example_amazon_") else []
    assert set(facts["heavy"]) <= set(theirs)


def test_each_file_marks_what_the_documentation_shows(parsed):
    file, _ = parsed
    text = file.read_text()
    starts = [line for line in text.splitlines() if line.startswith("# [START howto_")]
    ends = [line for line in text.splitlines() if line.startswith("# [END howto_")]
    assert starts
    assert [line.replace("START", "END") for line in starts] == ends


def test_airflow_leaves_the_jobs_alone():
    assert (EXAMPLES / ".airflowignore").read_text().splitlines() == ["jobs/", "kedro_project/"]
