from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from faulty_emr import aws_error, timed_out
from pool_rig import JOB, MEDIUM, SPEC, STAGING_URI, PoolRig

from airflow_provider_emrkit import SparkJob
from airflow_provider_emrkit.exceptions import AccessDeniedError, NotFoundError, StagingError
from airflow_provider_emrkit.logs.wishes import LogWishes
from airflow_provider_emrkit.pools.order import PoolBounds, PoolOrder
from airflow_provider_emrkit.pools.ordering import read_order, stage_order
from airflow_provider_emrkit.pools.pool_setup import pool_bounds


@pytest.fixture
def rig(localemr_server):
    return PoolRig(localemr_server)


def tags_in(order):
    [tags] = [arg for arg in order.step["HadoopJarStep"]["Args"] if arg.startswith("spark.yarn.tags=")]
    return tags.removeprefix("spark.yarn.tags=").split(",")


def test_an_order_has_all_that_placing_takes(rig):
    wishes = LogWishes(True, (("/team", "driver"),))
    order = rig.order(1, replace(MEDIUM, team="data"), wishes=wishes, since=5.0)
    assert (order.place.name, order.place.team) == ("medium", "data")
    assert order.place.uri == f"{STAGING_URI}/pools/data/medium.json"
    assert order.bounds == PoolBounds(2, 0, 2, "fewest_steps")
    assert (order.step["Name"], order.step["ActionOnFailure"]) == (order.token.marked(), "CONTINUE")
    assert "Name" not in order.cluster
    assert order.cluster["Instances"]["KeepJobFlowAliveWhenNoSteps"] is True
    assert (order.since, order.driver_apart, order.wishes) == (5.0, True, wishes)


def test_tags_and_executors_logs_make_no_other_spec_and_releases_and_steps_at_once_do(rig):
    plain = rig.order(1)
    tagged = rig.order(1, replace(MEDIUM, spec=replace(SPEC, tags={"cost": "sales"})))
    assert rig.order(2, wishes=LogWishes(executor_logs=True)).spec == plain.spec == tagged.spec
    assert rig.order(2, replace(MEDIUM, spec=replace(SPEC, release_label="emr-7.10.0"))).spec != plain.spec
    assert rig.order(2, replace(MEDIUM, steps_per_cluster=3)).spec != plain.spec


def test_a_client_mode_job_has_no_driver_apart(rig):
    order = rig.order(1, job=replace(JOB, deploy_mode="client"))
    assert order.driver_apart is False


def test_its_driver_can_be_ended_by_its_token(rig):
    order = rig.order(1)
    assert tags_in(order) == [order.token.yarn_tag]
    own = rig.order(1, job=replace(JOB, conf={"spark.yarn.tags": "team"}))
    assert tags_in(own) == ["team", order.token.yarn_tag]


def test_long_arguments_go_to_s3(rig):
    order = rig.order(1, job=SparkJob("s3://code/job.py", args=["x" * 20_000]))
    assert order.step["HadoopJarStep"]["Args"][:2] == ["bash", "-c"]
    assert order.step["HadoopJarStep"]["Args"][4].startswith(f"{STAGING_URI}/")


def test_with_an_old_boto3_clusters_are_of_another_spec_that_leaves_logs_to_s3(rig):
    modern = rig.order(1)
    assert "MonitoringConfiguration" in modern.cluster
    shape = SimpleNamespace(input_shape=SimpleNamespace(members={"Name"}))
    rig.emr.meta = SimpleNamespace(service_model=SimpleNamespace(operation_model=lambda name: shape))
    old = rig.order(1)
    assert "MonitoringConfiguration" not in old.cluster
    assert old.spec != modern.spec


def test_what_is_staged_is_read_back(rig):
    order = rig.order(1, wishes=LogWishes(True, (("/team", "driver"),)))
    uri = stage_order(order, STAGING_URI, rig.s3)
    assert uri.startswith(f"{STAGING_URI}/")
    assert read_order(rig.s3, uri) == order


def test_the_same_order_is_staged_once_and_another_one_elsewhere(rig):
    one, other = rig.order(1), rig.order(2)
    assert stage_order(one, STAGING_URI, rig.s3) == stage_order(one, STAGING_URI, rig.s3)
    assert stage_order(other, STAGING_URI, rig.s3) != stage_order(one, STAGING_URI, rig.s3)
    listed = rig.s3.list_objects_v2(Bucket="staging", Prefix="emrkit/")["Contents"]
    assert len([item for item in listed if item["Key"].endswith("pool-order.json")]) == 2


def test_what_a_later_version_has_written_is_read_as_far_as_it_is_known(rig):
    order = rig.order(1)
    data = json.loads(json.dumps({**order.to_dict(), "priority": 7}))
    data["bounds"]["burst"] = 1
    assert PoolOrder.from_dict(data) == order


def test_an_order_can_not_be_kept_nowhere(rig):
    with pytest.raises(StagingError, match="has no staging_uri"):
        stage_order(rig.order(1), None, rig.s3)


def test_an_order_that_is_gone_or_may_not_be_read_says_so(rig):
    with pytest.raises(NotFoundError, match=r"s3://staging/nothing\.json"):
        read_order(rig.s3, "s3://staging/nothing.json")

    class Denied:
        def get_object(self, **_):
            raise aws_error("AccessDenied", "no", 403)

    with pytest.raises(AccessDeniedError, match="permission is missing"):
        read_order(Denied(), "s3://staging/order.json")


def test_reading_is_tried_again(rig):
    uri = stage_order(rig.order(1), STAGING_URI, rig.s3)
    errors = [timed_out()]

    class Slow:
        def get_object(self, **request):
            if errors:
                raise errors.pop()
            return rig.s3.get_object(**request)

    assert read_order(Slow(), uri, rig.pause) == rig.order(1)
    assert len(rig.pauses) == 1


def test_the_bounds_of_a_pool(rig):
    pool = replace(MEDIUM, min_clusters=1, selection="most_memory")
    assert pool_bounds(pool) == PoolBounds(2, 1, 2, "most_memory")
