"""Where the logs of executors go: the containers that YARN, or EMR Serverless, would give them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_emrkit.localemr.run.job_logs import executor_logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.logs import LogStream
    from airflow_provider_emrkit.localemr.run.outputs import OpenLogs, Outputs
    from airflow_provider_emrkit.localemr.run.yarn import Application

# The first container is that of the application master.
_FIRST_EXECUTOR = 2


@dataclass
class Numbers:
    """Numbers for the executors of several applications, each of which counts its own from 0.

    :param first: The first number.

    >>> numbers = Numbers(2)
    >>> [numbers.of(0, 0), numbers.of(0, 1), numbers.of(1, 0), numbers.of(0, 0)]
    [2, 3, 4, 2]
    """

    first: int
    _starts: list[int] = field(default_factory=list)
    _next: int = 0

    def of(self, application: int, executor: int) -> int:
        """Give the number of an application's executor; the applications come in their order."""
        self._next = max(self._next, self.first)
        while len(self._starts) <= application:
            self._starts.append(self._next)
        number = self._starts[application] + executor
        self._next = max(self._next, number + 1)
        return number


class DriverContainers:
    """Those of a driver in deploy mode cluster, which belongs to one YARN application.

    :param ids: The application's.
    :param outputs: What becomes of logs.

    >>> DriverContainers(Application(1700000000000, 1), outputs)  # doctest: +SKIP
    """

    def __init__(self, ids: Application, outputs: Outputs) -> None:
        self._ids = ids
        self._outputs = outputs
        self._numbers = Numbers(_FIRST_EXECUTOR)

    def open(self, directory: Path, application: int, executor: int) -> OpenLogs:
        """Open an executor's logs as files of a directory."""
        container = self._ids.container(self._numbers.of(application, executor))
        return self._outputs.open(
            directory, self._outputs.executor_places(self._ids.application_id, container)
        )


class ClientContainers:
    """Those of a step's drivers in deploy mode client: each is a YARN application, as it tells in stderr.

    :param new_ids: Gives the ids of one more application.
    :param outputs: What becomes of logs.
    :param stderr: The step's.

    >>> ClientContainers(manager.new_ids, outputs, logs["stderr"])  # doctest: +SKIP
    """

    def __init__(self, new_ids: Callable[[], Application], outputs: Outputs, stderr: LogStream) -> None:
        self._new_ids = new_ids
        self._outputs = outputs
        self._stderr = stderr
        self._applications: list[Application] = []

    def open(self, directory: Path, application: int, executor: int) -> OpenLogs:
        """Open an executor's logs as files of a directory."""
        while len(self._applications) <= application:
            self._applications.append(self._new_ids())
            self._stderr.write_lines(self._applications[-1].submitted(time.time()))
        ids = self._applications[application]
        container = ids.container(_FIRST_EXECUTOR + executor)
        return self._outputs.open(directory, self._outputs.executor_places(ids.application_id, container))


class JobContainers:
    """Those of a job run of EMR Serverless.

    :param folder: The folder of the attempt's logs.
    :param outputs: What becomes of logs.

    >>> JobContainers("applications/00app/jobs/00run", outputs)  # doctest: +SKIP
    """

    def __init__(self, folder: str, outputs: Outputs) -> None:
        self._folder = folder
        self._outputs = outputs
        self._numbers = Numbers(1)

    def open(self, directory: Path, application: int, executor: int) -> OpenLogs:
        """Open an executor's logs as files of a directory."""
        number = self._numbers.of(application, executor)
        return self._outputs.open(directory, executor_logs(self._outputs.target, self._folder, number))
