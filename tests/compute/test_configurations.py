from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit.compute.configurations import checked_configurations, with_properties
from airflow_provider_emrkit.frozen import thaw
from airflow_provider_emrkit.validation import InvalidValueError


def checked(value):
    return thaw(checked_configurations("ClusterSpec", "configurations", value))


def test_a_plain_mapping_becomes_emrs_list():
    assert checked({"spark-defaults": {"spark.executor.cores": 4, "spark.x": True}, "yarn-site": {}}) == [
        {"Classification": "spark-defaults", "Properties": {"spark.executor.cores": "4", "spark.x": "true"}},
        {"Classification": "yarn-site", "Properties": {}},
    ]


def test_emrs_list_is_taken_as_it_is():
    export = {"Classification": "export", "Properties": {"A": "b"}}
    given = [{"Classification": "spark-env", "Properties": {}, "Configurations": [export]}]
    assert checked(given) == given


def test_properties_may_be_left_out():
    assert checked([{"Classification": "spark-env"}]) == [{"Classification": "spark-env", "Properties": {}}]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("spark-defaults", "ClusterSpec.configurations: 'spark-defaults' is one string"),
        (["x"], "ClusterSpec.configurations[0]: 'x' is of type str; pass a dict"),
        ([{"Properties": {}}], "ClusterSpec.configurations[0].Classification: None is of type NoneType"),
        (
            [{"Classification": "a", "Props": {}}],
            "'Props' is not known; use one of Classification, Properties",
        ),
        ({"a": "b"}, "ClusterSpec.configurations[0] (a): 'b' is of type str; pass a dict"),
        (
            {"a": {"k": None}},
            "ClusterSpec.configurations[0] (a)['k']: 'NoneType' is of type NoneType; give a string",
        ),
        (
            [{"Classification": "a", "Configurations": [{"Classification": "b", "Properties": {"k": []}}]}],
            "ClusterSpec.configurations[0].Configurations[0] (b)['k']: 'list' is of type list",
        ),
    ],
)
def test_anything_else_is_refused_with_its_place(value, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        checked(value)


def test_properties_are_added_to_their_classification():
    given = [{"Classification": "a", "Properties": {"x": "1"}}, {"Classification": "b", "Properties": {}}]
    assert with_properties(given, "a", {"y": "2"}) == [
        {"Classification": "a", "Properties": {"x": "1", "y": "2"}},
        {"Classification": "b", "Properties": {}},
    ]
    assert given[0]["Properties"] == {"x": "1"}


def test_a_new_classification_comes_last():
    assert with_properties([], "a", {"y": "2"}) == [{"Classification": "a", "Properties": {"y": "2"}}]


def test_what_the_author_has_set_stays():
    given = [{"Classification": "a", "Properties": {"y": "mine"}}]
    assert with_properties(given, "a", {"x": "1", "y": "2"}) == given
