from __future__ import annotations

import copy
import pickle
import re

import pytest

from airflow_provider_emrkit import ApplicationSpec, ServerlessApplication
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

SPEC = ApplicationSpec("nightly", "emr-7.11.0")
OLD = ApplicationSpec("nightly", "emr-7.0.0")
ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


def test_an_application_that_exists_or_one_that_emrkit_makes():
    assert ServerlessApplication("00f1abcdefgh2i0j").spec is None
    assert ServerlessApplication(spec=SPEC).application_id is None
    for both in ({}, {"application_id": "00f1", "spec": SPEC}):
        with refused("is not one of two; give application_id of one that exists, or spec of one that emrkit"):
            ServerlessApplication(**both)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"application_id": "j-1K48"}, "ServerlessApplication.application_id: 'j-1K48' is not well formed"),
        ({"application_id": "00F1"}, "ServerlessApplication.application_id: '00F1' is not well formed"),
        ({"application_id": ""}, "ServerlessApplication.application_id: '' is empty"),
        ({"application_id": 7}, "7 is of type int; give a string; of a task's result, str(task.output)"),
        (
            {"application_id": None, "spec": "nightly"},
            "ServerlessApplication.spec: 'nightly' is of type str; give Appl",
        ),
        (
            {"execution_role_arn": "emr-job"},
            "ServerlessApplication.execution_role_arn: 'emr-job' is not well formed",
        ),
        ({"execution_role_arn": "arn:aws:iam::1:role/x"}, "is not well formed; write it like arn:aws:iam::"),
        ({"mode": "batch"}, "ServerlessApplication.mode: 'batch' is not known; use one of BATCH, STREAMING"),
        ({"max_attempts": 0}, "ServerlessApplication.max_attempts: 0 is out of bounds"),
        ({"max_attempts": 11}, "use a whole number from 1 to 10"),
        (
            {"max_attempts": 2, "mode": "STREAMING"},
            "2 is not for jobs of mode STREAMING; use max_failed_attempts_per_hour",
        ),
        ({"max_failed_attempts_per_hour": 2}, "2 is not for jobs of mode BATCH; use max_attempts"),
        (
            {"execution_timeout_minutes": 0},
            "execution_timeout_minutes: 0 is out of bounds; use a whole number from 5",
        ),
        ({"execution_timeout_minutes": 10_081}, "from 5 to 10,080 minutes"),
        (
            {"execution_timeout_minutes": 4, "mode": "STREAMING"},
            "execution_timeout_minutes: 4 is out of bounds",
        ),
        ({"execution_timeout_minutes": False, "mode": "STREAMING"}, "False is of type bool"),
        (
            {"grace_seconds": 14},
            "ServerlessApplication.grace_seconds: 14 is out of bounds; use 0, or 15 to 1800",
        ),
        ({"grace_seconds": 1801}, "ServerlessApplication.grace_seconds: 1801 is out of bounds"),
        ({"grace_seconds": -1}, "ServerlessApplication.grace_seconds: -1 is out of bounds"),
        ({"tags": {"aws:x": "y"}}, "'aws:x' is reserved"),
        ({"tags": {"x": "ü"}}, "holds characters that EMR Serverless does not take"),
    ],
)
def test_fields_that_can_not_be_right(fields, message):
    with refused(message):
        ServerlessApplication(**{"application_id": "00f1", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"execution_role_arn": "arn:aws-us-gov:iam::123456789012:role/team/x"},
        {"execution_role_arn": "{{ var.value.role }}"},
        {"mode": "STREAMING", "execution_timeout_minutes": 0, "max_failed_attempts_per_hour": 3},
        {"mode": "STREAMING", "execution_timeout_minutes": 1_000_000},
        {"mode": "{{ mode }}", "execution_timeout_minutes": 0, "max_attempts": 3},
        {"execution_timeout_minutes": 10_080},
        {"grace_seconds": 15},
    ],
)
def test_what_can_be(fields):
    ServerlessApplication("{{ ti.xcom_pull('set_up') }}", **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"mode": "STREAMING"},
            "ServerlessApplication.mode: 'STREAMING' is not supported by emr-7.0.0; use emr-7.1.0",
        ),
        ({"max_attempts": 2}, "ServerlessApplication.max_attempts: 2 is not supported by emr-7.0.0"),
    ],
)
def test_what_an_earlier_release_can_not_do(fields, message):
    ServerlessApplication(spec=SPEC, **fields)
    with refused(message):
        ServerlessApplication(spec=OLD, **fields)
    existing = ServerlessApplication("00f1", **fields)  # judged when the application has been asked
    existing.check_release("emr-7.1.0")
    existing.check_release("emr-99.0.0")
    with refused(message):
        existing.check_release("emr-7.0.0")


def test_templates_are_judged_when_they_are_rendered():
    made = ServerlessApplication("{{ id }}", mode="{{ mode }}", max_attempts=3)
    rendered = map_strings(made, lambda text: {"{{ id }}": "00f1", "{{ mode }}": "BATCH"}[text])
    assert rendered == ServerlessApplication("00f1", max_attempts=3)
    with refused("3 is not for jobs of mode STREAMING"):
        map_strings(made, lambda text: {"{{ id }}": "00f1", "{{ mode }}": "STREAMING"}[text])
    with refused("ServerlessApplication.application_id: 'None' is not well formed"):
        map_strings(made, lambda text: {"{{ id }}": "None", "{{ mode }}": "BATCH"}[text])
    spec = ServerlessApplication(spec=ApplicationSpec("nightly", "{{ label }}"), max_attempts=3)
    with refused("max_attempts: 3 is not supported by emr-6.15.0"):
        map_strings(spec, lambda text: text.replace("{{ label }}", "emr-6.15.0"))


@pytest.mark.parametrize(
    "target", [ServerlessApplication("00f1", tags={"a": "b"}), ServerlessApplication(spec=SPEC)]
)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_airflow_can_copy_and_pickle_it(target, clone):
    assert clone(target) == target
    assert hash(clone(target)) == hash(target)


def test_the_repr():
    assert repr(ServerlessApplication("00f1")) == "ServerlessApplication(application_id='00f1')"
