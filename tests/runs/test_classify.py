# ruff: noqa: E501 - logs and EMR's messages are as they are
"""From EMR's answers and the ends of the logs to the error of the task."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from airflow_provider_emrkit.exceptions import (
    BootstrapError,
    CapacityError,
    ClusterFailedError,
    ClusterLostError,
    ClusterSettingsError,
    DockerError,
    EmrKitError,
    JobDeniedError,
    JobNotFoundError,
    OutOfMemoryError,
    RunCancelledError,
    RunError,
    RunFailedError,
    RunTimedOutError,
    ThrottledError,
    UserCodeError,
)
from airflow_provider_emrkit.logs.causes import LogText
from airflow_provider_emrkit.runs.classify import may_relaunch, never_began
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.outcome import failure
from airflow_provider_emrkit.runs.protocol import FailureFacts
from airflow_provider_emrkit.runs.step_calls import failure_message, run_status

RUN = JobRun("step", "j-2AXXXXXXGAPLF", "s-3M8DXXXXXX", "0123456789abcdef-0-1", "sales", "us-east-1")
WHEN = datetime(2026, 3, 1, tzinfo=timezone.utc)


def step(state: str, *, ran: bool = True, said: str = "", **details: str) -> dict[str, Any]:
    """What ListSteps says."""
    status: dict[str, Any] = {"State": state, "StateChangeReason": {"Message": said} if said else {}}
    status["Timeline"] = {"StartDateTime": WHEN, "EndDateTime": WHEN} if ran else {}
    return {"Status": {**status, "FailureDetails": details}}


def cluster(
    code: str, message: str, *errors: str, state: str = "TERMINATED_WITH_ERRORS", was_up: bool = False
) -> dict[str, Any]:
    """What DescribeCluster says."""
    status: dict[str, Any] = {"State": state, "StateChangeReason": {"Code": code, "Message": message}}
    status["ErrorDetails"] = [{"ErrorCode": error} for error in errors]
    status["Timeline"] = {"ReadyDateTime": WHEN} if was_up else {}
    return {"Id": RUN.cluster_id, "Status": status}


GOES_ON = {"Status": {"State": "WAITING", "StateChangeReason": {}}}


def error_of(step: dict[str, Any], cluster: dict[str, Any] | None = None, **logs: str) -> RunError:
    texts = [LogText(name, text.splitlines()) for name, text in logs.items()]
    facts = FailureFacts(failure_message(step), texts=texts)
    return failure(RUN, run_status(step, cluster or GOES_ON), facts)


NEVER = step("CANCELLED", ran=False, said="Job terminated")


@pytest.mark.parametrize(
    ("cluster", "error", "hint"),
    [
        pytest.param(
            cluster(
                "INTERNAL_ERROR",
                "EC2 is out of capacity for r5.24xlarge in availability zone us-east-1a. Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancecapacity",
            ),
            CapacityError,
            "instance types or zones",
            id="out of capacity, by its message",
        ),
        pytest.param(
            cluster("INTERNAL_ERROR", "terminated", "INTERNAL_ERROR_EC2_INSUFFICIENT_CAPACITY_AZ"),
            CapacityError,
            "instance types or zones",
            id="out of capacity, by its code",
        ),
        pytest.param(
            cluster("INTERNAL_ERROR", "terminated", "INTERNAL_ERROR_SPOT_NO_CAPACITY_PRIMARY"),
            CapacityError,
            "On-Demand",
            id="no Spot",
        ),
        pytest.param(
            cluster(
                "INSTANCE_FLEET_TIMEOUT",
                "Spot instances were not fulfilled in time for instance fleet if-2Y6C5",
            ),
            CapacityError,
            "On-Demand",
            id="fleet timeout",
        ),
        pytest.param(
            cluster("VALIDATION_ERROR", "Request exceeds the EC2 service quota for that type."),
            CapacityError,
            "quota raised",
            id="EC2 quota",
        ),
        pytest.param(
            cluster("VALIDATION_ERROR", "The EBS volume limit was exceeded"),
            CapacityError,
            "quota raised",
            id="EBS quota",
        ),
        pytest.param(
            cluster("INTERNAL_ERROR", "Failed to provision instances due to throttling from Amazon EC2"),
            CapacityError,
            "spread the starts",
            id="EC2 throttles EMR",
        ),
        pytest.param(
            cluster(
                "BOOTSTRAP_FAILURE",
                "On the master instance (i-0991cbf940d71cbfd), bootstrap action 1 returned a non-zero return code",
            ),
            BootstrapError,
            "bootstrap action",
            id="bootstrap action",
        ),
        pytest.param(
            cluster(
                "BOOTSTRAP_FAILURE",
                "On the master instance (i-0991cbf940d71cbfd), application provisioning failed",
            ),
            BootstrapError,
            "installation",
            id="provisioning",
        ),
        pytest.param(
            cluster("INTERNAL_ERROR", "terminated", "BOOTSTRAP_FAILURE_FILE_NOT_FOUND_PRIMARY"),
            BootstrapError,
            "bootstrap action",
            id="bootstrap, by the detail's code",
        ),
        pytest.param(
            cluster(
                "VALIDATION_ERROR",
                "The requested instance type c1.medium is not supported in the requested availability zone.",
            ),
            ClusterSettingsError,
            "settings",
            id="instance type",
        ),
        pytest.param(
            cluster(
                "VALIDATION_ERROR",
                "The VPC/subnet configuration was invalid: The subnet subnet-f384febf does not exist.",
            ),
            ClusterSettingsError,
            "settings",
            id="subnet",
        ),
        pytest.param(
            cluster("INTERNAL_ERROR", "Failed to start the job flow due to an internal error"),
            ClusterFailedError,
            "",
            id="EMR's own",
        ),
        pytest.param(
            cluster("INSTANCE_FAILURE", "Master - 1: Error provisioning instances"),
            ClusterLostError,
            "",
            id="an instance failed before it was the job's turn",
        ),
        pytest.param(
            cluster("INTERNAL_ERROR", "An internal error occurred.", was_up=True),
            ClusterLostError,
            "",
            id="it had been up",
        ),
    ],
)
def test_a_cluster_that_never_ran_the_job(cluster, error, hint):
    raised = error_of(NEVER, cluster)
    assert type(raised) is error
    assert raised.cause.kind == "cluster"
    assert hint in raised.cause.hint
    assert raised.cause.hint in str(raised)
    assert cluster["Status"]["StateChangeReason"]["Message"] in str(raised)


@pytest.mark.parametrize(
    ("step", "cluster", "error"),
    [
        pytest.param(
            step("RUNNING"),
            cluster("INSTANCE_FAILURE", "The master failed: Error occurred"),
            ClusterLostError,
            id="the primary node failed",
        ),
        pytest.param(
            step("FAILED"),
            cluster("INSTANCE_FAILURE", "Instance i-0f1 was terminated: NO_SLAVE_LEFT", state="TERMINATING"),
            ClusterLostError,
            id="all core nodes are gone",
        ),
        pytest.param(
            step("INTERRUPTED"),
            cluster("USER_REQUEST", "Terminated by user request", state="TERMINATED"),
            RunCancelledError,
            id="somebody ended the cluster under the job",
        ),
        pytest.param(
            step("INTERRUPTED"),
            cluster("USER_REQUEST", "Auto-terminated after 3600 s of being idle", state="TERMINATED"),
            ClusterLostError,
            id="the cluster ended itself under the job",
        ),
        pytest.param(
            step("FAILED", Reason="Unknown Error."),
            cluster("USER_REQUEST", "Terminated by user request", state="TERMINATING"),
            RunCancelledError,
            id="somebody ended the cluster, and the job failed with it",
        ),
        pytest.param(
            step("CANCELLED", ran=False, said="Job terminated"),
            cluster("USER_REQUEST", "Terminated by user request", state="TERMINATED"),
            RunCancelledError,
            id="somebody ended the cluster before the job ran",
        ),
        pytest.param(
            step("CANCELLED", ran=False, said="Cancelled by user"),
            cluster("ALL_STEPS_COMPLETED", "Steps completed with errors", state="TERMINATING"),
            RunCancelledError,
            id="somebody cancelled the only step of a cluster",
        ),
        pytest.param(
            step("CANCELLED", ran=False, said="Cancelled by user"),
            cluster("ALL_STEPS_COMPLETED", "Cluster was idle for 60 seconds", state="TERMINATED"),
            RunCancelledError,
            id="somebody cancelled the step, and the cluster was idle then",
        ),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("ALL_STEPS_COMPLETED", "Steps completed with errors", state="TERMINATED"),
            RunCancelledError,
            id="nobody says who cancelled the step",
        ),
        pytest.param(step("CANCELLED", said="Cancelled by user"), None, RunCancelledError, id="cancelled"),
        pytest.param(
            step("CANCELLED", ran=False, said="Job terminated"),
            cluster(
                "ALL_STEPS_COMPLETED",
                "Cluster was idle for 60 seconds (auto-termination policy)",
                state="TERMINATED",
            ),
            ClusterLostError,
            id="it was idle just when the job was submitted",
        ),
        pytest.param(
            step("CANCELLED", ran=False, said="Job terminated"),
            cluster(
                "USER_REQUEST", "Terminated by the cluster's auto-termination policy", state="TERMINATED"
            ),
            ClusterLostError,
            id="idle, as a user's request",
        ),
        pytest.param(
            step("CANCELLED", ran=False, said="Job terminated"),
            cluster("ALL_STEPS_COMPLETED", "Steps completed", state="TERMINATED"),
            ClusterLostError,
            id="it was done just when the job was submitted",
        ),
        pytest.param(
            step("CANCELLED", said="Job terminated"),
            cluster("STEP_FAILURE", "Shut down as step failed", state="TERMINATING"),
            ClusterLostError,
            id="another step's failure ended the cluster",
        ),
    ],
)
def test_a_cluster_that_ended_with_the_job(step, cluster, error):
    raised = error_of(step, cluster)
    assert type(raised) is error
    if cluster:
        assert cluster["Status"]["StateChangeReason"]["Message"] in str(raised)


SPARK = "24/01/01 00:00:00 INFO SparkContext: Running Spark version 3.5.6\n"
MEMORY_IN_DRIVER = (
    SPARK
    + """\
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 5, in <module>
    df.count()
py4j.protocol.Py4JJavaError: An error occurred while calling o75.count.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 3 in stage 7.0 failed 4 times, most recent failure: Lost task 3.3 in stage 7.0 (TID 51) (ip-10-0-3-41.ec2.internal executor 6): ExecutorLostFailure (executor 6 exited caused by one of the running tasks) Reason: Container killed by YARN for exceeding physical memory limits. 5.5 GB of 5.5 GB physical memory used. Consider boosting spark.executor.memoryOverhead.
Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2863)"""
)
EXECUTORS_KILLED = (
    SPARK
    + """\
Exception in thread "main" org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: Lost task 0.3 in stage 1.0 (TID 9) (ip-172-31-44-2.us-east-2.compute.internal executor 36): ExecutorLostFailure (executor 36 exited caused by one of the running tasks) Reason: Container from a bad node: container_1645539745894_0001_01_000072 on host: ip-172-31-44-2.us-east-2.compute.internal. Exit status: 137. Diagnostics: [2022-02-22 14:48:36.054]Container killed on request. Exit code is 137
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2863)"""
)
NODES_LOST = (
    SPARK
    + """\
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 5, in <module>
    df.write.parquet(out)
py4j.protocol.Py4JJavaError: An error occurred while calling o75.parquet.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 3 in stage 7.0 failed 4 times, most recent failure: Lost task 3.3 in stage 7.0 (TID 51) (ip-10-0-3-41.ec2.internal executor 6): ExecutorLostFailure (executor 6 exited unrelated to the running tasks) Reason: Container marked as failed: container_e46_1545125871120_21448_01_000282 on host: ip-10-0-3-41.ec2.internal. Exit status: -100. Diagnostics: Container released on a *lost* node.
Driver stacktrace:"""
)
PYTHON_MEMORY = """\
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 9, in <module>
    frame = df.toPandas()
numpy.core._exceptions._ArrayMemoryError: Unable to allocate 14.9 GiB for an array with shape (2000000000,)"""
JVM_GONE = """\
java.lang.OutOfMemoryError: Java heap space
\tat java.base/java.util.Arrays.copyOf(Arrays.java:3537)
Traceback (most recent call last):
  File "/mnt/tmp/spark-1/daily.py", line 9, in <module>
    rows = df.collect()
py4j.protocol.Py4JNetworkError: Answer from Java side is empty"""
SUBMITTED = """\
24/01/01 00:00:09 INFO Client: Application report for application_1700000000000_0001 (state: FAILED)
24/01/01 00:00:09 INFO Client:
\t client token: N/A
\t diagnostics: Application application_1700000000000_0001 failed 2 times due to AM Container for appattempt_1700000000000_0001_000002 exited with  exitCode: {code}
Failing this attempt.Diagnostics: [2024-01-01 00:00:08.812]{said}
\t final status: FAILED
Exception in thread "main" org.apache.spark.SparkException: Application application_1700000000000_0001 finished with failed status
\tat org.apache.spark.deploy.yarn.Client.run(Client.scala:1327)"""
USER_EXIT = """\
24/01/01 00:00:00 WARN YarnAllocator: Container from a bad node: container_1_0001_01_000007 on host: ip-10-0-0-1. Exit status: 143. Diagnostics: Container killed on request.
\t diagnostics: User application exited with status 3
Exception in thread "main" org.apache.spark.SparkException: Application application_1700000000000_0001 finished with failed status"""
DENIED = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 3, in <module>
    spark.read.parquet("s3://secret/x")
py4j.protocol.Py4JJavaError: An error occurred while calling o40.parquet.
: java.nio.file.AccessDeniedException: s3://secret/x: getFileStatus
\tat org.apache.hadoop.fs.s3a.S3AUtils.translateException(S3AUtils.java:255)
Caused by: com.amazonaws.services.s3.model.AmazonS3Exception: Access Denied (Service: Amazon S3; Status Code: 403; Error Code: AccessDenied)"""
BOTO_DENIED = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 3, in <module>
    client.get_secret_value(SecretId="db")
botocore.exceptions.ClientError: An error occurred (AccessDeniedException) when calling the GetSecretValue operation: User: arn:aws:sts::123456789012:assumed-role/EMR_EC2_DefaultRole/i-0f1 is not authorized to perform: secretsmanager:GetSecretValue"""
NO_PATH = """\
Traceback (most recent call last):
  File "/mnt/tmp/daily.py", line 3, in <module>
    spark.read.parquet("s3://data/2024-02-30")
pyspark.errors.exceptions.captured.AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://data/2024-02-30."""
NO_ENTRY_POINT = """\
Exception in thread "main" java.io.FileNotFoundException: No such file or directory: s3://code/dayly.py
\tat com.amazon.ws.emr.hadoop.fs.s3n.S3NativeFileSystem.getFileStatus(S3NativeFileSystem.java:1012)"""
JAVA = """\
Exception in thread "main" org.apache.spark.SparkException: Job aborted due to stage failure
Caused by: java.lang.IllegalStateException: no driver for jdbc:foo
\tat com.example.Etl.connect(Etl.java:12)"""


@pytest.mark.parametrize(
    ("logs", "error", "words"),
    [
        pytest.param({"stderr": MEMORY_IN_DRIVER}, OutOfMemoryError, "memoryOverhead", id="YARN's limit"),
        pytest.param({"stderr": EXECUTORS_KILLED}, OutOfMemoryError, "memoryOverhead", id="exit status 137"),
        pytest.param(
            {
                "submit": SUBMITTED.format(
                    code=143,
                    said="Container [pid=4,containerID=container_1_01_000003] is running 98304B beyond the 'PHYSICAL' memory limit. Current usage: 1.5 GB of 1.5 GB physical memory used; Killing container.",
                )
            },
            OutOfMemoryError,
            "'PHYSICAL' memory limit",
            id="beyond physical memory",
        ),
        pytest.param({"stderr": PYTHON_MEMORY}, OutOfMemoryError, "spark.driver.memory", id="numpy"),
        pytest.param({"stderr": JVM_GONE}, OutOfMemoryError, "Java heap space", id="the driver's heap"),
        pytest.param(
            {"submit": SUBMITTED.format(code=137, said="Container killed on request. Exit code is 137")},
            OutOfMemoryError,
            "137",
            id="the application master was killed",
        ),
        pytest.param(
            {"submit": SUBMITTED.format(code=-100, said="Container released on a *lost* node")},
            ClusterLostError,
            "*lost* node",
            id="the driver's node was lost",
        ),
        pytest.param(
            {"submit": SUBMITTED.format(code=-100, said="")}, ClusterLostError, "-100", id="exit code -100"
        ),
        pytest.param(
            {"submit": "\t diagnostics: User application exited with status 137"},
            OutOfMemoryError,
            "exited with status 137",
            id="the driver was killed",
        ),
        pytest.param(
            {
                "submit": "WARN Container released on a *lost* node\n\t diagnostics: User application exited with status 143"
            },
            ClusterLostError,
            "*lost* node",
            id="the driver was killed with its node",
        ),
        pytest.param({"stderr": NODES_LOST}, ClusterLostError, "On-Demand", id="executors' nodes were lost"),
        pytest.param(
            {
                "submit": SUBMITTED.format(
                    code=7, said="Exception from container-launch.\nDocker image is not trusted"
                )
            },
            DockerError,
            "docker.trusted.registries",
            id="untrusted registry",
        ),
        pytest.param(
            {
                "submit": SUBMITTED.format(
                    code=7,
                    said="docker: Error response from daemon: Get https://123456789012.dkr.ecr.us-east-1.amazonaws.com/v2/jobs/manifests/latest: no basic auth credentials.",
                )
            },
            DockerError,
            "ecr:BatchGetImage",
            id="no login",
        ),
        pytest.param(
            {
                "submit": SUBMITTED.format(
                    code=7, said="docker: Error response from daemon: manifest for jobs:v9 not found."
                )
            },
            DockerError,
            "name and tag",
            id="no image",
        ),
        pytest.param(
            {
                "submit": SUBMITTED.format(
                    code=1,
                    said="exec /usr/bin/bash: exec format error\nstandard_init_linux.go:228: exec user",
                )
            },
            DockerError,
            "architecture",
            id="wrong architecture",
        ),
        pytest.param(
            {"submit": SUBMITTED.format(code=1, said="/bin/bash: JAVA_HOME is not set")},
            DockerError,
            "needs Java",
            id="no Java in the image",
        ),
        pytest.param({"stderr": DENIED}, JobDeniedError, "job_flow_role", id="S3 denies"),
        pytest.param({"stderr": BOTO_DENIED}, JobDeniedError, "GetSecretValue", id="boto3 is denied"),
        pytest.param({"stderr": NO_PATH}, JobNotFoundError, "check the path", id="no path"),
        pytest.param({"submit": NO_ENTRY_POINT}, JobNotFoundError, "check the path", id="no entry point"),
        pytest.param(
            {"submit": "Error: Failed to load class com.example.Nope."},
            JobNotFoundError,
            "main_class",
            id="no class",
        ),
        pytest.param(
            {"stderr": "Traceback (most recent call last):\nModuleNotFoundError: No module named 'pandas'"},
            JobNotFoundError,
            "py_files",
            id="no module",
        ),
        pytest.param(
            {"stderr": "Traceback (most recent call last):\nValueError: no such day"},
            UserCodeError,
            "no such day",
            id="python",
        ),
        pytest.param({"stderr": JAVA}, UserCodeError, "no driver for jdbc:foo", id="java"),
        pytest.param({"submit": USER_EXIT}, UserCodeError, "exited with status 3", id="a bad exit code"),
        pytest.param(
            {"submit": SUBMITTED.format(code=1, said="Exception from container-launch.")},
            RunFailedError,
            "finished with failed status",
            id="nothing but that it failed",
        ),
        pytest.param({}, RunFailedError, "Unknown Error.", id="nothing"),
    ],
)
def test_a_job_that_failed(logs, error, words):
    raised = error_of(step("FAILED", Reason="Unknown Error."), **logs)
    assert type(raised) is error
    assert words in str(raised)
    assert str(raised).startswith(f"{RUN} failed: ")


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param(
            {"Reason": "Unknown Error.", "Message": "ValueError: no day"}, UserCodeError, id="python"
        ),
        pytest.param({"Reason": "Main Class not found."}, JobNotFoundError, id="main class"),
        pytest.param(
            {
                "Message": "java.lang.OutOfMemoryError: Java heap space at java.util.Arrays.copyOf(Arrays.java:3332)"
            },
            OutOfMemoryError,
            id="memory",
        ),
        pytest.param(
            {
                "Message": 'Exception in thread "main" org.apache.spark.SparkException: Application application_1700000000000_0001 finished with failed status'
            },
            RunFailedError,
            id="says little",
        ),
    ],
)
def test_emr_s_words_count_where_there_are_no_logs(said, error):
    assert type(error_of(step("FAILED", **said))) is error


def test_what_is_denied_only_in_passing_is_not_the_cause():
    """A program may log a refusal and live on; its own exception counts."""
    log = (
        "WARN Catalog: AccessDenied for table x, trying y\nTraceback (most recent call last):\nKeyError: 'y'"
    )
    assert type(error_of(step("FAILED"), stderr=log)) is UserCodeError
    silent = error_of(step("FAILED"), stderr="WARN Catalog: AccessDenied for table x, trying y")
    assert type(silent) is RunFailedError


@pytest.mark.timeout(10)
@pytest.mark.parametrize("piece", ["Container x is running beyond ", "x", "image: ", "Error: ", "_.", "(i-0"])
def test_lines_made_to_be_slow_are_not(piece):
    """The longest lines, as many as are read: a pattern that goes over a line again and again takes minutes."""
    line = (piece * 4_096)[:4_096]
    assert error_of(step("FAILED"), stderr="\n".join([line] * 1_000))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        pytest.param(CapacityError("x"), True, id="capacity"),
        pytest.param(ClusterLostError("x"), True, id="cluster lost"),
        pytest.param(ClusterFailedError("x"), False, id="cluster failed"),
        pytest.param(BootstrapError("x"), False, id="bootstrap"),
        pytest.param(ClusterSettingsError("x"), False, id="settings"),
        pytest.param(RunFailedError("x"), False, id="unknown"),
        pytest.param(UserCodeError("x"), False, id="user code"),
        pytest.param(OutOfMemoryError("x"), False, id="memory"),
        pytest.param(DockerError("x"), False, id="docker"),
        pytest.param(RunCancelledError("x"), False, id="cancelled"),
        pytest.param(RunTimedOutError("x"), False, id="timed out"),
        pytest.param(ThrottledError("x"), False, id="throttled"),
        pytest.param(EmrKitError("x"), False, id="any"),
        pytest.param(ValueError("x"), False, id="not emrkit's"),
    ],
)
def test_what_may_be_started_again_by_itself(error, again):
    assert may_relaunch(error) is again


WENT = "Terminated by user request"


@pytest.mark.parametrize(
    ("one", "its_cluster"),
    [
        pytest.param(
            step("CANCELLED", ran=False), cluster("USER_REQUEST", WENT, was_up=True), id="ended by somebody"
        ),
        pytest.param(
            step("PENDING", ran=False),
            cluster("USER_REQUEST", WENT, was_up=True),
            id="still open in the books",
        ),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("USER_REQUEST", WENT, state="TERMINATING", was_up=True),
            id="its cluster is ending",
        ),
        pytest.param(
            step("CANCELLED", ran=False), cluster("USER_REQUEST", WENT), id="ended while it started"
        ),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("USER_REQUEST", "Cluster was auto-terminated because it was idle", was_up=True),
            id="was idle just then",
        ),
        pytest.param(step("PENDING", ran=False), cluster("INSTANCE_FAILURE", "lost", was_up=True), id="lost"),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("INTERNAL_ERROR", "An internal error"),
            id="never came up, nobody knows why",
        ),
    ],
)
def test_a_job_that_never_began_as_its_cluster_went_may_go_to_another_one(one, its_cluster):
    assert never_began(run_status(one, its_cluster))


@pytest.mark.parametrize(
    ("one", "its_cluster"),
    [
        pytest.param(
            step("CANCELLED", ran=False, said="Cancelled by user"), GOES_ON, id="cancelled by a user"
        ),
        pytest.param(
            step("CANCELLED", ran=False, said="Cancelled by user"),
            cluster("USER_REQUEST", WENT, was_up=True),
            id="cancelled by a user, then its cluster ended",
        ),
        pytest.param(step("CANCELLED", ran=False), GOES_ON, id="its cluster goes on"),
        pytest.param(step("CANCELLED"), cluster("USER_REQUEST", WENT, was_up=True), id="it had begun"),
        pytest.param(
            step("COMPLETED", ran=False), cluster("USER_REQUEST", WENT, was_up=True), id="it did well"
        ),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("BOOTSTRAP_FAILURE", "On the master instance, bootstrap action 1 failed"),
            id="bootstrap",
        ),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("VALIDATION_ERROR", "The subnet does not exist"),
            id="settings",
        ),
        pytest.param(
            step("CANCELLED", ran=False),
            cluster("INTERNAL_ERROR", "application provisioning failed"),
            id="an application",
        ),
    ],
)
def test_a_job_that_somebody_cancelled_or_that_no_cluster_can_run_does_not_go_to_another_one(
    one, its_cluster
):
    assert not never_began(run_status(one, its_cluster))
