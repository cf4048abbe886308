"""Custom images of applications: which there may be, when they are resolved, and how they are changed."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit.localemr.serverless.image_settings import (
    has_same_images,
    image_uris,
    may_change_while_started,
    resolves_at_start,
    worker_images,
)

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
ONE, OTHER = f"{HOST}/jobs:1", f"{HOST}/jobs:2"
CAPACITY = {"DRIVER": {"workerCount": 1, "workerConfiguration": {"cpu": "2 vCPU", "memory": "8 GB"}}}
LATE = {"applicationLevelDigestResolution": False}


def image(uri: str = ONE, **more) -> dict:
    return {"imageConfiguration": {"imageUri": uri, **more}}


class Registry:
    """Tags that can be moved."""

    def __init__(self) -> None:
        self.tags = {ONE: "a", OTHER: "b"}

    def __call__(self, uris):
        return {uri: digest(self.tags[uri]) for uri in uris}


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def emr(make_emr, registry):
    return make_emr(digests=registry)


def shown(emr, application_id, run_id=None):
    """The imageConfiguration of an application, or of a job run."""
    if run_id is None:
        return emr("GetApplication", applicationId=application_id)["application"]["imageConfiguration"]
    return emr("GetJobRun", applicationId=application_id, jobRunId=run_id)["jobRun"]["imageConfiguration"]


def run(emr, application_id):
    run_id = emr.start(application_id)
    emr.run(application_id, run_id)
    return shown(emr, application_id, run_id)["resolvedImageDigest"]


@pytest.mark.parametrize(
    ("label", "config", "capacity", "at_start"),
    [
        ("emr-6.9.0", {}, {}, True),
        ("emr-7.13.0", {}, {}, True),
        ("emr-7.13.0", LATE, {}, False),
        ("emr-7.14.0", {}, {}, False),
        ("emr-7.14.0", {"applicationLevelDigestResolution": True}, {}, True),
        ("emr-7.14.0", {}, CAPACITY, True),
        ("emr-spark-8.0.0", {}, {}, True),
        ("emr-spark-8.1.0", {}, {}, False),
    ],
)
def test_the_release_decides_when_a_tag_is_resolved_unless_the_application_does(
    label, config, capacity, at_start
):
    settings = {"releaseLabel": label, "initialCapacity": capacity, **image(**config)}
    assert resolves_at_start(settings["imageConfiguration"], settings) is at_start
    assert image_uris(settings, at_start=at_start) == [ONE]
    assert image_uris(settings, at_start=not at_start) == []


def test_an_image_of_a_worker_wins_over_the_applications():
    workers = {"workerTypeSpecifications": {"DRIVER": image(OTHER)}}
    assert worker_images({**image(), **workers}) == (OTHER, ONE)
    assert worker_images(workers) == (OTHER, None)
    assert worker_images({}) == (None, None)


def test_until_emr_7_13_all_runs_have_the_image_of_the_applications_start(emr, registry):
    application_id = emr.create(releaseLabel="emr-7.13.0", **image())
    assert shown(emr, application_id) == {
        "imageUri": ONE,
        "applicationLevelDigestResolution": True,
        "resolvedImageDigest": None,
    }
    assert run(emr, application_id) == digest("a")
    registry.tags[ONE] = "c"
    assert run(emr, application_id) == digest("a")
    assert shown(emr, application_id)["resolvedImageDigest"] == digest("a")
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")
    assert run(emr, application_id) == digest("c")
    assert shown(emr, application_id)["resolvedImageDigest"] == digest("c")


def test_from_emr_7_14_each_run_has_the_image_of_its_time(emr, registry):
    application_id = emr.create(releaseLabel="emr-7.14.0", **image())
    assert run(emr, application_id) == digest("a")
    registry.tags[ONE] = "c"
    assert run(emr, application_id) == digest("c")
    assert shown(emr, application_id) == {
        "imageUri": ONE,
        "applicationLevelDigestResolution": False,
        "resolvedImageDigest": None,
    }


def test_a_new_attempt_has_the_image_of_its_time(emr, registry):
    application_id = emr.create(releaseLabel="emr-7.14.0", **image())
    emr.jobs.script("job", fails="OSError", times=1, hold=True)
    run_id = emr.start(application_id, retryPolicy={"maxAttempts": 2})
    emr.jobs.wait_started("job")
    registry.tags[ONE] = "c"
    emr.jobs.finish("job")
    record = emr.store.run(application_id, run_id)
    with emr.store.lock:
        changed = emr.serverless.scheduler.changed
        assert changed.wait_for(lambda: len(record.attempts) == 2 and record.state == "RUNNING", 20)
    assert shown(emr, application_id, run_id)["resolvedImageDigest"] == digest("c")
    emr.jobs.finish("job")
    assert emr.run(application_id, run_id).state == "SUCCESS"


def test_driver_and_executors_may_have_images_of_their_own(emr):
    workers = {"Driver": image(ONE), "Executor": image(OTHER, **LATE)}
    application_id = emr.create(workerTypeSpecifications=workers)
    run_id = emr.start(application_id)
    emr.run(application_id, run_id)
    told = emr("GetJobRun", applicationId=application_id, jobRunId=run_id)["jobRun"]
    found = {name: worker["imageConfiguration"] for name, worker in told["workerTypeSpecifications"].items()}
    assert {name: config["resolvedImageDigest"] for name, config in found.items()} == {
        "Driver": digest("a"),
        "Executor": digest("b"),
    }
    (request,) = emr.jobs.requests
    assert (request.image_uri, request.executor_image_uri) == (ONE, OTHER)
    application = emr("GetApplication", applicationId=application_id)["application"]
    executor = application["workerTypeSpecifications"]["Executor"]["imageConfiguration"]
    assert executor["resolvedImageDigest"] is None


@pytest.mark.parametrize(
    ("request_", "shown_"),
    [
        ({"releaseLabel": "emr-6.8.0", **image()}, "they begin with emr-6.9.0"),
        ({"initialCapacity": CAPACITY, **image(**LATE)}, "initialCapacity"),
        (
            {"initialCapacity": CAPACITY, "workerTypeSpecifications": {"Driver": image(**LATE)}},
            "initialCapacity",
        ),
    ],
)
def test_images_that_cannot_be_are_refused(emr, request_, shown_):
    given = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": "x", **request_}
    error = emr.refused("CreateApplication", **given)
    assert (error.code, shown_ in error.message) == ("ValidationException", True)


def test_an_image_without_a_uri_is_none_and_takes_away_what_was_there(emr):
    workers = {"Driver": image(), "Executor": {}}
    application_id = emr.create(**image(), workerTypeSpecifications=workers)
    before = emr("GetApplication", applicationId=application_id)["application"]
    assert list(before["workerTypeSpecifications"]) == ["Driver"]
    emr(
        "UpdateApplication",
        applicationId=application_id,
        clientToken="x",
        imageConfiguration=LATE,
        workerTypeSpecifications={name: {"imageConfiguration": {}} for name in workers},
    )
    after = emr("GetApplication", applicationId=application_id)["application"]
    assert (after["imageConfiguration"], after["workerTypeSpecifications"]) == (None, None)
    emr.run(application_id, emr.start(application_id))
    assert emr.jobs.requests[0].image_uri is None


@pytest.mark.parametrize(
    ("settings", "request_", "may"),
    [
        ({}, {"maximumCapacity": {}}, True),
        ({**image()}, {"maximumCapacity": {}}, True),
        ({"initialCapacity": CAPACITY}, {"maximumCapacity": {}}, True),
        ({**image(**LATE)}, image(OTHER), True),
        ({**image(**LATE)}, {**image(OTHER), "maximumCapacity": {}}, True),
        ({**image()}, image(OTHER), False),
        ({"initialCapacity": CAPACITY}, image(), False),
        ({**image(**LATE)}, {**image(OTHER), "releaseLabel": "emr-7.12.0"}, False),
        ({}, {"autoStopConfiguration": {}}, False),
        ({}, {}, False),
    ],
)
def test_what_may_be_changed_of_an_application_that_is_started(settings, request_, may):
    settings = {"releaseLabel": "emr-7.11.0", **settings}
    request = {"applicationId": "00a", "clientToken": "x", **request_}
    assert may_change_while_started(settings, request) is may


def test_a_started_application_gets_another_image_for_its_next_runs(emr):
    application_id = emr.create(releaseLabel="emr-7.14.0", **image())
    assert run(emr, application_id) == digest("a")
    emr("UpdateApplication", applicationId=application_id, clientToken="x", **image(OTHER))
    assert emr.application(application_id, "STARTED").state == "STARTED"
    assert run(emr, application_id) == digest("b")
    assert [request.image_uri for request in emr.jobs.requests] == [ONE, OTHER]


def test_more_capacity_lets_a_queued_run_go_on_and_forgets_no_digest(emr):
    application_id = emr.create(
        maximumCapacity={"cpu": "8 vCPU", "memory": "64 GB"}, schedulerConfiguration={}, **image()
    )
    for text in ("first", "second"):
        emr.jobs.script(text, hold=True)
    first = emr.start(application_id, "first")
    emr.run(application_id, first, "RUNNING")
    second = emr.start(application_id, "second")
    emr.run(application_id, second, "QUEUED")
    more = {"cpu": "32 vCPU", "memory": "128 GB"}
    emr("UpdateApplication", applicationId=application_id, clientToken="x", maximumCapacity=more)
    emr.run(application_id, second, "RUNNING")
    assert shown(emr, application_id)["resolvedImageDigest"] == digest("a")


def test_another_image_or_another_time_are_other_images():
    settings = {"releaseLabel": "emr-7.11.0", **image()}
    assert has_same_images(settings, {**settings, "maximumCapacity": {}})
    assert not has_same_images(settings, {**settings, **image(OTHER)})
    assert not has_same_images(settings, {**settings, **image(**LATE)})
