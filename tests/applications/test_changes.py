"""What an update changes, in words and while an application is started."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.applications.changes import changes, have_same_settings, may_change_live
from airflow_provider_emrkit.compute.application_request import update_application_request
from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.compute.workers import Workers

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/etl:1"
OTHER = IMAGE.replace(":1", ":2")


def request(release_label="emr-7.11.0", **fields):
    return update_application_request(ApplicationSpec("a", release_label, **fields), ApplicationDefaults())


def described(release_label="emr-7.11.0", **fields):
    """What EMR shows of an application that was made of a spec."""
    asked = request(release_label, **fields)
    return {**{name: value for name, value in asked.items() if value}, "state": "STARTED"}


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        pytest.param({}, {}, [], id="nothing"),
        pytest.param(
            {"idle_minutes": 15},
            {"idle_minutes": 5},
            ["autoStopConfiguration.idleTimeoutMinutes: 15 -> 5"],
            id="a number",
        ),
        pytest.param(
            {},
            {"max_cpu": 8, "max_memory_gb": 32},
            ["maximumCapacity.cpu: nothing -> 8 vCPU", "maximumCapacity.memory: nothing -> 32 GB"],
            id="what was not there",
        ),
        pytest.param(
            {"image": IMAGE}, {}, [f"imageConfiguration.imageUri: {IMAGE} -> nothing"], id="no more"
        ),
        pytest.param(
            {"driver_image": IMAGE, "executor_image": IMAGE},
            {"executor_image": IMAGE},
            [f"workerTypeSpecifications.Driver.imageConfiguration.imageUri: {IMAGE} -> nothing"],
            id="one of two",
        ),
        pytest.param(
            {
                "configurations": [
                    {"Classification": "spark-defaults", "Properties": {"a.password": "hunter2"}}
                ]
            },
            {
                "configurations": [
                    {"Classification": "spark-defaults", "Properties": {"a.password": "hunter3"}}
                ]
            },
            ["runtimeConfiguration is another one"],
            id="what may be secret",
        ),
        pytest.param(
            {"subnet_ids": ["subnet-1", "subnet-2"], "security_group_ids": ["sg-1"]},
            {"subnet_ids": ["subnet-2", "subnet-1"], "security_group_ids": ["sg-1"]},
            [],
            id="another order",
        ),
    ],
)
def test_what_changes_is_told_in_words(before, after, words):
    assert list(map(str, changes(described(**before), request(**after)))) == words


def test_what_emr_says_beside_what_it_was_asked_for_is_no_change():
    application = described(image=IMAGE, drivers=Workers(1, 2, 8))
    application["imageConfiguration"]["resolvedImageDigest"] = f"sha256:{'a' * 64}"
    application["initialCapacity"] = {"Driver": application["initialCapacity"]["DRIVER"]}
    assert changes(application, request(image=IMAGE, drivers=Workers(1, 2, 8))) == []


def test_what_emr_says_of_identity_center_is_no_change():
    asked = {"identityCenterConfiguration": {"identityCenterInstanceArn": "arn:aws:sso:::instance/a"}}
    arn = {"identityCenterApplicationArn": "arn:aws:sso::1:application/a/b"}
    application = {"identityCenterConfiguration": {**asked["identityCenterConfiguration"], **arn}}
    assert changes(application, asked) == []


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({}, True, id="nothing"),
        pytest.param({"state": "STOPPED", "updatedAt": 2, "tags": {"a": "b"}}, True, id="no settings"),
        pytest.param({"networkConfiguration": {}}, True, id="what is empty"),
        pytest.param({"releaseLabel": "emr-7.12.0"}, False, id="another value"),
        pytest.param({"networkConfiguration": {"subnetIds": ["subnet-1"]}}, False, id="one more"),
        pytest.param({"imageConfiguration": None}, False, id="one less"),
    ],
)
def test_descriptions_with_the_same_settings(change, same):
    one = described(image=IMAGE)
    assert have_same_settings(one, {**one, **change}) is same
    assert have_same_settings({**one, **change}, one) is same


def test_hostile_text_is_one_clean_line():
    application = described()
    application["networkConfiguration"] = {"subnetIds": ["subnet\n\x1b[31m-1"]}
    [change] = changes(application, request())
    assert "\n" not in str(change)
    assert "\x1b" not in str(change)


@pytest.mark.parametrize(
    ("release", "before", "after", "live"),
    [
        pytest.param("emr-7.11.0", {}, {}, False, id="nothing"),
        pytest.param("emr-7.11.0", {}, {"max_cpu": 8, "max_memory_gb": 32}, True, id="maximum capacity"),
        pytest.param(
            "emr-7.11.0", {}, {"max_cpu": 8, "max_memory_gb": 32, "idle_minutes": 5}, False, id="more"
        ),
        pytest.param("emr-7.11.0", {"image": IMAGE}, {"image": OTHER}, False, id="image resolved at start"),
        pytest.param("emr-7.11.0", {}, {"image": OTHER}, False, id="first image, to be resolved at start"),
        pytest.param(
            "emr-7.14.0", {"image": IMAGE}, {"image": OTHER}, True, id="image resolved for each job"
        ),
        pytest.param("emr-7.14.0", {}, {"driver_image": OTHER}, True, id="a worker type's image"),
        pytest.param(
            "emr-7.14.0",
            {"image": IMAGE, "drivers": Workers(1, 2, 8)},
            {"image": OTHER, "drivers": Workers(1, 2, 8)},
            False,
            id="image with workers that are kept ready",
        ),
    ],
)
def test_what_may_change_while_it_is_started(release, before, after, live):
    assert may_change_live(described(release, **before), request(release, **after)) is live
