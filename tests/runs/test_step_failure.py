# ruff: noqa: E501 - logs are as they are
"""What is read of a failed run's logs, from CloudWatch and S3 as they really answer."""

from __future__ import annotations

import gzip
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from faulty_emr import FaultyEmr, aws_error, clients_of

from airflow_provider_emrkit.exceptions import BootstrapError, OutOfMemoryError, RunFailedError, UserCodeError
from airflow_provider_emrkit.localemr.run.contract import ClusterStartError
from airflow_provider_emrkit.logs.causes import find_cause
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.log_ends import MAX_LOGS
from airflow_provider_emrkit.runs.log_patience import LOOK_EVERY
from airflow_provider_emrkit.runs.outcome import failure
from airflow_provider_emrkit.runs.step_calls import run_status
from airflow_provider_emrkit.runs.step_failure import read_facts
from airflow_provider_emrkit.runs.step_sources import live_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_emrkit.exceptions import RunError
    from airflow_provider_emrkit.runs.protocol import FailureFacts

APPLICATION = "application_1700000000000_0007"
CONTAINER = "container_1700000000000_0007_01_00000"
SUBMIT = (
    f"24/01/01 00:00:00 INFO YarnClientImpl: Submitted application {APPLICATION}",
    f'Exception in thread "main" org.apache.spark.SparkException: Application {APPLICATION} finished with failed status',
)
TRACEBACK = (
    "Traceback (most recent call last):",
    '  File "daily.py", line 7, in <module>',
    "ValueError: no such day",
)
EXECUTOR_LOST = (
    f"24/01/01 00:00:01 INFO YarnAllocator: Launching container {CONTAINER}3 on host ip-10-0-0-8 for executor with ID 2",
    'Exception in thread "main" org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3 in stage 1.0 (TID 4) (ip-10-0-0-8 executor 2): ExecutorLostFailure (executor 2 exited caused by one of the running tasks) Reason: Remote RPC client disassociated.',
    "\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2844)",
)
OUT_OF_MEMORY = (
    "java.lang.OutOfMemoryError: Java heap space",
    "\tat java.util.Arrays.copyOf(Arrays.java:3332)",
)
FAILED_ACTION = (
    "On the master instance (i-0991cbf940d71cbfd), bootstrap action 2 returned a non-zero return code"
)


class Counted:
    """A client whose calls are counted."""

    def __init__(self, client: Any, calls: list[str]) -> None:
        self._client = client
        self._calls = calls
        self.refused: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not name.startswith(("get_object", "list_objects", "get_log", "describe_log")):
            return found

        def call(**request: Any) -> Any:
            self._calls.append(name)
            if name in self.refused or request.get("Key") in self.refused:
                raise aws_error("AccessDenied", "not yours")
            return found(**request)

        return call


class World:
    """A cluster of a local EMR, a step of it that failed, and the logs that a test puts there."""

    def __init__(self, server: Any, write: Any) -> None:
        self.server = server
        self._write = write
        self.calls: list[str] = []
        self.pauses: list[float] = []
        self.faulty = FaultyEmr(server.client("emr"))
        self.s3 = Counted(server.client("s3"), self.calls)
        self.logs = Counted(server.client("logs"), self.calls)
        self.then: dict[int, Callable[[], object]] = {}
        self.stops_after = 1_000
        self.has_own_endpoint = True
        server.client("s3").create_bucket(Bucket="archive")

    def failed(self, fails: str = "Unknown Error.", **changes: Any) -> JobRun:
        """Let a step fail, and give its run."""
        self.server.runner.script("daily", fails=fails)
        cluster_id = self.server.run_cluster()
        self.server.wait_cluster(cluster_id, "WAITING")
        step_id = self.server.add_step(cluster_id, "daily")
        self.server.wait_step(cluster_id, step_id, "FAILED")
        run = JobRun("step", cluster_id, step_id, "t-1", "daily", "us-east-1", log_uri="s3://archive/emr/")
        return replace(run, **changes)

    def archive(self, run: JobRun, path: str, *lines: str) -> None:
        body = gzip.compress("\n".join(lines).encode())
        self.server.client("s3").put_object(Bucket="archive", Key=f"emr/{run.cluster_id}/{path}", Body=body)

    def stream(self, run: JobRun, path: str, *lines: str) -> None:
        self._write(run.log_group, f"{run.log_prefix}{path}", *enumerate(lines))

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.then.get(len(self.pauses), lambda: None)()
        return len(self.pauses) >= self.stops_after

    def facts(self, run: JobRun, patience: float = 0.0) -> FailureFacts:
        clients = clients_of(self.faulty, s3=self.s3, logs=self.logs)
        clients.has_own_endpoint = self.has_own_endpoint
        return read_facts(clients, run, live_sources(clients, run), patience, self.pause)

    def error(self, run: JobRun, patience: float = 0.0) -> RunError:
        """Give the task's exception."""
        emr = self.server.client("emr")
        [step] = emr.list_steps(ClusterId=run.cluster_id, StepIds=[run.step_id])["Steps"]
        cluster = emr.describe_cluster(ClusterId=run.cluster_id)["Cluster"]
        return failure(run, run_status(step, cluster), self.facts(run, patience))


@pytest.fixture
def world(localemr_server, write):
    return World(localemr_server, write)


@pytest.fixture
def write(localemr_server):
    """Write lines to a CloudWatch stream."""
    import time

    logs = localemr_server.client("logs")
    start = int(time.time() * 1000) - 60_000

    def put(group: str, stream: str, *events: tuple[int, str]) -> None:
        known = [found["logGroupName"] for found in logs.describe_log_groups()["logGroups"]]
        if group not in known:
            logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
        entries = [{"timestamp": start + offset, "message": message} for offset, message in events]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=entries)

    return put


def driver(number: int, file: str) -> str:
    return f"containers/{APPLICATION}/{CONTAINER}{number}/{file}.gz"


def test_the_driver_s_log_is_found_by_what_spark_submit_wrote(world):
    run = world.failed()
    world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.archive(run, driver(1, "stdout"), *TRACEBACK)
    error = world.error(run)
    assert type(error) is UserCodeError
    where = f"stdout in s3://archive/emr/{run.cluster_id}/{driver(1, 'stdout')}"
    assert str(error) == f"{run} failed: ValueError: no such day (daily.py line 7; lines 1-3 of {where})"


def test_no_more_is_read_than_is_needed(world):
    run = world.failed(driver_apart=False)
    world.archive(run, f"steps/{run.step_id}/stdout.gz", *TRACEBACK)
    world.archive(run, driver(2, "stderr"), *OUT_OF_MEMORY)
    world.facts(run)
    assert world.calls.count("get_object") == 1
    assert len(world.calls) <= 3


def test_a_log_that_is_seen_in_the_console_is_linked(world):
    run = world.failed(driver_apart=False)
    world.archive(run, f"steps/{run.step_id}/stdout.gz", *TRACEBACK)
    assert "https://" not in str(world.error(run))
    world.has_own_endpoint = False
    assert str(world.error(run)).endswith(
        f" - https://us-east-1.console.aws.amazon.com/s3/object/archive?region=us-east-1&prefix=emr/{run.cluster_id}/steps/{run.step_id}/stdout.gz"
    )


def test_cloudwatch_is_read_where_the_cluster_sends_its_logs_there(world):
    run = world.failed(log_group="/team", log_prefix="a/")
    world.stream(run, f"steps/{run.step_id}/stderr", *SUBMIT)
    world.stream(run, f"applications/{APPLICATION}/{CONTAINER}1/stdout", *TRACEBACK)
    facts = world.facts(run)
    assert find_cause(facts.texts).message == "ValueError: no such day"
    assert facts.followed is True
    assert "get_object" not in world.calls


def test_only_the_end_of_a_long_log_is_read_and_its_lines_are_counted_so(world):
    run = world.failed(log_group="/team", driver_apart=False)
    world.stream(
        run,
        f"steps/{run.step_id}/stderr",
        *[f"24/01/01 00:00:00 INFO A: {n}" for n in range(3_000)],
        *TRACEBACK,
    )
    cause = world.error(run).cause
    assert cause is not None
    assert (
        f"lines {cause.of_last - 2:,}-{cause.of_last:,} of the last {cause.of_last:,} of stderr"
        in cause.sentence()
    )


def test_an_executor_s_log_is_read_where_the_driver_says_only_that_it_was_lost(world):
    run = world.failed()
    world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.archive(run, driver(1, "stderr"), *EXECUTOR_LOST)
    world.archive(run, driver(3, "stderr"), *OUT_OF_MEMORY)
    error = world.error(run)
    assert type(error) is OutOfMemoryError
    assert f"{CONTAINER}3/stderr.gz" in str(error)


def test_an_executor_s_log_is_read_from_cloudwatch_where_it_is_sent_there(world):
    run = world.failed(log_group="/team", log_uri=None)
    world.stream(run, f"steps/{run.step_id}/stderr", *SUBMIT)
    world.stream(run, f"applications/{APPLICATION}/{CONTAINER}1/stderr", *EXECUTOR_LOST)
    world.stream(run, f"applications/{APPLICATION}/{CONTAINER}3/stderr", *OUT_OF_MEMORY)
    assert type(world.error(run)) is OutOfMemoryError


def test_a_node_s_log_is_read_where_nothing_else_tells(world):
    run = world.failed()
    world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.archive(
        run,
        "node/i-0991cbf940d71cbfd/applications/hadoop-yarn/hadoop-yarn-nodemanager-ip-10-0-0-8.log.gz",
        "2024-01-01 00:00:01,000 WARN ContainersMonitorImpl: Container [containerID=container_1700000000000_0006_01_000001] is running beyond physical memory limits",
        f"2024-01-01 00:00:02,000 WARN ContainersMonitorImpl: Container [pid=4,containerID={CONTAINER}1] is running 98304B beyond the 'PHYSICAL' memory limit. Current usage: 1.5 GB of 1.5 GB physical memory used; Killing container.",
    )
    error = world.error(run)
    assert type(error) is OutOfMemoryError
    assert "line 2 of NodeManager of i-0991cbf940d71cbfd in s3://archive/" in str(error)


def test_logs_that_emr_has_not_uploaded_yet_are_waited_for(world, caplog):
    caplog.set_level(logging.INFO)
    run = world.failed()
    world.then[1] = lambda: world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.then[3] = lambda: world.archive(run, driver(1, "stdout"), *TRACEBACK)
    facts = world.facts(run, patience=60.0)
    assert find_cause(facts.texts).message == "ValueError: no such day"
    assert world.pauses == [LOOK_EVERY] * 3
    assert facts.followed is False
    said = [record.getMessage() for record in caplog.records if "Waiting" in record.getMessage()]
    assert said == [f"Waiting up to 60 s for the logs that EMR puts to s3://archive/emr/{run.cluster_id}/"]


def test_nothing_is_waited_for_without_patience_or_where_the_cause_is_known(world):
    run = world.failed()
    world.facts(run)
    world.archive(run, f"steps/{run.step_id}/stderr.gz", "Error: Failed to load class com.example.Nope.")
    world.facts(run, patience=60.0)
    assert world.pauses == []


def test_a_task_that_is_stopped_does_not_wait(world):
    run = world.failed()
    world.stops_after = 1
    assert world.facts(run, patience=600.0).texts == []
    assert len(world.pauses) == 1


def test_trouble_with_one_log_leaves_the_others(world, caplog):
    run = world.failed()
    world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.archive(run, driver(1, "stderr"), "24/01/01 00:00:00 INFO A: x")
    world.archive(run, driver(1, "stdout"), *TRACEBACK)
    world.s3.refused.add(f"emr/{run.cluster_id}/{driver(1, 'stderr')}")
    assert "ValueError: no such day" in str(world.error(run))
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("Not all logs could be searched: permission is missing: not yours")


@pytest.mark.parametrize("refused", ["list_objects_v2", "get_object"])
def test_logs_that_may_not_be_read_do_not_hide_emr_s_words(world, refused):
    run = world.failed("IndexError: no such shop")
    world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.s3.refused.add(refused)
    error = world.error(run)
    assert "IndexError: no such shop" in str(error)


def test_a_step_that_can_not_be_listed_has_its_logs_read_all_the_same(world):
    run = world.failed(driver_apart=False)
    world.archive(run, f"steps/{run.step_id}/stdout.gz", *TRACEBACK)
    world.faulty.fail("list_steps", aws_error("AccessDeniedException", "no"))
    assert find_cause(world.facts(run).texts).message == "ValueError: no such day"


def test_a_cluster_with_many_executors_does_not_have_all_their_logs_read(world):
    run = world.failed()
    lost = [
        f"24/01/01 00:00:01 WARN YarnAllocator: Container from a bad node: container_1700000000000_0007_01_{n:06} on host: a. Exit status: 1."
        for n in range(2, 99)
    ]
    world.archive(run, f"steps/{run.step_id}/stderr.gz", *SUBMIT)
    world.archive(run, driver(1, "stderr"), *lost, *EXECUTOR_LOST)
    assert type(world.error(run)) is RunFailedError
    assert len(world.calls) < MAX_LOGS


def came_up_badly(world: World, message: str, **changes: Any) -> JobRun:
    """Let a cluster fail while it comes up, as EMR tells it."""
    world.server.runner.start_error = ClusterStartError(message, "BOOTSTRAP_FAILURE")
    step = {"Name": "daily", "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "a.py"]}}
    cluster_id = world.server.run_cluster(Steps=[step])
    world.server.wait_cluster(cluster_id, "TERMINATED_WITH_ERRORS")
    [listed] = world.server.client("emr").list_steps(ClusterId=cluster_id)["Steps"]
    run = JobRun("step", cluster_id, listed["Id"], "t-1", "daily", "us-east-1", log_uri="s3://archive/emr/")
    return replace(run, **changes)


PIP = (
    "+ sudo python3 -m pip install nosuchpackage==9",
    "ERROR: Could not find a version that satisfies the requirement nosuchpackage==9 (from versions: none)",
    "ERROR: No matching distribution found for nosuchpackage==9",
    "WARNING: You are using pip version 21.3.1; however, version 24.0 is available.",
    "You should consider upgrading via the '/usr/bin/python3 -m pip install --upgrade pip' command.",
)
ACTION = "node/i-0991cbf940d71cbfd/bootstrap-actions/2"


def test_what_a_bootstrap_action_wrote_last_is_quoted(world):
    run = came_up_badly(world, FAILED_ACTION)
    world.archive(run, f"{ACTION}/stderr.gz", *PIP)
    world.archive(
        run,
        f"{ACTION}/controller.gz",
        "2024-01-01T00:00:00.000Z INFO waitProcessCompletion ended with exit code 1",
    )
    error = world.error(run)
    assert type(error) is BootstrapError
    assert (
        f"{FAILED_ACTION}: ERROR: No matching distribution found for nosuchpackage==9 (line 3 of stderr of bootstrap action 2 in s3://archive/emr/{run.cluster_id}/{ACTION}/stderr.gz)"
        in str(error)
    )
    assert error.cause is not None
    assert error.cause.kind == "cluster"


def test_a_bootstrap_action_s_output_is_waited_for(world):
    run = came_up_badly(world, FAILED_ACTION)
    world.then[2] = lambda: world.archive(
        run, f"{ACTION}/stdout.gz", "/bin/bash: line 4: helm: command not found"
    )
    assert ": /bin/bash: line 4: helm: command not found (line 1 of stdout" in str(
        world.error(run, patience=60.0)
    )
    assert len(world.pauses) == 2


def test_the_last_bootstrap_action_is_read_where_emr_names_none(world):
    run = came_up_badly(world, "Bootstrap failure")
    world.archive(run, ACTION.replace("/2", "/1") + "/stderr.gz", "error: not this one")
    world.archive(run, f"{ACTION}/stderr.gz", "cp: cannot stat 'jars/a.jar': No such file or directory")
    assert "Bootstrap failure: cp: cannot stat 'jars/a.jar'" in str(world.error(run))


def test_an_installation_that_failed_is_read(world):
    run = came_up_badly(
        world, "On the master instance (i-0991cbf940d71cbfd), application provisioning failed"
    )
    path = "node/i-0991cbf940d71cbfd/provision-node/apps-phase/0/a-uuid/puppet.log.gz"
    world.archive(
        run, path, "2024-01-01 00:00:00 +0000 Puppet (err): Could not set 'present' on ensure: no space left"
    )
    assert "provisioning failed: 2024-01-01 00:00:00 +0000 Puppet (err): Could not set" in str(
        world.error(run)
    )


def test_a_cluster_without_logs_keeps_emr_s_words(world):
    run = came_up_badly(world, FAILED_ACTION, log_uri=None)
    error = world.error(run, patience=60.0)
    assert f"did not start: {FAILED_ACTION} - see what the bootstrap action" in str(error)
    assert world.pauses == []


def test_a_program_s_last_words_count_where_emr_says_only_what_it_ended_with(world):
    run = world.failed(driver_apart=False)
    world.archive(run, f"steps/{run.step_id}/stdout.gz", "3 shops", "no sales on 2024-01-01: nothing to load")
    assert "Unknown Error; its last line: no sales on 2024-01-01" in str(world.error(run))
    controller = "2024-01-01T00:00:00.000Z WARN Command exiting with ret '1'"
    world.archive(run, f"steps/{run.step_id}/controller.gz", controller)
    error = world.error(run)
    assert type(error) is UserCodeError
    assert "failed: no sales on 2024-01-01: nothing to load (Command exiting with ret '1')" in str(error)


@pytest.mark.parametrize("listed", [True, False])
def test_a_run_that_did_not_fail_by_itself_is_not_waited_for(world, listed):
    world.server.runner.script("daily", hold=True)
    cluster_id = world.server.run_cluster()
    world.server.wait_cluster(cluster_id, "WAITING")
    step_id = world.server.add_step(cluster_id, "daily")
    world.server.runner.wait_started("daily")
    emr = world.server.client("emr")
    emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption="SEND_INTERRUPT")
    world.server.wait_step(cluster_id, step_id, "CANCELLED")
    run = JobRun(
        "step",
        cluster_id,
        step_id if listed else "s-GONE",
        "t-1",
        "daily",
        "us-east-1",
        log_uri="s3://archive/",
    )
    world.facts(run, patience=60.0)
    assert (world.pauses, world.calls) == ([], [])
