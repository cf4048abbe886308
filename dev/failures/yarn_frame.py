# ruff: noqa: E501 - logs are as they are
"""What YARN and Spark's client print around what made a container fail, as they do. Pure.

A cluster of one machine has no YARN, so what YARN itself says is composed here; the corpus says so of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

APPLICATION = "application_1706690000000_0007"
ATTEMPT = "appattempt_1706690000000_0007_000002"
CONTAINER = "container_1706690000000_0007_02_000001"
NODE = "ip-10-0-0-12.ec2.internal"
_DAY, _TIME = "24/01/31 08:51:33", "2024-01-31 08:51:33"
_CLIENT = (
    "\tat org.apache.spark.deploy.yarn.Client.run(Client.scala:1327)",
    "\tat org.apache.spark.deploy.yarn.YarnClusterApplication.start(Client.scala:1764)",
    "\tat org.apache.spark.deploy.SparkSubmit$.main(SparkSubmit.scala)",
    "\tat org.apache.spark.deploy.SparkSubmit.main(SparkSubmit.scala)",
)


@dataclass(frozen=True)
class LostMaster:
    """A container with a driver (deploy mode ``cluster``) that failed.

    :param exit_code: Its exit code, as YARN has it.
    :param diagnostics: What YARN says about it.

    >>> LostMaster(-104, ["Container is running beyond memory limits."]).submit_log()[-1]
    '24/01/31 08:51:33 INFO ShutdownHookManager: Shutdown hook called'
    """

    exit_code: int
    diagnostics: Sequence[str]

    def submit_log(self) -> list[str]:
        """Give the step's stderr."""
        words = self._words()
        report = f"INFO Client: Application report for {APPLICATION} (state: "
        return [
            f"{_DAY} INFO Client: Submitting application {APPLICATION} to ResourceManager",
            f"{_DAY} INFO YarnClientImpl: Submitted application {APPLICATION}",
            *(f"{_DAY} {report}{state})" for state in ("ACCEPTED", "RUNNING", "FAILED")),
            f"{_DAY} INFO Client: ",
            "\t client token: N/A",
            f"\t diagnostics: {words[0]}",
            *words[1:],
            "\t ApplicationMaster host: N/A",
            "\t ApplicationMaster RPC port: -1",
            "\t queue: default",
            "\t start time: 1706690912345",
            "\t final status: FAILED",
            f"\t tracking URL: http://{NODE}:8088/cluster/app/{APPLICATION}",
            "\t user: hadoop",
            f"{_DAY} ERROR Client: Application diagnostics message: {words[0]}",
            *words[1:],
            'Exception in thread "main" org.apache.spark.SparkException: '
            f"Application {APPLICATION} finished with failed status",
            *_CLIENT,
            f"{_DAY} INFO ShutdownHookManager: Shutdown hook called",
        ]

    def _words(self) -> list[str]:
        first, *more = self.diagnostics
        return [
            f"Application {APPLICATION} failed 2 times due to AM Container for {ATTEMPT} exited with  "
            f"exitCode: {self.exit_code}",
            f"Failing this attempt.Diagnostics: [{_TIME}.617]{first}",
            *more,
            "For more detailed output, check the application tracking page: "
            f"http://{NODE}:8088/cluster/app/{APPLICATION} Then click on links to logs of each attempt.",
            ". Failing the application.",
        ]


def launch_failed(exit_code: int, shell_error: Sequence[str], stderr: Sequence[str] = ()) -> LostMaster:
    """Give a container that could not be launched, or ended at once, as LinuxContainerRuntime reports it.

    :param shell_error: What the program wrote that launches containers.
    :param stderr: What the container wrote.
    """
    tail = ["Last 4096 bytes of stderr :", *stderr] if stderr else []
    exited = f"[{_TIME}.644]Container exited with a non-zero exit code {exit_code}."
    return LostMaster(
        exit_code,
        [
            "Exception from container-launch.",
            f"Container id: {CONTAINER}",
            f"Exit code: {exit_code}",
            "Exception message: Launch container failed",
            f"Shell error output: {shell_error[0] if shell_error else ''}",
            *shell_error[1:],
            "",
            "Shell output: main : command provided 4",
            "main : run as user is hadoop",
            "main : requested yarn user is hadoop",
            "Creating script paths...",
            "Creating local dirs...",
            "Getting exit code file...",
            "Changing effective user to root...",
            f"Wrote the exit code {exit_code} to (null)",
            "",
            "",
            f"{exited} Error file: prelaunch.err.",
            "Last 4096 bytes of prelaunch.err :",
            *tail,
            "",
            "",
        ],
    )


def lost_executors(reason: str, *more: str) -> tuple[list[str], list[str]]:
    """Give the driver's stderr and stdout when a task's executors were lost four times.

    :param reason: What Spark's YarnAllocator says about each.
    :param more: Further lines of it.
    """

    def lost(executor: int) -> str:
        return f"ExecutorLostFailure (executor {executor} exited caused by one of the running tasks) Reason: {reason}"

    stderr = [f"{_DAY} INFO SparkContext: Running Spark version 3.5.6"]
    for number in range(4):
        task = f"Lost task 0.{number} in stage 4.0 (TID {81 + number}) ({NODE} executor {number + 1})"
        stderr += [
            f"{_DAY} WARN YarnAllocator: {reason}",
            *more,
            f"{_DAY} ERROR YarnScheduler: Lost executor {number + 1} on {NODE}: {reason}",
            *more,
            f"{_DAY} WARN TaskSetManager: {task}: {lost(number + 1)}",
            *more,
        ]
    abort = (
        "Job aborted due to stage failure: Task 0 in stage 4.0 failed 4 times, most recent failure: Lost task 0.3 "
        f"in stage 4.0 (TID 84) ({NODE} executor 4): {lost(4)}"
    )
    stderr += [
        f"{_DAY} ERROR TaskSetManager: Task 0 in stage 4.0 failed 4 times; aborting job",
        f"{_DAY} INFO ApplicationMaster: Final app status: FAILED, exitCode: 1, "
        "(reason: User application exited with status 1)",
        f"{_DAY} INFO ShutdownHookManager: Shutdown hook called",
    ]
    stdout = failed_call(
        f": org.apache.spark.SparkException: {abort}",
        *more,
        "Driver stacktrace:",
        "\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)",
        "\tat org.apache.spark.scheduler.DAGScheduler.$anonfun$abortStage$2(DAGScheduler.scala:2792)",
        "\tat java.lang.Thread.run(Thread.java:840)",
        "",
    )
    return stderr, stdout


def failed_call(*exception: str) -> list[str]:
    """Give what a PySpark job prints when a call of the JVM fails.

    :param exception: The JVM's exception, with its stack trace.
    """
    return [
        "Traceback (most recent call last):",
        '  File "/mnt/yarn/usercache/hadoop/appcache/application_1706690000000_0007/daily_sales.py", line 31, in <module>',
        '    sales.join(shops, "shop").write.mode("overwrite").parquet(target)',
        '  File "/usr/lib/spark/python/lib/pyspark.zip/pyspark/sql/readwriter.py", line 1721, in parquet',
        '  File "/usr/lib/spark/python/lib/py4j-0.10.9.7-src.zip/py4j/java_gateway.py", line 1322, in __call__',
        '  File "/usr/lib/spark/python/lib/pyspark.zip/pyspark/errors/exceptions/captured.py", line 179, in deco',
        '  File "/usr/lib/spark/python/lib/py4j-0.10.9.7-src.zip/py4j/protocol.py", line 326, in get_return_value',
        "py4j.protocol.Py4JJavaError: An error occurred while calling o112.parquet.",
        *exception,
    ]


def exited_with(status: int) -> list[str]:
    """Give the step's stderr when the driver's own program ended with an exit code."""
    report = f"INFO Client: Application report for {APPLICATION} (state: "
    said = f"User application exited with status {status}"
    return [
        f"{_DAY} INFO YarnClientImpl: Submitted application {APPLICATION}",
        *(f"{_DAY} {report}{state})" for state in ("ACCEPTED", "RUNNING", "FINISHED")),
        f"{_DAY} INFO Client: ",
        "\t client token: N/A",
        f"\t diagnostics: {said}",
        "\t final status: FAILED",
        "\t user: hadoop",
        f"{_DAY} ERROR Client: Application diagnostics message: {said}",
        'Exception in thread "main" org.apache.spark.SparkException: '
        f"Application {APPLICATION} finished with failed status",
        *_CLIENT,
    ]
