"""A worker that is killed at any point of a submission, and the next try of its task."""

from __future__ import annotations

import multiprocessing
import signal
from dataclasses import replace
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import dying_submission
import pytest
from faulty_emr import clients_of

from airflow_provider_emrkit import ClusterSpec, DynamicCluster, ExistingCluster, SparkJob
from airflow_provider_emrkit.compute.defaults import ClusterDefaults
from airflow_provider_emrkit.runs.earlier import decide
from airflow_provider_emrkit.runs.step_search import StepSearch
from airflow_provider_emrkit.runs.step_submission import StepSubmission
from airflow_provider_emrkit.runs.token import RunToken

FIRST = RunToken("sales", "manual__1", "load", -1, generation=1, try_number=1)
SECOND = replace(FIRST, try_number=2)
JOB = SparkJob("s3://code/job.py")
NEW = DynamicCluster(ClusterSpec("emr-7.11.0", size="tiny"))


@pytest.fixture(scope="module")
def processes():
    """Processes that share no state with this one; Airflow and boto3 are imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dying_submission"])
    with pytest.MonkeyPatch.context() as patch:
        # The server of processes does not get this one's sys.path, and would import nothing without a word.
        patch.setenv("PYTHONPATH", str(Path(dying_submission.__file__).parent))
        forkserver.ensure_running()
    return context


def second_try(server: Any, compute: Any) -> Any:
    clients = clients_of(server.client("emr"))
    found = StepSearch(clients, lambda seconds: False).earlier(compute, SECOND)
    decision = decide(found, SECOND)
    assert (decision.end, decision.wait_for) == ((), ())
    if decision.attach:
        return decision.attach.run
    submission = StepSubmission(clients, ClusterDefaults(), lambda seconds: False, lambda seconds: None)
    return submission.submit(JOB, compute, SECOND)


@pytest.mark.parametrize(
    ("where", "call", "when", "accepted"),
    [
        pytest.param("new", "run_job_flow", "before", False, id="before RunJobFlow"),
        pytest.param("new", "run_job_flow", "after", True, id="after RunJobFlow"),
        pytest.param("new", "list_steps", "before", True, id="before its step is known"),
        pytest.param("new", "list_steps", "after", True, id="when its step is known"),
        pytest.param("existing", "describe_cluster", "after", False, id="before AddJobFlowSteps"),
        pytest.param("existing", "add_job_flow_steps", "after", True, id="after AddJobFlowSteps"),
    ],
)
def test_the_next_try_goes_on_with_what_was_accepted(localemr_server, processes, where, call, when, accepted):
    localemr_server.runner.script("emrkit:", hold=True)
    compute: Any = NEW
    if where == "existing":
        cluster = localemr_server.run_cluster(Name="team")
        localemr_server.wait_cluster(cluster, "WAITING")
        compute = ExistingCluster(cluster)
    process = processes.Process(
        target=dying_submission.submit,
        args=(localemr_server.endpoint_url, JOB, compute, FIRST, call, when),
    )
    process.start()
    process.join(200)
    assert process.exitcode == -signal.SIGKILL

    run = second_try(localemr_server, compute)
    emr = localemr_server.client("emr")
    made = [
        (cluster["Id"], step["Id"])
        for cluster in emr.list_clusters()["Clusters"]
        for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]
    ]
    assert made == [(run.cluster_id, run.step_id)]
    assert len(emr.list_clusters()["Clusters"]) == 1
    assert run.token == str(FIRST if accepted else SECOND)
