# ruff: noqa: E501 - sentences are as EMR Serverless writes them
"""Which error a job run ends with, by what EMR Serverless says, and by what the logs say."""

from __future__ import annotations

import pytest

from airflow_provider_emrkit import exceptions
from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.outcome import failure
from airflow_provider_emrkit.runs.protocol import FailureFacts
from airflow_provider_emrkit.runs.states import RunState, RunStatus

RUN = JobRun("job_run", "", "", "t-1", "sales", "us-east-1", application_id="00app", job_run_id="00run")
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/home/hadoop/daily.py", line 7, in <module>',
    "ValueError: no such day",
]
FEW_EXCEPTIONS = (
    "Job failed, please check complete logs in configured logging destination. ExitCode: 1. Last "
)
FEW_EXCEPTIONS += "few exceptions: "


def error_of(said: str, *lines: str, started: float | None = 1.0, state: RunState = RunState.FAILED, **more):
    status = RunStatus(state, state.value.upper(), said, started_at=started, **more)
    texts = [LogText("stderr in SPARK_DRIVER/stderr", list(lines))] if lines else []
    return failure(RUN, status, FailureFacts(said, texts=texts))


@pytest.mark.parametrize(
    ("said", "kind", "mend"),
    [
        (
            "Worker could not be allocated as the application has exceeded maximumCapacity settings: [cpu: 4 "
            "vCPU, memory: 16 GB]",
            exceptions.CapacityError,
            "max_cpu",
        ),
        (
            "Job failed as application has exceeded maximumCapacity settings.",
            exceptions.CapacityError,
            "max_cpu",
        ),
        (
            "Job failed as account has reached the service limit on the maximum vCPU it can use concurrently.",
            exceptions.CapacityError,
            "quota",
        ),
        ("ServiceQuotaExceededException: too many vCPUs", exceptions.CapacityError, "quota"),
        (
            "Job run was QUEUED longer than the queueTimeoutMinutes of the application, 360",
            exceptions.CapacityError,
            "queue_timeout_minutes",
        ),
        (
            "Could not assume execution role arn:aws:iam::123456789012:role/job because it does not exist or is "
            "not set up with the required trust relationship.",
            exceptions.JobDeniedError,
            "trust policy",
        ),
        (
            "S3 access is denied. Please check S3 access permissions of the job runtime role on the required S3 "
            "resources.",
            exceptions.JobDeniedError,
            "execution_role_arn",
        ),
        (
            "Application failed to start. EMR Serverless service principal is not authorized to perform: "
            "ECR:DescribeImages on resource",
            exceptions.DockerError,
            "ecr:BatchGetImage",
        ),
        ("Application failed to start: internal error", exceptions.ClusterFailedError, "GetApplication"),
        (
            "Job failed. ExitCode: 137. Last few exceptions: Worker has been killed as memory usage exceeded "
            "configured memory size",
            exceptions.OutOfMemoryError,
            "memory",
        ),
        ("The subnet subnet-1 has not enough free IP addresses", exceptions.CapacityError, "subnet_ids"),
    ],
)
def test_what_emr_serverless_says_of_its_workers_is_the_error(said, kind, mend):
    error = error_of(said, started=None)
    assert type(error) is kind
    assert said[:40] in str(error)
    assert mend in str(error)
    assert str(error).startswith("job run 00run on application 00app failed: ")


def test_the_error_of_a_job_s_program_is_what_its_log_says():
    error = error_of(f"{FEW_EXCEPTIONS}Exception in thread main", *TRACEBACK)
    assert type(error) is exceptions.UserCodeError
    assert "ValueError: no such day (daily.py line 7; lines 1-3 of stderr in SPARK_DRIVER" in str(error)


def test_without_a_log_it_is_what_emr_serverless_quotes():
    error = error_of(f"{FEW_EXCEPTIONS}ModuleNotFoundError: No module named 'pandas'")
    assert isinstance(error, exceptions.RunFailedError)
    assert "No module named 'pandas'" in str(error)


@pytest.mark.parametrize(
    "quoted",
    [
        "ValueError: '300.1.1.1' is not a valid IP address",
        "ValueError: no client ip address in row 7",
        "ValueError: timeout while reading from queue orders",
        "pyspark.errors.exceptions.captured.AnalysisException: Column 'role' does not exist. Did you mean one of",
        "PIL.UnidentifiedImageError: cannot identify image file, image 7 is invalid",
        "KeyError: subnet 10.0.0.0/8 not found in the lookup table",
        "RuntimeError: application shop was stopped",
        "ValueError: access denied by rule 7 of the game",
        "ValueError: day is missing",
    ],
)
@pytest.mark.parametrize("before", [FEW_EXCEPTIONS, "ExitCode: 1. "], ids=["few exceptions", "exit code"])
def test_what_a_job_raised_is_its_own_error_also_where_only_emr_serverless_tells_it(before, quoted):
    error = error_of(f"{before}{quoted}")
    assert type(error) is exceptions.UserCodeError
    assert not error.retryable
    assert quoted[:60] in str(error)


@pytest.mark.parametrize(
    "quoted",
    [
        "FileNotFoundError: image cat.png not found in the training set",
        "pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] application shop was stopped",
    ],
)
def test_what_a_job_does_not_find_is_neither_its_image_nor_its_application(quoted):
    assert type(error_of(f"{FEW_EXCEPTIONS}{quoted}")) is exceptions.JobNotFoundError


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (
            f"{FEW_EXCEPTIONS}Worker has been killed as memory usage exceeded configured memory size",
            exceptions.OutOfMemoryError,
        ),
        ("Job failed. ExitCode: 137. Last few exceptions: none in the logs", exceptions.OutOfMemoryError),
        ("Job failed as application has exceeded maximumCapacity settings.", exceptions.CapacityError),
        (
            f"Job failed as application has exceeded maximumCapacity settings. {FEW_EXCEPTIONS}ValueError: x",
            exceptions.CapacityError,
        ),
    ],
)
def test_what_emr_serverless_itself_says_of_a_job_that_ran_is_the_error(said, kind):
    assert type(error_of(said)) is kind


def test_a_program_s_error_is_not_taken_for_the_platform_s():
    said = f"{FEW_EXCEPTIONS}ValueError: the image of the day was not found"
    lines = [*TRACEBACK[:2], "ValueError: the image of the day was not found"]
    assert type(error_of(said, *lines)) is exceptions.UserCodeError


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("botocore.exceptions.ClientError: An error (AccessDenied)", "the job role (execution_role_arn)"),
        ("ModuleNotFoundError: No module named 'pandas'", "the application's image"),
        ("OSError: [Errno 28] No space left on device", "spark.emr-serverless.executor.disk"),
    ],
)
def test_what_may_help_is_said_in_the_words_of_emr_serverless(line, mend):
    error = error_of(FEW_EXCEPTIONS, *TRACEBACK[:2], line)
    assert mend in str(error)
    assert error.cause is not None
    assert mend in error.cause.hint


def test_a_run_that_somebody_cancelled_was_cancelled():
    error = error_of("Job run was cancelled by the user", state=RunState.CANCELLED)
    assert type(error) is exceptions.RunCancelledError
    assert str(error) == "job run 00run on application 00app was cancelled: Job run was cancelled by the user"


@pytest.mark.parametrize(
    "said",
    ["Job run timed out", "Job run was cancelled: it ran longer than its executionTimeoutMinutes of 5"],
)
def test_a_run_that_emr_serverless_ended_for_its_time_has_timed_out(said):
    error = error_of(said, state=RunState.CANCELLED)
    assert type(error) is exceptions.RunTimedOutError
    assert "execution_timeout_minutes" in str(error)


def test_the_attempt_that_failed_last_is_told():
    assert "failed in attempt 3: " in str(error_of("ExitCode: 1", *TRACEBACK, attempt=3))


def test_a_run_that_is_forgotten_is_not_taken_for_failed():
    error = error_of("", state=RunState.UNLISTED)
    assert type(error) is exceptions.RunNotFoundError
    assert "does not list job run 00run of application 00app any more" in str(error)
    assert "1,000 steps" not in str(error)


def test_what_is_worth_a_retry_says_so():
    assert error_of("exceeded maximumCapacity", started=None).retryable
    assert not error_of("x", *TRACEBACK).retryable
