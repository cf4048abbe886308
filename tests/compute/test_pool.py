from __future__ import annotations

import copy
import pickle
import re
from datetime import timedelta

import pytest

from airflow_provider_emrkit import ClusterPool, ClusterSpec
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

LABEL = "emr-7.11.0"
SPEC = ClusterSpec(LABEL)
FULL = {
    "min_clusters": 1,
    "max_clusters": 3,
    "steps_per_cluster": 4,
    "selection": "most_memory",
    "idle_timeout": 600,
    "wait_timeout": timedelta(hours=2),
    "team": "data",
    "owner": "données@example.com",
    "lease_uri": "s3://my-bucket/emrkit",
}


def pool(name="medium", spec=SPEC, **fields) -> ClusterPool:
    return ClusterPool(name, spec, **{"max_clusters": 3, **fields})


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(f"ClusterPool.{message}"))


def test_a_name_a_spec_and_a_bound_are_enough():
    plain = pool()
    assert (plain.min_clusters, plain.max_clusters, plain.steps_per_cluster) == (0, 3, 1)
    assert (plain.selection, plain.idle_timeout, plain.wait_seconds) == ("fewest_steps", 900, 3600)
    assert plain.action_on_failure == "CONTINUE"


def test_a_pool_may_always_have_the_same_number_of_clusters():
    assert pool(min_clusters=3).min_clusters == pool().max_clusters


def test_a_pool_with_everything_set():
    assert pool(**FULL).wait_seconds == 7200


@pytest.mark.parametrize("name", ["m", "medium", "9", "team_a.etl-2", "x" * 64])
def test_names(name):
    assert pool(name, team=name).name == name


@pytest.mark.parametrize(
    "name", ["", " ", "my pool", "a/b", "-a", ".a", "x" * 65, "größe", "a\n", "a:b", None, 7, "a" + "\x00"]
)
@pytest.mark.parametrize("field", ["name", "team"])
def test_what_can_be_no_name_of_a_pool_or_a_team(field, name):
    if (field, name) == ("team", None):
        return
    with refused(f"{field}: {name!r} "):
        pool(**{field: name})


@pytest.mark.parametrize(
    "owner", ["x", "data platform", "data-platform@example.com", "a" * 256, "Jürgen", "+1/2=3:4_"]
)
def test_owners(owner):
    assert pool(owner=owner).owner == owner


@pytest.mark.parametrize("owner", ["", " x", "x ", "a&b", "a\tb", "a" * 257, "aws:x", "AWS:x", "x\n", 7])
def test_what_can_be_no_tag_is_no_owner(owner):
    with refused(f"owner: {owner!r}"[:100]):
        pool(owner=owner)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"spec": "medium"}, "spec: 'medium' is of type str; give ClusterSpec("),
        ({"max_clusters": 0}, "max_clusters: 0 is out of bounds; use a whole number from 1 to 500 clusters"),
        ({"max_clusters": 501}, "max_clusters: 501 is out of bounds"),
        ({"max_clusters": 2.0}, "max_clusters: 2.0 is of type float"),
        ({"min_clusters": -1}, "min_clusters: -1 is out of bounds"),
        ({"min_clusters": True}, "min_clusters: True is of type bool"),
        (
            {"min_clusters": 4},
            "max_clusters: 3 is less than min_clusters, 4; use max_clusters=4 or more, or a smaller",
        ),
        ({"steps_per_cluster": 0}, "steps_per_cluster: 0 is out of bounds; use a whole number from 1 to 256"),
        ({"steps_per_cluster": 257}, "steps_per_cluster: 257 is out of bounds"),
        ({"idle_timeout": 59}, "idle_timeout: 59 is out of bounds; use a whole number from 60 to 604,800"),
        ({"idle_timeout": 604_801}, "idle_timeout: 604801 is out of bounds"),
        ({"wait_timeout": -1}, "wait_timeout: -1 is out of bounds; give a number of seconds, at least 0"),
        ({"wait_timeout": timedelta(seconds=-1)}, "wait_timeout: -1.0 is out of bounds"),
        ({"wait_timeout": float("nan")}, "wait_timeout: nan is out of bounds"),
        ({"wait_timeout": "1h"}, "wait_timeout: '1h' is of type str"),
        (
            {"wait_timeout": timedelta(days=31)},
            "wait_timeout: datetime.timedelta(days=31) is too long; use 2,592,000",
        ),
        (
            {"selection": "fewest"},
            "selection: 'fewest' is not known; use one of fewest_steps, most_memory, module:",
        ),
    ],
)
def test_what_no_pool_can_be_like(fields, message):
    with refused(message):
        pool(**fields)


@pytest.mark.parametrize("wait", [0, 1.5, 2_592_000, timedelta(minutes=5)])
def test_a_time_to_wait_is_kept_in_seconds(wait):
    seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
    assert pool(wait_timeout=wait).wait_timeout == pool(wait_timeout=wait).wait_seconds == seconds


@pytest.mark.parametrize(
    "action", ["TERMINATE_CLUSTER", "CANCEL_AND_WAIT", "TERMINATE_JOB_FLOW", "continue", None]
)
def test_a_job_that_would_end_or_block_its_cluster_is_refused(action):
    with refused(
        f"action_on_failure: {action!r} would let one failing job end or block a cluster that others share; "
        "leave it out; the steps of a pool are always CONTINUE"
    ):
        pool(action_on_failure=action)


@pytest.mark.parametrize("label", ["emr-5.20.0", "emr-5.27.1"])
def test_several_steps_at_once_need_a_release_that_can(label):
    with refused(
        f"steps_per_cluster: 2 steps can't run at once on {label}, which runs one at a time; use emr-5.30.0"
    ):
        pool(spec=ClusterSpec(label), steps_per_cluster=2)


@pytest.mark.parametrize("label", ["emr-5.29.0", "emr-6.0.0", "emr-6.0.1"])
def test_clusters_must_be_able_to_end_when_they_are_idle(label):
    with refused(f"spec.release_label: {label!r} can't end idle clusters"):
        pool(spec=ClusterSpec(label))


@pytest.mark.parametrize("label", ["emr-5.30.0", "emr-6.1.0", LABEL, "emr-spark-8.0-preview"])
def test_releases_that_a_pool_can_have(label):
    assert pool(spec=ClusterSpec(label), steps_per_cluster=256).spec.release_label == label


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            {"termination_protected": True},
            "spec.termination_protected: True would keep clusters alive; leave it out",
        ),
        (
            {"step_concurrency": 4},
            "spec.step_concurrency: 4 is not the pool's; use ClusterPool(steps_per_cluster=4) and leave",
        ),
        (
            {"idle_timeout": 300},
            "spec.idle_timeout: 300 is not the pool's; use ClusterPool(idle_timeout=300)",
        ),
        (
            {"tags": {f"tag-{number}": "x" for number in range(46)}},
            "spec.tags: 46 tags are too many; keep it to 45; 5 of the 50 that EMR takes are emrkit's",
        ),
        (
            {"overrides": {"AutoTerminationPolicy": {"IdleTimeout": 60}}},
            "spec.overrides: 'AutoTerminationPolicy' belongs to the pool; leave it out; use Cluster",
        ),
        (
            {"overrides": {"AutoTerminationPolicy": None}},
            "spec.overrides: 'AutoTerminationPolicy' belongs to the pool",
        ),
        (
            {"overrides": {"Instances": {"TerminationProtected": False}}},
            "spec.overrides: 'Instances.TerminationProtected' would keep clusters alive",
        ),
        ({"overrides": {"Instances": None}}, "spec.overrides['Instances']: None is no mapping"),
        (
            {"overrides": {"Instances": []}},
            "spec.overrides['Instances']: () is no mapping; override members of",
        ),
        ({"overrides": {"Instances": 5}}, "spec.overrides['Instances']: 5 is no mapping"),
    ],
)
def test_what_a_spec_may_be_but_not_that_of_a_pool(spec, message):
    with refused(message):
        pool(spec=ClusterSpec(LABEL, **spec))


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Name", "x"),
        ("Tags", [{"Key": "emrkit:pool", "Value": "other"}]),
        ("Steps", [{"ActionOnFailure": "TERMINATE_CLUSTER"}]),
        ("StepConcurrencyLevel", 9),
        ("Instances", {"KeepJobFlowAliveWhenNoSteps": False}),
    ],
)
def test_what_no_spec_may_override_breaks_no_pool_either(member, value):
    with pytest.raises(InvalidValueError, match=r"ClusterSpec.overrides: .* belongs to emrkit"):
        pool(spec=ClusterSpec(LABEL, overrides={member: value}))


def test_a_spec_may_say_what_the_pool_says():
    spec = ClusterSpec(
        LABEL, step_concurrency=4, idle_timeout=600, overrides={"Instances": {"Ec2KeyName": "me"}}
    )
    assert pool(spec=spec, steps_per_cluster=4, idle_timeout=600).spec == spec


@pytest.mark.parametrize("uri", ["s3://b", "s3://b/", "s3a://my-bucket/a/b=1/", "s3n://my.bucket/a"])
def test_places_of_leases(uri):
    assert pool(lease_uri=uri).lease_uri == uri


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("", "is empty"),
        ("my-bucket/emrkit", "can't be the place of a pool; write it like s3://my-bucket/emrkit"),
        ("s3://", "can't be"),
        ("s3://b/a?b", "can't be"),
        ("s3://b/a b", "can't be"),
        ("s3://b/" + "x" * 240, "is longer than the 256 characters of a tag; use a shorter lease_uri"),
    ],
)
def test_what_can_be_no_place_of_a_lease(uri, problem):
    with pytest.raises(InvalidValueError, match=rf"ClusterPool.lease_uri: .* {re.escape(problem)}"):
        pool(lease_uri=uri)


TEMPLATE = "{{ params.x }}"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": TEMPLATE},
        {"team": TEMPLATE},
        {"owner": TEMPLATE},
        {"selection": TEMPLATE},
        {"lease_uri": TEMPLATE},
        {"action_on_failure": TEMPLATE},
        {"spec": ClusterSpec(TEMPLATE), "steps_per_cluster": 4},
        {"name": TEMPLATE, "lease_uri": "s3://b"},
    ],
)
def test_a_template_is_judged_when_it_is_rendered(fields):
    written = pool(**fields)
    with pytest.raises(InvalidValueError, match=r"ClusterPool|ClusterSpec"):
        map_strings(written, lambda text: text.replace(TEMPLATE, "no/t:this!"))


def test_rendering_goes_all_the_way_down():
    written = pool(
        "etl-{{ n }}", ClusterSpec(LABEL, log_uri="s3://logs/{{ n }}"), owner="{{ n }}", selection="a.b:c"
    )
    rendered = map_strings(written, lambda text: text.replace("{{ n }}", "7"))
    assert rendered == pool("etl-7", ClusterSpec(LABEL, log_uri="s3://logs/7"), owner="7", selection="a.b:c")


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
@pytest.mark.parametrize("fields", [{}, FULL])
def test_airflow_can_copy_and_pickle_it(clone, fields):
    made = pool(**fields)
    assert clone(made) == made
    assert hash(clone(made)) == hash(made)


def test_the_repr_shows_what_was_set():
    assert repr(pool(team="data", wait_timeout=3600)) == (
        f"ClusterPool(name='medium', spec={SPEC!r}, max_clusters=3, team='data')"
    )
