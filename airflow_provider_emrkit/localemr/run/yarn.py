"""What EMR's YARN would have said: ids, and the client's report in the stderr of a cluster-mode step.

Readers of EMR logs (ours too) find a driver's log by the application id in that report, so the report is part
of how a local cluster behaves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.spark.image import LaunchFailure

REPORT_EVERY = 30.0
"""Seconds between two state reports (``spark.yarn.report.loggingFrequency``)."""

_EXCEPTION = 'Exception in thread "main" org.apache.spark.SparkException:'
_TRACE = "\tat org.apache.spark.deploy.yarn.Client.run(Client.scala)"


@dataclass(frozen=True)
class Application:
    """The ids of a YARN application, and what its client says of it.

    :param cluster_started: Start of the cluster (ms since the epoch).
    :param number: Its number inside the cluster, from 1.

    >>> Application(1700000000000, 7).application_id
    'application_1700000000000_0007'
    """

    cluster_started: int
    number: int

    @property
    def application_id(self) -> str:
        """Its id, unique inside the cluster."""
        return f"application_{self.cluster_started}_{self.number:04d}"

    @property
    def driver_container(self) -> str:
        """The id of the container that the driver runs in."""
        return self.container(1)

    def container(self, number: int) -> str:
        """Give the id of one of its containers.

        :param number: Its number inside the application, from 1.

        >>> Application(1700000000000, 7).container(2)
        'container_1700000000000_0007_01_000002'
        """
        return f"container_{self.cluster_started}_{self.number:04d}_01_{number:06d}"

    @property
    def failure(self) -> str:
        """The line by which a failed application shows in the step's stderr."""
        return f"{_EXCEPTION} Application {self.application_id} finished with failed status"

    @property
    def kill(self) -> str:
        """The line by which a killed application shows in the step's stderr."""
        return f"{_EXCEPTION} Application {self.application_id} is killed"

    def submitted(self, now: float) -> list[str]:
        """Lines for the start."""
        return [
            _line(now, f"INFO Client: Submitting application {self.application_id} to ResourceManager"),
            _line(now, f"INFO YarnClientImpl: Submitted application {self.application_id}"),
            self._state(now, "ACCEPTED"),
            self._state(now, "RUNNING"),
        ]

    def running(self, now: float) -> list[str]:
        """Lines for now and then."""
        return [self._state(now, "RUNNING")]

    def killed(self, now: float) -> list[str]:
        """Lines for the end of an application that was killed."""
        return [
            *self._end(
                now, "KILLED", "KILLED", f"Application {self.application_id} was killed by user hadoop"
            ),
            self.kill,
            _TRACE,
        ]

    def finished(self, now: float, exit_code: int) -> list[str]:
        """Lines for the end.

        :param exit_code: Exit code of the driver, as Python tells it: negative after a signal.
        """
        if exit_code == 0:
            return self._end(now, "FINISHED", "SUCCEEDED", "N/A")
        status = exit_code if exit_code > 0 else 128 - exit_code
        diagnostics = f"User application exited with status {status}"
        return [
            *self._end(now, "FINISHED", "FAILED", diagnostics),
            _line(now, f"ERROR Client: Application diagnostics message: {diagnostics}"),
            self.failure,
            _TRACE,
        ]

    def not_launched(self, now: float, failure: LaunchFailure) -> list[str]:
        """Lines for the end of an application whose driver's container was not launched."""
        attempt = f"appattempt_{self.cluster_started}_{self.number:04d}_000002"
        said = (
            f"Application {self.application_id} failed 2 times due to AM Container for {attempt} exited "
            f"with  exitCode: {failure.exit_code}"
        )
        first, *more = failure.diagnostics(self.driver_container)
        more = [f"Failing this attempt.Diagnostics: {first}", *more, ". Failing the application."]
        return [
            *self._end(now, "FAILED", "FAILED", "\n".join([said, *more])),
            _line(now, f"ERROR Client: Application diagnostics message: {said}"),
            *more,
            # What is wrong with this machine is no matter of YARN's, and nothing else would say it.
            f"{_EXCEPTION} {failure.summary}" if failure.is_local else self.failure,
            _TRACE,
        ]

    def executors_not_launched(self, now: float, failure: LaunchFailure) -> list[str]:
        """Lines of a driver in deploy mode client whose executors' containers were not launched."""
        first, *more = failure.diagnostics(self.container(2))
        reason = f"Container from a bad node. Exit status: {failure.exit_code}. Diagnostics: {first}"
        return [_line(now, f"WARN YarnAllocator: {reason}"), *more]

    def _end(self, now: float, state: str, status: str, diagnostics: str) -> list[str]:
        return [
            self._state(now, state),
            _line(now, "INFO Client: "),
            "\t client token: N/A",
            *f"\t diagnostics: {diagnostics}".split("\n"),
            f"\t final status: {status}",
            "\t user: hadoop",
        ]

    def _state(self, now: float, state: str) -> str:
        return _line(now, f"INFO Client: Application report for {self.application_id} (state: {state})")


def _line(now: float, text: str) -> str:
    return f"{time.strftime('%y/%m/%d %H:%M:%S', time.gmtime(now))} {text}"
