from __future__ import annotations

import copy
import pickle
import re

import pytest

from airflow_provider_emrkit import ClusterSpec, DynamicCluster, ExistingCluster
from airflow_provider_emrkit.validation import InvalidValueError

SPEC = ClusterSpec("emr-7.11.0")


@pytest.mark.parametrize("cluster_id", ["j-1K48XXXXXXHCB", "j-A", "{{ ti.xcom_pull('create') }}"])
def test_ids_of_clusters(cluster_id):
    assert ExistingCluster(cluster_id).cluster_id == cluster_id


@pytest.mark.parametrize("cluster_id", ["1K48", "j-", "j-abc", "s-1K48", "j-1K48 ", "j-1K48\n"])
def test_what_can_not_be_an_id(cluster_id):
    with pytest.raises(
        InvalidValueError, match=re.escape(f"ExistingCluster.cluster_id: {cluster_id!r} is not well")
    ):
        ExistingCluster(cluster_id)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("emr-7.11.0", "DynamicCluster.spec: 'emr-7.11.0' is of type str; give ClusterSpec("),
        (
            ClusterSpec("emr-7.11.0", termination_protected=True),
            "spec.termination_protected: True would keep the cluster",
        ),
        (
            ClusterSpec("emr-7.11.0", step_concurrency=2),
            "spec.step_concurrency: 2 is of no use; leave it out",
        ),
    ],
)
def test_a_dynamic_cluster_must_be_able_to_end_with_its_one_job(spec, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        DynamicCluster(spec)


def test_the_name_leaves_room_for_the_run_token():
    DynamicCluster(SPEC, name="x" * 190)
    with pytest.raises(InvalidValueError, match="is longer than 190 characters"):
        DynamicCluster(SPEC, name="x" * 191)


def test_a_failing_job_ends_only_a_cluster_of_its_own():
    assert DynamicCluster(SPEC).action_on_failure == "TERMINATE_CLUSTER"
    assert ExistingCluster("j-1").action_on_failure == "CONTINUE"


@pytest.mark.parametrize("target", [DynamicCluster(SPEC, name="x"), ExistingCluster("j-1")])
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_airflow_can_copy_and_pickle_them(target, clone):
    assert clone(target) == target
    assert hash(clone(target)) == hash(target)


def test_the_repr_shows_the_spec():
    assert repr(DynamicCluster(SPEC)) == "DynamicCluster(spec=ClusterSpec(release_label='emr-7.11.0'))"
    assert repr(ExistingCluster("j-1")) == "ExistingCluster(cluster_id='j-1')"
