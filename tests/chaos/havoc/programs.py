"""The programs of the chaos, each of which can be killed and started again."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import TYPE_CHECKING, Any

import demo.airflow
import demo.localemr
from demo.environment import MARKER, REGION, Places, airflow_connections, environment
from demo.processes import Child

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.processes import Process
    from demo.rest import Airflow

# The one bucket that a local EMR makes at each of its starts.
BUCKET = "emrkit-local"
RELEASE = "emr-7.11.0"
# Steps that may run at once on the shared cluster, beside the dynamic clusters.
SHARED_STEPS = 3
# Seconds that one of Airflow's processes waits for another one's transaction.
LOCK_SECONDS = 60

# Airflow finds the dead within seconds instead of minutes.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
}


def shared_environment(places: Places, marker: str, folder: Path) -> dict[str, str]:
    """What all programs find in their environment."""
    return {**environment(os.environ, places, marker), "EMRKIT_CHAOS_FOLDER": str(folder)}


class LocalEmrProgram:
    """A local EMR that may be killed: it starts again on the same port with the same data.

    :param base: The environment of its process.
    :param folder: Where it keeps its data and its output; survives it.
    """

    def __init__(self, places: Places, base: Mapping[str, str], folder: Path) -> None:
        self._places = places
        self._base = base
        self.folder = folder
        self.starts = 0
        self.child: Child

    @property
    def emr(self) -> Any:
        """A client of it."""
        return demo.localemr.emr_client(self._places.endpoint)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.starts += 1
        log = self.folder / f"localemr-{self.starts}.log"
        argv = [str(self._places.localemr_env / "bin" / "emrkit"), "local", "up", "--foreground"]
        argv += ["--port", str(self._places.localemr_port), "--data-dir", str(self.folder / "data")]
        self.child = Child.start("localemr", argv, self._base, log)
        demo.localemr.wait_ready(self.child, self._places.endpoint, lambda _: None)

    def new_cluster(self, name: str) -> str:
        """Start a cluster for many jobs; its id."""
        instance = {
            "InstanceCount": 1,
            "MasterInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        }
        answer = self.emr.run_job_flow(
            Name=name,
            ReleaseLabel=RELEASE,
            Applications=[{"Name": "Spark"}],
            Instances=instance,
            StepConcurrencyLevel=SHARED_STEPS,
            JobFlowRole="EMR_EC2_DefaultRole",
            ServiceRole="EMR_DefaultRole",
        )
        return str(answer["JobFlowId"])


class AirflowPrograms:
    """``airflow standalone``, and triggerers beside it.

    :param places: Its ``endpoint`` is where Airflow's tasks find AWS.
    :param base: The environment of its processes.
    :param dags: Folder of the DAG files.
    :param extra: Further variables.
    """

    def __init__(
        self,
        places: Places,
        base: Mapping[str, str],
        dags: Path,
        extra: Mapping[str, str],
    ) -> None:
        self._places = places
        self._base = base
        home = demo.airflow.Home(places.folder / "airflow")
        connection = {"AIRFLOW_CONN_EMRKIT_DEFAULT": emrkit_connection(places.endpoint)}
        variables = {**IMPATIENT, **_patient_database(home), **connection, **extra}
        self._settings = demo.airflow.Settings(home, dags, places.airflow_port, variables)
        self.standalone: Child
        self.airflow: Airflow
        self.triggerers: list[Child] = []

    @property
    def roots(self) -> list[Process]:
        """The processes that were started here."""
        return [child.process for child in (self.standalone, *self.triggerers)]

    def start(self, dag_id: str, dag_file: str) -> None:
        """Start Airflow, and wait until it knows a DAG."""
        log = self._places.folder / "airflow.log"
        self.standalone, self.airflow = demo.airflow.start(self._places, self._base, self._settings, log)
        demo.airflow.wait_ready(self.standalone, self.airflow, lambda _: None)
        demo.airflow.wait_parsed(self.airflow, dag_id, dag_file, lambda _: None)

    def start_triggerer(self) -> None:
        """Start one more triggerer."""
        connections = airflow_connections(self._places.endpoint)
        variables = {**self._base, **connections, **self._settings.variables()}
        log = self._places.folder / f"triggerer-{len(self.triggerers) + 1}.log"
        argv = [str(self._places.airflow_env / "bin" / "airflow"), "triggerer", "--skip-serve-logs"]
        self.triggerers.append(Child.start("triggerer", argv, variables, log))


def _patient_database(home: demo.airflow.Home) -> dict[str, str]:
    """Make Airflow's database one in which writers wait for each other: a triggerer ends when it is locked."""
    path = home.folder / "airflow.db"
    home.folder.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{path}?timeout={LOCK_SECONDS}"}


def emrkit_connection(endpoint: str) -> str:
    """The connection, with everything in the bucket that is always there."""
    extra = {
        "aws_conn_id": "aws_default",
        "region_name": REGION,
        "endpoint_url": endpoint,
        "staging_uri": f"s3://{BUCKET}/staging",
        "log_uri": f"s3://{BUCKET}/logs/",
    }
    return json.dumps({"conn_type": "emrkit", "extra": extra})


def marker_of(base: Mapping[str, str]) -> tuple[str, str]:
    """The variable by which all processes of a base environment are found."""
    return MARKER, base[MARKER]
