from __future__ import annotations

import re
from dataclasses import replace

import pytest

from airflow_provider_emrkit.runs.token import Mark, RunToken

FIRST = RunToken("sales", "manual__1", "load", -1, generation=2, try_number=1)


def test_the_same_try_has_the_same_token_in_every_process():
    assert str(FIRST) == "c66c9179a54ad449-2-1"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"try_number": 2}, id="an automatic retry"),
        pytest.param({"relaunch": 1}, id="started once more in the same try"),
        pytest.param({"generation": 4, "try_number": 3}, id="cleared"),
    ],
)
def test_all_attempts_of_a_task_instance_have_the_stem_in_common(change):
    attempt = replace(FIRST, **change)
    assert attempt.stem == FIRST.stem
    assert str(attempt) != str(FIRST)
    assert Mark.of(attempt.marked("nightly")) == attempt.mark


@pytest.mark.parametrize(
    "name",
    [
        "nightly",
        "",
        "emrkit:c66c9179a54ad449-0-1",
        "x emrkit:c66c9179a54ad449-0-1 again",
        "x emrkit:c66c9179a54ad449-0",
        "x emrkit:C66C9179A54AD449-0-1",
        "x emrkit:c66c9179a54ad449-0-\u0661",
    ],
)
def test_names_that_emrkit_did_not_give_have_no_mark(name):
    assert Mark.of(name) is None


def test_the_yarn_tag_is_one_yarn_takes():
    assert re.fullmatch(r"[a-z0-9-]{1,100}", replace(FIRST, relaunch=2).yarn_tag)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"run_id": "manual__2"}, id="another run"),
        pytest.param({"map_index": 0}, id="another map index"),
        pytest.param({"task_id": "loads"}, id="another task"),
        pytest.param({"dag_id": "sale"}, id="another DAG"),
        pytest.param({"deployment": "dev"}, id="another Airflow"),
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


def test_the_airflow_is_told_where_it_has_a_name():
    assert replace(FIRST, deployment="dev").tags()["emrkit:deployment"] == "dev"
    assert "emrkit:deployment" not in FIRST.tags()
