"""What the operators that care for a pool take, checked when the DAG is parsed."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from airflow import DAG

from airflow_provider_emrkit import (
    ClusterPool,
    ClusterSpec,
    EmrPoolDeleteOperator,
    EmrPoolDrainOperator,
    EmrPoolResizeOperator,
    EmrPoolWarmUpOperator,
    InvalidValueError,
)

POOL = ClusterPool("medium", ClusterSpec("emr-7.11.0", size="tiny"), min_clusters=2, max_clusters=3)
OPERATORS = {
    EmrPoolWarmUpOperator: {},
    EmrPoolResizeOperator: {"clusters": 1},
    EmrPoolDrainOperator: {},
    EmrPoolDeleteOperator: {},
}
ALL = [pytest.param(kind, kwargs, id=kind.__name__) for kind, kwargs in OPERATORS.items()]


def make(kind: type, **kwargs: Any) -> Any:
    return kind(task_id="care", cluster_pool=POOL, **kwargs)


@pytest.mark.parametrize(("kind", "kwargs"), ALL)
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cluster_pool": "medium"}, "cluster_pool"),
        ({"timeout": 0}, "timeout"),
        ({"poll_interval": 0.1}, "poll_interval"),
        ({"wait": "no"}, "wait"),
    ],
)
def test_what_can_t_be_right_is_refused_when_the_dag_is_parsed(kind, kwargs, wrong, told):
    with pytest.raises(InvalidValueError, match=rf"{kind.__name__}\.{told}"):
        kind(task_id="care", **{"cluster_pool": POOL, **kwargs, **wrong})


@pytest.mark.parametrize("kind", [EmrPoolWarmUpOperator, EmrPoolResizeOperator])
@pytest.mark.parametrize("clusters", [4, -1, "two", True, 1.5])
def test_a_number_of_clusters_that_can_t_be_is_refused(kind, clusters):
    with pytest.raises(InvalidValueError, match=rf"{kind.__name__}\.clusters"):
        make(kind, clusters=clusters)


def test_an_id_that_can_t_be_one_is_refused():
    with pytest.raises(InvalidValueError, match=r"EmrPoolDrainOperator\.cluster_ids"):
        make(EmrPoolDrainOperator, cluster_ids=["cluster-1"])


def test_what_force_is_has_to_be_clear():
    with pytest.raises(InvalidValueError, match=r"EmrPoolDeleteOperator\.force"):
        make(EmrPoolDeleteOperator, force="yes")


def test_settings_for_all_tasks_of_a_dag_are_taken():
    defaults = {"cluster_pool": POOL, "deferrable": True, "emrkit_conn_id": "mine"}
    with DAG("d", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), default_args=defaults):
        operator = EmrPoolResizeOperator(task_id="care", clusters=2)
    assert (operator.cluster_pool, operator.deferrable, operator.emrkit_conn_id) == (POOL, True, "mine")


def test_it_can_be_mapped():
    with DAG("d", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc)) as dag:
        EmrPoolDrainOperator.partial(task_id="care", deferrable=True).expand(cluster_pool=[POOL])
    assert dag.task_dict["care"].task_id == "care"
