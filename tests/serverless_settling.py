"""Waits until a local EMR Serverless has come to rest.

Who waits for it in a test goes by the seconds asked for, which pass at once. What the server's threads do in
the meantime on AWS has to be done by then, however late they get their turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from waiting import wait_until

if TYPE_CHECKING:
    from airflow_provider_emrkit.localemr.serverless.model import ApplicationRecord, RunRecord

# What hangs fails the test instead.
_LIMIT = 60.0


def wait_settled(server: Any) -> None:
    """Wait until applications and job runs go no further before the test, or somebody else, acts.

    :param server: The fixture ``localemr_server``.
    """
    serverless, jobs = server.server.serverless, server.jobs
    scheduler, store = serverless.scheduler, serverless.store

    def is_settled() -> bool:
        with store.lock:
            return not scheduler._dirty and all(
                _is_held(application, jobs)
                and all(_is_waiting(run, jobs) for run in store.active_runs(application.id))
                for application in store.all_applications()
            )

    # The scheduler tells of what it is to do, and not of having done it.
    wait_until(is_settled, "applications and job runs are at rest", _LIMIT)


def _is_held(application: ApplicationRecord, jobs: Any) -> bool:
    return application.state not in ("CREATING", "STARTING", "STOPPING") or (
        application.state == "STARTING" and not jobs._prepares.is_set()
    )


def _is_waiting(run: RunRecord, jobs: Any) -> bool:
    if run.state in ("SUBMITTED", "PENDING", "QUEUED"):  # for its application, or its turn
        return True
    job = jobs._running.get(run.id)
    if job is None or job.opened.is_set():
        return False
    if run.state == "SCHEDULED":
        return not job.begun.is_set()
    return run.cancel is None or (job.script.ignores_cancel and not run.cancel.killed)
