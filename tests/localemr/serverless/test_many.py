"""Many clients at once: everything ends, nothing is lost, no thread stays."""

from __future__ import annotations

import contextlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_emrkit.localemr.aws_json import ApiError

CLIENTS, RUNS = 11, 12


@pytest.fixture
def busy_emr(make_emr):
    emr = make_emr(max_running=5)
    emr.jobs.script("flaky", fails="no", times=1)
    emr.jobs.script("held", hold=True)
    return emr


def use(emr, applications, number):
    """Start job runs, look at them and cancel some; give what was started."""
    dice, made = random.Random(number), []
    for _ in range(RUNS):
        application_id, text = dice.choice(applications), dice.choice(["plain", "flaky", "held"])
        retry = {"retryPolicy": {"maxAttempts": 2}} if dice.random() < 0.5 else {}
        run_id = emr.start(application_id, text, clientToken=f"{number}-{len(made)}", **retry)
        made.append((application_id, run_id, text))
        emr("ListJobRuns", applicationId=application_id, states=["RUNNING"])
        if text == "held" or dice.random() < 0.3:
            # Refused when it has ended already.
            with contextlib.suppress(ApiError):
                emr("CancelJobRun", applicationId=application_id, jobRunId=run_id)
    return made


def test_many_clients_start_and_cancel_at_once(busy_emr):
    emr = busy_emr
    applications = [emr.create(schedulerConfiguration={"maxConcurrentRuns": 2}), emr.create(), emr.create()]
    with ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(use, emr, applications, number) for number in range(CLIENTS)]
        made = [item for future in futures for item in future.result(60)]
    assert len({run_id for _, run_id, _ in made}) == CLIENTS * RUNS
    ended = [(text, emr.run(application_id, run_id)) for application_id, run_id, text in made]
    assert {run.state for text, run in ended if text == "held"} == {"CANCELLED"}
    assert all(run.attempt.state == run.state for _, run in ended)
    assert emr.store.active_applications() == []
    names = {f"localemr-{run.id}" for _, run in ended}
    left = [thread for thread in threading.enumerate() if thread.name in names]
    for thread in left:
        thread.join(10)
    assert not any(thread.is_alive() for thread in left)
    assert emr.serverless.scheduler._attempts.count == 0
