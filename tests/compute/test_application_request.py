from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest
from application_specs import DIGEST, FULL, HOST, LABEL

from airflow_provider_emrkit import ApplicationSpec, Workers
from airflow_provider_emrkit.compute.application_request import (
    APPLICATION_TAG,
    SPEC_TAG,
    create_application_request,
    spec_digest,
    update_application_request,
)
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.validation import InvalidValueError

NOTHING = ApplicationDefaults()
DEFAULTS = ApplicationDefaults(log_uri="s3://logs/all/", log_group="/emr/all")
BARE = ApplicationSpec("nightly", LABEL)


def create(spec=BARE, defaults=NOTHING):
    return create_application_request(spec, defaults)


def update(spec=BARE, defaults=NOTHING):
    return update_application_request(spec, defaults)


def knows_resolution():
    """Tell whether this botocore has heard of it."""
    from botocore.session import Session

    model = Session().get_service_model("emr-serverless")
    return "applicationLevelDigestResolution" in model.shape_for("ImageConfigurationInput").members


def test_a_name_and_a_release_are_enough():
    assert create() == {
        "name": "nightly",
        "releaseLabel": LABEL,
        "type": "SPARK",
        "architecture": "X86_64",
        "autoStartConfiguration": {"enabled": True},
        "autoStopConfiguration": {"enabled": True, "idleTimeoutMinutes": 15},
        "monitoringConfiguration": {
            "cloudWatchLoggingConfiguration": {"enabled": True},
            "managedPersistenceMonitoringConfiguration": {"enabled": True},
        },
        "tags": {APPLICATION_TAG: "nightly", SPEC_TAG: spec_digest(BARE, NOTHING)},
    }


def test_every_field_in_its_place():
    assert create(FULL) == {
        "name": "nightly",
        "releaseLabel": LABEL,
        "type": "SPARK",
        "architecture": "ARM64",
        "initialCapacity": {
            "DRIVER": {"workerCount": 1, "workerConfiguration": {"cpu": "2 vCPU", "memory": "8 GB"}},
            "EXECUTOR": {
                "workerCount": 4,
                "workerConfiguration": {
                    "cpu": "4 vCPU",
                    "memory": "16 GB",
                    "disk": "100 GB",
                    "diskType": "SHUFFLE_OPTIMIZED",
                },
            },
        },
        "maximumCapacity": {"cpu": "100 vCPU", "memory": "400 GB", "disk": "1000 GB"},
        "autoStartConfiguration": {"enabled": False},
        "autoStopConfiguration": {"enabled": False},
        "networkConfiguration": {"subnetIds": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]},
        "imageConfiguration": {"imageUri": f"{HOST}/etl:1.4", "applicationLevelDigestResolution": True},
        "workerTypeSpecifications": {
            "Driver": {
                "imageConfiguration": {
                    "imageUri": f"{HOST}/driver@{DIGEST}",
                    "applicationLevelDigestResolution": True,
                }
            },
            "Executor": {
                "imageConfiguration": {
                    "imageUri": f"{HOST}/executor:2",
                    "applicationLevelDigestResolution": True,
                }
            },
        },
        "runtimeConfiguration": [{"classification": "spark-defaults", "properties": {"spark.x": "1"}}],
        "monitoringConfiguration": {
            "cloudWatchLoggingConfiguration": {"enabled": True, "logGroupName": "/emrkit/nightly"},
            "managedPersistenceMonitoringConfiguration": {"enabled": False},
            "s3MonitoringConfiguration": {"logUri": "s3://logs/serverless/"},
        },
        "schedulerConfiguration": {"maxConcurrentRuns": 5, "queueTimeoutMinutes": 30},
        "interactiveConfiguration": {"livyEndpointEnabled": True},
        "tags": {"team": "data", APPLICATION_TAG: "nightly", SPEC_TAG: spec_digest(FULL, NOTHING)},
    }


def test_the_full_spec_sets_every_field():
    for field in fields(ApplicationSpec):
        # A group of CloudWatch goes with logs there.
        if field.name not in ("name", "release_label", "cloudwatch_logs"):
            assert getattr(FULL, field.name) != getattr(BARE, field.name), field.name


@pytest.mark.parametrize(
    "spec", [BARE, FULL, replace(BARE, cloudwatch_logs=False), replace(BARE, max_concurrent_runs=2)]
)
@pytest.mark.parametrize("defaults", [NOTHING, DEFAULTS])
def test_emr_serverless_takes_the_requests(spec, defaults, serverless_accepts):
    if not knows_resolution():
        spec = replace(spec, resolve_digests_at_start=None)
    serverless_accepts("CreateApplication", {**create(spec, defaults), "clientToken": "t"})
    serverless_accepts(
        "UpdateApplication", {**update(spec, defaults), "applicationId": "00f1", "clientToken": "t"}
    )


def test_requests_are_plain_json():
    for request in (create(FULL), update(FULL), create(), update()):
        assert json.loads(json.dumps(request)) == request


def test_the_connection_says_what_the_spec_leaves_open():
    def monitoring(spec):
        return create(spec, DEFAULTS)["monitoringConfiguration"]

    assert monitoring(BARE)["cloudWatchLoggingConfiguration"] == {"enabled": True, "logGroupName": "/emr/all"}
    assert monitoring(BARE)["s3MonitoringConfiguration"] == {"logUri": "s3://logs/all/"}
    assert monitoring(FULL)["cloudWatchLoggingConfiguration"]["logGroupName"] == "/emrkit/nightly"
    assert monitoring(FULL)["s3MonitoringConfiguration"] == {"logUri": "s3://logs/serverless/"}
    without = monitoring(replace(BARE, cloudwatch_logs=False))
    assert without["cloudWatchLoggingConfiguration"] == {"enabled": False}


def test_nested_configurations_are_written_as_emr_serverless_does():
    nested = {"Classification": "export", "Properties": {"A": "b"}}
    spec = replace(BARE, configurations=[{"Classification": "spark-env", "Configurations": [nested]}])
    assert create(spec)["runtimeConfiguration"] == [
        {
            "classification": "spark-env",
            "properties": {},
            "configurations": [{"classification": "export", "properties": {"A": "b"}}],
        }
    ]


@pytest.mark.parametrize(
    ("given", "queue"),
    [
        ({"max_concurrent_runs": 2}, {"maxConcurrentRuns": 2, "queueTimeoutMinutes": 360}),
        ({"queue_timeout_minutes": 20}, {"maxConcurrentRuns": 15, "queueTimeoutMinutes": 20}),
    ],
)
def test_the_other_limit_of_a_queue_is_emr_serverless_own(given, queue):
    assert create(replace(BARE, **given))["schedulerConfiguration"] == queue
    assert update(replace(BARE, **given))["schedulerConfiguration"] == queue


def test_a_queue_that_is_not_asked_for_any_more_has_emr_serverless_own_limits_again():
    held = {"schedulerConfiguration": {"maxConcurrentRuns": 2, "queueTimeoutMinutes": 20}}
    own = {"maxConcurrentRuns": 15, "queueTimeoutMinutes": 360}
    assert update_application_request(BARE, NOTHING, held)["schedulerConfiguration"] == own
    asked = update_application_request(replace(BARE, max_concurrent_runs=3), NOTHING, held)
    assert asked["schedulerConfiguration"]["maxConcurrentRuns"] == 3
    # Not every boto3 knows the member: it is sent only where it has a use.
    assert "schedulerConfiguration" not in update_application_request(BARE, NOTHING, {})


def test_what_nobody_asks_of_digests_is_left_to_emr_serverless():
    """Not every boto3 knows the member."""
    spec = ApplicationSpec("nightly", "emr-7.14.0", image=f"{HOST}/etl:1", drivers=Workers(1, 2, 8))
    assert create(spec)["imageConfiguration"] == {"imageUri": f"{HOST}/etl:1"}
    asked = replace(spec, resolve_digests_at_start=True)
    assert create(asked)["imageConfiguration"]["applicationLevelDigestResolution"] is True


def test_images_are_in_the_region_of_the_application():
    for region in ("us-east-1", None):
        create(FULL, ApplicationDefaults(region_name=region))
    message = r"image: .* is in ECR of us-east-1, and EMR .* own region, eu-west-1; copy it to ECR of eu"
    with pytest.raises(InvalidValueError, match=message):
        create(FULL, ApplicationDefaults(region_name="eu-west-1"))
    with pytest.raises(InvalidValueError, match=r"ApplicationSpec\.executor_image"):
        create(
            replace(BARE, executor_image=FULL.executor_image), ApplicationDefaults(region_name="eu-west-1")
        )


def test_an_update_says_all_that_can_be_updated():
    created, updated = create(FULL), update(FULL)
    assert updated == {name: value for name, value in created.items() if name not in ("name", "type", "tags")}


def test_an_update_empties_what_is_not_said_any_more():
    """As far as EMR's API can: it can't take a maximum away again."""
    updated = update(BARE)
    assert {name: updated[name] for name in create(FULL) if name in updated and name not in create(BARE)} == {
        "initialCapacity": {},
        "networkConfiguration": {},
        "imageConfiguration": {},
        "workerTypeSpecifications": {
            "Driver": {"imageConfiguration": {}},
            "Executor": {"imageConfiguration": {}},
        },
        "runtimeConfiguration": [],
    }
    assert "maximumCapacity" not in updated
    one = update(replace(BARE, driver_image=f"{HOST}/driver:1"))["workerTypeSpecifications"]
    assert one == {
        "Driver": {"imageConfiguration": {"imageUri": f"{HOST}/driver:1"}},
        "Executor": {"imageConfiguration": {}},
    }


def test_what_the_application_does_not_have_is_not_emptied():
    creation = create(replace(BARE, driver_image=FULL.driver_image, subnet_ids=["subnet-1"]))
    emptied = update_application_request(BARE, NOTHING, creation)
    assert emptied == {
        **update_application_request(BARE, NOTHING, {}),
        "networkConfiguration": {},
        "workerTypeSpecifications": {"Driver": {"imageConfiguration": {}}},
    }
    assert update_application_request(BARE, NOTHING, {}).keys() == create(BARE).keys() - {
        "name",
        "type",
        "tags",
    }


@pytest.mark.parametrize(
    ("held", "emptied"),
    [
        (
            {"interactiveConfiguration": {"livyEndpointEnabled": True, "studioEnabled": True}},
            {"interactiveConfiguration": {"livyEndpointEnabled": False, "studioEnabled": False}},
        ),
        ({"interactiveConfiguration": {"livyEndpointEnabled": False, "studioEnabled": False}}, {}),
        (
            {"jobLevelCostAllocationConfiguration": {"enabled": True}},
            {"jobLevelCostAllocationConfiguration": {"enabled": False}},
        ),
        (
            {"diskEncryptionConfiguration": {"encryptionKeyArn": "arn:aws:kms:us-east-1:1:key/a"}},
            {"diskEncryptionConfiguration": {}},
        ),
        (
            {"identityCenterConfiguration": {"identityCenterInstanceArn": "arn:aws:sso:::instance/a"}},
            {"identityCenterConfiguration": {}},
        ),
    ],
)
def test_what_overrides_set_once_is_taken_away(held, emptied, serverless_accepts):
    request = update_application_request(BARE, NOTHING, held)
    assert request == {**update_application_request(BARE, NOTHING, {}), **emptied}
    serverless_accepts("UpdateApplication", {**request, "applicationId": "00f1", "clientToken": "t"})


def test_a_switch_that_overrides_leave_on_stays_on():
    held = {"interactiveConfiguration": {"livyEndpointEnabled": True, "studioEnabled": True}}
    spec = replace(BARE, overrides={"interactiveConfiguration": {"studioEnabled": True}})
    asked = update_application_request(spec, NOTHING, held)["interactiveConfiguration"]
    assert asked == {"livyEndpointEnabled": False, "studioEnabled": True}


def test_requests_share_nothing():
    update()["workerTypeSpecifications"]["Driver"]["imageConfiguration"]["imageUri"] = "x"
    assert update()["workerTypeSpecifications"]["Driver"] == {"imageConfiguration": {}}


def test_overrides_are_merged_last():
    spec = replace(
        BARE,
        overrides={
            "monitoringConfiguration": {"prometheusMonitoringConfiguration": {"remoteWriteUrl": "u"}},
            "schedulerConfiguration": None,
            "runtimeConfiguration": [{"classification": "x"}],
        },
    )
    for request in (create(spec), update(spec)):
        monitoring = request["monitoringConfiguration"]
        assert monitoring["prometheusMonitoringConfiguration"] == {"remoteWriteUrl": "u"}
        assert monitoring["cloudWatchLoggingConfiguration"] == {"enabled": True}
        assert "schedulerConfiguration" not in request
        assert request["runtimeConfiguration"] == [{"classification": "x"}]


def test_the_digest_is_of_what_the_application_is_to_be():
    digest = spec_digest(BARE, NOTHING)
    assert len(digest) == 16
    assert int(digest, 16) >= 0
    assert spec_digest(ApplicationSpec("nightly", LABEL, idle_minutes=15), NOTHING) == digest
    changed = [
        spec_digest(replace(BARE, **{field.name: getattr(FULL, field.name)}), NOTHING)
        for field in fields(ApplicationSpec)
        if getattr(FULL, field.name) != getattr(BARE, field.name)
        and field.name
        not in (
            "max_cpu",
            "max_memory_gb",
            "max_disk_gb",
            "resolve_digests_at_start",
            "security_group_ids",
            "tags",
        )
    ]
    changed += [
        spec_digest(replace(BARE, max_cpu=1, max_memory_gb=2), NOTHING),
        spec_digest(replace(BARE, release_label="emr-7.12.0"), NOTHING),
        spec_digest(BARE, DEFAULTS),
    ]
    assert len({digest, *changed}) == len(changed) + 1


def test_tags_are_no_settings():
    """They change without an update."""
    assert spec_digest(replace(BARE, tags={"team": "data"}), NOTHING) == spec_digest(BARE, NOTHING)


def test_the_digest_does_not_go_by_the_order_of_what_is_said():
    one = replace(BARE, tags={"a": "1", "b": "2"}, configurations={"x": {"p": "1", "q": "2"}})
    other = replace(BARE, tags={"b": "2", "a": "1"}, configurations={"x": {"q": "2", "p": "1"}})
    assert spec_digest(one, NOTHING) == spec_digest(other, NOTHING)
