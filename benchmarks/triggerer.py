"""``python -m benchmarks.triggerer``: Airflow's own ``TriggerRunner``, with a socket on standard input.

Nothing of it is changed. Beside it run a coroutine that notices how long the event loop was held up, and a
record of when each trigger's event came.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from collections import deque
from pathlib import Path
from typing import Any

from airflow.jobs.triggerer_job_runner import TriggerEventEntry, TriggerRunner
from airflow.sdk.execution_time.supervisor import block_orm_access
from airflow.sdk.log import configure_logging

from benchmarks.logs.counting import COUNTED

TICK = 0.05


class StampedEvents(deque[TriggerEventEntry]):
    """The runner's queue of events, which remembers when each came."""

    def __init__(self) -> None:
        super().__init__()
        self.fired: dict[int, float] = {}

    def append(self, entry: TriggerEventEntry) -> None:
        """Take an event of a trigger."""
        self.fired[entry.trigger_id] = time.time()
        super().append(entry)


class MeasuredRunner(TriggerRunner):
    """Writes a report when told to end.

    It has ``fired`` (by trigger, seconds since 1970), ``lags`` (pairs: seconds since 1970, and the seconds by
    which the event loop was late then) and ``lines`` (pairs: seconds since 1970, and a line that was counted
    instead of written).

    :param report: The file.
    """

    def __init__(self, report: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._report = report
        self._stamped = StampedEvents()
        self.events = self._stamped
        self._lags: list[tuple[float, float]] = []

    async def arun(self) -> None:
        """Run until told to end, with the ticking coroutine beside."""
        ticking = asyncio.create_task(self._tick())
        await super().arun()  # type: ignore[no-untyped-call]
        ticking.cancel()

    async def _tick(self) -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK)
            lag = time.monotonic() - began - TICK
            self._lags.append((time.time(), lag))

    def _handle_signal(self, signum: int, frame: Any) -> None:
        report = {"fired": self._stamped.fired, "lags": self._lags, "lines": COUNTED.lines}
        self._report.write_text(json.dumps(report))
        super()._handle_signal(signum, frame)


def main() -> None:
    """Be a triggerer's inner process, as Airflow's supervisor makes one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--log-fd", type=int, required=True)
    arguments = parser.parse_args()
    log = os.fdopen(arguments.log_fd, "wb", buffering=0)
    configure_logging(json_output=True, output=log, sending_to_supervisor=True)
    block_orm_access()  # type: ignore[no-untyped-call]
    MeasuredRunner(arguments.report).run()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    main()
