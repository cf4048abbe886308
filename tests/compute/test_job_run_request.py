from __future__ import annotations

import json
import re

import pytest

from airflow_provider_emrkit import ApplicationSpec, DockerImage, ServerlessApplication, SparkJob
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
from airflow_provider_emrkit.compute.job_run_request import check_job_run, job_run_request
from airflow_provider_emrkit.localemr.spark.serverless import split_parameters
from airflow_provider_emrkit.logs.serverless_places import monitoring_of
from airflow_provider_emrkit.runs.token import RunToken
from airflow_provider_emrkit.validation import InvalidValueError

ROLE = "arn:aws:iam::123456789012:role/emr-serverless-job"
DEFAULTS = ApplicationDefaults(execution_role_arn=ROLE)
LOGS = ApplicationDefaults(execution_role_arn=ROLE, log_uri="s3://logs/all/", log_group="/emr/all")
APPLICATION = {"applicationId": "00f1abc", "releaseLabel": "emr-7.11.0", "state": "STARTED"}
JOB = SparkJob("s3://code/job.py", args=["--day", 1])
BOTH = ["stdout", "stderr"]


def request(job=JOB, compute=None, **arguments):
    given = {
        "name": "sales.load emrkit:c66c9179a54ad449-0-1",
        "client_token": "c66c9179a54ad449-0-1",
        "tags": {},
        "application": APPLICATION,
        "defaults": DEFAULTS,
    }
    return job_run_request(job, compute or ServerlessApplication("00f1abc"), **{**given, **arguments})


def refused(message: str):
    return pytest.raises(InvalidValueError, match=re.escape(message))


def test_a_plain_job():
    assert request() == {
        "applicationId": "00f1abc",
        "clientToken": "c66c9179a54ad449-0-1",
        "name": "sales.load emrkit:c66c9179a54ad449-0-1",
        "executionRoleArn": ROLE,
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": "s3://code/job.py",
                "entryPointArguments": ["--day", "1"],
                "sparkSubmitParameters": "--name 'sales.load emrkit:c66c9179a54ad449-0-1'",
            }
        },
    }


FULL = ServerlessApplication(
    "00f1abc",
    execution_role_arn="arn:aws:iam::123456789012:role/own",
    max_attempts=3,
    execution_timeout_minutes=90,
    tags={"team": "data", "emrkit": "mine"},
)
STREAMING = ServerlessApplication(
    "00f1abc", mode="STREAMING", max_failed_attempts_per_hour=2, execution_timeout_minutes=0
)


def test_every_field_in_its_place():
    found = request(compute=FULL, tags={"emrkit:token": "t"})
    assert found["executionRoleArn"] == "arn:aws:iam::123456789012:role/own"
    assert found["retryPolicy"] == {"maxAttempts": 3}
    assert found["executionTimeoutMinutes"] == 90
    assert found["tags"] == {"team": "data", "emrkit": "mine", "emrkit:token": "t"}
    assert "mode" not in found


def test_a_streaming_job():
    found = request(compute=STREAMING)
    assert found["mode"] == "STREAMING"
    assert found["retryPolicy"] == {"maxFailedAttemptsPerHour": 2}
    assert found["executionTimeoutMinutes"] == 0


@pytest.mark.parametrize("compute", [FULL, STREAMING, ServerlessApplication("00f1abc")])
@pytest.mark.parametrize("defaults", [DEFAULTS, LOGS])
@pytest.mark.parametrize(
    "job", [JOB, SparkJob("s3://c/a.jar", main_class="A", conf={"spark.x": "a\nb"}, env={"X": 1})]
)
def test_emr_serverless_takes_the_request(compute, defaults, job, serverless_accepts):
    token = RunToken("Zürich", "manual__2026-11-29T00:00:00+00:00", "größe[0]", 3, 0, 1)
    found = request(
        job,
        compute,
        name=token.marked(),
        client_token=str(token),
        tags=token.tags(),
        defaults=defaults,
        executor_logs=True,
    )
    serverless_accepts("StartJobRun", found)
    assert json.loads(json.dumps(found)) == found


def test_tags_are_written_in_characters_that_emr_serverless_takes():
    assert request(tags={"emrkit:dag_id": "Zürich[1]"})["tags"] == {"emrkit:dag_id": "Z_rich_1_"}


def test_what_can_be_judged_is_judged_before_an_application_is_asked_for():
    check_job_run(JOB, FULL, ApplicationDefaults())
    with refused("ServerlessApplication.execution_role_arn: None is missing"):
        check_job_run(JOB, STREAMING, ApplicationDefaults())
    with refused("SparkJob.args: 1025 arguments"):
        check_job_run(SparkJob("s3://c/a.py", args=["x"] * 1025), FULL, ApplicationDefaults())


def test_somebody_has_to_say_the_role():
    with refused(
        "ServerlessApplication.execution_role_arn: None is missing; give ServerlessApplication(…, execu"
    ):
        request(defaults=ApplicationDefaults())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "x" * 257}, "job_run_request.name"),
        ({"name": " "}, "job_run_request.name: ' ' is empty"),
        ({"client_token": "x" * 65}, "job_run_request.client_token"),
        ({"client_token": "a b"}, "job_run_request.client_token: 'a b' is not well formed"),
    ],
)
def test_names_and_tokens_that_can_not_be(arguments, message):
    with refused(message):
        request(**arguments)


def test_what_the_application_s_release_can_not_do():
    old = {**APPLICATION, "releaseLabel": "emr-7.0.0"}
    request(application=old)
    with refused("ServerlessApplication.max_attempts: 3 is not supported by emr-7.0.0"):
        request(compute=FULL, application=old)
    with refused("ServerlessApplication.mode: 'STREAMING' is not supported by emr-7.0.0"):
        request(compute=STREAMING, application=old)


def test_an_image_of_a_job_is_the_application_s():
    uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1"
    job = SparkJob("s3://c/a.py", docker=DockerImage(uri))
    application = {**APPLICATION, "imageConfiguration": {"imageUri": uri}}
    assert "YARN" not in json.dumps(request(job, application=application))
    with refused(f"job.docker: '{uri}' is not the image of the application"):
        request(job)


# --- logs -------------------------------------------------------------------------------------------------

TO_CLOUDWATCH = {"enabled": True, "logGroupName": "/own", "encryptionKeyArn": "arn"}
TO_S3 = {"logUri": "s3://own/"}


def logs(held, **arguments):
    """Give what a request says of logs, and what then holds for the run."""
    application = {**APPLICATION, "monitoringConfiguration": held}
    found = request(application=application, **arguments)
    return (found.get("configurationOverrides") or {}).get("monitoringConfiguration"), monitoring_of(
        application, found
    )


@pytest.mark.parametrize(
    "held",
    [
        {"cloudWatchLoggingConfiguration": TO_CLOUDWATCH},
        {"s3MonitoringConfiguration": TO_S3},
        {"cloudWatchLoggingConfiguration": {"enabled": False}, "s3MonitoringConfiguration": TO_S3},
    ],
)
def test_an_application_s_own_way_with_logs_holds(held):
    assert logs(held, defaults=LOGS) == (None, held)


@pytest.mark.parametrize(
    "held", [{}, {"cloudWatchLoggingConfiguration": {"enabled": False}}, {"s3MonitoringConfiguration": {}}]
)
def test_logs_of_an_application_that_sends_them_nowhere_go_where_the_connection_says(held):
    said, _ = logs(held, defaults=LOGS)
    assert said == {
        "cloudWatchLoggingConfiguration": {"enabled": True, "logGroupName": "/emr/all"},
        "s3MonitoringConfiguration": {"logUri": "s3://logs/all/"},
    }
    only = ApplicationDefaults(execution_role_arn=ROLE, log_uri="s3://logs/all/")
    assert logs(held, defaults=only)[0] == {"s3MonitoringConfiguration": {"logUri": "s3://logs/all/"}}
    assert logs(held)[0] is None


def test_what_a_spec_says_of_logs_it_says_of_its_runs():
    spec = ApplicationSpec("nightly", "emr-7.11.0", cloudwatch_logs=False)
    held = {"cloudWatchLoggingConfiguration": {"enabled": False}}
    assert logs(held, defaults=LOGS, compute=ServerlessApplication(spec=spec))[0] is None


def test_executors_logs_go_beside_the_driver_s():
    said, holds = logs({"cloudWatchLoggingConfiguration": TO_CLOUDWATCH}, executor_logs=True)
    types = {"SPARK_DRIVER": BOTH, "SPARK_EXECUTOR": BOTH}
    assert said == {"cloudWatchLoggingConfiguration": {**TO_CLOUDWATCH, "logTypes": types}}
    assert holds["cloudWatchLoggingConfiguration"]["logTypes"] == types


def test_other_types_of_logs_that_the_application_sends_are_sent_still():
    held = {**TO_CLOUDWATCH, "logTypes": {"SPARK_DRIVER": ["stderr"]}}
    said, _ = logs({"cloudWatchLoggingConfiguration": held}, executor_logs=True)
    types = said["cloudWatchLoggingConfiguration"]["logTypes"]
    assert types == {"SPARK_DRIVER": ["stderr"], "SPARK_EXECUTOR": BOTH}
    assert held["logTypes"] == {"SPARK_DRIVER": ["stderr"]}


def test_executors_logs_in_s3_are_there_anyway():
    assert logs({"s3MonitoringConfiguration": TO_S3}, executor_logs=True)[0] is None


def test_executors_logs_go_where_the_connection_says_too():
    said, _ = logs({}, defaults=LOGS, executor_logs=True)
    assert said["cloudWatchLoggingConfiguration"]["logTypes"]["SPARK_EXECUTOR"] == BOTH


# --- long properties --------------------------------------------------------------------------------------


def test_a_conf_of_100_kb_in_many_properties_arrives_whole(serverless_accepts):
    conf = {f"spark.p{place}": f'{place:03} it\'s "$x" ' + "x" * 1000 for place in range(110)}
    assert sum(map(len, conf.values())) > 110_000
    held = {"classification": "spark-defaults", "properties": {"spark.held": "yes"}}
    found = request(
        SparkJob("s3://c/a.py", conf=conf), application={**APPLICATION, "runtimeConfiguration": [held]}
    )
    serverless_accepts("StartJobRun", found)
    [moved] = found["configurationOverrides"]["applicationConfiguration"]
    words = split_parameters(found["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"])
    kept = dict(pair.split("=", 1) for pair in words[3::2])
    # An option wins over spark-defaults.
    assert {**moved["properties"], **kept} == {"spark.held": "yes", **conf}


def test_a_property_of_100_kb_arrives_whole(serverless_accepts):
    text = ('{"a": "b $c\\n' + "x" * 80 + '"}\n') * 1_000
    text = text[:100_000]
    found = request(SparkJob("s3://c/a.py", conf={"spark.x": text}))
    serverless_accepts("StartJobRun", found)
    words = split_parameters(found["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"])
    assert words[2:] == ["--conf", f"spark.x={text}"]
    assert "configurationOverrides" not in found


def test_what_is_too_long_for_both_is_told():
    with refused("SparkJob.conf: ") as caught:
        request(SparkJob("s3://c/a.py", conf={"spark.x": "x" * 110_000}))
    assert "shorten them (spark.x is the longest property), or put them into a file" in str(caught.value)
    assert "xxx" not in str(caught.value)
