from __future__ import annotations

import copy
import pickle
import re

import pytest

from airflow_provider_emrkit import BootstrapAction, ClusterSize, ClusterSpec, InstanceRole, ManagedScaling
from airflow_provider_emrkit.compute.cluster_spec import spec_hash
from airflow_provider_emrkit.compute.sizes import SIZES
from airflow_provider_emrkit.validation import InvalidValueError

LABEL = "emr-7.11.0"
ROLE = InstanceRole(["m5.xlarge"])
FULL = ClusterSpec(
    LABEL,
    size=ClusterSize(ROLE, ROLE),
    configurations={"spark-defaults": {"spark.x": "1", "spark.password": "hunter2"}},
    bootstrap_actions=[BootstrapAction("s3://b/a.sh", args=["x"])],
    subnet_ids=["subnet-1", "subnet-2"],
    tags={"team": "data"},
    managed_scaling=ManagedScaling(1, 9),
    overrides={"KerberosAttributes": {"Realm": "X", "KdcAdminPassword": "hunter2"}},
)


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


def test_a_release_is_enough():
    spec = ClusterSpec(LABEL)
    assert spec.roles == SIZES["small"]
    assert spec.applications == ("Spark",)


def test_a_role_of_ones_own_takes_the_place_of_the_sizes():
    spec = ClusterSpec(LABEL, size="medium", core=ROLE)
    assert (spec.roles.primary, spec.roles.core, spec.roles.task) == (
        SIZES["medium"].primary,
        ROLE,
        SIZES["medium"].task,
    )


def test_task_nodes_are_left_out_by_a_count_of_zero():
    assert ClusterSpec(LABEL, task=InstanceRole(["m5.xlarge"], count=0)).roles.task_count == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"release_label": "7.11.0"},
            "ClusterSpec.release_label: '7.11.0' is not an EMR release label; write it like",
        ),
        ({"release_label": "emr-9.0.0"}, "ClusterSpec.release_label: 'emr-9.0.0' is not a known EMR release"),
        (
            {"size": "hige"},
            "ClusterSpec.size: 'hige' is not known; use one of tiny, small, medium, large, xlarge",
        ),
        ({"size": None}, "ClusterSpec.size: None is not known; use one of tiny"),
        ({"core": 3}, "ClusterSpec.core: 3 is of type int; give InstanceRole("),
        (
            {"primary": InstanceRole(["m5.xlarge"], count=3)},
            "ClusterSpec.primary: 3 instances can't be; use count=1",
        ),
        ({"core": InstanceRole(["m5.xlarge"], count=0)}, "can't work without core nodes"),
        ({"instance_collection": "fleet"}, "'fleet' is not known; use one of fleets, groups"),
        (
            {"applications": "Spark"},
            "ClusterSpec.applications: 'Spark' is one string; pass a list: ['Spark']",
        ),
        ({"configurations": {"a": 1}}, "ClusterSpec.configurations[0] (a): 1 is of type int; pass a dict"),
        (
            {"bootstrap_actions": ["s3://b/a.sh"]},
            "ClusterSpec.bootstrap_actions[0]: 's3://b/a.sh' is of type str",
        ),
        ({"subnet_ids": "subnet-1"}, "ClusterSpec.subnet_ids: 'subnet-1' is one string"),
        (
            {"subnet_ids": ["sub-1"]},
            "ClusterSpec.subnet_ids[0]: 'sub-1' is not well formed; write it like subnet-0a1b2c3d",
        ),
        ({"core_security_group": "default"}, "ClusterSpec.core_security_group: 'default' is not well formed"),
        (
            {"additional_core_security_groups": ["x"]},
            "ClusterSpec.additional_core_security_groups[0]: 'x' is not",
        ),
        (
            {"log_uri": "/logs"},
            "ClusterSpec.log_uri: '/logs' is not well formed; write it like s3://my-logs/emr/",
        ),
        ({"service_role": ""}, "ClusterSpec.service_role: '' is empty"),
        (
            {"custom_ami_id": "image"},
            "ClusterSpec.custom_ami_id: 'image' is not well formed; write it like ami-0a1b2c3d",
        ),
        ({"ebs_root_volume_size": 5}, "ClusterSpec.ebs_root_volume_size: 5 is out of bounds"),
        ({"step_concurrency": 257}, "use a whole number from 1 to 256 steps"),
        (
            {"idle_timeout": 59},
            "ClusterSpec.idle_timeout: 59 is out of bounds; use a whole number from 60 to 604,800 sec",
        ),
        ({"idle_timeout": None}, "ClusterSpec.idle_timeout: None is of type NoneType"),
        (
            {"termination_protected": "no"},
            "ClusterSpec.termination_protected: 'no' is of type str; use True or False",
        ),
        ({"cloudwatch_logs": "yes"}, "ClusterSpec.cloudwatch_logs: 'yes' is of type str; use True or False"),
        ({"managed_scaling": {}}, "ClusterSpec.managed_scaling: {} is of type dict; give ManagedScaling("),
        ({"overrides": {"Instance": {}}}, "ClusterSpec.overrides: 'Instance' is not known"),
    ],
)
def test_fields_that_can_not_be(fields, message):
    with refused(message):
        ClusterSpec(**{"release_label": LABEL, **fields})


@pytest.mark.parametrize(
    ("label", "fields", "message"),
    [
        ("emr-7.10.0", {"cloudwatch_logs": True}, "cloudwatch_logs: True is not supported by emr-7.10.0"),
        (
            "emr-5.27.0",
            {"step_concurrency": 2},
            "step_concurrency: 2 is not supported by emr-5.27.0; use a later release",
        ),
        ("emr-6.0.0", {"managed_scaling": ManagedScaling(1, 2)}, "is not supported by emr-6.0.0"),
        ("emr-5.12.0", {}, "instance_collection: 'fleets' is not supported by emr-5.12.0"),
    ],
)
def test_what_a_release_does_not_have_is_refused(label, fields, message):
    with refused(message):
        ClusterSpec(label, **fields)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"subnet_ids": ["subnet-1", "subnet-2"]},
            "are too many for groups; give one, or use instance_collection='fleets'",
        ),
        (
            {"task": InstanceRole(["m5.xlarge"], market="spot", bid_percent=50)},
            "ClusterSpec.task.bid_percent: 50 is not known to instance groups; leave it out, or use",
        ),
        (
            {"core": InstanceRole(["m5.xlarge"], allocation_strategy="prioritized")},
            "ClusterSpec.core.allocation_strategy",
        ),
    ],
)
def test_what_only_fleets_have_is_refused_for_groups(fields, message):
    with refused(message):
        ClusterSpec(LABEL, instance_collection="groups", **fields)


def test_a_template_is_judged_when_it_is_rendered():
    spec = ClusterSpec("{{ label }}", size="{{ size }}", subnet_ids=["{{ subnet }}"], log_uri="{{ uri }}")
    assert spec.size == "{{ size }}"
    with refused("ClusterSpec.size: '{{ size }}' is not known"):
        _ = spec.roles


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"aws:x": "1"}, "'aws:x' is reserved; use keys that do not start with aws: or emrkit:"),
        ({"EMRKIT:token": "1"}, "'EMRKIT:token' is reserved"),
        ({"k" * 129: "1"}, "is longer than 128 characters"),
        ({"k": "v" * 257}, "ClusterSpec.tags['k']: "),
        ({"k": 1}, "ClusterSpec.tags['k']: 1 is of type int; give a string"),
        ({"": "v"}, "ClusterSpec.tags key: '' is empty"),
        (
            {str(number): "" for number in range(51)},
            "ClusterSpec.tags: 51 tags are too many; keep it to 50 in all",
        ),
    ],
)
def test_tags_keep_to_the_limits_of_emr(tags, message):
    with refused(message):
        ClusterSpec(LABEL, tags=tags)


@pytest.mark.parametrize("path", ["install.sh", "https://x/a.sh", "s3://bucket", ""])
def test_a_bootstrap_script_is_on_s3_or_on_the_node(path):
    with refused("BootstrapAction.path"):
        BootstrapAction(path)
    assert BootstrapAction("file:/usr/share/x.sh").shown_name == "x.sh"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((2, 1), "ManagedScaling.maximum: 1 is less than the minimum; use minimum=2 or more"),
        ((0, 1), "ManagedScaling.minimum: 0 is out of bounds"),
        (
            (1, 5, 6),
            "ManagedScaling.maximum_on_demand: 6 is out of bounds; use a whole number from 0 to 5 instances",
        ),
        ((1, 5, None, 6), "ManagedScaling.maximum_core: 6 is out of bounds"),
    ],
)
def test_scaling_limits_must_make_a_range(limits, message):
    with refused(message):
        ManagedScaling(*limits)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda spec: pickle.loads(pickle.dumps(spec))])
def test_airflow_can_copy_and_pickle_a_spec(clone):
    assert clone(FULL) == FULL
    assert hash(clone(FULL)) == hash(FULL)
    assert repr(clone(FULL)) == repr(FULL)


def test_the_repr_is_short_and_hides_secrets():
    assert repr(ClusterSpec(LABEL, size="tiny")) == "ClusterSpec(release_label='emr-7.11.0', size='tiny')"
    assert "hunter2" not in repr(FULL)
    assert "'Realm': 'X'" in repr(FULL)


def test_equal_specs_have_one_hash_and_different_ones_two():
    assert spec_hash(ClusterSpec(LABEL, tags={"a": "1", "b": "2"})) == spec_hash(
        ClusterSpec(LABEL, tags={"b": "2", "a": "1"})
    )
    specs = [
        ClusterSpec(LABEL),
        ClusterSpec("emr-7.10.0"),
        ClusterSpec(LABEL, size="tiny"),
        ClusterSpec(LABEL, core=ROLE),
        FULL,
    ]
    assert len({spec_hash(spec) for spec in specs}) == len(specs)


def test_the_hash_of_a_spec_stays_the_same_between_processes_and_releases():
    assert spec_hash(ClusterSpec(LABEL, size="medium")) == (
        "f6c04b0e25c4ca854175d6f1c3dfd5734565cdb2648ebc478bf9addbe9d572ad"
    )
