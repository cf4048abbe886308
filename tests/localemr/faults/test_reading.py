"""Faults as JSON: what is read, and what is said of what can't be."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest

from airflow_provider_emrkit.localemr.faults.api_kinds import Latency, Throttle
from airflow_provider_emrkit.localemr.faults.checks import InvalidFaultError
from airflow_provider_emrkit.localemr.faults.cluster_kinds import LostNodes
from airflow_provider_emrkit.localemr.faults.kinds import KINDS
from airflow_provider_emrkit.localemr.faults.reading import as_json, read, read_file, read_text


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ({"throttle": "ListSteps"}, {"throttle": {"operation": "ListSteps"}}),
        ({"quotas": True}, {"quotas": {}}),
        ({"quotas": "emr"}, {"quotas": {"service": "emr"}}),
        ({"latency": 1}, {"latency": {"seconds": 1.0}}),
        ({"failed_step": "etl*"}, {"failed_step": {"step": "etl*"}}),
        ({"failed_step": 2}, {"failed_step": {"nth": 2}}),
        ({"lost_nodes": "CORE"}, {"lost_nodes": {"role": "CORE"}}),
        ({"no_capacity": "pool-*"}, {"no_capacity": {"cluster": "pool-*"}}),
        ({"error": ["RunJobFlow", {}]}, {"error": [{"operation": "RunJobFlow"}, {}]}),
    ],
)
def test_a_fault_may_be_given_by_its_main_field_alone(short, long):
    assert read(short) == read(long)


def test_a_span_of_seconds_is_two_numbers():
    assert read({"latency": {"seconds": [0.1, 2]}}) == [Latency(seconds=(0.1, 2.0))]


def test_services_and_operations_may_be_patterns():
    faults = read(
        {"throttle": [{"operation": "List*"}, {"service": "s3", "operation": "Put*"}, {"service": "*"}]}
    )
    assert [fault.operation for fault in faults] == ["List*", "Put*", None]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "faults: [] is not allowed; give a JSON object of kind"),
        ({"trottle": True}, "faults: 'trottle' is not allowed; give one of throttle, quotas,"),
        (
            {"throttle": 3},
            "throttle: 3 is not allowed; give an object of its fields, its operation as a text, or true",
        ),
        ({"throttle": False}, "throttle: False is not allowed"),
        ({"throttle": None}, "throttle: None is not allowed"),
        ({"throttle": {"times": 0}}, "throttle.times: 0 is not allowed; give a whole number from 1"),
        ({"throttle": {"times": True}}, "throttle.times: True is not allowed"),
        ({"throttle": {"times": 1.5}}, "throttle.times: 1.5 is not allowed"),
        ({"throttle": [{}, {"nth": -1}]}, "throttle[1].nth: -1 is not allowed"),
        (
            {"throttle": {"opration": "x"}},
            "throttle: 'opration' is not allowed; give fields among nth, times,",
        ),
        (
            {"throttle": "ListStep"},
            "throttle.operation: 'ListStep' is not allowed; give an operation of emr or emr-se",
        ),
        ({"throttle": "PutObject"}, "or say which service's it is with service"),
        (
            {"throttle": {"service": "elasticmapreduce"}},
            "throttle.service: 'elasticmapreduce' is not allowed; give bot",
        ),
        ({"throttle": {"service": "s3", "operation": "ListSteps"}}, "give an operation of s3"),
        ({"quotas": "emrr"}, "quotas.service: 'emrr' is not allowed"),
        ({"quotas": {"limits": {"ListSteps": [0, 1]}}}, 'like {"ListSteps": [20, 1.0]}'),
        ({"quotas": {"times": 3}}, "quotas.times: 3 is not allowed"),
        ({"quotas": {"limits": {"ListSteps": [1]}}}, "quotas.limits"),
        ({"quotas": {"limits": {"ListSteps": [1, 2, 3]}}}, "quotas.limits"),
        ({"latency": {}}, "latency.seconds: None is not allowed; give a number of seconds from 0 to a week"),
        ({"latency": -1}, "latency.seconds: -1 is not allowed"),
        ({"latency": {"seconds": [2, 1]}}, "the smaller first"),
        ({"latency": {"seconds": "1"}}, "latency.seconds: '1' is not allowed"),
        ({"latency": float("inf")}, "latency.seconds: inf is not allowed"),
        ({"latency": 10**400}, "latency.seconds: 1000"),
        ({"error": {"code": "Bad\r\nSet-Cookie: x"}}, "error.code"),
        ({"error": {"status": 200}}, "error.status: 200 is not allowed; give an HTTP status from 400 to 599"),
        ({"error": {"message": "\x1b[2J"}}, "error.message"),
        ({"no_capacity": {"code": "OOPS"}}, "give one of INTERNAL_ERROR, VALIDATION_ERROR,"),
        (
            {"lost_nodes": "WORKER"},
            "lost_nodes.role: 'WORKER' is not allowed; give one of TASK, CORE, MASTER",
        ),
        (
            {"lost_nodes": {"steps_fail": "no"}},
            "lost_nodes.steps_fail: 'no' is not allowed; give true or false",
        ),
        ({"throttle": {"probability": 0}}, "give a number above 0, at most 1"),
        ({"failed_step": {"step": ""}}, "failed_step.step: '' is not allowed; give a name, with * and ?"),
        ({"throttle": [{}] * 1001}, "faults: 1001 is not allowed; give at most 1000 of them"),
    ],
)
def test_what_cant_be_is_refused_by_field_value_and_what_is_allowed(given, message):
    with pytest.raises(InvalidFaultError) as caught:
        read(given)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\ud800"])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(InvalidFaultError, match="JSON"):
        read_text(text)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(InvalidFaultError, match="JSON"):
        read_text(b"\xff\xfe\x00\x00\xff")


def test_a_long_value_is_cut_short_in_the_message():
    with pytest.raises(InvalidFaultError) as caught:
        read({"throttle": "x" * 10_000})
    assert len(str(caught.value)) < 400


def test_every_kind_is_written_as_it_is_read():
    for name, kind in KINDS.items():
        needed = {"seconds": 3.0} if kind.number_field == "seconds" else {}
        fault = kind(probability=0.5, seed=3, **needed)
        assert read(json.loads(json.dumps(as_json([fault])))) == [fault], name


def test_every_kind_and_every_field_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "localemr-faults.md").read_text(encoding="utf-8")
    assert [name for name in KINDS if f"| `{name}` | `" not in text] == []
    names = {item.name for kind in KINDS.values() for item in fields(kind)}
    assert [name for name in sorted(names) if f"`{name}`" not in text] == []


def test_several_faults_of_a_kind_are_a_list():
    faults = [Throttle(operation="ListSteps"), LostNodes(), Throttle(times=1)]
    assert as_json(faults) == {"throttle": [{"operation": "ListSteps"}, {"times": 1}], "lost_nodes": {}}


def test_a_file_that_cant_be_read_is_named(tmp_path):
    with pytest.raises(InvalidFaultError, match="No such file"):
        read_file(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text('{"throttle": 1}')
    with pytest.raises(InvalidFaultError, match=r"bad\.json\.throttle: 1 is not allowed"):
        read_file(tmp_path / "bad.json")
    assert read_file(None) == []
