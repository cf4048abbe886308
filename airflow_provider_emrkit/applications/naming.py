"""Finds the application that a name means: emrkit's own, told from others by its tag."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.resting import ENDED
from airflow_provider_emrkit.compute.application_request import APPLICATION_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow_provider_emrkit.applications.calls import ApplicationCalls

log = logging.getLogger(__name__)


def found_by_name(
    calls: ApplicationCalls, name: str
) -> tuple[Mapping[str, Any] | None, Sequence[Mapping[str, Any]]]:
    """Find emrkit's application of a name, and other people's ones of that name.

    EMR Serverless lets several have one name, and its list tells no tags. Where emrkit has several after all,
    the oldest counts, for whoever looks.
    """
    own: list[Mapping[str, Any]] = []
    others: list[Mapping[str, Any]] = []
    for summary in calls.named(name):
        application = calls.find(summary["id"])
        if application is not None and application["state"] != ENDED:  # not deleted since it was listed
            (own if application.get("tags", {}).get(APPLICATION_TAG) == name else others).append(application)
    own.sort(key=lambda application: (application["createdAt"], application["applicationId"]))
    if len(own) > 1:
        ids = ", ".join(application["applicationId"] for application in own[1:])
        log.warning("Application %s is there more than once: the oldest is used, and not %s", name, ids)
    return (own[0] if own else None), others


def creation_token(name: str, now: datetime, number: int) -> str:
    """Give the ``clientToken`` of an application, the same for all tasks that miss it in the same hour.

    So two tasks at once make one. EMR's list forgets applications that were deleted, whose tokens may still
    be taken: a number tells those of one hour apart.

    >>> from datetime import datetime
    >>> creation_token("nightly", datetime(2026, 11, 29, 12, 30), 0)
    'emrkit-b5b06fa6cb8eee1d4fc6a4a8-2026112912-0'
    """
    key = hashlib.sha256(name.encode()).hexdigest()[:24]
    return f"emrkit-{key}-{now:%Y%m%d%H}-{number}"
