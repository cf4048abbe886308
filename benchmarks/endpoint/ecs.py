"""What ECS answers about a task that runs for as long as a job does (DescribeTasks)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.schedule import Job

Answer = dict[str, Any]

_STATES = {None: "PENDING", "PENDING": "PENDING", "RUNNING": "RUNNING", "COMPLETED": "STOPPED"}


class Ecs:
    """Answers as ECS would at a point of the schedule.

    :param job: What all its tasks do.

    >>> ecs = Ecs(Job(1, "j-1", "s-1", "etl", "", 0.0, 2.0, 9.0))
    >>> ecs.operations["DescribeTasks"]({"tasks": ["arn"]}, 5.0)["tasks"][0]["lastStatus"]
    'RUNNING'
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self.operations: Mapping[str, Callable[[Mapping[str, Any], float], Answer]] = {
            "DescribeTasks": self._describe_tasks
        }

    def _describe_tasks(self, request: Mapping[str, Any], now: float) -> Answer:
        state = _STATES[self._job.state(now)]
        return {"tasks": [{"taskArn": arn, "lastStatus": state} for arn in request["tasks"]], "failures": []}
