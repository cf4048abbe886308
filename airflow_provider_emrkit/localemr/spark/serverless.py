"""A job run of EMR Serverless as a ``spark-submit``. Pure: texts in, texts out."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.localemr.spark.image import ImageRequest, Mount
from airflow_provider_emrkit.localemr.spark.submit import SWITCHES, Submission, parse
from airflow_provider_emrkit.releases import release

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HOME = "/home/hadoop"
"""Where jobs begin in an image of EMR Serverless."""

_USERS = Mount("/etc/passwd", "/etc/passwd")
_OWN_IMAGE = "EMR Serverless's own image"
_DRIVER_ENV = "spark.emr-serverless.driverEnv."
_EXECUTOR_ENV = "spark.executorEnv."
# Not a submission at all: spark-submit would end at once, and the run would be a success.
_NO_JOB = frozenset({"--help", "-h", "--version", "--usage-error", "--kill", "--status"})

# EMR Serverless has a log configuration each for driver and executors, which are one JVM here.
_CLASSIFICATIONS = {"spark-driver-log4j2": "spark-log4j2", "spark-driver-log4j": "spark-log4j"}


class ParametersError(ValueError):
    """A job driver that can't be understood; the message says why."""


def submit_arguments(entry_point: str, arguments: Sequence[str], parameters: str) -> list[str]:
    """Give the arguments of the ``spark-submit`` that a job driver describes.

    :param parameters: ``sparkSubmitParameters``; words as in a shell, with its quotes.
    :raises ParametersError: when they can't be understood.

    >>> submit_arguments("s3://b/job.py", ["a b"], "--conf spark.x='1 2'")
    ['--conf', 'spark.x=1 2', 's3://b/job.py', 'a b']
    """
    if entry_point.startswith("-"):
        raise ParametersError(
            f"entryPoint: {entry_point!r} is no file; options go into sparkSubmitParameters."
        )
    return [*split_parameters(parameters), entry_point, *arguments]


def split_parameters(text: str) -> list[str]:
    """Cut ``sparkSubmitParameters`` into words and check that they are options.

    :raises ParametersError: for a quote that is not closed, or a word that is no part of an option.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ParametersError(f"sparkSubmitParameters: {error}; close the quote or escape it.") from error
    line = parse(words)
    if line.rest:
        raise ParametersError(
            f"sparkSubmitParameters: {line.rest[0]!r} belongs to no option; put values with spaces in "
            "quotes, and the job's own arguments into entryPointArguments."
        )
    for name, value in line.options:
        if name in _NO_JOB:
            raise ParametersError(f"sparkSubmitParameters: {name} submits no job; leave it out.")
        if value is None and name not in SWITCHES:
            raise ParametersError(f"sparkSubmitParameters: {name} needs a value.")
        if name == "--conf" and "=" not in (value or ""):
            raise ParametersError(f"sparkSubmitParameters: --conf {value!r} is not of the form key=value.")
    return words


def job_image(driver: str | None, executors: str | None, release_label: str) -> ImageRequest | None:
    """Give the image that a whole job runs in here; None when EMR Serverless's own would do for all of it.

    :param driver: The URI of the image of its driver, if there is one.
    :param executors: The same of its executors.
    """
    image = driver or executors
    if image is None:
        return None
    notes: tuple[str, ...] = ()
    if driver != executors:
        notes = (
            f"localemr: the whole job runs in {image}; on EMR Serverless its driver would run in "
            f"{driver or _OWN_IMAGE}, its executors in {executors or _OWN_IMAGE}.",
        )
    return ImageRequest(image, (_USERS,), notes, release(release_label).java, home=HOME)


def brought(submission: Submission) -> Submission:
    """Leave only those of a submission's files that are not in its image: they have to be fetched.

    >>> brought(Submission((), files=("s3://b/a.txt", "local:///opt/b.txt", "/opt/c.txt"))).files
    ('s3://b/a.txt',)
    """
    return replace(
        submission,
        files=tuple(filter(_is_remote, submission.files)),
        archives=tuple(filter(_is_remote, submission.archives)),
    )


def _is_remote(uri: str) -> bool:
    scheme, found, _ = uri.partition("://")
    return bool(found) and scheme not in {"file", "local"}


def job_environment(conf: Mapping[str, str]) -> dict[str, str]:
    """Give the environment that a job's properties ask for; driver and executors share it here."""
    return {**_variables(conf, _EXECUTOR_ENV), **_variables(conf, _DRIVER_ENV)}


def cluster_configurations(configurations: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Write the configurations of EMR Serverless as EMR's ``Configurations``."""
    found = []
    for entry in configurations:
        name = str(entry.get("classification", ""))
        found.append(
            {
                "Classification": _CLASSIFICATIONS.get(name, name),
                "Properties": dict(entry.get("properties") or {}),
                "Configurations": cluster_configurations(entry.get("configurations") or ()),
            }
        )
    return found


def _variables(conf: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {key[len(prefix) :]: value for key, value in conf.items() if key.startswith(prefix)}
