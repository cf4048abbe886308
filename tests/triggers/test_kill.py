from __future__ import annotations

import asyncio
import contextlib

from airflow_provider_emrkit.runs.job_run import JobRun
from airflow_provider_emrkit.triggers.job_run import EmrJobRunTrigger

# What Airflow 3.3 says when it cancels a trigger because of a user.
USER_ACTION = "__airflow_user_action__"

RUN = JobRun("step", "j-1", "s-1", "t-1", "sales", "us-east-1")


class Triggerer:
    """What Airflow's triggerer does with a trigger whose task a user has ended."""

    def __init__(self, trigger: EmrJobRunTrigger) -> None:
        self.trigger = trigger
        self.cancelled = asyncio.Event()

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(self.trigger.on_kill(), 20)
            raise
        finally:
            await self.trigger.cleanup()


def test_the_trigger_stays_until_its_run_has_ended_however_often_it_is_cancelled():
    """The trigger's log ends with it: the lines of the run's end would be lost."""

    async def scenario() -> list[str]:
        trigger, told, go_on = EmrJobRunTrigger(RUN.to_dict()), [], asyncio.Event()

        async def end() -> None:
            await go_on.wait()
            told.append("ended")

        trigger._end_if_released = end
        triggerer = Triggerer(trigger)
        task = asyncio.create_task(triggerer.run())
        await asyncio.sleep(0)
        for _ in range(4):
            task.cancel(USER_ACTION)
            for _ in range(10):
                await asyncio.sleep(0)
        assert triggerer.cancelled.is_set()
        assert not task.done()
        go_on.set()
        await asyncio.wait({task}, timeout=20)
        assert task.cancelled()
        return told

    assert asyncio.run(scenario()) == ["ended"]
