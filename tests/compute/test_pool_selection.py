from __future__ import annotations

import functools
import importlib.util
import re
import sys

import pytest

from airflow_provider_emrkit import ClusterPool, ClusterSpec
from airflow_provider_emrkit.compute.pool_selection import RULES, checked_selection
from airflow_provider_emrkit.validation import InvalidValueError


def oldest(candidates):
    return candidates[0].id


class Choosers:
    @staticmethod
    def oldest(candidates):
        return candidates[0].id

    def of_an_object(self, candidates):
        return candidates[0].id


@functools.wraps(oldest)
def posing_as_oldest(candidates):
    return candidates[-1].id


def checked(value):
    return checked_selection("ClusterPool", "selection", value)


def refused(*words: str):
    pattern = ".*".join(re.escape(word) for word in ("ClusterPool.selection: ", *words))
    return pytest.raises(InvalidValueError, match=pattern)


@pytest.mark.parametrize(
    "text", [*RULES, "{{ params.how }}", "acme:oldest", "acme.pools.choose:Choosers.oldest", "a.b:_c1"]
)
def test_rules_and_places_of_functions_are_kept(text):
    assert checked(text) == text


@pytest.mark.parametrize(("function", "name"), [(oldest, "oldest"), (Choosers.oldest, "Choosers.oldest")])
def test_a_function_is_kept_as_where_it_is(function, name):
    assert checked(function) == f"{__name__}:{name}"
    assert ClusterPool(
        "a", ClusterSpec("emr-7.11.0"), max_clusters=1, selection=function
    ).selection == checked(function)


@pytest.mark.parametrize(
    "text",
    ["", "fewest", "acme.pools.oldest", "acme:", ":oldest", "a:b:c", "a/b:c", "1a:b", "a:b()", "os:x y"],
)
def test_text_that_names_neither(text):
    with refused(repr(text)):
        checked(text)


def test_text_is_not_imported():
    assert checked("no_such_module_anywhere:oldest") == "no_such_module_anywhere:oldest"
    assert "no_such_module_anywhere" not in sys.modules


def test_a_lambda_can_not_be_imported():
    with refused(
        "is a lambda, which can't be imported; the triggerer and other workers import it", "plugins folder"
    ):
        checked(lambda candidates: candidates[0].id)


def test_a_nested_function_can_not_be_imported():
    def nested(candidates):
        return candidates[0].id

    with refused("nested' is inside of another function, which can't be imported"):
        checked(nested)


@pytest.mark.parametrize(
    "value", [None, 7, Choosers().of_an_object, functools.partial(oldest), Choosers, len]
)
def test_what_is_no_function(value):
    with refused("is of type", "use one of fewest_steps, most_memory, or give a function"):
        checked(value)


def test_a_function_that_its_module_does_not_have_is_refused():
    with refused("is not what", ":oldest gives to those who import it"):
        checked(posing_as_oldest)


def test_a_function_of_a_dag_file_is_refused_since_only_the_dag_processor_has_its_module(
    tmp_path, monkeypatch
):
    from airflow.utils.file import get_unique_dag_module_name

    file = tmp_path / "my_dag.py"
    file.write_text("def oldest(candidates):\n    return candidates[0].id\n")
    name = get_unique_dag_module_name(str(file))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    for selection in (module.oldest, f"{name}:oldest"):
        with refused(
            "is in a DAG file or a program, which nobody else can import", "put it at the top of a module"
        ):
            checked(selection)


@pytest.mark.parametrize("module", ["__main__", None])
def test_a_function_of_a_program_is_refused(monkeypatch, module):
    monkeypatch.setattr(oldest, "__module__", module)
    with refused("'oldest' is in a DAG file or a program"):
        checked(oldest)
