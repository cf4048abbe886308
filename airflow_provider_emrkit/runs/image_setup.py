"""What becomes of a job's image before the job is submitted: it is judged, pinned, and told of in the log."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.image_fit import image_problem
from airflow_provider_emrkit.exceptions import ImageRefusedError
from airflow_provider_emrkit.hooks.ecr import digest_of
from airflow_provider_emrkit.hooks.errors import is_aws_error, is_transient
from airflow_provider_emrkit.hooks.patience import patiently
from airflow_provider_emrkit.releases import release
from airflow_provider_emrkit.runs.refusals import refusal
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.hooks.clients import AwsClients
    from airflow_provider_emrkit.jobs.docker_image import DockerImage
    from airflow_provider_emrkit.jobs.image_reference import ImageReference
    from airflow_provider_emrkit.jobs.spark_job import SparkJob

log = logging.getLogger(__name__)

SURE_OF_DIGESTS = (3, 3, 6)
PYTHON, DRIVER_PYTHON = "PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"


def with_image_set_up(
    job: SparkJob, cluster: Mapping[str, Any], clients: AwsClients, pause: Callable[[float], bool]
) -> SparkJob:
    """Give a job whose image a cluster can run, by its digest where that is asked for (DescribeImages).

    :param job: The job; one without an image stays as it is.
    :param cluster: The cluster, as DescribeCluster gives it, or as RunJobFlow is asked for it.
    :param clients: AWS clients.
    :param pause: Waits some seconds, while ECR can't be reached; gives True when the work is to stop.
    :raises ImageRefusedError: when the cluster can't run the image, or ECR does not have it.
    :raises SubmitRefusedError: when ECR does not say; the type tells why.

    >>> with_image_set_up(job, request, clients, stop.wait).docker.uri  # doctest: +SKIP
    '123456789012.dkr.ecr.us-east-1.amazonaws.com/etl@sha256:…'
    """
    image = job.docker
    if image is None:
        return job
    _check(image, cluster, clients, pause)
    image = _pinned(image, clients, pause)
    _tell(job, image)
    _warn_of_digest(image, cluster.get("ReleaseLabel") or "")
    return replace(job, docker=image)


def _check(
    image: DockerImage, cluster: Mapping[str, Any], clients: AwsClients, pause: Callable[[float], bool]
) -> None:
    configurations = cluster.get("Configurations") or ()
    judge = partial(
        image_problem, image, release_label=cluster.get("ReleaseLabel") or "", region=clients.region_name
    )
    problem = judge(configurations=configurations)
    if problem and "Id" in cluster:
        told = _told_core_nodes(cluster, clients, pause)
        problems = [judge(configurations=[*configurations, *own]) for own in told] or [problem]
        problem = next(filter(None, problems), None)
    if problem:
        where = f"cluster {cluster['Id']}" if "Id" in cluster else "a new cluster"
        raise ImageRefusedError(
            f"the job was not submitted to {where} (region {clients.region_name}): "
            f"image {image.uri} {problem.problem}; {problem.mend}"
        )


def _told_core_nodes(
    cluster: Mapping[str, Any], clients: AwsClients, pause: Callable[[float], bool]
) -> list[Sequence[Mapping[str, Any]]]:
    """Give what only the core nodes of a cluster were told, perhaps long after its start; one for each kind.

    Who may not ask for that goes by what the whole cluster was told.
    """
    emr = clients.client("emr", retries=False)
    try:
        if cluster.get("InstanceCollectionType") == "INSTANCE_FLEET":
            fleets = patiently(lambda: emr.list_instance_fleets(ClusterId=cluster["Id"]), pause)
            core = [fleet for fleet in fleets["InstanceFleets"] if fleet["InstanceFleetType"] == "CORE"]
            nodes = [node for fleet in core for node in fleet.get("InstanceTypeSpecifications", ())]
        else:
            groups = patiently(lambda: emr.list_instance_groups(ClusterId=cluster["Id"]), pause)
            nodes = [group for group in groups["InstanceGroups"] if group["InstanceGroupType"] == "CORE"]
    except Exception as error:
        if not is_aws_error(error) and not is_transient(error):
            raise
        return []
    return [node.get("Configurations") or () for node in nodes]


def _warn_of_digest(image: DockerImage, label: str) -> None:
    """Tell where it is not known whether YARN takes a digest: it does from Hadoop 3.3.6 on (YARN-11364).

    Of EMR's releases with an earlier 3.3, whose Hadoop is AWS's own, nobody says.
    """
    if image.reference.digest and label and _hadoop(label) < SURE_OF_DIGESTS:
        log.warning(
            "Hadoop takes the digest of an image from 3.3.6 (emr-6.15.0) on; whether that of %s does is not "
            "known. If it says that the name doesn't match docker image name pattern, give a tag alone.",
            label,
        )


def _hadoop(label: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, release(label).hadoop.split(".")))
    except InvalidValueError:
        return SURE_OF_DIGESTS


def _pinned(image: DockerImage, clients: AwsClients, pause: Callable[[float], bool]) -> DockerImage:
    reference = image.reference
    if not image.pin_digest or reference.digest or reference.ecr is None:
        return image
    region = reference.ecr.region
    try:
        digest = digest_of(clients.client("ecr", region=region), reference, pause)
    except ImageRefusedError:
        if not clients.has_own_endpoint:
            raise
        # Where the engine of this machine has the image, and no registry.
        log.info("Image %s is not pinned: it is not in the local EMR's ECR", image.uri)
        return image
    except Exception as error:
        if not is_aws_error(error) and not is_transient(error):
            raise
        raise refusal(_unknown(reference), error, region) from error
    # Without the tag, which Docker would not look at, and podman does not take beside a digest.
    pinned = replace(image, uri=str(replace(reference, tag="", digest=digest)), pin_digest=False)
    log.info("Image %s is %s", image.uri, digest)
    return pinned


def _unknown(reference: ImageReference) -> str:
    return (
        f"the job was not submitted, as ECR did not say which image {reference} is "
        f"(ecr:DescribeImages on repository {reference.repository})"
    )


def _tell(job: SparkJob, image: DockerImage) -> None:
    if job.deploy_mode == "cluster":
        log.info("Driver and executors run in image %s", image.uri)
        return
    log.info("The executors run in image %s", image.uri)
    log.warning(
        "deploy_mode='client' leaves the driver outside of the image, as the primary node has no Docker: the "
        "driver has that node's Python and libraries. Use deploy_mode='cluster' to run it in the image, too."
    )
    if PYTHON in job.env and DRIVER_PYTHON not in job.env:
        log.warning(
            "env[%r], %s, is also the driver's Python, outside of the image: if the primary node does not "
            "have it, set env[%r] to one that it has, of the same version.",
            PYTHON,
            job.env[PYTHON],
            DRIVER_PYTHON,
        )
