"""The options of ``kedro run``. What Kedro itself reads of them is in tests/e2e/test_kedro_serverless.py."""

from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit.jobs.kedro_arguments import compile_arguments
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, []),
        ({"pipeline": "daily"}, ["--pipeline", "daily"]),
        ({"pipelines": ["a", "b"]}, ["--pipelines", "a,b"]),
        ({"env": "prod", "runner": "ThreadRunner"}, ["--env", "prod", "--runner", "ThreadRunner"]),
        ({"tags": ["x"], "is_async": True}, ["--tags", "x", "--async"]),
        ({"from_inputs": ["a"], "to_outputs": ["b"]}, ["--from-inputs", "a", "--to-outputs", "b"]),
        ({"nodes": ["f([a,b]) -> [c]", "g"]}, ["--nodes", "f([a,b]) -> [c],g"]),
        ({"from_nodes": ["a"], "to_nodes": ["b"]}, ["--from-nodes", "a", "--to-nodes", "b"]),
        ({"namespaces": ["n"]}, ["--namespaces", "n"]),
        (
            {"load_versions": {"sales": "2024-01-01T00.00.00.000Z"}},
            ["--load-versions", "sales:2024-01-01T00.00.00.000Z"],
        ),
        ({"pipeline": "{{ params.pipeline }}"}, ["--pipeline", "{{ params.pipeline }}"]),
    ],
)
def test_options_are_the_command_lines(options, arguments):
    assert compile_arguments(**options) == arguments


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (0.5, "0.5"),
        (True, "true"),
        ("sales", "sales"),
        ("s3://data/in.csv", "s3://data/in.csv"),
        ("3", '"3"'),
        ("2024-01-01", '"2024-01-01"'),
        ("yes", '"yes"'),
        ("Null", '"Null"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("{{ ds }}", "{{ ds }}"),
        ("a, b", '"a\\u002c b"'),
        ("ü€", '"\\u00fc\\u20ac"'),
        ("\N{GRINNING FACE}", '"\\U0001f600"'),
        (float("inf"), ".inf"),
        (float("-inf"), "-.inf"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
        (["a", 1, "b,c"], '- a\n- 1\n- "b\\u002cc"'),
        ([[1, 2], {"y": ["{{ ds }}"], "z": "1"}], '- - 1\n  - 2\n- "y":\n    - {{ ds }}\n  z: "1"'),
    ],
)
def test_text_is_written_so_that_kedro_reads_text(value, text):
    assert compile_arguments(params={"x": value}) == ["--params", f"x={text}"]


def test_parameters_inside_of_others():
    assert compile_arguments(params={"model.rows": 3, "day": "{{ ds }}"}) == [
        *("--params", "model.rows=3,day={{ ds }}")
    ]
    assert compile_arguments(params={"model": {"rows": 3, "sizes": {"x": [1]}}}) == [
        *("--params", "model.rows=3,model.sizes.x=- 1")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pipeline": "a", "pipelines": ["b"]},
            "pipeline: 'a' is given beside pipelines; name all in pipelines",
        ),
        ({"tags": ["a,b"]}, "tags[0]: 'a,b' holds a comma, which Kedro takes items apart at"),
        ({"nodes": ["ok", "a,b"]}, "nodes[1]: 'a,b' holds a comma"),
        ({"tags": "a"}, "tags: 'a' is one string; pass a list"),
        ({"params": {"a=b": 1}}, "params key: 'a=b' holds a comma, =, :, [ or ]"),
        ({"params": {"a[0]": 1}}, "params key: 'a[0]' holds a comma, =, :, [ or ]; rename the parameter"),
        (
            {"params": {"a": "costs ${x"}},
            "params['a']: 'costs ${x' holds ${, which Kedro puts something else",
        ),
        ({"params": {"a": {"": 1}}}, "params key: '' is empty"),
        ({"params": {"a..b": 1}}, "params key: 'a..b' has a dot that parts nothing; rename the parameter"),
        ({"params": {"x": {1}}}, "params['x']: {1} is of type set; give a text, a number, or a list or dict"),
        ({"params": {"x": [{"y": b""}]}}, "params['x'][0]['y']: b'' is of type bytes; give a text"),
        ({"load_versions": {"a": "1,b:2"}}, "load_versions['a']: '1,b:2' holds a comma"),
        ({"is_async": "yes"}, "is_async: 'yes' is of type str; use True or False"),
        ({"pipeline": ""}, "pipeline: '' is empty"),
    ],
)
def test_what_cannot_be_said_on_the_command_line_is_refused(options, message):
    with pytest.raises(InvalidValueError, match=re.escape(f"KedroProject.job.{message}")):
        compile_arguments(**options)
