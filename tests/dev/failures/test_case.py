"""Jobs that fail on purpose."""

from __future__ import annotations

import pytest

from failures import bootstrap, composed
from failures.case import CLIENT, SPARK_35, Case, folder_name, unmarked
from failures.cases import CASES
from failures.corpus import CORPUS


def case(**members: object) -> Case:
    given = {"name": "no-price", "runs": ((SPARK_35, CLIENT),), "contains": "x", "error": "UserCodeError"}
    return Case(**{**given, **members})  # type: ignore[arg-type]


def test_the_place_is_the_marked_line_of_the_job():
    assert case(job="a = 1\nb = a / 0  # fails\n").place == "no_price.py line 2"


def test_the_place_may_be_in_a_module_that_is_shipped():
    modules = {"shop/__init__.py": "", "shop/prices.py": "raise KeyError  # fails\n"}
    assert case(job="import shop.prices\n", modules=modules).place == "prices.py line 1"


def test_a_job_without_a_mark_has_no_place():
    assert case(job="import sys\nsys.exit(3)\n").place == ""


def test_a_job_does_not_see_its_mark():
    assert unmarked("a = 1  # one\nb = a / 0  # fails\n") == "a = 1  # one\nb = a / 0\n"


def test_what_a_spark_says_may_differ_from_what_another_says():
    assert case(contains={"3.5": "[TABLE]", "3.3": "Table"}).expected(SPARK_35) == "[TABLE]"


def test_every_failure_has_a_name_of_its_own():
    names = [folder_name(one.name, run) for one in CASES for run in one.runs]
    names += [action.name for action in bootstrap.ACTIONS] + [entry.name for entry in composed.entries()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name)
def test_every_case_says_what_each_of_its_sparks_says(one):
    assert all(one.expected(release) for release, _ in one.runs)
    assert one.job or one.scala or one.command
    assert not (one.job and one.scala)


def test_the_corpus_holds_every_failure_that_is_made_here():
    made = {folder_name(one.name, run) for one in CASES for run in one.runs}
    made |= {action.name for action in bootstrap.ACTIONS} | {entry.name for entry in composed.entries()}
    kept = {folder.name for folder in CORPUS.iterdir() if folder.is_dir()}
    assert made <= kept
    assert all(name.startswith("docker-") for name in kept - made)
