"""What the EMR services ask of whoever really runs their clusters, steps and job runs.

The services (``localemr.emr``, ``localemr.serverless``) know states, quotas and API shapes; a runner knows
Spark, processes and logs. Each side can be replaced without the other: tests hand a service a scripted
runner, a container engine is one more runner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


KILLED_LIMIT = 15.0
"""Longest wait (seconds) for the end of what was killed."""

LogDelivery = Callable[[Any, str], Any]
"""Gives the client that delivers logs: the boto3 client it is given, or one whose calls are made later. The
text says where to: ``cloudwatch`` or ``s3``."""


def on_time(client: Any, _: str) -> Any:
    """Deliver logs at once; a :data:`LogDelivery`."""
    return client


class ClusterStartError(Exception):
    """A cluster cannot be started; the message is shown to the user as its StateChangeReason.

    :param message: What was wrong and how to mend it.
    :param code: StateChangeReason code of the EMR API, e.g. ``VALIDATION_ERROR`` or ``BOOTSTRAP_FAILURE``.
    :param details: EMR's ``ErrorDetails``.
    """

    def __init__(
        self, message: str, code: str = "VALIDATION_ERROR", details: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


@dataclass(frozen=True)
class ClusterRequest:
    """The part of a RunJobFlow request that decides how steps run.

    :param cluster_id: ``j-…``
    :param release_label: EMR release label, already checked for its grammar.
    :param log_uri: ``LogUri`` of the cluster (``s3://`` or ``s3n://``), or None when it keeps no logs on S3.
    :param configurations: EMR's ``Configurations`` list, as sent.
    :param bootstrap_actions: EMR's ``BootstrapActions`` list, as sent.
    :param monitoring: ``MonitoringConfiguration``, as sent; empty when absent.
    :param region: AWS region the request was signed for.
    :param name: The cluster's name.
    :param deliver: How its logs are delivered.
    """

    cluster_id: str
    release_label: str
    log_uri: str | None = None
    configurations: Sequence[Mapping[str, Any]] = ()
    bootstrap_actions: Sequence[Mapping[str, Any]] = ()
    monitoring: Mapping[str, Any] = field(default_factory=dict)
    region: str = "us-east-1"
    name: str = ""
    deliver: LogDelivery = field(default=on_time, repr=False, compare=False)


@dataclass(frozen=True)
class StepRequest:
    """One step as it was added: EMR's ``HadoopJarStep`` and its ids.

    :param step_id: ``s-…``
    :param properties: ``HadoopJarStep.Properties`` as a plain mapping.
    """

    step_id: str
    name: str
    jar: str
    args: Sequence[str] = ()
    main_class: str | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StepResult:
    """How a step ended.

    :param succeeded: True only for exit code 0 of the step's own command.
    :param reason: EMR's ``FailureDetails.Reason``, e.g. ``Unknown Error.``
    :param message: EMR's ``FailureDetails.Message``: the line that shows the failure.
    :param log_file: ``FailureDetails.LogFile``: the S3 URI of the log that holds it.
    """

    succeeded: bool
    cancelled: bool = False
    reason: str | None = None
    message: str | None = None
    log_file: str | None = None


class RunningStep(Protocol):
    """A step that has a process. ``wait`` and ``cancel`` are called from different threads."""

    def wait(self) -> StepResult:
        """Block until the step and all its processes are gone and its logs are written."""

    def cancel(self, *, force: bool = False) -> None:
        """Ask the step to end (SIGTERM), or kill it with ``force``. Idempotent.

        A step that only waits for something else, such as the client of a YARN application, ends alone.
        """


class RunningCluster(Protocol):
    """A cluster whose software is in place."""

    def start_step(self, step: StepRequest) -> RunningStep:
        """Start a step's process; several may run at once."""

    def last_active(self) -> float | None:
        """Say when something ran last that no step stands for: the present time while it does.

        :return: Seconds since the epoch; None when nothing of the kind ever ran.
        """

    def stop(self) -> None:
        """Kill whatever still runs and remove the cluster's files. Idempotent."""


class ClusterRunner(Protocol):
    """Starts clusters."""

    def check(self, release_label: str) -> None:
        """Refuse a release label that can't be run here, before the cluster gets an id.

        :raises ClusterStartError: with the mend in its message.
        """

    def start(self, request: ClusterRequest, progress: Callable[[str], None]) -> RunningCluster:
        """Install what the cluster needs, which may take minutes, and bootstrap it.

        :param progress: Gets one short line of text now and then.
        :raises ClusterStartError: when the software can't be had or a bootstrap action fails.
        """


@dataclass(frozen=True)
class JobRunRequest:
    """One attempt of an EMR Serverless job run.

    :param application_id: Id of its application, e.g. ``00f1a2b3c4d5e6f7``.
    :param run_id: Its id, in the same form.
    :param attempt: 1 for the first one; later ones are retries of the run's ``retryPolicy``.
    :param release_label: Release of the application, already checked for its grammar.
    :param entry_point: ``jobDriver.sparkSubmit.entryPoint``: a ``.py`` or ``.jar`` on S3, or a
        path in the image.
    :param arguments: ``entryPointArguments``, which reach the job byte for byte.
    :param spark_submit_parameters: ``sparkSubmitParameters``, one text, as sent.
    :param configurations: ``applicationConfiguration`` of the run over ``runtimeConfiguration`` of the
        application, merged, as a list of ``{"classification", "properties", "configurations"}``.
    :param monitoring: The ``monitoringConfiguration`` that holds: the run's, else the application's.
    :param image_uri: Custom image of the driver, or None.
    :param executor_image_uri: Custom image of the executors, or None.
    :param region: AWS region the request was signed for.
    :param deliver: How its logs are delivered.
    :param keeps_attempts_apart: Whether the first attempt's logs too have a folder ``attempts/1``: EMR
        Serverless does so for streaming jobs, and for batch jobs that may be retried.
    """

    application_id: str
    run_id: str
    attempt: int
    release_label: str
    entry_point: str
    arguments: Sequence[str] = ()
    spark_submit_parameters: str = ""
    configurations: Sequence[Mapping[str, Any]] = ()
    monitoring: Mapping[str, Any] = field(default_factory=dict)
    image_uri: str | None = None
    executor_image_uri: str | None = None
    region: str = "us-east-1"
    deliver: LogDelivery = field(default=on_time, repr=False, compare=False)
    keeps_attempts_apart: bool = False


@dataclass(frozen=True)
class JobRunResult:
    """How an attempt ended.

    :param succeeded: True only for exit code 0 of a driver that nobody had asked to end.
    :param cancelled: Whether it was asked to end before it did, however it ended then.
    :param details: The API's ``stateDetails``: the line that shows the failure, and where the log is.
    """

    succeeded: bool
    cancelled: bool = False
    details: str = ""


class RunningJob(Protocol):
    """An attempt that has a process. ``wait`` and ``cancel`` are called from different threads."""

    def wait_begun(self) -> bool:
        """Block until the driver runs, for which an image may have to be pulled; False when it never will."""

    def wait(self) -> JobRunResult:
        """Block until the driver and all its processes are gone and its logs are written."""

    def cancel(self, *, force: bool = False) -> None:
        """Ask the driver to end (SIGTERM), or kill it with ``force``. Idempotent."""


class JobRunner(Protocol):
    """Runs EMR Serverless jobs."""

    def check(self, release_label: str, architecture: str = "X86_64") -> None:
        """Refuse a release label that can't be run here, before the application gets an id.

        :raises ClusterStartError: with the mend in its message.
        """

    def prepare(self, release_label: str, progress: Callable[[str], None]) -> None:
        """Install what an application needs, which may take minutes; what it raises in ``progress`` ends it.

        :raises ClusterStartError: when the software can't be had.
        """

    def start(self, request: JobRunRequest) -> RunningJob:
        """Start an attempt; several may run at once.

        :raises ClusterStartError: when its software or files can't be had.
        """

    def stop(self) -> None:
        """Kill whatever still runs and remove its files. Idempotent."""


class AppUi(Protocol):
    """Shows finished and running Spark applications: a Spark history server of this machine."""

    def url(self, application_id: str | None = None) -> str:
        """Give the address of an application's page, or of the list of all; starts the server when needed.

        :param application_id: Id that Spark itself has written into its event log, or None.
        :raises ClusterStartError: when the server can't be started, with the mend.
        """

    def stop(self) -> None:
        """End the server. Idempotent."""
