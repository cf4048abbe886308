"""Makes EMR's requests of jobs: the step that runs one, and the cluster it runs on."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.image_fit import needs_ecr_login
from airflow_provider_emrkit.compute.request import MAX_STEP_CHARACTERS, step_characters, step_request
from airflow_provider_emrkit.exceptions import StagingError
from airflow_provider_emrkit.hooks.staging import stage_file
from airflow_provider_emrkit.jobs.argument_file import ArgumentFile, check_driver_arguments
from airflow_provider_emrkit.jobs.ecr_login import client_config_of, logged_in
from airflow_provider_emrkit.jobs.spark_submit import spark_submit
from airflow_provider_emrkit.jobs.staging import StagedFile
from airflow_provider_emrkit.runs.image_setup import with_image_set_up

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.compute.cluster_spec import ClusterSpec
    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.spark_job import SparkJob
    from airflow_provider_emrkit.runs.token import RunToken

log = logging.getLogger(__name__)

MONITORING = "MonitoringConfiguration"
YARN_TAGS = "spark.yarn.tags"
# YARN refuses an application with more (YarnConfiguration.APPLICATION_MAX_TAGS).
MAX_YARN_TAGS = 10


@dataclass(frozen=True)
class Command:
    """What a step runs.

    :param argv: The command and its arguments.
    :param long: The same as a file, where it is too long for a step.

    >>> Command(("spark-submit", "s3://code/job.py")).long is None
    True
    """

    argv: Sequence[str]
    long: ArgumentFile | None = None


class StepCompiling:
    """Makes requests of jobs, so that EMR takes them.

    :param clients: AWS clients.
    :param pause: Waits some seconds, while S3 can't be reached; gives True when the work is to stop.
    :param staging_uri: ``s3://bucket/prefix`` for arguments that are too long for a step.

    >>> compiling = StepCompiling(clients, stop.wait, "s3://my-bucket/emrkit")  # doctest: +SKIP
    >>> compiling.step(compiling.command(job, token), token, "CONTINUE")["Name"]  # doctest: +SKIP
    'sales.load emrkit:c66c9179a54ad449-0-1'
    """

    def __init__(
        self, clients: AwsClients, pause: Callable[[float], bool], staging_uri: str | None = None
    ) -> None:
        self._clients = clients
        self._pause = pause
        self._staging_uri = staging_uri

    def suited(self, job: SparkJob, cluster: Mapping[str, Any]) -> SparkJob:
        """Give a job as it runs on a cluster; see :func:`~.image_setup.with_image_set_up`.

        :param cluster: The cluster, as DescribeCluster gives it, or as RunJobFlow is asked for it.
        :raises SubmitRefusedError: when the cluster can't run its image, or ECR does not know it.
        """
        return with_image_set_up(job, cluster, self._clients, self._pause)

    def command(self, job: SparkJob, token: RunToken, release_label: str = "") -> Command:
        """Compile a job, without any call.

        :param release_label: That of the cluster, which says whether the step has to log in to ECR.
        :raises InvalidValueError: when its arguments are longer than any program can be started with.
        """
        job, registries = _with_login(_tagged(job, token.yarn_tag), release_label)
        argv = spark_submit(job, name=f"{token.dag_id}.{token.task_id}")
        argv = logged_in(argv, registries) if registries else argv
        return Command(argv, _long_arguments(job, argv))

    def step(self, command: Command, token: RunToken, action_on_failure: str) -> dict[str, Any]:
        """Make the step, its arguments put to S3 where they are too long (HeadObject, PutObject).

        :raises StagingError: when they are, and can't be put there.
        """
        return step_request(token.marked(), self._staged(command), action_on_failure)

    def cluster(self, compiled: Callable[[ClusterSpec], dict[str, Any]], spec: ClusterSpec) -> dict[str, Any]:
        """Make the request for a cluster, as far as the installed boto3 can ask for it.

        :param compiled: Makes it (RunJobFlow) of a spec.
        """
        request = compiled(spec)
        model = self._clients.client("emr").meta.service_model
        if MONITORING not in request or MONITORING in model.operation_model("RunJobFlow").input_shape.members:
            return request
        # The boto3 of older Airflow images has not heard of it.
        log.warning(
            "The installed botocore %s can't ask for CloudWatch logging, so the job's log comes from S3, "
            "when it has failed; 1.42 or later can. Upgrade it, or set ClusterSpec(cloudwatch_logs=False).",
            version("botocore"),
        )
        request = compiled(replace(spec, cloudwatch_logs=False))  # without its agent, too
        request.pop(MONITORING, None)  # it may be among the spec's overrides
        return request

    def _staged(self, command: Command) -> Sequence[str]:
        """Give a command that fits into a step."""
        if command.long is None:
            return command.argv
        if not self._staging_uri:
            raise StagingError(
                f"the job's arguments have {step_characters(command.argv):,} characters, EMR takes "
                f"{MAX_STEP_CHARACTERS:,} in one step, and the emrkit connection has no staging_uri to put "
                "them in a file; set it to s3://your-bucket/prefix, or shorten conf and args"
            )
        file = StagedFile(command.long.key, "the job's arguments", command.long.content)
        s3 = self._clients.client("s3")
        return command.long.step_argv(stage_file(file, self._staging_uri, s3, log.info, self._pause))


def _long_arguments(job: SparkJob, argv: Sequence[str]) -> ArgumentFile | None:
    """Give the command as a file where it is too long for a step."""
    if step_characters(argv) <= MAX_STEP_CHARACTERS:
        return None
    if job.deploy_mode == "cluster":
        check_driver_arguments([str(arg) for arg in job.args])
    return ArgumentFile.of(argv)


def _with_login(job: SparkJob, release_label: str) -> tuple[SparkJob, Sequence[str]]:
    """Give the registries that the step has to log in to, and the job with the file that has the login."""
    image = job.docker
    if image is None or not needs_ecr_login(image, release_label):
        return job, ()
    registries = (image.reference.registry,)
    image = replace(image, ecr_login=None, client_config=client_config_of(registries))
    return replace(job, docker=image), registries


def _tagged(job: SparkJob, tag: str) -> SparkJob:
    """Tag the YARN application that a job's driver runs in, so that it can be ended apart from its step."""
    if job.deploy_mode != "cluster":
        return job
    own = [part.strip() for part in str(job.conf.get(YARN_TAGS, "")).split(",") if part.strip()]
    if len(own) >= MAX_YARN_TAGS:
        log.warning(
            "conf[%r] has %s tags, and YARN takes %s, so emrkit's was left out: "
            "a cancelled step may leave its driver running.",
            YARN_TAGS,
            len(own),
            MAX_YARN_TAGS,
        )
        return job
    return replace(job, conf={**job.conf, YARN_TAGS: ",".join([*own, tag])})
