"""Applications: which are accepted, how they are shown, how they start, stop, change and end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from airflow_provider_emrkit.localemr.run.contract import ClusterStartError


def test_an_application_is_created_when_the_request_is_answered(emr):
    application = emr("GetApplication", applicationId=emr.create(name="etl"))["application"]
    assert application["state"] == "CREATED"
    assert application["name"] == "etl"
    assert application["autoStartConfiguration"] == {"enabled": True}
    assert application["autoStopConfiguration"] == {"enabled": True, "idleTimeoutMinutes": 15}
    assert (application["type"], application["architecture"]) == ("Spark", "X86_64")


def test_an_application_that_is_started_prepares_what_its_release_needs(emr):
    application_id = emr.create(releaseLabel="emr-7.2.0")
    emr.jobs.hold_prepares()
    emr("StartApplication", applicationId=application_id)
    record = emr.application(application_id, "STARTING")
    emr("StartApplication", applicationId=application_id)
    emr.jobs.release_prepares()
    emr.application(application_id, "STARTED")
    emr("StartApplication", applicationId=application_id)
    assert record.state == "STARTED"
    assert emr.jobs.prepared == ["emr-7.2.0"]


def test_what_keeps_an_application_from_starting_is_its_state_details(emr):
    application_id = emr.create()
    emr.jobs.prepare_error = ClusterStartError("no Spark 3.5.6; connect to PyPI")
    emr("StartApplication", applicationId=application_id)
    assert emr.application(application_id, "STOPPED").details == "no Spark 3.5.6; connect to PyPI"
    emr.jobs.prepare_error = None
    emr("StartApplication", applicationId=application_id)
    assert emr.application(application_id, "STARTED").details == ""


def test_a_bug_in_the_preparation_stops_the_application_and_says_so(emr, caplog):
    emr.jobs.prepare_error = ZeroDivisionError("oops")
    application_id = emr.create()
    run_id = emr.start(application_id)
    assert "oops" in emr.run(application_id, run_id, "FAILED").details
    assert "ZeroDivisionError" in caplog.text


def test_an_application_can_be_stopped_while_it_starts(emr):
    application_id = emr.create()
    emr.jobs.hold_prepares()
    emr("StartApplication", applicationId=application_id)
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")
    # The start that was given up changes nothing of the next one.
    emr("StartApplication", applicationId=application_id)
    emr.jobs.release_prepares()
    emr.application(application_id, "STARTED")


def test_a_start_that_was_given_up_does_not_decide_the_next_one(emr, monkeypatch):
    begun, first, second = threading.Event(), threading.Event(), threading.Event()
    waiting = iter((first, second))

    def prepare(*_):
        event = next(waiting)
        begun.set()
        assert event.wait(20)
        if event is first:
            raise ClusterStartError("given up")

    monkeypatch.setattr(emr.jobs, "prepare", prepare)
    application_id = emr.create()
    emr("StartApplication", applicationId=application_id)
    given_up = emr.serverless.scheduler._starts[application_id]
    assert begun.wait(20)
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")
    emr("StartApplication", applicationId=application_id)
    first.set()
    given_up.join(20)
    assert emr.application(application_id, "STARTING")
    second.set()
    emr.application(application_id, "STARTED")


@pytest.mark.parametrize("is_started", [False, True])
def test_stopping_ends_in_stopped_and_can_be_asked_for_again(emr, is_started):
    application_id = emr.create()
    if is_started:
        emr("StartApplication", applicationId=application_id)
        emr.application(application_id, "STARTED")
    emr("StopApplication", applicationId=application_id)
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")
    emr("StopApplication", applicationId=application_id)


def test_an_application_with_job_runs_is_not_stopped(emr):
    application_id = emr.create()
    emr.jobs.script("long", hold=True)
    run_id = emr.start(application_id, "long")
    emr.run(application_id, run_id, "RUNNING")
    error = emr.refused("StopApplication", applicationId=application_id)
    assert error.code == "ValidationException"
    assert "1 of its job runs" in error.message
    emr.jobs.finish("long")
    emr.run(application_id, run_id)
    emr("StopApplication", applicationId=application_id)
    emr.application(application_id, "STOPPED")


def test_an_application_that_is_idle_stops_by_itself(emr):
    application_id = emr.create(autoStopConfiguration={"idleTimeoutMinutes": 5})
    emr.run(application_id, emr.start(application_id))
    emr.settled()
    emr.later(minutes=4)
    emr.settled()
    assert emr.application(application_id, "STARTED")
    emr.later(minutes=1)
    assert "idle for 5 minutes" in emr.application(application_id, "STOPPED").details


def test_an_application_with_a_job_run_is_not_idle(emr):
    application_id = emr.create()
    emr.jobs.script("long", hold=True)
    run_id = emr.start(application_id, "long")
    emr.run(application_id, run_id, "RUNNING")
    emr.later(hours=2)
    emr.jobs.finish("long")
    emr.run(application_id, run_id)
    emr.settled()
    emr.later(minutes=14)
    emr.settled()
    emr.application(application_id, "STARTED")
    emr.later(minutes=1)
    emr.application(application_id, "STOPPED")


def test_an_application_that_is_not_to_stop_by_itself_does_not(emr):
    application_id = emr.create(autoStopConfiguration={"enabled": False})
    emr.run(application_id, emr.start(application_id))
    emr.later(days=7)
    emr.settled()
    assert emr.application(application_id, "STARTED")


def test_settings_are_changed_by_name_and_removed_when_empty(emr):
    image = {"imageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs:1"}
    application_id = emr.create(imageConfiguration=image, networkConfiguration={"subnetIds": ["subnet-1"]})
    changed = emr(
        "UpdateApplication",
        applicationId=application_id,
        clientToken="x",
        releaseLabel="emr-7.2.0",
        imageConfiguration={},
        schedulerConfiguration={},
    )["application"]
    assert changed["releaseLabel"] == "emr-7.2.0"
    assert changed["networkConfiguration"] == {"subnetIds": ["subnet-1"]}
    assert changed["imageConfiguration"] is None
    assert changed["schedulerConfiguration"] == {"queueTimeoutMinutes": 360, "maxConcurrentRuns": 15}


@pytest.mark.parametrize("operation", ["UpdateApplication", "DeleteApplication"])
def test_only_a_resting_application_is_changed_or_deleted(emr, operation):
    application_id = emr.create()
    emr("StartApplication", applicationId=application_id)
    emr.application(application_id, "STARTED")
    error = emr.refused(operation, applicationId=application_id, clientToken="x")
    assert error.code == "ValidationException"
    assert error.message == (
        f"Application {application_id} must be in one of the following statuses [CREATED, STOPPED]. "
        "Current status: STARTED"
    )


def test_an_application_that_is_deleted_is_terminated(emr):
    application_id = emr.create()
    emr("DeleteApplication", applicationId=application_id)
    assert emr("GetApplication", applicationId=application_id)["application"]["state"] == "TERMINATED"
    for operation in ("DeleteApplication", "StartApplication", "StopApplication"):
        assert "TERMINATED" in emr.refused(operation, applicationId=application_id).message


def test_an_application_is_unknown_in_another_region(emr):
    application_id = emr.create()
    error = emr.refused("GetApplication", applicationId=application_id, region="eu-west-1")
    assert (error.code, error.status) == ("ResourceNotFoundException", 404)
    assert emr("ListApplications", region="eu-west-1")["applications"] == []


def test_the_list_shows_the_newest_first_by_state_and_in_pages(emr):
    ids = [emr.create() for _ in range(5)]
    emr("DeleteApplication", applicationId=ids[2])
    first = emr("ListApplications", states=["CREATED"], maxResults=2)
    assert [item["id"] for item in first["applications"]] == [ids[4], ids[3]]
    # What is deleted between two pages hides nothing of the rest.
    emr("DeleteApplication", applicationId=ids[3])
    second = emr("ListApplications", states=["CREATED"], maxResults=2, nextToken=first["nextToken"])
    assert [item["id"] for item in second["applications"]] == [ids[1], ids[0]]
    assert second["nextToken"] is None
    assert emr.refused("ListApplications", nextToken="not-one").code == "ValidationException"


def test_a_repeated_request_makes_one_application(emr):
    request = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": "once", "tags": {"a": "b"}}
    answers = [emr("CreateApplication", **request) for _ in range(2)]
    assert answers[0] == answers[1]
    error = emr.refused("CreateApplication", **{**request, "releaseLabel": "emr-7.2.0"})
    assert (error.code, error.status) == ("ConflictException", 409)
    # Tokens are the caller's own in each region.
    assert emr("CreateApplication", region="eu-west-1", **request) != answers[0]


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        pytest.param({"type": "HIVE"}, "localemr does not support", id="hive"),
        pytest.param({"type": "FLINK"}, "Unsupported engine FLINK", id="engine"),
        pytest.param({"releaseLabel": "7.11"}, "not valid", id="label"),
        pytest.param({"releaseLabel": "emr-6.5.0"}, "begins with emr-6.6.0", id="too-old"),
        pytest.param({"releaseLabel": "emr-6.9.1"}, "not supported", id="never-there"),
        pytest.param({"initialCapacity": {"TezTask": {"workerCount": 1}}}, "TezTask", id="worker"),
        pytest.param({"workerTypeSpecifications": {"HiveDriver": {}}}, "HiveDriver", id="worker-type"),
        pytest.param({"schedulerConfiguration": {"queueTimeoutMinutes": 14}}, "15 to 720", id="queue"),
        pytest.param({"schedulerConfiguration": {"maxConcurrentRuns": 1001}}, "1 to 1000", id="concurrency"),
        pytest.param(
            {"schedulerConfiguration": {}, "releaseLabel": "emr-6.15.0"}, "emr-6.15.0", id="no-queue-yet"
        ),
    ],
)
def test_an_application_that_cannot_be_is_refused(emr, request_, shown):
    given = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": "x", **request_}
    error = emr.refused("CreateApplication", **given)
    assert error.code == "ValidationException"
    assert shown in error.message
    assert emr("ListApplications")["applications"] == []


@pytest.mark.parametrize("label", ["emr-6.6.0", "emr-7.11.0", "emr-spark-8.0.0", "emr-spark-8.0-preview"])
def test_releases_of_emr_serverless_are_accepted(emr, label):
    assert emr.create(releaseLabel=label)


def test_a_release_that_cannot_run_here_is_refused_with_the_mend(emr):
    emr.jobs.refused_labels["emr-6.6.0"] = "needs Java 8; set JAVA8_HOME"
    error = emr.refused("CreateApplication", releaseLabel="emr-6.6.0", type="SPARK", clientToken="x")
    assert (error.code, error.message) == ("ValidationException", "needs Java 8; set JAVA8_HOME")
    application_id = emr.create()
    error = emr.refused(
        "UpdateApplication", applicationId=application_id, clientToken="x", releaseLabel="emr-6.6.0"
    )
    assert error.message == "needs Java 8; set JAVA8_HOME"


def test_all_that_was_set_is_shown(emr):
    settings = {
        "initialCapacity": {"Driver": {"workerCount": 1}},
        "maximumCapacity": {"cpu": "16 vCPU", "memory": "64 GB"},
        "networkConfiguration": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        "runtimeConfiguration": [{"classification": "spark-defaults", "properties": {"a": "b"}}],
        "monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://logs/"}},
        "interactiveConfiguration": {"studioEnabled": True, "livyEndpointEnabled": False},
        "identityCenterConfiguration": {"userBackgroundSessionsEnabled": True},
        "diskEncryptionConfiguration": {"encryptionContext": {"a": "b"}},
        "jobLevelCostAllocationConfiguration": {"enabled": True},
        "architecture": "ARM64",
    }
    application = emr("GetApplication", applicationId=emr.create(**settings, tags={"team": "data"}))[
        "application"
    ]
    assert {name: application[name] for name in settings} == settings
    assert application["tags"] == {"team": "data"}


def test_images_have_the_digest_that_was_found_when_the_application_started(make_emr):
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/jobs:1"
    emr = make_emr(digests=lambda uris: dict.fromkeys(uris, "sha256:" + "0" * 64))
    application_id = emr.create(
        imageConfiguration={"imageUri": image},
        workerTypeSpecifications={"Driver": {"imageConfiguration": {"imageUri": image}}},
    )
    run_id = emr.start(application_id)
    run = emr.run(application_id, run_id)
    application = emr("GetApplication", applicationId=application_id)["application"]
    shown = {
        "imageUri": image,
        "applicationLevelDigestResolution": True,
        "resolvedImageDigest": "sha256:" + "0" * 64,
    }
    assert application["imageConfiguration"] == shown
    assert application["workerTypeSpecifications"] == {"Driver": {"imageConfiguration": shown}}
    job_run = emr("GetJobRun", applicationId=application_id, jobRunId=run.id)["jobRun"]
    assert job_run["imageConfiguration"] == shown
    assert emr.jobs.requests[0].image_uri == image


def test_tags_of_applications_and_job_runs(emr):
    application_id = emr.create(tags={"a": "1"})
    run_id = emr.start(application_id, tags={"b": "2"})
    arn = emr("GetApplication", applicationId=application_id)["application"]["arn"]
    for resource, before in ((arn, {"a": "1"}), (f"{arn}/jobruns/{run_id}", {"b": "2"})):
        assert emr("ListTagsForResource", resourceArn=resource)["tags"] == before
        emr("TagResource", resourceArn=resource, tags={"c": "3"})
        emr("UntagResource", resourceArn=resource, tagKeys=["a", "b", "not-there"])
        assert emr("ListTagsForResource", resourceArn=resource)["tags"] == {"c": "3"}


def test_tags_of_what_is_not_there(emr):
    application_id = emr.create()
    arn = emr("GetApplication", applicationId=application_id)["application"]["arn"]
    for resource in (
        f"{arn}x",
        f"{arn}/jobruns/00x",
        f"{arn}/sessions/00x",
        arn.replace("us-east-1", "eu-west-1"),
        arn.replace("123456789012", "999999999999"),
    ):
        assert emr.refused("ListTagsForResource", resourceArn=resource).code == "ResourceNotFoundException"
    many = {str(number): "" for number in range(201)}
    assert "at most 200" in emr.refused("TagResource", resourceArn=arn, tags=many).message


def test_the_prefix_of_amazons_own_tags_is_reserved(emr):
    application_id, reserved = emr.create(), {"aws:created": "x"}
    arn = emr("GetApplication", applicationId=application_id)["application"]["arn"]
    new = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": "t", "tags": reserved}
    job = {"sparkSubmit": {"entryPoint": "s3://code/job.py"}}
    run = {"clientToken": "t", "executionRoleArn": arn, "jobDriver": job, "tags": reserved}
    for refused in (
        emr.refused("TagResource", resourceArn=arn, tags=reserved),
        emr.refused("CreateApplication", **new),
        emr.refused("StartJobRun", applicationId=application_id, **run),
    ):
        assert (refused.code, "aws: is reserved" in refused.message) == ("ValidationException", True)
    assert emr("ListTagsForResource", resourceArn=arn)["tags"] == {}


def test_a_waiter_is_answered_when_the_application_has_started(make_emr):
    emr = make_emr(hold_seconds=20.0)
    application_id = emr.create()
    emr("StartApplication", applicationId=application_id)
    answer = emr("GetApplication", applicationId=application_id, is_waiter=True)
    assert answer["application"]["state"] == "STARTED"


def test_a_waiter_is_not_held_for_ever(make_emr):
    emr = make_emr(hold_seconds=0.05)
    application_id = emr.create()
    emr.jobs.hold_prepares()
    emr("StartApplication", applicationId=application_id)
    answer = emr("GetApplication", applicationId=application_id, is_waiter=True)
    assert answer["application"]["state"] == "STARTING"
    emr.jobs.release_prepares()


def test_nothing_runs_while_nothing_happens(emr):
    application_id = emr.create(autoStopConfiguration={"idleTimeoutMinutes": 60})
    emr.run(application_id, emr.start(application_id))
    emr.settled()
    scheduler = emr.serverless.scheduler
    with emr.store.lock:
        due = scheduler._due[application_id]
    assert due == emr.clock.time + timedelta(minutes=60)
