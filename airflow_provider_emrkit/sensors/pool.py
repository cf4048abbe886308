"""Waits until a pool of clusters has room, or is healthy."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, get_args

from airflow_provider_emrkit._compat import BaseSensorOperator, conf
from airflow_provider_emrkit.compute.pool import ClusterPool
from airflow_provider_emrkit.exceptions import EmrKitError
from airflow_provider_emrkit.operators.rendering import RendersSpecs
from airflow_provider_emrkit.pools.health import Question
from airflow_provider_emrkit.validation import check_choice, check_instance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit._compat import Context
    from airflow_provider_emrkit.pools.watching import PoolWatch

OWNER = "EmrPoolSensor"
QUESTIONS: tuple[Question, ...] = get_args(Question)


class EmrPoolSensor(RendersSpecs, BaseSensorOperator):
    """Wait until a pool has room, or is healthy; its log tells what the pool is busy with.

    A look costs one ListClusters, and one ListSteps for each cluster of the pool. It takes no lease and
    changes nothing. Throttling never fails it.

    :param cluster_pool: The pool. (templated)
    :param until: ``has_room``: a job that is placed now would not wait, since a cluster takes it or the pool
        may grow. ``is_healthy``: no cluster as the pool's are now failed to come up in the last hour, and at
        least ``min_clusters`` are up or start.
    :param emrkit_conn_id: The ``emrkit`` connection. (templated)
    :param deferrable: Wait in the triggerer instead of on a worker; by default ``[operators]
        default_deferrable``.
    :param rest: As for every sensor: ``poke_interval``, ``timeout``, ``mode``, ``soft_fail``.
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.

    >>> EmrPoolSensor(task_id="room", cluster_pool=medium, mode="reschedule")  # doctest: +SKIP
    """

    template_fields: Sequence[str] = ("cluster_pool", "emrkit_conn_id")
    ui_color = "#fbe5d1"

    _watch: PoolWatch | None = None

    def __init__(
        self,
        *,
        cluster_pool: ClusterPool,
        until: Question = "has_room",
        emrkit_conn_id: str = "emrkit_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.cluster_pool = cluster_pool
        self.until = until
        self.emrkit_conn_id = emrkit_conn_id
        self.deferrable = deferrable
        check_instance(OWNER, "cluster_pool", cluster_pool, ClusterPool)
        check_choice(OWNER, "until", until, QUESTIONS)

    def poke(self, context: Context) -> bool:  # noqa: ARG002
        """Look at the pool once.

        :param context: The task's context.
        :raises EmrKitError: when AWS refuses; the type says why.
        """
        self._watch = self._watch or self._open()
        tick = self._watch.tick()
        for level, text in tick.lines:
            self.log.log(level, "%s", text)
        return tick.done

    def execute(self, context: Context) -> Any:
        """Wait, here or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            self._defer()
        return None

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Go on where the trigger ended.

        :param context: The task's context.
        :param event: The trigger's payload.
        :raises EmrKitError: when the pool could not be looked at; the type says why.
        """
        from airflow_provider_emrkit.runs.outcome import retyped

        if event["state"] != "done":
            error, said = retyped(event["error"], event["message"], EmrKitError)
            raise error(said)
        self.log.info("Pool %s: %s", self.cluster_pool.name, event["message"])

    def _open(self) -> PoolWatch:
        from airflow_provider_emrkit.pools.health import HowItIs
        from airflow_provider_emrkit.pools.opening import open_pool
        from airflow_provider_emrkit.pools.watching import PoolWatch

        care, setup = open_pool(self.cluster_pool, self.emrkit_conn_id)
        return PoolWatch(care, HowItIs.of(self.until, setup), self.poke_interval)

    def _defer(self) -> None:
        from airflow_provider_emrkit.pools.watching import condition_to_dict
        from airflow_provider_emrkit.triggers.pool_care import EmrPoolTrigger

        watch = self._watch or self._open()
        trigger = EmrPoolTrigger(
            asdict(watch.care.place),
            condition_to_dict(watch.condition),
            emrkit_conn_id=self.emrkit_conn_id,
            region_name=watch.care.clients.region_name,
            poll_interval=self.poke_interval,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
