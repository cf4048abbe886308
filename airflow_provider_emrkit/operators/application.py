"""Operators that see to an application of EMR Serverless: set it up, start, stop and delete it."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import BaseOperator, conf, is_tried_out
from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.serverless import ServerlessApplication
from airflow_provider_emrkit.compute.tags import serverless_tags
from airflow_provider_emrkit.links import EmrApplicationLink, application_links, persist_links
from airflow_provider_emrkit.operators.rendering import RendersSpecs
from airflow_provider_emrkit.validation import InvalidValueError, check_flag, check_instance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_emrkit._compat import Context
    from airflow_provider_emrkit.applications.applications import Applications
    from airflow_provider_emrkit.applications.awaited import LeftWaits


class _EmrApplicationOperator(RendersSpecs, BaseOperator):
    """What the operators for applications have in common: which one it is, and that they can be stopped.

    :param application_id: One that exists. (templated)
    :param spec: One that emrkit has made, or makes; one of the two. (templated)
    :param emrkit_conn_id: The ``emrkit`` connection. (templated)
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.
    """

    template_fields: Sequence[str] = ("application_id", "spec", "emrkit_conn_id")
    operator_extra_links = (EmrApplicationLink(),)
    ui_color = "#fbe5d1"

    _stop: threading.Event | None = None

    def __init__(
        self,
        *,
        application_id: str | None = None,
        spec: ApplicationSpec | None = None,
        emrkit_conn_id: str = "emrkit_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.application_id = application_id
        self.spec = spec
        self.emrkit_conn_id = emrkit_conn_id
        if spec is not None:
            check_instance(type(self).__name__, "spec", spec, ApplicationSpec)
        if application_id is None or isinstance(application_id, str):  # else it is another task's result
            self._compute()

    def on_kill(self) -> None:
        """Wait no longer; called when the task is stopped while a worker has it."""
        if self._stop is not None:
            # In a thread: the code that the signal has interrupted may hold the event's own lock.
            threading.Thread(target=self._stop.set, daemon=True).start()

    def _compute(self) -> ServerlessApplication:
        return ServerlessApplication(self.application_id, self.spec)

    def _open(self, context: Context, left: LeftWaits | None = None) -> Applications:
        from airflow_provider_emrkit.applications.applications import Applications
        from airflow_provider_emrkit.hooks.emrkit import EmrKitHook

        self._stop = threading.Event()
        hook = EmrKitHook(self.emrkit_conn_id)
        if not hook.clients.has_own_endpoint:
            persist_links(application_links(hook.clients.region_name), context["ti"].xcom_push)
        self._region = hook.clients.region_name
        return Applications(hook.clients, hook.settings.application_defaults(), self._stop.wait, left)


class _EmrApplicationReadyOperator(_EmrApplicationOperator):
    """What those have in common that wait until an application is ready, on a worker or in the triggerer.

    :param deferrable: Wait in the triggerer instead of on a worker, unless it takes seconds; by default
        ``[operators] default_deferrable``.
    :param options: As for :class:`_EmrApplicationOperator`.
    """

    def __init__(
        self,
        *,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.deferrable = deferrable
        check_flag(type(self).__name__, "deferrable", deferrable)

    @abstractmethod
    def make_ready(self, applications: Applications) -> str:
        """Do what the operator is for, and give the application's id; it may be done again at any time."""

    def execute(self, context: Context) -> str:
        """Make the application ready, and wait until it is, here or in the triggerer.

        :raises ComputeNotFoundError: when there is none of that id.
        :raises ApplicationBusyError: when it has to be stopped, and its job runs do not end in time.
        :raises ApplicationStartError: when it does not start; EMR's words are in the message.
        :raises SubmitRefusedError: when EMR refuses something else; the type says more.
        """
        from airflow_provider_emrkit.applications.awaited import LeftWaits

        leaves = self.deferrable and not is_tried_out(context["ti"])
        return self._carry_out(context, LeftWaits() if leaves else None)

    def execute_again(self, context: Context, event: Mapping[str, Any]) -> str:
        """Go on when the application has changed that the task waited for.

        :param event: The trigger's payload.
        :raises EmrKitError: as for :meth:`execute`, or as the trigger could not watch it.
        """
        from airflow_provider_emrkit.operators.application_waits import taken_up

        return self._carry_out(context, taken_up(event, self.execution_timeout))

    def _carry_out(self, context: Context, left: LeftWaits | None) -> str:
        from airflow_provider_emrkit.applications.awaited import ApplicationNotYet

        try:
            return self.make_ready(self._open(context, left))
        except ApplicationNotYet as signal:
            awaited = signal.awaited
        from airflow_provider_emrkit.operators.application_waits import leave

        return leave(self, context, awaited, self.emrkit_conn_id, self._region)


class EmrApplicationSetUpOperator(_EmrApplicationReadyOperator):
    """Make the application of a spec where there is none, or update it to what its spec says.

    Jobs do that themselves; as a task of its own, it is seen in Airflow, and done once before many jobs. The
    application's id is the task's result.

    :param spec: What the application is to be like. (templated)
    :param start: Whether to start it, too, and wait until it is started: its workers that are kept ready are
        then up before the first job. An application that the task has started, and then fails on its worker
        before it is STARTED, is stopped where nothing else would (``idle_minutes=None``); a task that Airflow
        stops, or that is ended while it is deferred, leaves it as it is, for its next try.
    :param emrkit_conn_id: The ``emrkit`` connection. (templated)
    :param deferrable: Wait in the triggerer instead of on a worker, unless it takes seconds; by default
        ``[operators] default_deferrable``.
    :raises InvalidValueError: when an argument can't be right; DAG files then fail to load.

    >>> nightly = ApplicationSpec("nightly", "emr-7.11.0")
    >>> EmrApplicationSetUpOperator(task_id="set_up", spec=nightly, start=True)  # doctest: +SKIP
    """

    template_fields: Sequence[str] = ("spec", "emrkit_conn_id")

    def __init__(self, *, spec: ApplicationSpec, start: bool = False, **kwargs: Any) -> None:
        if "application_id" in kwargs:
            mend = "give a spec; an application that is not made by one is used as it is"
            raise InvalidValueError(
                type(self).__name__, "application_id", kwargs["application_id"], "can't be set up", mend
            )
        super().__init__(spec=spec, **kwargs)
        self.start = start
        check_flag(type(self).__name__, "start", start)

    def make_ready(self, applications: Applications) -> str:
        """Set it up, and start it where that is wanted."""
        spec: Any = self.spec
        application_id = str(applications.set_up(spec)["applicationId"])
        self.log.info("Application %s (%s) is as its spec says.", spec.name, application_id)
        if self.start:
            applications.start(self._compute())
        return application_id


class EmrApplicationStartOperator(_EmrApplicationReadyOperator):
    """Start an application, and wait until it is started.

    Needed where an application does not start with a job by itself, or where workers that are kept ready are
    to be up before the first job. Its id is the task's result.

    :param deferrable: Wait in the triggerer instead of on a worker, unless it takes seconds; by default
        ``[operators] default_deferrable``.
    :param options: ``application_id`` or ``spec``, and ``emrkit_conn_id``. (templated)

    >>> EmrApplicationStartOperator(task_id="start", application_id="00f1abcdefgh2i0j")  # doctest: +SKIP
    """

    def make_ready(self, applications: Applications) -> str:
        """Start it."""
        application_id = str(applications.start(self._compute())["applicationId"])
        self.log.info("Application %s is STARTED.", application_id)
        return application_id


class _EmrApplicationEndOperator(_EmrApplicationOperator):
    """What stopping and deleting have in common."""

    def __init__(self, *, cancel_runs: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cancel_runs = cancel_runs
        check_flag(type(self).__name__, "cancel_runs", cancel_runs)

    def _over(self, context: Context) -> Mapping[str, str] | None:
        """Give the tags of job runs whose tasks are over: a teardown comes after those of its DAG run."""
        from airflow_provider_emrkit.operators.begun import run_token

        if not self.is_teardown:
            return None
        tags = serverless_tags(run_token(context["ti"]).tags())
        return {key: tags.get(key, "") for key in ("emrkit:deployment", "emrkit:dag_id", "emrkit:run_id")}


class EmrApplicationStopOperator(_EmrApplicationEndOperator):
    """Stop an application, so that nothing of it is billed; it starts again with the next job.

    One that is not there, or stopped already, is no trouble. The state it is left in is the task's result.
    Job runs that are about to end are waited for, for three minutes: those that are CANCELLING and, by a
    teardown, those of its own DAG run, whose tasks are over. A teardown waits longer, half an hour at most,
    for those of its own DAG run that are CANCELLING.

    :param cancel_runs: Whether to cancel its job runs, those that wait in its queue too; else one that has
        others is left as it is, and the log names what keeps it.
    :param options: ``application_id`` or ``spec``, and ``emrkit_conn_id``. (templated)

    >>> EmrApplicationStopOperator(task_id="stop", application_id="00f1abcdefgh2i0j")  # doctest: +SKIP
    """

    def execute(self, context: Context) -> str | None:
        """Stop it.

        :raises ApplicationBusyError: when job runs that are being cancelled do not end in time.
        """
        compute = self._compute()
        over = self._over(context)
        application = self._open(context).stop(compute, cancel_runs=self.cancel_runs, over=over)
        if application is None:
            self.log.info("There is no application %s.", _name(compute))
            return None
        self.log.info("Application %s is %s.", application["applicationId"], application["state"])
        return str(application["state"])


class EmrApplicationDeleteOperator(_EmrApplicationEndOperator):
    """Stop and delete an application.

    One that is not there is no trouble. What its job runs were is kept by EMR Serverless for some time.
    Job runs that are about to end are waited for, as by :class:`EmrApplicationStopOperator`.

    :param cancel_runs: Whether to cancel its job runs, those that wait in its queue too; else one that has
        others is left as it is, and the log names what keeps it.
    :param options: ``application_id`` or ``spec``, and ``emrkit_conn_id``. (templated)

    >>> EmrApplicationDeleteOperator(task_id="delete", spec=nightly, cancel_runs=True)  # doctest: +SKIP
    """

    def execute(self, context: Context) -> None:
        """Delete it.

        :raises ApplicationBusyError: when job runs that are being cancelled do not end in time.
        """
        compute = self._compute()
        over = self._over(context)
        application = self._open(context).delete(compute, cancel_runs=self.cancel_runs, over=over)
        if application is None:
            self.log.info("There is no application %s any more.", _name(compute))


def _name(compute: ServerlessApplication) -> str:
    return str(compute.application_id if compute.spec is None else compute.spec.name)
