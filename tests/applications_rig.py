"""Applications of a local EMR, through a client whose calls fail as the test says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from faulty_emr import FaultyEmr, clients_of
from serverless_settling import wait_settled
from waiting import wait_until

from airflow_provider_emrkit.applications.applications import Applications
from airflow_provider_emrkit.applications.calls import ApplicationCalls
from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.defaults import ApplicationDefaults

if TYPE_CHECKING:
    from airflow_provider_emrkit.applications.awaited import LeftWaits

REPOSITORY = "team/etl"
INDEX = "application/vnd.oci.image.index.v1+json"
ROLE = "arn:aws:iam::123456789012:role/job"


def digest(content: str) -> str:
    """A digest that goes with a content."""
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"


class FaultyServerless(FaultyEmr):
    """EMR Serverless' client; what is not told to fail works."""

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, name, getattr(self._client, name))


class Pause:
    """Waits a moment whatever is asked for, and until the local EMR has done its part; notes what was asked.

    :param server: The local EMR.
    :param stop_after: Pauses after which the work is to stop; None for never.
    """

    def __init__(self, server: Any, stop_after: int | None = None) -> None:
        self.server = server
        self.seconds: list[float] = []
        self.stop_after = stop_after
        self.before: dict[int, Any] = {}

    def __call__(self, seconds: float) -> bool:
        self.seconds.append(seconds)
        if act := self.before.pop(len(self.seconds), None):
            act()
        threading.Event().wait(0.005)
        wait_settled(self.server)
        return self.stop_after is not None and len(self.seconds) >= self.stop_after


class ApplicationsRig:
    """A local EMR and what works with its applications.

    :param server: The local EMR.
    """

    def __init__(self, server: Any) -> None:
        self.server = server
        self.jobs = server.jobs
        self.emr = server.client("emr-serverless")
        self.ecr = FaultyServerless(server.client("ecr"))
        self.faulty = FaultyServerless(self.emr)
        self.pause = Pause(server)
        self.defaults = ApplicationDefaults(region_name="us-east-1")

    def applications(self, *, on_aws: bool = False, left: LeftWaits | None = None) -> Applications:
        clients = clients_of(self.faulty, ecr=self.ecr)
        clients.has_own_endpoint = not on_aws
        return Applications(clients, self.defaults, self.pause, left)

    def calls(self) -> ApplicationCalls:
        return ApplicationCalls(clients_of(self.faulty), self.pause)

    def spec(self, **fields: Any) -> ApplicationSpec:
        return ApplicationSpec(**{"name": "nightly", "release_label": "emr-7.11.0", **fields})

    def set_up(self, **fields: Any) -> Any:
        return self.applications().set_up(self.spec(**fields))

    def create(self, name: str = "nightly", **request: Any) -> str:
        """Create an application by hand, as somebody else would."""
        request = {"releaseLabel": "emr-7.11.0", "type": "SPARK", "clientToken": f"hand-{name}", **request}
        return str(self.emr.create_application(name=name, **request)["applicationId"])

    def describe(self, application_id: str) -> Any:
        return self.emr.get_application(applicationId=application_id)["application"]

    def all(self) -> list[Any]:
        return list(self.emr.list_applications()["applications"])

    def run(self, application_id: str, name: str = "theirs", **request: Any) -> str:
        """Start a job run, as somebody else would; its script is found by its name."""
        answer = self.emr.start_job_run(
            applicationId=application_id,
            clientToken=f"run-{name}",
            executionRoleArn=ROLE,
            name=name,
            jobDriver={"sparkSubmit": {"entryPoint": f"s3://code/{name}.py"}},
            **request,
        )
        return str(answer["jobRunId"])

    def run_state(self, application_id: str, run_id: str) -> str:
        return str(self.emr.get_job_run(applicationId=application_id, jobRunId=run_id)["jobRun"]["state"])

    def push(self, content: str, tag: str = "1", *, platforms: int = 0) -> str:
        """Put an image, or an index of several, into ECR; gives its digest."""
        ecr = self.server.client("ecr")
        with contextlib.suppress(ecr.exceptions.RepositoryAlreadyExistsException):
            ecr.create_repository(repositoryName=REPOSITORY)
        kind = INDEX if platforms else "application/vnd.docker.distribution.manifest.v2+json"
        manifest: dict[str, Any] = {"schemaVersion": 2, "mediaType": kind}
        manifest["layers"] = [{"mediaType": "x", "size": 1, "digest": digest(content)}]
        manifest["config"] = {"mediaType": "x", "size": 1, "digest": f"sha256:{'b' * 64}"}
        manifest["manifests"] = [{"digest": digest(f"{content}-{n}")} for n in range(platforms)]
        text = json.dumps({**manifest, "annotations": {"content": content}})
        with contextlib.suppress(ecr.exceptions.ImageAlreadyExistsException):
            ecr.put_image(
                repositoryName=REPOSITORY, imageManifest=text, imageManifestMediaType=kind, imageTag=tag
            )
        found = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": tag}])
        return str(found["imageDetails"][0]["imageDigest"])

    def wait(self, application_id: str, *states: str) -> Any:
        wait_until(lambda: self.describe(application_id)["state"] in states, f"{application_id} is {states}")
        return self.describe(application_id)

    def start(self, application_id: str) -> Any:
        self.emr.start_application(applicationId=application_id)
        return self.wait(application_id, "STARTED")

    def hold_run(self, application_id: str, name: str = "theirs", **request: Any) -> str:
        """Start a job run that lasts until ``jobs.finish(name)``, and wait until it runs."""
        self.jobs.script(name, hold=True)
        run_id = self.run(application_id, name, **request)
        # Its process is there a moment before the job run is RUNNING.
        wait_until(lambda: self.run_state(application_id, run_id) == "RUNNING", f"{run_id} is RUNNING")
        return run_id
