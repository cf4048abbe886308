"""What ECR says of the images of applications."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import ImageRefusedError
from airflow_provider_emrkit.hooks.ecr import digests_of
from airflow_provider_emrkit.hooks.errors import explain, is_aws_error, is_throttled, is_transient
from airflow_provider_emrkit.jobs.image_reference import ImageReference
from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_emrkit.applications.images import ApplicationImage
    from airflow_provider_emrkit.hooks.clients import AwsClients

log = logging.getLogger(__name__)


def present_digests(
    images: Iterable[ApplicationImage], clients: AwsClients, pause: Callable[[float], bool]
) -> Mapping[str, Sequence[str]]:
    """Ask ECR what the tags of images mean now; those it does not tell of are left out, with a warning.

    :param images: The images; those that are named by their digests are not asked for.
    :param clients: AWS clients.
    :param pause: Waits some seconds, while ECR can't be reached; gives True when the work is to stop.
    :raises ImageRefusedError: when ECR does not have an image.
    """
    found = {}
    for uri in dict.fromkeys(image.uri for image in images if not image.is_fixed):
        digests = _digests(uri, clients, pause)
        if digests:
            found[uri] = digests
    return found


def _digests(uri: str, clients: AwsClients, pause: Callable[[float], bool]) -> Sequence[str]:
    try:
        reference = ImageReference.parse(uri)
    except InvalidValueError:
        return ()
    if reference.ecr is None:
        return ()
    region = reference.ecr.region
    try:
        # A network without a way to ECR costs each task this wait: boto3 is not to multiply it.
        return digests_of(clients.client("ecr", retries=False, region=region), reference, pause)
    except ImageRefusedError:
        if not clients.has_own_endpoint:
            raise
        return ()  # the engine of this machine may have it
    except Exception as error:
        if not is_aws_error(error) and not is_transient(error):
            raise
        log.warning(
            "Whether image %s has changed since its application was started is not known: %s. %s",
            uri,
            explain(error, region),
            _mend(error, reference.repository),
        )
        return ()


def _mend(error: Exception, repository: str) -> str:
    if is_throttled(error):
        return "The next job asks again."
    if is_transient(error):
        return "A private network needs a VPC endpoint of ECR's API (ecr.api)."
    return (
        "The role of the AWS connection needs ecr:DescribeImages, and ecr:BatchGetImage for images of "
        f"several architectures, on repository {repository}."
    )
