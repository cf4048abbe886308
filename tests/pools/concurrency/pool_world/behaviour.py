"""What the processes of Airflow do with a pool: workers that wait, workers that defer, triggerers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.pools.outcomes import Placed, Refused
from pool_world.jobs import PLACE, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_emrkit.pools.placing import Placing
    from pool_world.emr import VirtualEmr
    from pool_world.scheduler import Process

# Seconds: how long a round may wait for the lease, and the pause after one that found no room.
PATIENCE = 10.0
PAUSE = 10.0
# Seconds between two looks at a step that is placed.
WATCH = 15.0


class Attendant:
    """Sees to jobs in one process.

    :param process: In which.
    :param placing: Places the process's jobs.
    :param emr: Where steps are watched, without calls.
    """

    def __init__(self, process: Process, placing: Placing, emr: VirtualEmr) -> None:
        self.process = process
        self.placing = placing
        self.emr = emr

    def round(self, jobs: Sequence[Job]) -> None:
        """Try to place jobs, once."""
        world = self.process.world
        outcomes = self.placing.round([job.order for job in jobs], PATIENCE)
        for job in jobs:
            outcome: Any = outcomes.get(job.token)
            if isinstance(outcome, Placed):
                self._told(job, outcome.run)
            elif isinstance(outcome, Refused):
                world.note(self.process.name, "refused", job.token, str(outcome.error))
                job.refused = str(outcome.error)

    def _told(self, job: Job, run: Any) -> None:
        job.told.append(run)
        world = self.process.world
        world.note(self.process.name, "placed", job.token, f"{run.cluster_id} {run.step_id}")
        found = [step for step in job.steps(self.emr) if step.id == run.step_id]
        if not found or found[0] not in self.emr.clusters[run.cluster_id].steps:
            world.violate(f"job {job.token} is said to be {run}, EMR has {job.steps(self.emr)}")

    def watch(self, jobs: Sequence[Job]) -> None:
        """See placed jobs to their end; one that never started because its cluster went is ordered again."""
        waiting = [job for job in jobs if not job.refused]
        while waiting:
            self.process.sleep(WATCH)
            for job in waiting:
                step = next(iter(job.steps(self.emr)), None)
                if (
                    step
                    and step.state == "CANCELLED"
                    and step.started is None
                    and not job.order.token.relaunch
                ):
                    job.relaunch()
                    self.until_placed([job])
            waiting = [job for job in waiting if not self._is_over(job)]

    def _is_over(self, job: Job) -> bool:
        return bool(job.refused) or any(
            step.state in ("COMPLETED", "CANCELLED") for step in job.steps(self.emr)
        )

    def until_placed(self, jobs: Sequence[Job]) -> None:
        """Repeat rounds until all jobs are placed or refused."""
        while waiting := [job for job in jobs if not job.placed and not job.refused]:
            self.round(waiting)
            if any(not job.placed and not job.refused for job in waiting):
                self.process.sleep(PAUSE * self.process.world.random.uniform(0.7, 1.3))


def worker(make: Callable[[Process], Attendant], job: Job) -> Callable[[Process], None]:
    """Give what a worker does whose task is not deferred: it waits itself."""

    def body(process: Process) -> None:
        attendant = make(process)
        attendant.until_placed([job])
        attendant.watch([job])

    return body


def deferring(
    make: Callable[[Process], Attendant], job: Job, defer: Callable[[Job], None]
) -> Callable[[Process], None]:
    """Give what a worker does whose task is deferred: one try, then it is somebody else's."""

    def body(process: Process) -> None:
        attendant = make(process)
        attendant.round([job])
        if not job.placed and not job.refused:
            attendant.placing.leave(PLACE)
        defer(job)

    return body


def triggerer(
    make: Callable[[Process], Attendant], inbox: list[Job], until: Callable[[], bool]
) -> Callable[[Process], None]:
    """Give what a triggerer does: it places what has come together, one round for all.

    :param inbox: Jobs that were deferred to it.
    :param until: Tells when nothing more will come.
    """

    def body(process: Process) -> None:
        attendant = make(process)
        while True:
            open_jobs = [job for job in inbox if not job.placed and not job.refused]
            if open_jobs:
                attendant.round(open_jobs)
            elif until():
                break
            process.sleep(PAUSE * process.world.random.uniform(0.7, 1.3))
        attendant.watch(list(inbox))

    return body
