"""The fixture ``localemr_server``: the real server in this process, with steps that do what the test says."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from airflow_provider_emrkit.localemr.config import ServerConfig
    from airflow_provider_emrkit.localemr.server import LocalEmr


def _load_scripted(file: str = "scripted") -> ModuleType:
    # Test directories are no packages: the module is loaded by its path, once, under a name of its own.
    name = f"emrkit_tests_{file}"
    if name not in sys.modules:
        path = Path(__file__).parent / "localemr" / f"{file}.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


class LocalemrServer:
    """A local EMR in this process.

    :param server: The server itself, e.g. for ``server.emr.store``.
    """

    def __init__(self, server: Any) -> None:
        self.server = server

    @property
    def endpoint_url(self) -> str:
        """Address of every AWS API."""
        return str(self.server.config.url)

    @property
    def runner(self) -> Any:
        """The scripted runner; see ``tests/localemr/scripted.py``."""
        return self.server.runner

    @property
    def jobs(self) -> Any:
        """The scripted runner of EMR Serverless jobs; see ``tests/localemr/scripted_jobs.py``."""
        return self.server.job_runner

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Make a boto3 client; it does not retry, so that an error is seen at once."""
        # Not at the top: this module is imported before the user's AWS settings are taken out of the
        # environment.
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            aws_access_key_id="localemr",
            aws_secret_access_key="localemr",
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        )

    def run_cluster(self, *, region: str = "us-east-1", **request: Any) -> str:
        """Start a cluster that stays WAITING; ``request`` replaces members of the RunJobFlow request."""
        instances = {
            "InstanceCount": 3,
            "MasterInstanceType": "m5.xlarge",
            "SlaveInstanceType": "m5.xlarge",
            "KeepJobFlowAliveWhenNoSteps": True,
        }
        request = {
            "Name": "cluster",
            "ReleaseLabel": "emr-7.11.0",
            "JobFlowRole": "EMR_EC2_DefaultRole",
            "ServiceRole": "EMR_DefaultRole",
            **request,
            "Instances": request.get("Instances") or instances,
        }
        return str(self.client("emr", region).run_job_flow(**request)["JobFlowId"])

    def add_step(self, cluster_id: str, name: str, action: str = "CONTINUE") -> str:
        """Add one step and return its id."""
        step = {
            "Name": name,
            "ActionOnFailure": action,
            "HadoopJarStep": {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://code/job.py"]},
        }
        return str(self.client("emr").add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])["StepIds"][0])

    def wait_cluster(self, cluster_id: str, *states: str) -> Any:
        """Wait until a cluster is in one of the states and return its record."""
        return self._wait(cluster_id, lambda record: record.state in states, states)

    def wait_step(self, cluster_id: str, step_id: str, *states: str) -> Any:
        """Wait until a step is in one of the states and return its record."""
        record = self._wait(cluster_id, lambda record: record.steps[step_id].state in states, states)
        return record.steps[step_id]

    def _wait(self, cluster_id: str, is_so: Callable[[Any], bool], wanted: object) -> Any:
        emr = self.server.emr
        with emr.store.lock:
            (record,) = (found for found in emr.store.all_clusters() if found.id == cluster_id)
            assert emr.supervisor(record).changed.wait_for(lambda: is_so(record), 20), (wanted, record)
            return record

    def reset(self) -> None:
        """End all clusters and empty all services; scripts and what was started are forgotten too."""
        import urllib.request

        request = urllib.request.Request(f"{self.endpoint_url}/moto-api/reset", method="POST")
        with urllib.request.urlopen(request, timeout=120):
            self.runner.forget()
            self.jobs.forget()


def scripted_server(config: ServerConfig, **options: Any) -> LocalEmr:
    """Make a local EMR whose steps and jobs do what the test says.

    :param options: For :class:`~airflow_provider_emrkit.localemr.server.LocalEmr`.
    """
    from airflow_provider_emrkit.localemr.server import Identity, LocalEmr

    jobs = _load_scripted("scripted_jobs")
    return LocalEmr(
        config,
        _load_scripted().ScriptedRunner,
        Identity("test", 0, ""),
        make_job_runner=jobs.ScriptedJobRunner,
        make_app_ui=jobs.ScriptedAppUi,
        **options,
    )


@pytest.fixture(scope="session")
def _localemr_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalemrServer]:
    from airflow_provider_emrkit.localemr.config import ServerConfig

    # Ephemeral: moto has one state per process, and tests of what is kept need it for themselves.
    config = ServerConfig(data_dir=tmp_path_factory.mktemp("localemr"), port=0, ephemeral=True)
    with scripted_server(config, hold_seconds=20.0) as server:
        yield LocalemrServer(server)


@pytest.fixture
def localemr_server(_localemr_process: LocalemrServer) -> Iterator[LocalemrServer]:
    """A local EMR with a scripted runner and moto, empty at the start of each test."""
    yield _localemr_process
    _localemr_process.reset()
