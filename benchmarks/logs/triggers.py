"""Readers that live in a triggerer, with their lines counted instead of written, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook
from airflow.providers.amazon.aws.triggers.ecs import TaskDoneTrigger
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger
from benchmarks.logs.counting import COUNTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class CountedJobRunTrigger(EmrJobRunTrigger):
    """emrkit's trigger, all of it, but for where its lines go."""

    @property
    def log(self) -> Any:
        """Count."""
        return COUNTED

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again."""
        return "benchmarks.logs.triggers.CountedJobRunTrigger", super().serialize()[1]


class CountedTaskDoneTrigger(TaskDoneTrigger):
    """The amazon provider's trigger that follows a task of ECS and its log, but for where its lines go."""

    @property
    def log(self) -> Any:
        """Count."""
        return COUNTED


class CountedHookTrigger(BaseTrigger):
    """Reads a stream with the amazon provider's asynchronous reader, as SageMaker's hook does.

    :param group: Log group.
    :param stream: Log stream.
    """

    def __init__(self, group: str, stream: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.group = group
        self.stream = stream

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again."""
        kwargs = {"group": self.group, "stream": self.stream}
        return "benchmarks.logs.triggers.CountedHookTrigger", kwargs

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Read until cancelled: this reader has no end."""
        async for event in AwsLogsHook().get_log_events_async(self.group, self.stream):
            COUNTED.log(20, event["message"])
        yield TriggerEvent({"status": "success"})  # type: ignore[no-untyped-call]
