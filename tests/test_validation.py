from __future__ import annotations

import copy
import pickle
import re

import pytest

from airflow_provider_emrkit import validation
from airflow_provider_emrkit.validation import InvalidValueError


def test_the_message_names_field_value_problem_and_what_is_allowed():
    error = InvalidValueError("ClusterSpec", "size", "hige", "is not known", allowed=["tiny", "small"])
    assert str(error) == "ClusterSpec.size: 'hige' is not known; use one of tiny, small"
    assert (error.owner, error.field, error.value, error.allowed) == (
        "ClusterSpec",
        "size",
        "hige",
        ("tiny", "small"),
    )


def test_a_mend_is_said_instead_of_the_list():
    error = InvalidValueError("SparkJob", "args", "x", "is one string", "pass a list")
    assert str(error) == "SparkJob.args: 'x' is one string; pass a list"
    assert error.allowed == ()


def test_a_long_value_is_cut():
    assert len(str(InvalidValueError("A", "b", "x" * 100_000, "is too long"))) < 250


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_it_crosses_process_borders(clone):
    error = InvalidValueError("A", "b", 1, "is odd", "use 2", ["2"])
    assert str(clone(error)) == str(error)
    assert clone(error).field == "b"


def test_it_is_a_value_error():
    assert issubclass(InvalidValueError, ValueError)


def refused(match: str):
    return pytest.raises(InvalidValueError, match=re.escape(match))


def test_text_must_be_there():
    assert validation.check_text("A", "b", " x ") == " x "
    for empty in ("", "  ", "\n"):
        with refused("is empty"):
            validation.check_text("A", "b", empty)
    with refused("A.b: None is of type NoneType; give a string"):
        validation.check_text("A", "b", None)


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x08", "\ud800", "\uffff"])
def test_characters_that_emr_does_not_take_are_refused(character):
    with refused("which EMR's API does not take; remove it"):
        validation.check_sendable("A", "b", f"x{character}y")


@pytest.mark.parametrize("text", ["", "tab\tand\r\nnewline", "ünï©ødé", "日本", "😀", "a$b'c\"d`e\\f"])
def test_all_other_characters_are_taken(text):
    assert validation.check_sendable("A", "b", text) == text


@pytest.mark.parametrize("value", ["pass\0word", 12, None])
def test_a_secret_value_is_not_shown(value):
    with pytest.raises(InvalidValueError) as caught:
        validation.check_sendable("A", "b", value, secret=True)
    assert "pass" not in str(caught.value)
    assert "12" not in str(caught.value)


def test_length_is_not_judged_before_rendering():
    validation.check_text("A", "b", "{{ x }}" + "y" * 20, maximum=10)
    with refused("is longer than 10 characters; shorten it"):
        validation.check_text("A", "b", "y" * 20, maximum=10)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_only_whole_numbers_are_whole_numbers(value):
    with refused("use a whole number from 1 to 1,000 steps"):
        validation.check_integer("A", "b", value, 1, 1000, "steps")


@pytest.mark.parametrize(("value", "good"), [(0, False), (1, True), (9, True), (10, False)])
def test_both_bounds_are_allowed(value, good):
    if good:
        validation.check_integer("A", "b", value, 1, 9)
    else:
        with refused("is out of bounds"):
            validation.check_integer("A", "b", value, 1, 9)


def test_a_string_is_not_a_list():
    with refused("A.b: 'abc' is one string; pass a list: ['abc']"):
        validation.check_sequence("A", "b", "abc")


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, {"a"}, b"abc", (x for x in "ab")])
def test_other_things_are_not_lists_either(value):
    with refused("pass a list"):
        validation.check_sequence("A", "b", value)


def test_a_template_matches_every_pattern():
    validation.check_pattern("A", "b", "{{ x }}", re.compile("z"), "")
    validation.check_choice("A", "b", "{% if x %}y{% endif %}", ["z"])
    with refused("is not well formed; write z"):
        validation.check_pattern("A", "b", "zz", re.compile("z"), "write z")
