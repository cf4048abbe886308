"""What can go wrong, as types that retry policies and callers can tell apart.

Every type tells who can mend it, and carries :attr:`EmrKitError.retryable`: whether the same task, tried
again as it is, has a chance. The types of what AWS does not do (:class:`AccessDeniedError`,
:class:`NotFoundError`) cut across the life of a run: one ``except AccessDeniedError`` catches a refused
submission and a job that may not read its data alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow_provider_emrkit._compat import AirflowException

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.causes import Cause


class EmrKitError(AirflowException):
    """Base of every error emrkit raises while a task runs.

    It pickles with all it carries, so that it reaches retry policies and other processes whole.

    :param message: One line: what went wrong, why, where that was seen, what may help.
    :param cause: Why, in detail, where it is known.

    >>> try:  # doctest: +SKIP
    ...     operator.execute(context)
    ... except EmrKitError as error:
    ...     print(type(error).__name__, error.retryable, error.cause.message if error.cause else error)
    """

    retryable: ClassVar[bool] = False
    """Whether the same task, tried again as it is, has a chance."""

    def __init__(self, message: str = "", *, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class ConnectionFieldError(EmrKitError):
    """A field of the ``emrkit`` connection is missing or can't be right; the message names it.

    Mended by whoever keeps the Airflow connection; a retry does not help.
    """


class AccessDeniedError(EmrKitError):
    """AWS does not let somebody do something: Airflow's credentials, or the job's role.

    Mended by whoever keeps the IAM policies; a retry does not help.
    """


class NotFoundError(EmrKitError):
    """Something that was named does not exist, or not in this account and region.

    Mended by the DAG's author; a retry does not help.
    """


# --- before anything runs -------------------------------------------------------------------------------


class SubmitRefusedError(EmrKitError):
    """AWS did not take the job, or the job could not be put where AWS finds it. Nothing runs.

    Mended by the DAG's author, unless it is one of the types below; a retry does not help.
    """


class StagingError(SubmitRefusedError):
    """A local file of the job could not be put into the staging bucket.

    Mended by whoever keeps the ``emrkit`` connection and the bucket; a retry does not help.
    """


class ThrottledError(SubmitRefusedError):
    """AWS still refused the call for its rate after emrkit had waited and asked again.

    Mended by time, or by higher API quotas; a retry helps.
    """

    retryable = True


class QuotaError(SubmitRefusedError):
    """A limit of the account or of the cluster leaves no place: clusters, instances, active steps.

    Mended by whoever may raise the limit, or by time, as other work ends; a retry helps, later.
    """

    retryable = True


class PoolBusyError(QuotaError):
    """A pool had no room for the job within its ``wait_timeout``; the message tells what it is busy with.

    Mended by time, or by whoever keeps the pool: more clusters, more steps on each; a retry helps, later.
    """


class ApplicationBusyError(SubmitRefusedError):
    """An application of EMR Serverless is used by others in a way that this job can't run beside.

    It has to be stopped for a change, and its job runs, named here, go on; or another spec of its name gave
    it another image just when the job was started, whose job run was ended for that.

    Mended by time, as those job runs end, by whoever may cancel them, or by specs of one name that do not
    differ; a retry helps, later.
    """

    retryable = True


class ApplicationStartError(SubmitRefusedError):
    """An application of EMR Serverless did not start, or not in time; EMR's words are in the message.

    Mended as they say, e.g. by larger subnets or a higher quota, or by time; a retry may help.
    """

    retryable = True


class LeaseError(SubmitRefusedError):
    """The lease of a pool could not be taken, or was lost; another process has it, or S3 does not answer.

    Mended by time, mostly; a retry helps.
    """

    retryable = True


class ExistingRunError(SubmitRefusedError):
    """Earlier work of the same task is alive or done, and ``on_existing="fail"`` forbids to go on.

    Mended by the DAG's author or whoever looks after the run that is named; a retry does not help.
    """


class RunStillEndingError(SubmitRefusedError):
    """Earlier work of the same task must not go on, and has not ended yet; the job must not run beside it.

    Mended by time, mostly, or by ending the run that is named; a retry helps, later.
    """

    retryable = True


class SubmitDeniedError(SubmitRefusedError, AccessDeniedError):
    """Airflow's credentials may not submit the job; the message names the action they lack.

    Mended by whoever keeps the IAM policies; a retry does not help.
    """


class ImageRefusedError(SubmitRefusedError):
    """The job's image can't run on the cluster as it is set up, or is not there; the message has the mend.

    Mended by whoever keeps the image or the cluster's settings; a retry does not help.
    """


class ComputeNotFoundError(SubmitRefusedError, NotFoundError):
    """The cluster does not exist, has ended, or is in another region or account.

    Mended by the DAG's author; a retry does not help.
    """


class LeaseDeniedError(LeaseError, SubmitDeniedError):
    """Airflow's credentials may not read or write the lease of a pool; the message names the actions.

    Mended by whoever keeps the IAM policies; a retry does not help.
    """

    retryable = False


class LeasePlaceError(LeaseError, NotFoundError):
    """The bucket that is to hold the lease of a pool does not exist, or knows no conditional writes.

    Mended by whoever keeps the ``emrkit`` connection and the bucket; a retry does not help.
    """

    retryable = False


# --- after it was submitted -----------------------------------------------------------------------------


class RunError(EmrKitError):
    """A job was submitted and did not succeed; see the types below.

    >>> try:  # doctest: +SKIP
    ...     operator.execute(context)
    ... except RunError as error:
    ...     print(error.cause.message if error.cause else error)
    """


class RunFailedError(RunError):
    """The job failed, and nothing that was found tells more than that.

    Mended by whoever reads the log that is named; a retry may help.
    """

    retryable = True


class UserCodeError(RunFailedError):
    """The job's own program failed: an exception in Python, Java or SQL, or a bad exit code.

    Mended by the job's author; a retry does not help, unless the job depends on what changes by itself.
    """

    retryable = False


class OutOfMemoryError(RunFailedError):
    """The driver or an executor ran out of memory.

    Mended by the job's author (``spark.executor.memory``, ``…memoryOverhead``, ``spark.driver.memory``, more
    partitions); a retry does not help.
    """

    retryable = False


class DockerError(RunFailedError):
    """The job's image could not be pulled, is not trusted, or does not suit the cluster or application.

    Mended by whoever keeps the image and the cluster's or application's settings; a retry does not help.
    """

    retryable = False


class JobDeniedError(RunFailedError, AccessDeniedError):
    """The job itself was refused by AWS: its role lacks a permission.

    Mended by whoever keeps the policies of the cluster's instance profile, or of the job role of EMR
    Serverless; a retry does not help.
    """

    retryable = False


class JobNotFoundError(RunFailedError, NotFoundError):
    """A file, class, table or module that the job needs is not there.

    Mended by the job's author; a retry does not help, unless somebody else is about to write it.
    """

    retryable = False


class ClusterFailedError(RunError):
    """The cluster never got to run the job, and EMR does not say why; see the types below for when it does.

    Mended by nobody, or by AWS; a retry may help.
    """

    retryable = True


class CapacityError(ClusterFailedError):
    """There were no instances or workers: AWS had none, or a limit of account or application was reached.

    Mended by other instance types, zones or On-Demand instead of Spot, by a higher quota or limit, or by
    time; a retry helps.
    """


class ClusterSettingsError(ClusterFailedError):
    """The cluster's settings can't work: its subnet, security groups, roles or instance types.

    Mended by the author of the cluster's settings; a retry does not help.
    """

    retryable = False


class BootstrapError(ClusterFailedError):
    """A bootstrap action failed, or an application could not be installed; the message names the log.

    Mended by the bootstrap action's author; a retry does not help.
    """

    retryable = False


class ClusterLostError(RunError):
    """The cluster, or nodes of it, went away under the job, which may do well on another one.

    Nobody needs to mend it; a retry helps.
    """

    retryable = True


class RunNotFoundError(RunError, NotFoundError):
    """EMR lists the job no more while its cluster goes on, so that nobody can tell how it ended.

    Mended by whoever looks at what the job wrote, as it may have done well; a retry does not help.
    """


class RunCancelledError(RunError):
    """The job was cancelled: by Airflow, or by somebody else on EMR.

    Whoever did it knows why; a retry does not help.
    """


class RunTimedOutError(RunError):
    """A limit of time passed, and the job was cancelled; the message tells which limit.

    Mended by the DAG's author, who knows how long the job may take; a retry does not help.
    """


class RunLeftError(RunError):
    """The worker goes away and nobody asked for the job's end: it runs on, this try only stops watching it.

    Nobody needs to mend it: the next try attaches to the job; a retry helps.
    """

    retryable = True
