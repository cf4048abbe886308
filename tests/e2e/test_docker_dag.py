"""Jobs that bring an image, in a real Airflow and a real engine: on each compute, and when they are ended."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest

import demo.airflow
from images.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from images.engine import Engine

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.alone,
    # The first of them may have to make the image, and to install Spark.
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("example_image"),
]

EXAMPLE, POOLED, KILLED = "example_docker_step", "e2e_docker_pool", "e2e_docker_kill"
REGISTRY = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PACKAGE = "/usr/local/lib/python3.11/dist-packages/haversine/__init__.py"
BUCKET = "emrkit-demo"
DONE = ("success", "failed")
# And not the shell that is about to start Spark, or Spark itself.
_PYTHON = re.compile(r"\s*\d+\s+\S*\bpython[\d.]*\s")


class Run:
    """One run of a DAG, seen from Airflow."""

    def __init__(self, airflow: Any, dag_id: str, params: dict[str, Any]) -> None:
        self.airflow, self.dag_id = airflow, dag_id
        self.run_id = f"docker-{uuid.uuid4().hex[:8]}"
        airflow.trigger(dag_id, self.run_id, params)

    def state(self) -> str:
        return str(self.airflow.run_state(self.dag_id, self.run_id))

    def tasks(self) -> list[dict[str, Any]]:
        return list(self.airflow.tasks(self.dag_id, self.run_id))

    def has_ended(self) -> bool:
        return self.state() in DONE

    def log(self, map_index: int = -1, try_number: int = 1) -> list[str]:
        (task_id,) = {task["task_id"] for task in self.tasks()}
        path = f"/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}/logs/{try_number}"
        content = self.airflow.get(f"{path}?full_content=true&map_index={map_index}")["content"]
        return [str(entry.get("event") or "") for entry in content if isinstance(entry, dict)]

    def act(self, verb: str, path: str, body: dict[str, Any]) -> None:
        self.airflow._call(verb, f"/dags/{self.dag_id}/{path}", body)


@pytest.fixture
def start(standalone: Any) -> Iterator[Callable[..., Run]]:
    """Start a run of a DAG; one that has not ended by itself is failed."""
    runs: list[Run] = []

    def start(dag_id: str, file: str = "docker_dags.py", **params: Any) -> Run:
        demo.airflow.wait_parsed(standalone.airflow, dag_id, file, lambda _: None)
        runs.append(Run(standalone.airflow, dag_id, params))
        return runs[-1]

    yield start
    for run in runs:
        if not run.has_ended():
            run.airflow.fail_run(run.dag_id, run.run_id)


@pytest.fixture
def containers(docker_engine: Engine, localemr: Any) -> Callable[[], list[str]]:
    """The containers of the tests' local EMR, running or not."""
    from airflow_provider_emrkit.localemr.engine.settings import instance_id

    mine = instance_id(localemr.places.folder / "localemr" / "data")
    return lambda: docker_engine.containers(f"emrkit.localemr={mine}")


def test_the_examples_job_runs_in_its_image(
    start: Any, localemr: Any, containers: Any, wait_until: Any
) -> None:
    run = start(EXAMPLE, "example_docker_step.py")
    states, at_once = set(), 0

    def has_ended() -> bool:
        nonlocal at_once
        states.update(task["state"] for task in run.tasks())
        at_once = max(at_once, len(containers()))
        return bool(run.has_ended())

    wait_until(has_ended, "the end of the run", 180)
    log = "\n".join(run.log())
    assert run.state() == "success", log
    assert "deferred" in states
    assert at_once >= 1

    for who in ("driver", "executors"):
        assert f"{who}: {PACKAGE} in a container of Debian" in log
    listed = localemr.s3.list_objects_v2(Bucket=BUCKET, Prefix="great_circles/part-")["Contents"]
    bodies = [localemr.s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed]
    routes = [json.loads(line) for body in bodies for line in body.splitlines()]
    assert len(routes) == 217
    for route in routes:
        assert route["great_circle_miles"] == pytest.approx(route["miles"], rel=0.01, abs=1)
    wait_until(lambda: containers() == [], "no container is left", 30)


def test_jobs_with_an_image_share_a_pool_that_trusts_its_registry(
    start: Any, localemr: Any, containers: Any, wait_until: Any
) -> None:
    run = start(POOLED)
    wait_until(run.has_ended, "the end of the run", 180)
    logs = ["\n".join(run.log(index)) for index in range(2)]
    assert run.state() == "success", logs
    for log, label in zip(logs, ("one", "two"), strict=True):
        assert [f"beat {beat} of {label} with {PACKAGE}" in log for beat in range(4)] == [True] * 4
    (cluster,) = localemr.clusters_of_pool("images")
    assert [step["Status"]["State"] for step in localemr.steps(cluster["Id"])] == ["COMPLETED"] * 2
    configurations = localemr.emr.describe_cluster(ClusterId=cluster["Id"])["Cluster"]["Configurations"]
    assert REGISTRY in json.dumps(configurations)
    wait_until(lambda: containers() == [], "no container is left", 30)


@pytest.fixture(scope="module")
def cluster_id(localemr: Any, wait_until: Any) -> str:
    """A cluster of others that runs the images of one registry, one step at a time."""
    trust = {"docker.trusted.registries": f"local,centos,{REGISTRY}"}
    docker = [{"Classification": "docker", "Properties": trust}]
    login = "org.apache.hadoop.security.authentication.EcrDockerClientCredentialProvider"
    yarn = {"yarn.nodemanager.runtime.linux.docker.docker-client-credential-provider.class": login}
    cluster_id: str = localemr.emr.run_job_flow(
        Name="team",
        ReleaseLabel="emr-6.15.0",
        LogUri=f"s3://{BUCKET}/logs/",
        Instances={
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        },
        Configurations=[
            {"Classification": "container-executor", "Configurations": docker},
            {"Classification": "yarn-site", "Properties": yarn},
        ],
        JobFlowRole="EMR_EC2_DefaultRole",
        ServiceRole="EMR_DefaultRole",
    )["JobFlowId"]
    wait_until(lambda: localemr.cluster_state(cluster_id) == "WAITING", "the cluster is up", 600)
    return cluster_id


def _mark_failed(run: Run) -> None:
    path = f"dagRuns/{run.run_id}/taskInstances/job/0"
    run.act("PATCH", path, {"new_state": "failed"})


def _clear(run: Run) -> None:
    body = {"dry_run": False, "dag_run_id": run.run_id, "task_ids": ["job"], "only_failed": False}
    run.act("POST", "clearTaskInstances", body)


class Killed:
    """A run whose job beats in its image on a cluster, until somebody ends it."""

    def __init__(self, run: Run, engine: Engine, localemr: Any, cluster_id: str, label: str) -> None:
        self.run, self.label, self._engine = run, label, engine
        self._localemr, self._cluster_id = localemr, cluster_id

    def step_states(self) -> list[str]:
        """States of the steps that were to run the job, oldest first."""
        steps = reversed(self._localemr.steps(self._cluster_id))
        return [one["Status"]["State"] for one in steps if self.label in " ".join(one["Config"]["Args"])]

    def beats_in(self, containers: list[str]) -> bool:
        """Whether its Python runs in one of the containers."""
        try:
            seen = [self._engine.run("top", one, "-eo", "pid,args").splitlines() for one in containers]
        except EngineError:  # it has just begun, or ended
            return False
        ours = [line for lines in seen for line in lines if "inside.py" in line and self.label in line]
        return any(_PYTHON.match(line) for line in ours)

    def is_watched(self, try_number: int = 1) -> bool:
        """Whether a triggerer has the job of a try: before that, nobody ends it for a user."""
        return any("is RUNNING" in line for line in self.run.log(0, try_number))


@pytest.mark.parametrize(
    ("action", "steps"),
    [
        pytest.param(_mark_failed, ["CANCELLED"], id="marked failed"),
        pytest.param(_clear, ["CANCELLED", "RUNNING"], id="cleared"),
    ],
)
def test_a_job_in_an_image_that_is_ended_leaves_no_container(
    start: Any,
    localemr: Any,
    docker_engine: Engine,
    containers: Any,
    cluster_id: str,
    wait_until: Any,
    action: Any,
    steps: list[str],
) -> None:
    label = f"label-{uuid.uuid4().hex[:12]}"
    run = start(KILLED, cluster_id=cluster_id, label=label)
    killed = Killed(run, docker_engine, localemr, cluster_id, label)
    wait_until(lambda: [task["state"] for task in run.tasks()] == ["deferred"], "the task is deferred", 60)
    wait_until(killed.is_watched, "it is watched", 60)
    wait_until(lambda: killed.beats_in(containers()), "the job runs in its image", 60)
    (before,) = containers()

    action(run)

    wait_until(lambda: before not in containers(), "its container is gone", 60)
    wait_until(lambda: killed.step_states() == steps, f"the steps are {steps}", 90)
    if steps[1:]:
        wait_until(lambda: killed.is_watched(try_number=2), "it is watched again", 60)
        wait_until(lambda: killed.beats_in(containers()), "the job runs again", 60)
        run.airflow.fail_run(run.dag_id, run.run_id)
        wait_until(lambda: killed.step_states() == ["CANCELLED"] * 2, "the second step is cancelled", 60)
    wait_until(lambda: containers() == [], "no container is left", 60)
    wait_until(lambda: localemr.cluster_state(cluster_id) == "WAITING", "the cluster goes on", 60)
