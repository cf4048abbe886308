"""What Airflow knows about the run of a task instance. Reads Airflow's database, in its web server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_provider_emrkit._compat import stored_argument, stored_xcom
from airflow_provider_emrkit.deployment import deployment
from airflow_provider_emrkit.links import RUN_XCOM_KEY
from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.runs.token import MARK, Mark, RunToken
from airflow_provider_emrkit.ui.notice import Notice


@dataclass(frozen=True)
class TaskKey:
    """Names a task instance.

    :param map_index: Index in a mapped task, else -1.

    >>> TaskKey("sales", "manual__1", "load").map_index
    -1
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    def has_started(self, run: JobRun) -> bool:
        """Tell whether a run says of itself that this task instance has started it.

        Whoever may write XComs may put another task's there. A token is no secret: this finds the run that
        was copied, and not the one that was forged with care.
        """
        mark = Mark.of(f"{MARK}{run.token}")
        own = RunToken(self.dag_id, self.run_id, self.task_id, self.map_index, 0, 1, deployment=deployment())
        return mark is not None and mark.stem == own.stem

    def __str__(self) -> str:
        mapped = f", map index {self.map_index}" if self.map_index >= 0 else ""
        return f"task {self.task_id} of DAG {self.dag_id}, run {self.run_id}{mapped}"


@dataclass(frozen=True)
class TaskRun:
    """The run that a task instance has submitted.

    :param emrkit_conn_id: The connection it did so with.

    >>> TaskRun.of(TaskKey("sales", "manual__1", "load")).run.id  # doctest: +SKIP
    's-1'
    """

    run: JobRun
    emrkit_conn_id: str

    @classmethod
    def of(cls, key: TaskKey) -> TaskRun:
        """Look it up: the run in the XCom of the task instance, the connection among its arguments.

        :raises Notice: when there is none.
        """
        run = _run(stored_xcom(key, RUN_XCOM_KEY))
        if run is None or not run.id or not key.has_started(run):
            raise Notice(
                404,
                "No Spark job yet",
                f"As far as Airflow knows, {key} has not submitted a job.",
                "Come back when the task has started its job. Airflow forgets the job of a cleared task.",
            )
        conn_id = stored_argument(key, "emrkit_conn_id")
        if not isinstance(conn_id, str) or not conn_id or "{{" in conn_id or "{%" in conn_id:
            raise Notice(
                404,
                "Connection unknown",
                f"Airflow no longer knows which emrkit connection {key} had.",
                "It keeps rendered arguments for [core] max_num_rendered_ti_fields_per_task runs of a task; "
                "look for the job in the AWS console.",
            )
        return cls(run, conn_id)


def _run(stored: Any) -> JobRun | None:
    try:
        return JobRun.from_dict(stored) if isinstance(stored, dict) else None
    except (TypeError, ValueError):  # whoever may write XComs has written it
        return None
