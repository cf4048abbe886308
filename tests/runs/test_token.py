from __future__ import annotations

import re
from dataclasses import replace

import pytest

from airflow_provider_emrkit.runs.token import RunToken

FIRST = RunToken("sales", "manual__1", "load", -1, generation=2, try_number=1)


def test_the_same_try_has_the_same_token_in_every_process():
    assert str(FIRST) == "34cafd3349e9e7cf-1"


def test_an_automatic_retry_is_the_same_work_in_another_try():
    retry = replace(FIRST, try_number=2)
    assert retry.stem == FIRST.stem
    assert str(retry) != str(FIRST)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"generation": 4, "try_number": 3}, id="cleared"),
        pytest.param({"run_id": "manual__2"}, id="another run"),
        pytest.param({"map_index": 0}, id="another map index"),
        pytest.param({"task_id": "loads"}, id="another task"),
        pytest.param({"dag_id": "sale"}, id="another DAG"),
    ],
)
def test_other_work_has_another_token(change):
    assert replace(FIRST, **change).stem != FIRST.stem


def test_fields_that_run_into_each_other_are_told_apart():
    assert replace(FIRST, dag_id="a", task_id="bc").stem != replace(FIRST, dag_id="ab", task_id="c").stem


def test_a_name_ends_with_the_token_however_long_it_is():
    assert FIRST.marked() == f"sales.load emrkit:{FIRST}"
    assert FIRST.marked("nightly") == f"nightly emrkit:{FIRST}"
    long_name = FIRST.marked("x" * 500)
    assert len(long_name) == 256
    assert long_name.endswith(f" emrkit:{FIRST}")


def test_tags_hold_only_what_ec2_takes():
    token = replace(FIRST, run_id="scheduled__2024-01-01T00:00:00+00:00;é\n" + "x" * 300, map_index=3)
    tags = token.tags()
    assert tags["emrkit:token"] == str(token)
    assert tags["emrkit:map_index"] == "3"
    assert all(re.fullmatch(r"[\w\s.:/=+\-@]{1,256}", value) for value in tags.values())
    assert "emrkit:map_index" not in FIRST.tags()
