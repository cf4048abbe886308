from __future__ import annotations

import re

import pytest

from airflow_provider_emrkit.compute.configurations import (
    checked_configurations,
    properties_of,
    with_defaults,
    with_properties,
)
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


def nested(*inner, **properties):
    return {"Classification": "outer", "Properties": properties, "Configurations": list(inner)}


def inner(**properties):
    return {"Classification": "inner", "Properties": properties}


def test_defaults_fill_what_is_not_said_also_in_nested_classifications():
    given = [nested(inner(x="mine"), a="mine")]
    assert with_defaults(given, [nested(inner(x="1", y="2"), a="1", b="2")]) == [
        nested(inner(x="mine", y="2"), a="mine", b="2")
    ]
    assert given == [nested(inner(x="mine"), a="mine")]


def test_defaults_of_a_classification_that_is_not_there_come_last():
    other = {"Classification": "other"}
    assert with_defaults([other], [nested(inner(x="1"))]) == [other, nested(inner(x="1"))]
    assert with_defaults([{"Classification": "outer"}], [nested(inner(x="1"))]) == [nested(inner(x="1"))]


def test_a_classification_without_nested_ones_gets_none():
    assert with_defaults([inner(x="1")], [inner(y="2")]) == [inner(x="1", y="2")]


def test_without_defaults_nothing_changes():
    given = [nested(inner(x="1")), {"Classification": "outer"}]
    assert with_defaults(given, []) == given


def test_what_is_said_twice_is_not_filled_again():
    given = [{"Classification": "outer"}, nested(inner(x="1"), a="1")]
    assert with_defaults(given, [nested(inner(y="2"), a="2", b="3")])[1] == given[1]


def test_reading_a_classification():
    given = [nested(inner(x="1"), a="1"), inner(y="2"), nested(inner(z="3"))]
    assert properties_of(given, "outer") == {"a": "1"}
    assert properties_of(given, "outer", "inner") == {"x": "1", "z": "3"}
    assert properties_of(given, "inner") == {"y": "2"}
    assert properties_of(given, "inner", "outer") is None
    assert properties_of([], "outer") is None
