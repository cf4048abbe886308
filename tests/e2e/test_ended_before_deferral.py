"""A user ends a task in the moment before it is deferred: its job ends, as no trigger would have it.

Airflow takes no deferral of such a task, and tells its worker with the next heartbeat only.
"""

from __future__ import annotations

import re
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.ports import any_free
from demo.processes import stop

# Test directories are no packages.
CHAOS = Path(__file__).parents[1] / "chaos"
sys.path.append(str(CHAOS))

from havoc.gate import Gate  # noqa: E402
from havoc.programs import AirflowPrograms, LocalEmrProgram, marker_of, shared_environment  # noqa: E402
from havoc.witness import Planned, job_runs_by_stem  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    from havoc.gate import Call

    from demo.rest import Airflow

# An Airflow and a local EMR of its own are started, and have minutes for that.
pytestmark = [pytest.mark.e2e, pytest.mark.alone, pytest.mark.timeout(900)]

# Its job takes longer than the test has patience.
RUN = Planned("chaos_serverless_deferred", "ended-before-deferral", 600)


class User:
    """Marks the task as failed when its worker tells Airflow of the job run, just before the deferral."""

    def __init__(self) -> None:
        self.airflow: Airflow
        self.has_acted = False

    def __call__(self, call: Call) -> bool:
        """Look at a call; none is broken off."""
        tells = call.method == "POST" and re.search(r"/execution/xcoms/.*/emrkit_run(\?|$)", call.path)
        if tells and call.answer is None and not self.has_acted:
            self.has_acted = True
            RUN.stop(self.airflow)
        return False


@pytest.fixture
def house(places, tmp_path) -> Iterator[tuple[LocalEmrProgram, User]]:
    """A local EMR, and an Airflow whose workers talk to it past a user; the run is under way."""
    (tmp_path / "marks").mkdir()
    own = replace(places, folder=tmp_path, airflow_port=any_free(), localemr_port=any_free())
    base = shared_environment(own, uuid.uuid4().hex, tmp_path)
    localemr, user = LocalEmrProgram(own, base, tmp_path / "localemr"), User()
    localemr.start()
    try:
        with Gate(own.endpoint, own.airflow_url, user) as gate:
            extra = {"AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{gate.url}/execution/"}
            programs = AirflowPrograms(own, base, CHAOS / "dags", extra)
            user.airflow = programs.airflow
            programs.start(RUN.dag_id, "chaos_dags.py")
            RUN.start(programs.airflow)
            yield localemr, user
    finally:
        assert stop(marker_of(base), [localemr.child.process]) == []


def test_a_task_that_a_user_ends_just_before_it_is_deferred_leaves_no_job(house, wait_until):
    localemr, user = house

    def states() -> list[str]:
        return [run.state for run in job_runs_by_stem(localemr.serverless).get(RUN.stem, ())]

    wait_until(lambda: states() == ["CANCELLED"], "the job run has been cancelled", 300)
    assert user.has_acted
    assert RUN.task(user.airflow)["state"] == "failed"
