"""Task groups that set up what their tasks need, and see that nothing of it is left."""

from __future__ import annotations

from typing import Any, Literal, get_args

from airflow_provider_emrkit._compat import BaseOperator, TaskGroup, conf
from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.operators.application import (
    EmrApplicationDeleteOperator,
    EmrApplicationSetUpOperator,
    EmrApplicationStartOperator,
    EmrApplicationStopOperator,
)
from airflow_provider_emrkit.validation import check_choice, check_flag, check_instance

WhenDone = Literal["stop", "delete", "leave"]
WHEN_DONE: tuple[WhenDone, ...] = get_args(WhenDone)


class EmrApplicationGroup(TaskGroup):
    """Tasks that share an application of EMR Serverless, which is set up before them and put away after them.

    Its first task is a setup, ``set_up``, and its last one a teardown, ``tear_down``: the latter runs
    however the others end, and decides nothing about the DAG run. Clear one of the others, and Airflow clears
    both with it. Other DAG runs may use the same application meanwhile: one that has job runs of theirs is
    left to them. The group's own job runs that are just being ended are waited for.

    :param group_id: Id of the group.
    :param spec: What the application is like. Templates in it are rendered by each task.
    :param when_done: ``stop`` the application in the end, ``delete`` or ``leave`` it.
    :param start: Whether to start it before the first job, by a task ``start``, so that workers that are kept
        ready are up. However that task ends, ``tear_down`` runs.
    :param cancel_runs: Whether job runs that it still has in the end are cancelled, other DAG runs' too.
    :param emrkit_conn_id: The ``emrkit`` connection of these tasks.
    :param deferrable: Whether its setup and its start wait in the triggerer instead of on a worker; by
        default ``[operators] default_deferrable``.
    :param options: As for Airflow's ``TaskGroup``.
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.

    >>> with EmrApplicationGroup("nightly", ApplicationSpec("nightly", "emr-7.11.0")) as nightly:
    ...     EmrSparkOperator(task_id="sales", job=sales, compute=nightly.compute)  # doctest: +SKIP
    """

    set_up: EmrApplicationSetUpOperator
    """The task that sets the application up; there is one once the group is entered."""

    def __init__(
        self,
        group_id: str,
        spec: ApplicationSpec,
        when_done: WhenDone = "stop",
        *,
        start: bool = False,
        cancel_runs: bool = False,
        emrkit_conn_id: str = "emrkit_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **options: Any,
    ) -> None:
        owner = type(self).__name__
        check_instance(owner, "spec", spec, ApplicationSpec)
        check_choice(owner, "when_done", when_done, WHEN_DONE)
        check_flag(owner, "start", start)
        check_flag(owner, "cancel_runs", cancel_runs)
        check_flag(owner, "deferrable", deferrable)
        super().__init__(group_id=group_id, **options)
        self.spec = spec
        self.compute = ServerlessApplication(spec=spec)
        self.when_done = when_done
        self.start = start
        self.cancel_runs = cancel_runs
        self.emrkit_conn_id = emrkit_conn_id
        self.deferrable = deferrable

    def __enter__(self) -> EmrApplicationGroup:
        """Begin the group, with its setup."""
        super().__enter__()
        self.set_up = EmrApplicationSetUpOperator(
            task_id="set_up",
            spec=self.spec,
            emrkit_conn_id=self.emrkit_conn_id,
            deferrable=self.deferrable,
        )
        self.set_up.as_setup()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """End the group, with its teardown."""
        if kind is None:
            self._tie()
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]

    def _tie(self) -> None:
        """Put the setup and the start before and the teardown after all others."""
        others = [task for task in self.iter_tasks() if task is not self.set_up]
        inside = {task.task_id for task in others}
        last = [task for task in others if not task.downstream_task_ids & inside]
        first: BaseOperator = self.set_up
        if self.start:
            first = self._started()
            last = last or [first]
        for task in others:
            if not task.upstream_task_ids & inside:
                first >> task
        if self.when_done == "leave":
            return
        operator = EmrApplicationStopOperator if self.when_done == "stop" else EmrApplicationDeleteOperator
        tear_down = operator(
            task_id="tear_down",
            spec=self.spec,
            cancel_runs=self.cancel_runs,
            emrkit_conn_id=self.emrkit_conn_id,
        ).as_teardown(setups=self.set_up)
        for task in last:
            task >> tear_down

    def _started(self) -> EmrApplicationStartOperator:
        # No part of the setup: when that fails, Airflow runs no teardown, and nobody stops the application.
        start = EmrApplicationStartOperator(
            task_id="start",
            spec=self.spec,
            emrkit_conn_id=self.emrkit_conn_id,
            deferrable=self.deferrable,
        )
        self.set_up >> start
        return start
