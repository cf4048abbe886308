"""What any trigger costs: one that asks nobody."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class SleepingTrigger(BaseTrigger):
    """Sleeps until its job has ended, which it has been told beforehand.

    :param seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seconds = seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what Airflow makes the trigger from again."""
        return "benchmarks.floor.SleepingTrigger", {"seconds": self.seconds}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep."""
        await asyncio.sleep(self.seconds)
        yield TriggerEvent({"status": "success"})  # type: ignore[no-untyped-call]
