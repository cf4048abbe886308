"""The applications of a connection: found, made as their specs say, and made ready for a job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.applications.calls import ApplicationCalls
from airflow_provider_emrkit.applications.keeping import Keeping
from airflow_provider_emrkit.applications.naming import found_by_name
from airflow_provider_emrkit.applications.readying import Readying
from airflow_provider_emrkit.applications.resting import ENDED, Resting
from airflow_provider_emrkit.applications.starting import Starting
from airflow_provider_emrkit.exceptions import ComputeNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_emrkit.applications.awaited import LeftWaits
    from airflow_provider_emrkit.applications.resting import Busy
    from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
    from airflow_provider_emrkit.compute.defaults import ApplicationDefaults
    from airflow_provider_emrkit.compute.serverless import ServerlessApplication
    from airflow_provider_emrkit.hooks.clients import AwsClients

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadyApplication:
    """An application that a job can be submitted to.

    :param description: GetApplication's ``application``.
    :param image: The image that drivers run in; empty for EMR's own.
    :param image_digests: The digests that EMR may name the image of a job by that is submitted now; none
        where they are not known.

    >>> ReadyApplication({"applicationId": "00f1abcdefgh2i0j"}).id
    '00f1abcdefgh2i0j'
    """

    description: Mapping[str, Any]
    image: str = ""
    image_digests: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The application's id."""
        return str(self.description["applicationId"])


class Applications:
    """Applications of EMR Serverless, through one connection. Every method blocks.

    :param clients: AWS clients.
    :param defaults: What the connection says about applications.
    :param pause: Waits some seconds; gives True when the wait was ended because the work is to stop.
    :param left: The waits of a deferrable task, which raises
        :class:`~.awaited.ApplicationNotYet` for long ones; None for one that waits on its worker.

    >>> Applications(hook.clients, hook.settings.application_defaults(), stop.wait)  # doctest: +SKIP
    """

    def __init__(
        self,
        clients: AwsClients,
        defaults: ApplicationDefaults,
        pause: Callable[[float], bool],
        left: LeftWaits | None = None,
    ) -> None:
        self._calls = ApplicationCalls(clients, pause)
        self._resting = Resting(self._calls, pause, left=left)
        self._starting = Starting(self._calls, pause, left=left)
        self._readying = Readying(clients, self._resting, self._starting, pause)
        self._defaults = defaults
        self._pause = pause
        self._region = clients.region_name

    def find(self, compute: ServerlessApplication) -> Mapping[str, Any] | None:
        """Find an application as it is, without changing it; None where there is none.

        :param compute: Which; of a spec, the one that emrkit has made of that name.
        """
        if compute.spec is not None:
            return found_by_name(self._calls, compute.spec.name)[0]
        application = self._calls.find(str(compute.application_id))
        return None if application is None or application["state"] == ENDED else application

    def set_up(self, spec: ApplicationSpec) -> Mapping[str, Any]:
        """Create the application, or update it to what its spec says; gives its description.

        One that runs is stopped for an update when it has no job runs; those it has are waited for.

        :raises ApplicationBusyError: when its job runs do not end in time.
        :raises SubmitRefusedError: when EMR does not take what the spec says, or the name is another's.
        """
        return Keeping(self._calls, self._resting, spec, self._defaults, self._pause).set_up()

    def ready(self, compute: ServerlessApplication) -> ReadyApplication:
        """Give an application that a job can be submitted to now: set up, and with its present image.

        One whose image's tag means another image by now is stopped, when it has no job runs, and starts with
        the new one; where EMR Serverless finds that out with each job, nothing is to be done.

        :raises ComputeNotFoundError: when there is none of that id.
        :raises ImageRefusedError: when ECR does not have an image.
        :raises ApplicationBusyError: when it has to be stopped, and its job runs do not end in time.
        :raises ApplicationStartError: when one that does not start with a job by itself does not start.
        :raises SubmitRefusedError: when EMR refuses something else; the type says why.
        """
        application = self._existing(compute) if compute.spec is None else self.set_up(compute.spec)
        return ReadyApplication(*self._readying.ready(application))

    def start(self, compute: ServerlessApplication) -> Mapping[str, Any]:
        """Start an application, and give it when it is STARTED.

        :raises ComputeNotFoundError: when there is none.
        :raises ApplicationStartError: when it does not start; EMR's words are in the message.
        """
        return self._starting.start(self._existing(compute)["applicationId"])

    def stop(
        self,
        compute: ServerlessApplication,
        *,
        cancel_runs: bool = False,
        over: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any] | None:
        """Stop an application, and give it as it is then; None where there is none.

        :param cancel_runs: Whether to cancel its job runs; else one that has any that go on is left as it is.
        :param over: Tags of job runs whose tasks are over: these are about to end.
        :raises ApplicationBusyError: when job runs that are cancelled do not end in time.
        """
        application = self.find(compute)
        if application is None:
            return None
        busy: Busy = "cancel" if cancel_runs else "leave"
        application = self._resting.rest(
            application["applicationId"], why="to be stopped", busy=busy, over=over
        )
        return None if application["state"] == ENDED else application

    def delete(
        self,
        compute: ServerlessApplication,
        *,
        cancel_runs: bool = False,
        over: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any] | None:
        """Delete an application; gives it as it is where it was left, and None when there is none any more.

        :param cancel_runs: As for :meth:`stop`.
        :param over: As for :meth:`stop`.
        :raises ApplicationBusyError: when job runs that are cancelled do not end in time, or it is started
            again and again.
        """
        application = self.find(compute)
        if application is None:
            return None
        busy: Busy = "cancel" if cancel_runs else "leave"
        return self._resting.delete(application["applicationId"], busy=busy, over=over)

    def _existing(self, compute: ServerlessApplication) -> Mapping[str, Any]:
        application = self.find(compute)
        if application is None:
            spec = compute.spec
            what = compute.application_id if spec is None else f"{spec.name} that emrkit has made"
            mend = (
                "or give a spec instead, so that emrkit makes one" if spec is None else "or set it up before"
            )
            raise ComputeNotFoundError(
                f"there is no application {what} in {self._region}; check its "
                f"{'id' if spec is None else 'name'} and the connection's region, {mend}"
            )
        return application
