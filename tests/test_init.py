from __future__ import annotations

import subprocess
import sys

import pytest

import airflow_provider_emrkit

NEEDS_AIRFLOW = ("CloudWatchLogsHook", "EmrApplicationGroup", "EmrPoolSensor")
CORE = [
    name
    for name in airflow_provider_emrkit.__all__
    if name not in NEEDS_AIRFLOW and not name.endswith("Operator")
]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", airflow_provider_emrkit.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(airflow_provider_emrkit, name).__name__ == name


def test_the_public_names_are_listed_once_and_shown():
    assert airflow_provider_emrkit.__all__ == sorted(airflow_provider_emrkit._LAZY_IMPORTS)
    assert set(airflow_provider_emrkit.__all__) <= set(dir(airflow_provider_emrkit))
    assert "__version__" in dir(airflow_provider_emrkit)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'airflow_provider_emrkit' has no attribute 'SparkJib'"):
        airflow_provider_emrkit.SparkJib  # noqa: B018


def test_importing_the_package_imports_nothing_else_of_it():
    code = (
        "import sys, airflow_provider_emrkit; print([n for n in sys.modules if n.startswith('airflow_prov')])"
    )
    assert run(code) == "['airflow_provider_emrkit']"


def test_importing_the_package_takes_a_few_milliseconds_at_most():
    code = """
import importlib, sys, time
import airflow_provider_emrkit
times = []
for _ in range(20):
    del sys.modules["airflow_provider_emrkit"]
    start = time.perf_counter()
    importlib.import_module("airflow_provider_emrkit")
    times.append(time.perf_counter() - start)
print(min(times) * 1000)
"""
    assert float(run(code)) < 5


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import airflow_provider_emrkit", id="package"),
        pytest.param(f"from airflow_provider_emrkit import {', '.join(CORE)}", id="public names"),
        pytest.param(
            "import airflow_provider_emrkit.jobs.spark_submit, airflow_provider_emrkit.jobs.staging",
            id="jobs",
        ),
        pytest.param("import airflow_provider_emrkit.compute.request", id="compute"),
    ],
)
def test_specs_are_parsed_without_aws_and_airflow(code):
    heavy = "{'airflow', 'boto3', 'botocore', 'jinja2', 'yaml', 'requests'}"
    assert run(f"import sys; {code}; print({heavy} & sys.modules.keys())") == "set()"
