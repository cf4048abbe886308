"""What is read of a failed job run's logs, from CloudWatch and S3 as they really answer."""

from __future__ import annotations

import gzip
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from faulty_emr import aws_error
from serverless_rig import TO_CLOUDWATCH, TO_S3, ServerlessRig

from airflow_provider_emrkit.exceptions import OutOfMemoryError, RunFailedError, UserCodeError
from airflow_provider_emrkit.runs.log_patience import LOOK_EVERY
from airflow_provider_emrkit.runs.outcome import failure

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.job_run import JobRun

TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "daily.py", line 7, in <module>',
    "ValueError: no day",
)
EXECUTOR_LOST = (
    "Job aborted due to stage failure: ExecutorLostFailure (executor 2 exited caused by one of the tasks)",
)
OUT_OF_MEMORY = ("java.lang.OutOfMemoryError: Java heap space", "\tat java.util.Arrays.copyOf(Arrays.java:1)")
SAID = "Job failed, please check complete logs in configured logging destination. ExitCode: 1."


class World(ServerlessRig):
    """An application whose jobs fail, and the logs that a test puts where it sends them."""

    def __init__(self, server: Any, **monitoring: Any) -> None:
        super().__init__(server, monitoringConfiguration=monitoring)
        self.s3, self.logs = server.client("s3"), server.client("logs")
        self.s3.create_bucket(Bucket="logs")

    def write(self, run: JobRun, path: str, *lines: str) -> None:
        """Write a log below a job run's folder, where the run says that its logs go."""
        folder = f"applications/{run.application_id}/jobs/{run.job_run_id}/"
        if run.log_group:
            if not self.logs.describe_log_groups(logGroupNamePrefix=run.log_group)["logGroups"]:
                self.logs.create_log_group(logGroupName=run.log_group)
            where = {"logGroupName": run.log_group, "logStreamName": f"{run.log_prefix}{folder}{path}"}
            self.logs.create_log_stream(**where)
            at = int(run.submitted_at * 1000)
            self.logs.put_log_events(
                **where, logEvents=[{"timestamp": at, "message": line} for line in lines]
            )
        else:
            self.archive(run, path, *lines)

    def archive(self, run: JobRun, path: str, *lines: str) -> None:
        """Write a log to S3."""
        key = f"serverless/applications/{run.application_id}/jobs/{run.job_run_id}/{path}.gz"
        self.s3.put_object(Bucket="logs", Key=key, Body=gzip.compress("\n".join(lines).encode()))

    def error(self, run: JobRun, patience: float = 0.0) -> Exception:
        """Give the exception that a task ends with."""
        return failure(run, self.status(run), self.runs.failure_facts(run, patience))


@pytest.fixture(params=[TO_CLOUDWATCH, TO_S3], ids=["CloudWatch", "S3"])
def world(localemr_server, request):
    return World(localemr_server, **request.param)


@pytest.fixture
def both(localemr_server):
    return World(localemr_server, **TO_CLOUDWATCH, **TO_S3)


def test_the_exception_names_the_python_error(world):
    run = world.failed(SAID)
    world.write(run, "SPARK_DRIVER/stderr", *TRACEBACK)
    world.write(run, "SPARK_DRIVER/stdout", "rows: 3")
    error = world.error(run)
    assert type(error) is UserCodeError
    assert str(error).startswith(
        f"{run} failed: ValueError: no day (daily.py line 7; lines 1-3 of stderr in "
    )
    assert f"jobs/{run.job_run_id}/SPARK_DRIVER/stderr" in str(error)


def test_what_the_log_shows_already_is_not_shown_again(world):
    run = world.failed(SAID)
    world.write(run, "SPARK_DRIVER/stderr", *TRACEBACK)
    assert world.runs.failure_facts(run).followed


def test_the_last_attempt_tells_why(world):
    world.server.jobs.script("bad", fails=SAID)
    run = world.wait(world.submit("bad", max_attempts=2), "FAILED")
    world.write(run, "attempts/1/SPARK_DRIVER/stderr", *TRACEBACK)
    world.write(run, "attempts/2/SPARK_DRIVER/stderr", *TRACEBACK[:2], "KeyError: 'day'")
    error = world.error(run)
    assert "failed in attempt 2: KeyError: 'day'" in str(error)


def test_executors_are_asked_where_the_driver_does_not_know(world):
    run = world.failed(SAID)
    run = replace(run, executors_sent=bool(run.log_group))
    world.write(run, "SPARK_DRIVER/stderr", *EXECUTOR_LOST)
    world.write(run, "SPARK_EXECUTOR/2/stderr", *OUT_OF_MEMORY)
    error = world.error(run)
    assert type(error) is OutOfMemoryError
    assert "executor 2 stderr" in str(error)


def test_executors_are_left_alone_where_the_driver_knows(world):
    run = world.failed(SAID)
    run = replace(run, executors_sent=bool(run.log_group))
    world.write(run, "SPARK_DRIVER/stderr", *TRACEBACK)
    world.write(run, "SPARK_EXECUTOR/2/stderr", *OUT_OF_MEMORY)
    assert "executor" not in " ".join(text.name for text in world.runs.failure_facts(run).texts)


def test_executors_that_cloudwatch_does_not_get_are_read_from_s3(both):
    run = both.failed(SAID)
    both.write(run, "SPARK_DRIVER/stderr", *EXECUTOR_LOST)
    both.archive(run, "SPARK_EXECUTOR/2/stderr", *OUT_OF_MEMORY)
    assert type(both.error(run)) is OutOfMemoryError


def test_a_role_that_may_not_write_to_cloudwatch_may_have_written_to_s3(both):
    run = both.failed(SAID)
    both.archive(run, "SPARK_DRIVER/stderr", *TRACEBACK)
    facts = both.runs.failure_facts(run)
    assert not facts.followed
    assert "no day" in str(both.error(run))


def test_logs_that_come_to_s3_late_are_waited_for(localemr_server, caplog):
    caplog.set_level(logging.INFO)
    world = World(localemr_server, **TO_S3)
    run = world.failed(SAID)
    world.pauses.clear()
    looks = iter(range(3))
    world.during_pause = lambda: (
        world.archive(run, "SPARK_DRIVER/stderr", *TRACEBACK) if next(looks) else None
    )
    assert "no day" in str(world.error(run, 60.0))
    assert world.pauses == [LOOK_EVERY] * 2
    assert (
        "Waiting up to 60 s for the logs that EMR puts to s3://logs/serverless/applications/" in caplog.text
    )


def test_a_job_that_never_began_has_no_logs_to_wait_for(localemr_server):
    world = World(localemr_server, **TO_S3)
    world.really.update_application(
        applicationId=world.application_id,
        clientToken="1",
        maximumCapacity={"cpu": "1 vCPU", "memory": "4 GB"},
    )
    run = world.wait(world.submit(), "FAILED")
    world.pauses.clear()
    assert "max_cpu" in str(world.error(run, 60.0))
    assert world.pauses == []


def test_without_logs_emr_serverless_words_are_the_reason(localemr_server):
    world = ServerlessRig(localemr_server)
    run = world.failed("ExitCode: 1. Last few exceptions: ValueError: no day")
    error = failure(run, world.status(run), world.runs.failure_facts(run))
    assert isinstance(error, RunFailedError)
    assert "ValueError: no day" in str(error)


def test_a_cancelled_run_has_no_cause_in_its_logs(world):
    run = world.held()
    world.runs.end(run, 20.0)
    world.write(run, "SPARK_DRIVER/stderr", *TRACEBACK)
    assert world.runs.failure_facts(run).texts == ()
    assert "was cancelled: Job run was cancelled by the user" in str(world.error(run))


def test_a_missing_module_is_to_go_into_the_image(world):
    run = replace(world.failed(SAID), image="123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1")
    world.write(run, "SPARK_DRIVER/stderr", *TRACEBACK[:2], "ModuleNotFoundError: No module named 'pandas'")
    assert "amazonaws.com/etl:1" in str(world.error(run))


def test_that_emr_serverless_can_t_be_asked_takes_nothing_from_the_logs(world):
    run = world.failed(SAID)
    world.write(run, "SPARK_DRIVER/stderr", *TRACEBACK)
    status = world.status(run)
    world.emr.fail("get_job_run", aws_error("AccessDeniedException", "not yours"))
    assert "no day" in str(failure(run, status, world.runs.failure_facts(run)))


def test_hostile_words_are_one_clean_line(world):
    run = world.failed("Exit\x1b[31m\ncode: \u202e1")
    error = world.error(run)
    assert "\n" not in str(error)
    assert "\x1b" not in str(error)
    assert "\u202e" not in str(error)
