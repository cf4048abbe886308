"""Makes an application ready for a job: started where it does not start by itself, with its present image."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.image_digests import present_digests
from airflow_provider_emrkit.applications.images import (
    driver_image,
    expected_digests,
    images_of,
    outdated_images,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_emrkit.applications.images import ApplicationImage
    from airflow_provider_emrkit.applications.resting import Resting
    from airflow_provider_emrkit.applications.starting import Starting
    from airflow_provider_emrkit.hooks.clients import AwsClients

log = logging.getLogger(__name__)


class Readying:
    """Makes applications ready.

    :param clients: AWS clients, to ask ECR.
    :param resting: Stops applications.
    :param starting: Starts them.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.

    >>> Readying(clients, resting, starting, stop.wait).ready(application)  # doctest: +SKIP
    """

    def __init__(
        self, clients: AwsClients, resting: Resting, starting: Starting, pause: Callable[[float], bool]
    ) -> None:
        self._clients = clients
        self._resting = resting
        self._starting = starting
        self._pause = pause

    def ready(self, application: Mapping[str, Any]) -> tuple[Mapping[str, Any], str, tuple[str, ...]]:
        """Give an application that takes jobs, the image of its drivers, and that image's digests.

        :param application: GetApplication's ``application``.
        :raises ImageRefusedError: when ECR does not have an image.
        :raises ApplicationBusyError: when it runs an old image, and the job runs it has do not end in time.
        :raises ApplicationStartError: when it does not start.
        """
        images = images_of(application)
        present = present_digests(images, self._clients, self._pause)
        if any(image.at_start for image in images):
            application = self._fresh(application, present)
        self._tell(application, present)
        # Whether EMR takes a job while an application is being stopped, it does not say.
        application = self._starting.pass_by(application, ("CREATING", "STOPPING"))
        if not application.get("autoStartConfiguration", {}).get("enabled", True):
            application = self._starting.start(application["applicationId"])
        image = driver_image(application)
        return application, image.uri if image else "", expected_digests(application, present)

    def _fresh(
        self, application: Mapping[str, Any], present: Mapping[str, Sequence[str]]
    ) -> Mapping[str, Any]:
        """Give an application that does not run an image whose tag means another one by now."""
        application = self._starting.pass_by(application, ("STARTING",))
        outdated = outdated_images(application, present)
        if not outdated:
            return application
        for image in outdated:
            log.warning(
                "Image %s has changed since application %s was started: it runs %s, and ECR has %s",
                image.uri,
                application["applicationId"],
                image.resolved,
                present[image.uri][0],
            )
        return self._resting.rest(
            application["applicationId"],
            why="so that it starts with its present image",
            needed=lambda found: bool(outdated_images(found, present)),
        )

    def _tell(self, application: Mapping[str, Any], present: Mapping[str, Sequence[str]]) -> None:
        for image in images_of(application):
            digest = image.resolved if image.at_start and application["state"] == "STARTED" else ""
            digests = [digest] if digest else present.get(image.uri, ())
            _tell_one(image, digests[0] if digests else "")


def _tell_one(image: ApplicationImage, digest: str) -> None:
    workers = " and ".join(f"{worker}s" for worker in image.workers)
    is_known = f", which is {digest}" if digest and not image.is_fixed else ""
    log.info("Image of %s: %s%s", workers, image.uri, is_known)
