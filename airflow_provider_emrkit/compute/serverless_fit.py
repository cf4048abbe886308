"""Whether a job can run on an application of EMR Serverless: judged before anything is submitted. Pure.

On EMR Serverless an image belongs to the application, and not to the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.overrides import merged
from airflow_provider_emrkit.jobs.serverless_submit import check_argument_count
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
    from airflow_provider_emrkit.compute.serverless import ServerlessApplication
    from airflow_provider_emrkit.jobs.spark_job import SparkJob

WORKERS = ("driver", "executor")


def check_serverless_fit(owner: str, job: SparkJob, compute: ServerlessApplication) -> None:
    """Check that a job can run on an application, as far as that is known when a DAG is parsed.

    What holds a template is not judged; an application that exists when it has been asked.

    :param owner: What the job belongs to, for errors.
    :param job: The job.
    :param compute: Where it is to run.
    :raises InvalidValueError: when it can't, with what mends it.
    """
    check_argument_count(job)
    if compute.spec is not None:
        check_application_image(owner, job, _images(compute.spec))


def check_application_image(owner: str, job: SparkJob, application: Mapping[str, Any]) -> None:
    """Check that an application runs the image a job brings along, if it brings one.

    :param owner: What the job belongs to, for errors.
    :param job: The job.
    :param application: GetApplication's ``application``.
    :raises InvalidValueError: when it runs another one, or can't do what the job asks for.
    """
    image = job.docker
    if image is None:
        return
    if image.mounts:
        problem = "are to be mounted, and EMR Serverless mounts nothing"
        mend = "leave mounts out, and put what the job needs into the image or into SparkJob.files"
        raise InvalidValueError(owner, "job.docker.mounts", list(image.mounts), problem, mend)
    uris = {worker: image_configuration(application, worker).get("imageUri") for worker in WORKERS}
    if any(map(is_template, (image.uri, *uris.values()))):
        return
    others = [f"{worker}s run {uri or 'the one of EMR'}" for worker, uri in uris.items() if uri != image.uri]
    if others:
        problem = f"is not the image of the application, whose {' and '.join(others)}"
        mend = f"use ServerlessApplication(spec=ApplicationSpec(…, image={image.uri!r})), or leave docker out"
        raise InvalidValueError(owner, "job.docker", image.uri, problem, mend)


def image_configuration(application: Mapping[str, Any], worker: str) -> Mapping[str, Any]:
    """Give the ``imageConfiguration`` that holds for a sort of workers; empty for EMR's own image.

    :param application: GetApplication's ``application``.
    :param worker: ``driver`` or ``executor``.

    >>> uri = "123456789012.dkr.ecr.us-east-1.amazonaws.com/etl:1.4"
    >>> image_configuration({"imageConfiguration": {"imageUri": uri}}, "driver")["imageUri"] == uri
    True
    """
    # EMR takes the names of workers in any case.
    for name, specification in (application.get("workerTypeSpecifications") or {}).items():
        own: Mapping[str, Any] = specification.get("imageConfiguration") or {}
        if name.lower() == worker and own.get("imageUri"):
            return own
    whole: Mapping[str, Any] = application.get("imageConfiguration") or {}
    return whole


def _images(spec: ApplicationSpec) -> Mapping[str, Any]:
    """Give what GetApplication would say of the images of a spec."""
    own = {"driver": spec.driver_image, "executor": spec.executor_image}
    settings = {
        "imageConfiguration": {"imageUri": spec.image},
        "workerTypeSpecifications": {
            worker: {"imageConfiguration": {"imageUri": uri}} for worker, uri in own.items() if uri
        },
    }
    return merged(settings, spec.overrides)
