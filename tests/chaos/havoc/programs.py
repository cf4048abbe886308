"""The programs of the chaos, each of which can be killed and started again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from havoc.witness import applications

import demo.airflow
import demo.localemr
from demo.environment import MARKER, REGION, Places, airflow_connections, environment
from demo.processes import Child
from demo.rest import Airflow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.processes import Process

# The one bucket that a local EMR makes at each of its starts.
BUCKET = "emrkit-local"
RELEASE = "emr-7.11.0"
# Steps that may run at once on the shared cluster, beside the dynamic clusters.
SHARED_STEPS = 3
API_SERVER = "api-server"
COMPONENTS = ("scheduler", "dag-processor", API_SERVER, "triggerer")
# Seconds that one of Airflow's processes waits for another one's transaction.
LOCK_SECONDS, API_LOCK_SECONDS = 60, 5
MIGRATION_SECONDS = 180

# Airflow finds the dead within seconds instead of minutes.
IMPATIENT = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "40",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
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
    :param faults: What goes wrong there by itself (``--faults``).
    """

    def __init__(
        self, places: Places, base: Mapping[str, str], folder: Path, faults: Mapping[str, Any] | None = None
    ) -> None:
        self._places = places
        self._base = base
        self.folder = folder
        self._faults = faults or {}
        self.starts = 0
        self.child: Child

    @property
    def emr(self) -> Any:
        """A client of it."""
        return demo.localemr.emr_client(self._places.endpoint)

    @property
    def serverless(self) -> Any:
        """A client of its EMR Serverless."""
        return demo.localemr.session().client("emr-serverless", endpoint_url=self._places.endpoint)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.starts += 1
        log = self.folder / f"localemr-{self.starts}.log"
        argv = [str(self._places.localemr_env / "bin" / "emrkit"), "local", "up", "--foreground"]
        argv += ["--port", str(self._places.localemr_port), "--data-dir", str(self.folder / "data")]
        self.folder.mkdir(exist_ok=True)
        faults = self.folder / "faults.json"
        faults.write_text(json.dumps(self._faults))
        argv += ["--faults", str(faults)]
        self.child = Child.start("localemr", argv, self._base, log)
        demo.localemr.wait_ready(self.child, self._places.endpoint, lambda _: None)

    def stop_applications(self) -> None:
        """Stop the applications that have nothing to do, so that the next job has one start."""
        for application in applications(self.serverless):
            with suppress(ClientError):  # a job has just come
                self.serverless.stop_application(applicationId=application["id"])

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
    """The components of ``airflow standalone``, each of which may be killed: it starts again.

    :param places: Its ``endpoint`` is where Airflow's tasks find AWS.
    :param base: The environment of its processes.
    :param dags: Folder of the DAG files.
    :param extra: Further variables.
    """

    def __init__(self, places: Places, base: Mapping[str, str], dags: Path, extra: Mapping[str, str]) -> None:
        self._places = places
        self._base = base
        self._home = demo.airflow.Home(places.folder / "airflow")
        connection = {"AIRFLOW_CONN_EMRKIT_DEFAULT": emrkit_connection(places.endpoint)}
        variables = {**IMPATIENT, **connection, **extra}
        self._settings = demo.airflow.Settings(self._home, dags, places.airflow_port, variables)
        self._starts: Counter[str] = Counter()
        self.components: dict[str, Child] = {}
        self.airflow = Airflow(places.airflow_url, demo.airflow.USER, self._home.password())

    @property
    def roots(self) -> list[Process]:
        """The processes that were started here."""
        return [child.process for child in self.components.values()]

    def start(self, dag_id: str, dag_file: str) -> None:
        """Start Airflow, and wait until it knows a DAG."""
        _make_patient_database(self._database)
        subprocess.run(
            [str(self._program), "db", "migrate"],
            env=self._variables("db"),
            check=True,
            capture_output=True,
            timeout=MIGRATION_SECONDS,
        )
        self.start_missing()
        demo.airflow.wait_ready(self.components[API_SERVER], self.airflow, lambda _: None)
        demo.airflow.wait_parsed(self.airflow, dag_id, dag_file, lambda _: None)

    def start_missing(self) -> list[str]:
        """Start the components that do not run, as whatever watches over programs does; their names."""
        missing = [
            name for name in COMPONENTS if name not in self.components or not self.components[name].running
        ]
        for name in missing:
            self._starts[name] += 1
            log = self._places.folder / f"{name}-{self._starts[name]}.log"
            self.components[name] = Child.start(name, [str(self._program), name], self._variables(name), log)
        return missing

    @property
    def _program(self) -> Path:
        return self._places.airflow_env / "bin" / "airflow"

    @property
    def _database(self) -> Path:
        return self._home.folder / "airflow.db"

    def _variables(self, component: str) -> dict[str, str]:
        # The API server asks its database in the one thread in which it would also end the transaction that
        # it is waiting for; the others give up for good when they find it locked.
        patience = API_LOCK_SECONDS if component == API_SERVER else LOCK_SECONDS
        return {
            **self._base,
            **airflow_connections(self._places.endpoint),
            **self._settings.variables(),
            "PATH": f"{self._program.parent}:{self._base.get('PATH', '')}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self._database}?timeout={patience}",
        }


def _make_patient_database(path: Path) -> None:
    """Make a database in which nobody who reads waits for somebody who writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def emrkit_connection(endpoint: str) -> str:
    """The connection, with everything in the bucket that is always there."""
    extra = {
        "aws_conn_id": "aws_default",
        "region_name": REGION,
        "endpoint_url": endpoint,
        "staging_uri": f"s3://{BUCKET}/staging",
        "log_uri": f"s3://{BUCKET}/logs/",
        "execution_role_arn": "arn:aws:iam::123456789012:role/emr-serverless-job",
    }
    return json.dumps({"conn_type": "emrkit", "extra": extra})


def marker_of(base: Mapping[str, str]) -> tuple[str, str]:
    """The variable by which all processes of a base environment are found."""
    return MARKER, base[MARKER]
