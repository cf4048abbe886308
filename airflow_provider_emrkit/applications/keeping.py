"""Makes the application of a spec where there is none, and keeps it as the spec says."""

from __future__ import annotations

import logging
import random
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.changes import changes, have_same_settings, may_change_live
from airflow_provider_emrkit.applications.naming import creation_token, found_by_name
from airflow_provider_emrkit.applications.resting import ENDED, RESTING_STATES
from airflow_provider_emrkit.applications.waiting import Waiting
from airflow_provider_emrkit.compute.application_request import (
    APPLICATION_TAG,
    SPEC_TAG,
    UPDATING,
    create_application_request,
    update_application_request,
)
from airflow_provider_emrkit.exceptions import ComputeNotFoundError, SubmitRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.applications.calls import ApplicationCalls
    from airflow_provider_emrkit.applications.changes import Change
    from airflow_provider_emrkit.applications.resting import Resting
    from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults

log = logging.getLogger(__name__)

# Tokens of one hour that are tried: one for each application of that name that was deleted in it.
_TOKENS = 60
# Seconds that an application which was just made may take to be shown.
_SHOWN = 15.0
# Looks at an application until it is as its spec says: it may be started, changed or deleted meanwhile.
_ROUNDS = 20
# Seconds at most between rounds of tasks that have changed it at once.
_APART = 0.5
# Says that an application may be as no spec says: whoever looks puts it right.
_MARK = {SPEC_TAG: UPDATING}
# What EMR can't take away from an application, or may not, and what to call it.
_KEPT = {
    "maximumCapacity": "maximum capacity",
    "diskEncryptionConfiguration": "disk encryption",
    "identityCenterConfiguration": "Identity Center configuration",
}


class Keeping:
    """Sets up the application of one spec.

    :param calls: The calls of a connection.
    :param resting: Stops applications.
    :param spec: What it is to be like, rendered.
    :param defaults: What the connection says about applications.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.

    >>> Keeping(calls, resting, spec, defaults, stop.wait).set_up()["name"]  # doctest: +SKIP
    'nightly'
    """

    def __init__(
        self,
        calls: ApplicationCalls,
        resting: Resting,
        spec: ApplicationSpec,
        defaults: ApplicationDefaults,
        pause: Callable[[float], bool],
    ) -> None:
        self._calls = calls
        self._resting = resting
        self._pause = pause
        self._name = spec.name
        self._creation = create_application_request(spec, defaults)
        self._spec = spec
        self._defaults = defaults

    def set_up(self) -> Mapping[str, Any]:
        """Give the application, made or updated where it has to be.

        :raises SubmitRefusedError: when EMR does not take what the spec says, or the name is another's.
        """
        application = None
        for _ in range(_ROUNDS):
            if application is None or application["state"] == ENDED:
                application = self._found() or self._made()
            if not self._is_outdated(application):
                return application
            application = self._brought_nearer(application)
        raise SubmitRefusedError(
            f"application {self._name} could not be set up: others change or delete it again and again; end "
            "what does that"
        )

    def _found(self) -> Mapping[str, Any] | None:
        own, others = found_by_name(self._calls, self._name)
        if own is None and others:
            ids = ", ".join(application["applicationId"] for application in others)
            raise SubmitRefusedError(
                f"there is an application {self._name} already ({ids}), and emrkit did not make it: use "
                f"ServerlessApplication({others[0]['applicationId']!r}) as it is, choose another name for "
                f"the ApplicationSpec, or tag it {APPLICATION_TAG}={self._name} to have emrkit change it"
            )
        return own

    def _made(self) -> Mapping[str, Any]:
        now = datetime.now(timezone.utc)
        for number in range(_TOKENS):
            token = creation_token(self._name, now, number)
            application_id = self._calls.create({**self._creation, "clientToken": token})
            # Another task that wants the same, or another spec of that name, may have been quicker.
            find = partial(self._calls.find, application_id) if application_id else self._found
            application = self._shown(find)
            if application is not None and application["state"] != ENDED:
                log.info("Application %s is %s", self._name, application["applicationId"])
                # Tokens change with the hour: one made in the hour before may just be there, for all to use.
                return found_by_name(self._calls, self._name)[0] or application
        raise SubmitRefusedError(
            f"application {self._name} was made and deleted {_TOKENS} times within the hour; wait, or choose "
            "another name"
        )

    def _shown(self, find: Callable[[], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        """Find an application that was just made; None for one that is gone for long."""
        waiting = Waiting(self._pause, _SHOWN)
        while (found := find()) is None:
            if not waiting.goes_on(f"application {self._name} is not shown yet"):
                return None
        return found

    def _is_outdated(self, application: Mapping[str, Any]) -> bool:
        return bool(self._missing_tags(application))

    def _has_other_settings(self, application: Mapping[str, Any]) -> bool:
        return SPEC_TAG in self._missing_tags(application)

    def _missing_tags(self, application: Mapping[str, Any]) -> dict[str, str]:
        found = application.get("tags", {})
        return {key: value for key, value in self._creation["tags"].items() if found.get(key) != value}

    def _request(self, application: Mapping[str, Any]) -> dict[str, Any]:
        return update_application_request(self._spec, self._defaults, application)

    def _brought_nearer(self, application: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Update an application, or get it a step nearer to that; gives it as it is then, None for gone."""
        try:
            return self._nearer(application)
        except ComputeNotFoundError:
            return None

    def _nearer(self, application: Mapping[str, Any]) -> Mapping[str, Any]:
        application_id, state = application["applicationId"], application["state"]
        request = self._request(application)
        found = changes(application, request) if self._has_other_settings(application) else []
        if not found:
            keys = ", ".join(self._missing_tags(application))
            log.info(
                "Application %s (%s) needs no update, only the tags %s", application_id, self._name, keys
            )
            return self._tagged(application, request)
        if state == "STARTED" and may_change_live(application, request):
            live = {change.member: request[change.member] for change in found}
            updated, _ = self._update(application, live, found)
            if updated is not None:
                return self._tagged(updated, request)
        if state not in RESTING_STATES:
            # Others may change it until it is at rest: what is to be updated is seen anew then.
            return self._resting.rest(application_id, why="to be updated", needed=self._has_other_settings)
        updated, refusal = self._update(application, request, found)
        if updated is not None:
            return self._tagged(updated, request)
        application = self._calls.describe(application_id)
        if application["state"] in RESTING_STATES:  # so it is not for its state
            raise SubmitRefusedError(
                f"application {application_id} ({self._name}) was not updated: {refusal}"
            )
        return application

    def _update(
        self, application: Mapping[str, Any], request: Mapping[str, Any], found: list[Change]
    ) -> tuple[Mapping[str, Any] | None, str]:
        application_id = application["applicationId"]
        # No spec's task is to take it for its own if this one dies before it has tagged what it updated.
        self._calls.tag(application["arn"], _MARK)
        updated, refusal = self._calls.update(application_id, request)
        if updated is not None:
            said = "; ".join(map(str, found))
            log.info("Application %s (%s) was updated: %s", application_id, self._name, said)
        return updated, refusal

    def _tagged(self, seen: Mapping[str, Any], request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Note that an application is as its spec says, unless the task of another spec was at it meanwhile.

        :param seen: It as EMR showed it last, with the settings of its spec.
        :param request: What updates it to them.
        """
        application_id = seen["applicationId"]
        for member, words in _KEPT.items():
            if seen.get(member) and member not in self._creation:
                log.warning("Application %s keeps its %s: EMR does not take it away", application_id, words)
        self._calls.tag(seen["arn"], self._missing_tags(seen))
        now = self._calls.describe(application_id)
        if now["updatedAt"] < seen["updatedAt"]:  # EMR shows it as it was before
            now = seen
        # What another spec set before the update, and after the look before it, is not emptied yet.
        if have_same_settings(now, seen) and self._request(now).keys() <= request.keys():
            return {**now, "tags": {**now.get("tags", {}), **self._creation["tags"]}}  # may be shown later
        return self._left_to_the_next_round(now)

    def _left_to_the_next_round(self, application: Mapping[str, Any]) -> Mapping[str, Any]:
        """Take back that an application is as its spec says, as others have changed it meanwhile."""
        application_id = application["applicationId"]
        log.info("Application %s (%s) was changed by others meanwhile", application_id, self._name)
        self._calls.tag(application["arn"], _MARK)
        # Tasks that would come at the same moment again and again come one after the other.
        Waiting(self._pause, random.uniform(0.0, _APART)).goes_on(f"application {application_id} is changed")
        now = self._calls.describe(application_id)
        return {**now, "tags": {**now.get("tags", {}), **_MARK}}
