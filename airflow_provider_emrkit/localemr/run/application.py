"""A driver in deploy mode cluster: it belongs to the cluster, not to the step that submitted it.

On EMR such a driver runs in a YARN container. The ``spark-submit`` of the step is only its client: when that
is killed, the application goes on.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from airflow_provider_emrkit.localemr.run.containers import DriverContainers
from airflow_provider_emrkit.localemr.run.leftover_uploads import abort_leftover_uploads
from airflow_provider_emrkit.localemr.run.logged_process import Folders, start_logged
from airflow_provider_emrkit.localemr.run.process import SESSION_FILE
from airflow_provider_emrkit.localemr.run.yarn import REPORT_EVERY, Application

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from airflow_provider_emrkit.localemr.run.commands import Command
    from airflow_provider_emrkit.localemr.run.environment import Place
    from airflow_provider_emrkit.localemr.run.outputs import Outputs
    from airflow_provider_emrkit.localemr.spark.image import LaunchFailure

KILL_GRACE = 0.25
"""Seconds between SIGTERM and SIGKILL of a container; YARN's default."""

KILLED_CLIENT = 143
"""Exit code of a client that was told to end."""

State = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
FinalStatus = Literal["UNDEFINED", "SUCCEEDED", "FAILED", "KILLED"]


@dataclass(frozen=True)
class Driver:
    """What an application runs.

    :param command: The spark-submit.
    :param work: Its working directory, with the job's files in it.
    :param env: Variables on top of the cluster's and the command's.
    """

    command: Command
    work: Path
    env: Mapping[str, str] = field(default_factory=dict)


class RunningApplication:
    """An application from its start to its end, and what is known of it afterwards.

    :param ids: Its ids.
    :param driver: What it runs.
    :param directory: Its own directory, for its logs.
    :param place: The cluster's directories and programs.
    :param outputs: What the cluster does with logs.
    :raises OSError: when it can't be started.

    >>> application = RunningApplication(ids, driver, directory, place, outputs)  # doctest: +SKIP
    >>> for line in application.report():  # doctest: +SKIP
    ...     print(line)
    """

    def __init__(
        self, ids: Application, driver: Driver, directory: Path, place: Place, outputs: Outputs
    ) -> None:
        self.ids = ids
        submission = driver.command.submission
        self.name = submission.name if submission else driver.command.argv[0]
        self.tags = submission.tags if submission else ()
        self.started = time.time()
        self.exit_code: int | None = None
        self.ended: float | None = None
        self._waits = submission is None or submission.waits
        self._directory = directory
        self._changed = threading.Condition()
        self._killed = False
        self._temporary, self._s3_client = driver.work / "tmp", outputs.s3_client
        self._logs = outputs.open(directory, outputs.driver_places(ids.application_id, ids.driver_container))
        env = {**driver.env, **driver.command.env}
        folders = Folders(directory, driver.work)
        try:
            self._process = start_logged(
                driver.command,
                place,
                folders,
                self._logs,
                owner=ids.application_id,
                env=env,
                containers=DriverContainers(ids, outputs),
            )
        except (OSError, ValueError):
            self._logs.close()
            raise
        self._thread = threading.Thread(target=self._run, name=f"localemr-{ids.application_id}", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether the driver and all its processes are gone and its logs are written."""
        return self.exit_code is not None

    @property
    def state(self) -> State:
        """YARN's state of the application."""
        if not self.is_over:
            return "RUNNING"
        if self._was_killed:
            return "KILLED"
        return "FAILED" if self._not_launched else "FINISHED"

    @property
    def final_status(self) -> FinalStatus:
        """YARN's final status."""
        if not self.is_over:
            return "UNDEFINED"
        if self._was_killed:
            return "KILLED"
        return "FAILED" if self.exit_code else "SUCCEEDED"

    @property
    def failure(self) -> str:
        """The line by which its end shows in the client's stderr, if it did not succeed."""
        if self._not_launched and self._not_launched.is_local:
            return self._not_launched.summary
        return self.ids.kill if self._was_killed else self.ids.failure

    @property
    def client_exit_code(self) -> int:
        """Exit code of a client that watched until now."""
        return 1 if self._waits and self.exit_code else 0

    @property
    def _not_launched(self) -> LaunchFailure | None:
        return self._process.launch_failure if self.is_over else None

    @property
    def _was_killed(self) -> bool:
        return self._killed and self.exit_code != 0

    def kill(self, *, force: bool = False) -> None:
        """End the driver: SIGTERM and shortly afterwards SIGKILL, or SIGKILL at once. Idempotent."""
        self._killed = True
        self._process.cancel(force=force, grace=KILL_GRACE)

    def wait(self, seconds: float | None = None, is_left: Callable[[], bool] = bool) -> bool:
        """Wait for the end.

        :param seconds: The longest wait; None for any.
        :param is_left: Ends the wait earlier, when it is true after a :meth:`wake`.
        :return: Whether the application is over.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.is_over or is_left(), seconds)
        return self.is_over

    def wake(self) -> None:
        """Let those who wait look whether they still want to."""
        with self._changed:
            self._changed.notify_all()

    def report(self, is_left: Callable[[], bool] = bool) -> Iterator[str]:
        """Give what the client writes after it has submitted the application, until that ends.

        :param is_left: See :meth:`wait`; the client is gone then.
        """
        if not self._waits:
            return
        while not self.wait(REPORT_EVERY, is_left):
            if is_left():
                return
            yield from self.ids.running(time.time())
        if self._was_killed:
            yield from self.ids.killed(time.time())
        elif self._not_launched:
            yield from self.ids.not_launched(time.time(), self._not_launched)
        else:
            yield from self.ids.finished(time.time(), self.exit_code or 0)

    def _run(self) -> None:
        code = self._process.wait()
        abort_leftover_uploads(self._s3_client, self._temporary)
        self._logs.close()
        (self._directory / SESSION_FILE).unlink(missing_ok=True)
        with self._changed:
            self.exit_code, self.ended = code, time.time()
            self._changed.notify_all()
