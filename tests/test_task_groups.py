"""Task groups: what runs before and after what."""

from __future__ import annotations

import copy

import pytest
from airflow import DAG

from airflow_provider_emrkit import (
    ApplicationSpec,
    EmrApplicationDeleteOperator,
    EmrApplicationGroup,
    EmrApplicationSetUpOperator,
    EmrApplicationStartOperator,
    EmrApplicationStopOperator,
    EmrSparkOperator,
    InvalidValueError,
    SparkJob,
)
from airflow_provider_emrkit._compat import BaseOperator, TaskGroup

NIGHTLY = ApplicationSpec("nightly", "emr-7.11.0")


def spark(task_id: str, group: EmrApplicationGroup) -> EmrSparkOperator:
    return EmrSparkOperator(task_id=task_id, job=SparkJob("s3://code/job.py"), compute=group.compute)


@pytest.fixture
def dag():
    with DAG("sales", schedule=None) as dag:
        yield dag


def test_its_jobs_run_on_the_application_between_setup_and_teardown(dag):
    with EmrApplicationGroup("nightly", NIGHTLY) as group:
        load, clean, report = (spark(name, group) for name in ("load", "clean", "report"))
        load >> report
    set_up, tear_down = dag.task_dict["nightly.set_up"], dag.task_dict["nightly.tear_down"]
    assert (set_up.is_setup, tear_down.is_teardown) == (True, True)
    assert set_up.downstream_task_ids == {"nightly.load", "nightly.clean", "nightly.tear_down"}
    assert tear_down.upstream_task_ids == {"nightly.set_up", "nightly.report", "nightly.clean"}
    assert load.downstream_task_ids == {"nightly.report"}
    assert clean.compute.spec is NIGHTLY
    dag.validate()


def test_it_is_started_between_its_setup_and_its_jobs(dag):
    with EmrApplicationGroup("nightly", NIGHTLY, start=True) as group:
        load, report = spark("load", group), spark("report", group)
        load >> report
        with TaskGroup("inner"):
            clean = spark("clean", group)
    start, tear_down = dag.task_dict["nightly.start"], dag.task_dict["nightly.tear_down"]
    assert group.set_up.downstream_task_ids == {"nightly.start", "nightly.tear_down"}
    assert start.downstream_task_ids == {"nightly.load", "nightly.inner.clean"}
    assert report.upstream_task_ids == {"nightly.load"}
    assert tear_down.upstream_task_ids == {"nightly.set_up", "nightly.report", "nightly.inner.clean"}
    assert clean.upstream_task_ids == {"nightly.start"}
    dag.validate()


def test_what_comes_before_and_after_the_group(dag):
    before, after = (BaseOperator(task_id=name) for name in ("before", "after"))
    with EmrApplicationGroup("nightly", NIGHTLY) as group:
        spark("load", group)
    before >> group >> after
    assert before.downstream_task_ids == {"nightly.set_up"}
    assert after.upstream_task_ids == {"nightly.load"}  # a teardown decides nothing


@pytest.mark.parametrize(
    ("when_done", "kind"),
    [("stop", EmrApplicationStopOperator), ("delete", EmrApplicationDeleteOperator), ("leave", None)],
)
def test_what_becomes_of_the_application(dag, when_done, kind):
    with EmrApplicationGroup(
        "nightly", NIGHTLY, when_done, start=True, cancel_runs=True, emrkit_conn_id="other", deferrable=True
    ) as group:
        spark("load", group)
    set_up, tear_down = dag.task_dict["nightly.set_up"], dag.task_dict.get("nightly.tear_down")
    assert isinstance(set_up, EmrApplicationSetUpOperator)
    assert (set_up.start, set_up.emrkit_conn_id, set_up.is_setup) == (False, "other", True)
    assert set_up.deferrable
    start = dag.task_dict["nightly.start"]
    assert isinstance(start, EmrApplicationStartOperator)
    assert (start.spec, start.emrkit_conn_id, start.is_setup) == (NIGHTLY, "other", False)
    assert start.deferrable
    assert type(tear_down) is (kind or type(None))
    if kind:
        assert (tear_down.spec, tear_down.cancel_runs, tear_down.emrkit_conn_id) == (NIGHTLY, True, "other")


def test_groups_and_tasks_without_a_group_of_their_own_may_be_inside(dag):
    with EmrApplicationGroup("nightly", NIGHTLY, default_args={"retries": 3}) as group:
        with TaskGroup("loads"):
            load = spark("load", group)
        report = spark("report", group)
        load >> report
    assert load.upstream_task_ids == {"nightly.set_up"}
    assert report.downstream_task_ids == {"nightly.tear_down"}
    assert {task.retries for task in dag.tasks} == {3}


def test_an_empty_group_sets_up_and_tears_down(dag):
    with EmrApplicationGroup("nightly", NIGHTLY):
        pass
    assert dag.task_dict["nightly.set_up"].downstream_task_ids == {"nightly.tear_down"}


def test_an_empty_group_is_started_before_it_is_torn_down(dag):
    with EmrApplicationGroup("nightly", NIGHTLY, start=True):
        pass
    assert dag.task_dict["nightly.start"].downstream_task_ids == {"nightly.tear_down"}


def test_a_mapped_task_waits_for_the_start(dag):
    with EmrApplicationGroup("nightly", NIGHTLY, start=True) as group:
        EmrSparkOperator.partial(task_id="load", compute=group.compute).expand(
            job=[SparkJob("s3://code/a.py")]
        )
    assert dag.task_dict["nightly.load"].upstream_task_ids == {"nightly.start"}
    assert dag.task_dict["nightly.load"].downstream_task_ids == {"nightly.tear_down"}


def test_a_dag_with_a_group_can_be_copied(dag):
    with EmrApplicationGroup("nightly", NIGHTLY) as group:
        spark("load", group)
    assert set(copy.deepcopy(dag).task_dict) == set(dag.task_dict)
    assert set(dag.partial_subset("nightly.load", include_upstream=True).task_dict) >= {"nightly.set_up"}


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("spec", {"spec": "nightly"}),
        ("when_done", {"spec": NIGHTLY, "when_done": "destroy"}),
        ("start", {"spec": NIGHTLY, "start": 1}),
        ("cancel_runs", {"spec": NIGHTLY, "cancel_runs": None}),
        ("deferrable", {"spec": NIGHTLY, "deferrable": "no"}),
    ],
)
def test_arguments_that_can_t_be_right(dag, field, options):
    with pytest.raises(InvalidValueError, match=f"EmrApplicationGroup.{field}"):
        EmrApplicationGroup("nightly", **options)
    assert not dag.task_group.children
