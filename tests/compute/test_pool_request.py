from __future__ import annotations

import re
from dataclasses import replace

import pytest

from airflow_provider_emrkit import (
    BootstrapAction,
    ClusterPool,
    ClusterSize,
    ClusterSpec,
    EbsVolumes,
    InstanceRole,
    ManagedScaling,
)
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.compute.pool_request import (
    pool_capacity,
    pool_cluster_request,
    pool_place,
    pool_spec_hash,
)
from airflow_provider_emrkit.validation import InvalidValueError

LABEL = "emr-7.11.0"
DEFAULTS = ClusterDefaults(log_uri="s3://logs/emr/", subnet_ids=["subnet-1", "subnet-2"])
STAGING = "s3://my-bucket/emrkit"
ROLE = InstanceRole(["m5.xlarge"])
SPEC = ClusterSpec(
    LABEL,
    size=ClusterSize(ROLE, replace(ROLE, count=2), InstanceRole(["m5.2xlarge", "m4.2xlarge"], 8, "spot")),
    configurations={"spark-defaults": {"spark.x": "1"}},
    bootstrap_actions=[BootstrapAction("s3://b/a.sh")],
    tags={"cost-centre": "4711"},
    managed_scaling=ManagedScaling(2, 20),
)
POOL = ClusterPool("medium", SPEC, max_clusters=3, steps_per_cluster=2, team="data", owner="me@example.com")


def request(pool=POOL, *, defaults=DEFAULTS, executor_logs=False):
    return pool_cluster_request(pool, defaults, pool_place(pool, STAGING), executor_logs=executor_logs)


def spec_hash(pool=POOL, **arguments):
    return pool_spec_hash(request(pool, **arguments))


def with_spec(**fields):
    return replace(POOL, spec=replace(SPEC, **fields))


def counted(primary=1, core=2, task=8, **fields):
    roles = {"primary": ROLE, "core": ROLE, "task": SPEC.size.task}
    counts = {"primary": primary, "core": core, "task": task}
    return with_spec(**{name: replace(role, count=counts[name]) for name, role in roles.items()}, **fields)


def tags(pool=POOL):
    return {tag["Key"]: tag["Value"] for tag in request(pool)["Tags"]}


@pytest.mark.parametrize("collection", ["fleets", "groups"])
@pytest.mark.parametrize("label", ["emr-5.36.2", "emr-6.15.0", LABEL, "emr-spark-8.1.0"])
def test_emr_accepts_it_with_a_name(emr_accepts, label, collection):
    pool = with_spec(release_label=label, instance_collection=collection)
    emr_accepts("RunJobFlow", {**request(pool, executor_logs=True), "Name": "x"})


def test_the_name_is_left_to_whoever_starts_the_cluster():
    assert "Name" not in request()


def test_a_cluster_waits_for_steps_runs_several_and_ends_when_it_is_idle():
    made = request(replace(POOL, steps_per_cluster=5, idle_timeout=60))
    assert made["Instances"]["KeepJobFlowAliveWhenNoSteps"] is True
    assert made["Instances"]["TerminationProtected"] is False
    assert made["StepConcurrencyLevel"] == 5
    assert made["AutoTerminationPolicy"] == {"IdleTimeout": 60}
    assert "Steps" not in made


def test_tags_tell_people_and_policies_whose_it_is():
    assert tags() == {
        "cost-centre": "4711",
        "emrkit:pool": "medium",
        "emrkit:pool_spec": spec_hash(),
        "emrkit:lease": "s3://my-bucket/emrkit/pools/data/medium.json",
        "emrkit:team": "data",
        "emrkit:owner": "me@example.com",
    }


def test_without_team_and_owner_there_are_no_tags_of_them():
    assert set(tags(replace(POOL, team=None, owner=None, spec=ClusterSpec(LABEL)))) == {
        "emrkit:pool",
        "emrkit:pool_spec",
        "emrkit:lease",
    }


def test_as_many_tags_as_a_spec_may_have_fit():
    pool = with_spec(tags={f"tag-{number}": "x" for number in range(45)})
    assert len(tags(pool)) == 50


def test_the_hash_is_the_same_in_every_process_and_version_that_asks_for_the_same():
    made = {
        "ReleaseLabel": LABEL,
        "Instances": {"InstanceGroups": [{"InstanceRole": "CORE", "InstanceCount": 2}]},
    }
    assert pool_spec_hash(made) == "c8598dfd0106"


def test_the_hash_can_stand_in_the_name_of_a_cluster():
    assert re.fullmatch("[0-9a-f]{12}", spec_hash())


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(counted(core=9), id="core instances"),
        pytest.param(counted(task=1), id="task instances"),
        pytest.param(replace(POOL, name="other"), id="name"),
        pytest.param(replace(POOL, team=None), id="team"),
        pytest.param(replace(POOL, owner="you"), id="owner"),
        pytest.param(replace(POOL, lease_uri="s3://other"), id="lease"),
        pytest.param(replace(POOL, max_clusters=9, min_clusters=1), id="bounds"),
        pytest.param(replace(POOL, selection="most_memory"), id="selection"),
        pytest.param(replace(POOL, idle_timeout=61), id="idle timeout"),
        pytest.param(replace(POOL, wait_timeout=1), id="wait timeout"),
        pytest.param(with_spec(tags={"cost-centre": "4712", "new": "x"}), id="users' tags"),
        pytest.param(with_spec(step_concurrency=2), id="steps, said in both places"),
    ],
)
def test_what_does_not_make_other_clusters(same):
    assert spec_hash(same) == spec_hash()


@pytest.mark.parametrize("collection", ["fleets", "groups"])
def test_the_size_makes_no_other_clusters_in_fleets_and_groups(collection):
    hashes = {
        spec_hash(counted(core=core, task=task, instance_collection=collection))
        for core in (1, 4)
        for task in (1, 7)
    }
    assert len(hashes) == 1


def test_a_job_that_wants_executors_logs_drains_no_pool():
    assert request(executor_logs=True) != request()
    assert spec_hash(executor_logs=True) == spec_hash()


def test_the_order_of_what_has_none_does_not_count():
    one = with_spec(applications=["Spark", "Hive"], additional_core_security_groups=["sg-1", "sg-2"])
    other = with_spec(applications=["Hive", "Spark"], additional_core_security_groups=["sg-2", "sg-1"])
    defaults = replace(DEFAULTS, subnet_ids=["subnet-2", "subnet-1"])
    assert spec_hash(one) == spec_hash(other, defaults=defaults)


DIFFERENT = {
    "release": with_spec(release_label="emr-7.10.0"),
    "instance types": with_spec(core=InstanceRole(["r5.xlarge"], 2)),
    "order of instance types": with_spec(task=InstanceRole(["m4.2xlarge", "m5.2xlarge"], 8, "spot")),
    "market": with_spec(task=InstanceRole(["m5.2xlarge", "m4.2xlarge"], 8)),
    "highest price": with_spec(task=InstanceRole(["m5.2xlarge", "m4.2xlarge"], 8, "spot", bid_percent=50)),
    "disks": with_spec(core=replace(ROLE, count=2, ebs=EbsVolumes(100))),
    "a role less": with_spec(task=replace(ROLE, count=0)),
    "groups": with_spec(instance_collection="groups"),
    "applications": with_spec(applications=["Spark", "Hive"]),
    "configurations": with_spec(configurations={"spark-defaults": {"spark.x": "2"}}),
    "bootstrap actions": with_spec(bootstrap_actions=[BootstrapAction("s3://b/b.sh")]),
    "their arguments": with_spec(bootstrap_actions=[BootstrapAction("s3://b/a.sh", ["x"])]),
    "rights of the nodes": with_spec(job_flow_role="other"),
    "subnets": with_spec(subnet_ids=["subnet-3"]),
    "security groups": with_spec(core_security_group="sg-1"),
    "encryption": with_spec(security_configuration="other"),
    "image": with_spec(custom_ami_id="ami-1"),
    "where logs go": with_spec(log_uri="s3://other/"),
    "where logs are streamed to": with_spec(log_group="/other"),
    "whether logs are streamed": with_spec(cloudwatch_logs=False),
    "managed scaling": with_spec(managed_scaling=ManagedScaling(2, 21)),
    "steps at once": replace(POOL, steps_per_cluster=3),
    "overrides": with_spec(overrides={"ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION"}),
}


@pytest.mark.parametrize("other", DIFFERENT.values(), ids=DIFFERENT)
def test_what_makes_other_clusters(other):
    assert spec_hash(other) != spec_hash()


def test_different_changes_make_different_clusters():
    assert len({spec_hash(other) for other in DIFFERENT.values()}) == len(DIFFERENT)


def test_what_the_connection_says_makes_other_clusters_where_the_spec_leaves_it_open():
    assert spec_hash(defaults=replace(DEFAULTS, job_flow_role="other")) != spec_hash()
    said = with_spec(job_flow_role="mine")
    assert spec_hash(said, defaults=replace(DEFAULTS, job_flow_role="other")) == spec_hash(said)


@pytest.mark.parametrize("collection", ["fleets", "groups"])
@pytest.mark.parametrize("counts", [(1, 2, 8), (1, 1, 0), (1, 0, 0)])
def test_the_capacity_counts_instances_by_role(collection, counts):
    assert pool_capacity(request(counted(*counts, instance_collection=collection))) == counts


def test_a_fleet_has_on_demand_and_spot_units():
    fleets = [
        {"InstanceFleetType": "MASTER", "TargetOnDemandCapacity": 1},
        {"InstanceFleetType": "CORE", "TargetOnDemandCapacity": 2, "TargetSpotCapacity": 6},
    ]
    made = request(with_spec(overrides={"Instances": {"InstanceFleets": fleets}}))
    assert pool_capacity(made) == (1, 8, 0)


def test_several_task_groups_count_together():
    group = {"InstanceRole": "TASK", "InstanceType": "m5.xlarge", "InstanceCount": 3}
    assert pool_capacity({"Instances": {"InstanceGroups": [group, {**group, "InstanceCount": 4}]}}) == (
        0,
        0,
        7,
    )


def test_how_much_of_a_fleet_is_spot_is_its_size_but_whether_any_is_is_its_kind():
    def of(**targets):
        return pool_spec_hash({"Instances": {"InstanceFleets": [{"InstanceFleetType": "CORE", **targets}]}})

    assert of(TargetSpotCapacity=2) == of(TargetSpotCapacity=3)
    assert (
        of(TargetSpotCapacity=2)
        != of(TargetOnDemandCapacity=2)
        != of(TargetSpotCapacity=1, TargetOnDemandCapacity=1)
    )


@pytest.mark.parametrize(
    "overrides",
    [
        {"MonitoringConfiguration": "x"},
        {"MonitoringConfiguration": {"CloudWatchLogConfiguration": 7}},
        {"MonitoringConfiguration": {"CloudWatchLogConfiguration": {"LogTypes": ["x"]}}},
        {"Applications": 7},
        {"Instances": {"InstanceFleets": "x"}},
        {"Instances": {"InstanceFleets": [7]}},
        {"Instances": {"InstanceFleets": [{"InstanceFleetType": "WORKER", "TargetSpotCapacity": 7}]}},
        {"Instances": {"InstanceFleets": [{"InstanceFleetType": "CORE", "TargetSpotCapacity": "7"}]}},
        {"Instances": {"Ec2SubnetIds": 7}},
        {"KerberosAttributes": {1, 2}},
    ],
)
def test_overrides_that_only_emr_can_judge_reach_it(overrides):
    made = request(with_spec(overrides=overrides))
    assert re.fullmatch("[0-9a-f]{12}", pool_spec_hash(made))
    assert len(pool_capacity(made)) == 3


def test_making_a_hash_changes_no_request():
    made = request(executor_logs=True)
    before = repr(made)
    pool_spec_hash(made)
    assert repr(made) == before


def test_a_pool_is_kept_below_its_own_address_or_the_connections():
    assert pool_place(POOL, STAGING).uri == "s3://my-bucket/emrkit/pools/data/medium.json"
    own = replace(POOL, lease_uri="s3://leases")
    assert pool_place(own, STAGING) == pool_place(own, None)
    assert pool_place(own, None).uri == "s3://leases/pools/data/medium.json"


@pytest.mark.parametrize("staging_uri", [None, ""])
def test_a_pool_without_a_place_says_how_to_give_it_one(staging_uri):
    with pytest.raises(
        InvalidValueError,
        match=r"ClusterPool.lease_uri: None leaves the pool without a place; set staging_uri",
    ):
        pool_place(POOL, staging_uri)


def test_a_connection_whose_address_does_not_do_for_a_tag_is_named():
    with pytest.raises(
        InvalidValueError, match=r"ClusterPool.lease_uri: 's3://b/x\?y' can't be the place of a pool"
    ):
        pool_place(POOL, "s3://b/x?y")


@pytest.mark.parametrize("field", ["name", "team", "lease_uri"])
def test_a_template_is_no_place(field):
    with pytest.raises(
        InvalidValueError, match=rf"ClusterPool.{field}: .* is a template that was not rendered"
    ):
        pool_place(replace(POOL, **{field: "{{ x }}"}), STAGING)
