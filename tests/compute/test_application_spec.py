from __future__ import annotations

import copy
import pickle
import re
from dataclasses import replace

import pytest
from application_specs import DIGEST, FULL, HOST, LABEL

from airflow_provider_emrkit import ApplicationSpec, Workers
from airflow_provider_emrkit.templating import map_strings
from airflow_provider_emrkit.validation import InvalidValueError

IMAGE = f"{HOST}/etl:1.4"


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


def spec(**fields):
    return ApplicationSpec(**{"name": "nightly", "release_label": LABEL, **fields})


def test_a_name_and_a_release_are_enough():
    made = spec()
    assert (made.auto_start, made.idle_minutes, made.cloudwatch_logs) == (True, 15, True)
    assert not made.keeps_workers


@pytest.mark.parametrize(
    "name", ["a", "nightly", "Team/etl_1.2-x", "x" * 64, "nightly-{{ var.value.stage }}"]
)
def test_names(name):
    assert spec(name=name).name == name


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": ""}, "ApplicationSpec.name: '' is empty"),
        ({"name": "a b"}, "ApplicationSpec.name: 'a b' is not well formed; use at most 64 letters"),
        # EMR Serverless takes it for a name, but not for a tag's value, which is to hold the name.
        ({"name": "a#b"}, "ApplicationSpec.name: 'a#b' is not well formed"),
        ({"name": "x" * 65}, "is not well formed"),
        ({"name": "nightly\n"}, "is not well formed"),
        ({"name": None}, "ApplicationSpec.name: None is of type NoneType"),
        ({"architecture": "x86_64"}, "'x86_64' is not known; use one of X86_64, ARM64"),
        ({"auto_start": "yes"}, "ApplicationSpec.auto_start: 'yes' is of type str; use True or False"),
        ({"cloudwatch_logs": 1}, "ApplicationSpec.cloudwatch_logs: 1 is of type int"),
        ({"managed_logs": None}, "ApplicationSpec.managed_logs: None is of type"),
        ({"idle_minutes": 0}, "ApplicationSpec.idle_minutes: 0 is out of bounds; use a whole number from 1"),
        ({"idle_minutes": 10_081}, "is out of bounds"),
        ({"max_concurrent_runs": 1001}, "whole number from 1 to 1,000 job runs"),
        ({"queue_timeout_minutes": 14}, "whole number from 15 to 720 minutes"),
        ({"log_uri": "logs/"}, "ApplicationSpec.log_uri: 'logs/' is not well formed; write it like s3://"),
        ({"log_group": "a b"}, "ApplicationSpec.log_group: 'a b' is not well formed"),
        ({"log_group": "a", "cloudwatch_logs": False}, "ApplicationSpec.log_group: 'a' gets no logs"),
        ({"tags": {"emrkit:spec": "x"}}, "'emrkit:spec' is reserved"),
        ({"tags": {"team": "Zürich"}}, "holds characters that EMR Serverless does not take; use ASCII"),
        ({"tags": {"täam": "x"}}, "ApplicationSpec.tags key: 'täam' holds characters"),
        ({"overrides": {"name": "x"}}, "'name' belongs to emrkit; use ApplicationSpec.name"),
        (
            {"overrides": {"imageConfig": {}}},
            "'imageConfig' is not known; use a member of CreateApplication's",
        ),
    ],
)
def test_fields_that_can_not_be_right(fields, message):
    with refused(message):
        spec(**fields)


@pytest.mark.parametrize(
    "label", ["emr-6.6.0", "emr-6.8.0", "emr-6.9.0", "emr-6.15.0", "emr-7.99.0", "emr-spark-8.0-preview"]
)
def test_releases_of_emr_serverless(label):
    assert spec(release_label=label).release_label == label


@pytest.mark.parametrize(
    "label", ["emr-5.36.0", "emr-6.5.0", "emr-6.8.1", "emr-6.9.1", "emr-6.10.1", "emr-6.11.1"]
)
def test_releases_that_only_emr_has(label):
    with refused(f"ApplicationSpec.release_label: '{label}' is not among the releases of EMR Serverless"):
        spec(release_label=label)


def test_what_is_no_release():
    with refused("ApplicationSpec.release_label: '7.11.0' is not an EMR release label"):
        spec(release_label="7.11.0")
    with refused("ApplicationSpec.release_label: 'emr-9.0.0' is not a known EMR release"):
        spec(release_label="emr-9.0.0")


@pytest.mark.parametrize(
    ("label", "fields", "name"),
    [
        ("emr-6.8.0", {"image": IMAGE}, "image"),
        ("emr-6.6.0", {"executor_image": IMAGE}, "executor_image"),
        ("emr-6.15.0", {"max_concurrent_runs": 3}, "max_concurrent_runs"),
        ("emr-6.15.0", {"queue_timeout_minutes": 30}, "queue_timeout_minutes"),
        ("emr-7.0.0", {"executors": Workers(1, 4, 16, disk_type="SHUFFLE_OPTIMIZED")}, "executors"),
    ],
)
def test_what_a_release_can_not_do(label, fields, name):
    with refused(f"ApplicationSpec.{name}: ") as caught:
        spec(release_label=label, **fields)
    assert f"is not supported by {label}; use a later release, or leave it out" in str(caught.value)


@pytest.mark.parametrize(
    "uri", [IMAGE, f"{HOST}/a/b@{DIGEST}", "{{ var.value.image }}", f"{HOST}/etl:{{{{ ds }}}}"]
)
def test_images(uri):
    assert spec(image=uri).image == uri


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("etl:1.4", "ApplicationSpec.image: 'etl:1.4' is not in ECR, the one registry EMR Serverless takes"),
        ("public.ecr.aws/emr-serverless/spark/emr-7.11.0:latest", "is not in ECR"),
        (f"{HOST}/etl", "has neither a tag nor a digest; write it like 123456789012"),
        (f"{IMAGE}@{DIGEST}", "has both a tag and a digest"),
        (
            f"{HOST.replace('ecr.', 'ecr-fips.')}/etl:1",
            "is not written as EMR Serverless takes it, which knows",
        ),
        ("123456789012.dkr-ecr.us-east-1.on.aws/etl:1", "is not written as EMR Serverless takes it"),
        (f"{HOST}/a__b:1", "is not written as EMR Serverless takes it"),
        ("ETL:1", "ApplicationSpec.image: 'ETL:1' is no name of an image"),
        ("", "ApplicationSpec.image: '' is empty"),
    ],
)
def test_what_emr_serverless_takes_for_no_image(uri, message):
    with refused(message):
        spec(image=uri)


def test_digests_are_resolved_at_start_where_workers_are_kept_ready():
    kept = {"image": IMAGE, "drivers": Workers(1, 2, 8)}
    with refused(
        "ApplicationSpec.resolve_digests_at_start: False does not go with workers that are kept ready"
    ):
        spec(resolve_digests_at_start=False, **kept)
    spec(resolve_digests_at_start=True, **kept)
    spec(resolve_digests_at_start=False, image=IMAGE)


def test_digests_are_of_images():
    with refused("ApplicationSpec.resolve_digests_at_start: True is of no use; give an image"):
        spec(resolve_digests_at_start=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_cpu": 4}, "ApplicationSpec.max_memory_gb: None is missing beside max_cpu; give both"),
        ({"max_memory_gb": 4}, "ApplicationSpec.max_cpu: None is missing beside max_memory_gb"),
        ({"max_disk_gb": 40}, "ApplicationSpec.max_disk_gb: 40 is alone; give max_cpu and max_memory_gb"),
        ({"max_cpu": 0, "max_memory_gb": 1}, "ApplicationSpec.max_cpu: 0 is out of bounds"),
        ({"drivers": 2}, "ApplicationSpec.drivers: 2 is of type int; give Workers(…)"),
        (
            {
                "drivers": Workers(1, 4, 16),
                "executors": Workers(2, 4, 16),
                "max_cpu": 11,
                "max_memory_gb": 48,
            },
            "ApplicationSpec.max_cpu: 11 is less than the 12 of the workers that are kept ready; raise it",
        ),
        (
            {"executors": Workers(2, 4, 16), "max_cpu": 8, "max_memory_gb": 31},
            "ApplicationSpec.max_memory_gb: 31 is less than the 32",
        ),
        (
            {"executors": Workers(2, 4, 16), "max_cpu": 8, "max_memory_gb": 32, "max_disk_gb": 39},
            "ApplicationSpec.max_disk_gb: 39 is less than the 40",
        ),
    ],
)
def test_capacities_that_can_not_be(fields, message):
    with refused(message):
        spec(**fields)


def test_all_that_is_kept_ready_may_be_all_there_is():
    spec(drivers=Workers(1, 4, 16), executors=Workers(2, 4, 16), max_cpu=12, max_memory_gb=48, max_disk_gb=60)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"subnet_ids": ["vpc-1"]},
            "ApplicationSpec.subnet_ids[0]: 'vpc-1' is not well formed; write it like subnet-",
        ),
        ({"subnet_ids": "subnet-1"}, "ApplicationSpec.subnet_ids: 'subnet-1' is one string; pass a list"),
        (
            {"subnet_ids": [f"subnet-{n}" for n in range(17)]},
            "ApplicationSpec.subnet_ids: 17 are too many; give at most 16",
        ),
        (
            {"security_group_ids": ["sg-1"]},
            "ApplicationSpec.security_group_ids: ('sg-1',) are alone; give subnet_ids",
        ),
        (
            {"subnet_ids": ["subnet-1"], "security_group_ids": [f"sg-{n}" for n in range(6)]},
            "ApplicationSpec.security_group_ids: 6 are too many",
        ),
    ],
)
def test_networks_that_can_not_be(fields, message):
    with refused(message):
        spec(**fields)


@pytest.mark.parametrize(
    "configurations",
    [
        {"spark-defaults": {"spark.x": 1}},
        [{"Classification": "spark-defaults", "Properties": {"spark.x": "1"}}],
        [{"classification": "spark-defaults", "properties": {"spark.x": "1"}}],
    ],
)
def test_configurations_in_any_spelling(configurations):
    assert spec(configurations=configurations) == spec(configurations={"spark-defaults": {"spark.x": "1"}})


@pytest.mark.parametrize(
    ("configurations", "message"),
    [
        (
            {"spark-defaults": {f"spark.x{n}": "1" for n in range(101)}},
            "ApplicationSpec.configurations[0] (spark-defaults): 101 properties are too many",
        ),
        (
            {"spark-defaults": {"spark.x": "x" * 1025}},
            "ApplicationSpec.configurations[0] (spark-defaults)['spark.x']: 1025 characters are more",
        ),
        ([{"classification": "spark-defaults", "Property": {}}], "'Property' is not known"),
    ],
)
def test_configurations_that_emr_serverless_does_not_take(configurations, message):
    with refused(message):
        spec(configurations=configurations)


def test_what_holds_a_template_is_judged_when_it_is_rendered():
    made = spec(
        name="{{ stage }}",
        release_label="{{ label }}",
        architecture="{{ architecture }}",
        image="{{ image }}",
        subnet_ids=["{{ subnet }}"],
        log_uri="{{ uri }}",
        log_group="{{ group }}",
        tags={"stage": "{{ stage }}"},
        configurations={"spark-defaults": {"spark.x": "{{ stage }}"}},
        max_concurrent_runs=2,
    )
    values = {"stage": "test", "label": LABEL, "architecture": "ARM64", "image": IMAGE, "subnet": "subnet-1"}
    values |= {"uri": "s3://logs/x", "group": "/logs"}

    def render(text, **other):
        for name, value in {**values, **other}.items():
            text = text.replace(f"{{{{ {name} }}}}", value)
        return text

    rendered = map_strings(made, render)
    assert (rendered.name, rendered.image, rendered.subnet_ids) == ("test", IMAGE, ("subnet-1",))
    assert (
        rendered.configurations == spec(configurations={"spark-defaults": {"spark.x": "test"}}).configurations
    )
    for wrong, message in {
        "stage": "ApplicationSpec.name: 'a b'",
        "label": "ApplicationSpec.release_label: 'a b'",
        "image": "ApplicationSpec.image: 'a b'",
        "subnet": "ApplicationSpec.subnet_ids[0]: 'a b'",
    }.items():
        with refused(message):
            map_strings(made, lambda text, wrong=wrong: render(text, **{wrong: "a b"}))
    with refused("ApplicationSpec.max_concurrent_runs: 2 is not supported by emr-6.15.0"):
        map_strings(made, lambda text: render(text, label="emr-6.15.0"))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_airflow_can_copy_and_pickle_it(clone):
    assert clone(FULL) == FULL
    assert hash(clone(FULL)) == hash(FULL)


def test_the_repr_shows_no_secret():
    secret = {"spark-defaults": {"spark.password": "hunter2"}}
    assert "hunter2" not in repr(replace(FULL, configurations=secret))
    assert repr(spec(max_cpu=4, max_memory_gb=16)) == (
        "ApplicationSpec(name='nightly', release_label='emr-7.11.0', max_cpu=4, max_memory_gb=16)"
    )
