"""A deferred task's worker is known to be done before the task's trigger has an event."""

from __future__ import annotations

import asyncio

WORKER_ENDS_WITHIN = 8.0
"""Seconds from a trigger's start within which Airflow has learned that the task's first worker is done.

A worker's process may be seen to end only at its next heartbeat (``[workers] min_heartbeat_interval``, 5
seconds), and the scheduler looks about once a second. Where the task is queued again before that, the
scheduler takes the end of the first process for that of the second, and fails the task: "Executor … reported
that the task instance … finished with state success, but the task instance's state attribute is queued"
(apache/airflow issues 66374, 67287 and 72716).
"""


def now() -> float:
    """Give the time by the running loop's clock, in seconds."""
    return asyncio.get_running_loop().time()


async def worker_has_ended(begun: float) -> None:
    """Wait until the worker that deferred the task is known to have ended.

    :param begun: When the trigger started, as :func:`now` gave it.

    >>> await worker_has_ended(begun)  # doctest: +SKIP
    """
    await asyncio.sleep(max(0.0, begun + WORKER_ENDS_WITHIN - now()))
