"""Which error a job run of EMR Serverless that did not succeed is. Pure: facts in, error type out.

What EMR Serverless says of its workers counts before what the logs say: a job that got none has written
nothing, or no more than that it waits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.exceptions import (
    CapacityError,
    ClusterFailedError,
    ClusterSettingsError,
    DockerError,
    JobDeniedError,
    OutOfMemoryError,
    RunCancelledError,
    RunTimedOutError,
)
from airflow_provider_emrkit.runs.classify import Verdict, classify
from airflow_provider_emrkit.runs.states import RunState

if TYPE_CHECKING:
    from airflow_provider_emrkit.logs.causes import Cause
    from airflow_provider_emrkit.runs.states import RunStatus


@dataclass(frozen=True)
class _Rule:
    """What a sentence of EMR Serverless means (JobRun.stateDetails)."""

    verdict: Verdict
    words: re.Pattern[str]


def _rule(error: Verdict, words: str) -> _Rule:
    return _Rule(error, re.compile(words, re.IGNORECASE))


# The first that fits counts: an image that can't be pulled keeps its application from starting.
_RULES = (
    _rule(
        Verdict(
            DockerError,
            "let emr-serverless.amazonaws.com pull it by the policy of its repository (ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer, ecr:DescribeImages), and see that its tag is there and it is built "
            "for the application's release and architecture",
        ),
        r"\becr\b|imagepull|pull(?:ing|ed)? .{0,60}image|image .{0,200}"
        r"(?:not found|does ?n.t exist|could not be|cannot be|can't be|failed|invalid|denied|validat)",
    ),
    _rule(
        Verdict(
            CapacityError,
            "raise the application's limits (max_cpu, max_memory_gb, max_disk_gb), let less run on it at "
            "once (max_concurrent_runs), or ask for fewer or smaller workers",
        ),
        r"maximum ?capacity|maxcapacityexceeded",
    ),
    _rule(
        Verdict(
            CapacityError,
            "have the account's quota of concurrent vCPUs of EMR Serverless raised, or run less at once",
        ),
        r"service ?(?:quota|limit)|(?:max\w*|concurrent) .{0,40}vcpu|vcpu .{0,40}(?:limit|quota)",
    ),
    _rule(
        Verdict(
            CapacityError,
            "let more run on the application at once, or wait longer (max_concurrent_runs, "
            "queue_timeout_minutes)",
        ),
        r"queue ?time-?out|queued? .{0,60}(?:longer|timed? ?out|exceed)|time-?out .{0,60}queue",
    ),
    _rule(
        Verdict(CapacityError, "give the application larger subnets, or more of them (subnet_ids)"),
        r"(?:ip|free|available) address|insufficient .{0,40}(?:subnet|ip\b)|subnet .{0,80}"
        r"(?:insufficient|not enough|exhaust|free)",
    ),
    _rule(
        Verdict(CapacityError, "wait, give more zones (subnet_ids), or ask for smaller workers"),
        r"insufficient .{0,20}capacity|capacity .{0,30}(?:unavailable|not available)",
    ),
    _rule(
        Verdict(
            JobDeniedError,
            "let emr-serverless.amazonaws.com assume the job role (execution_role_arn) by its trust policy",
        ),
        r"assum\w* .{0,80}role|role .{0,120}(?:assum|trust|does ?n.t exist|not exist)|trust relationship",
    ),
    _rule(
        Verdict(JobDeniedError, "allow it to the job role (execution_role_arn)"),
        r"access (?:is )?denied|accessdenied|not authorized to perform",
    ),
    _rule(
        Verdict(
            OutOfMemoryError, "raise spark.driver.memory or spark.executor.memory, or use more partitions"
        ),
        r"killed as memory|memory usage exceeded|exitcode: 137\b|outofmemory",
    ),
    _rule(
        Verdict(ClusterSettingsError, "correct the application's network: subnets, security groups, NAT"),
        r"(?:subnet|security group|vpc) .{0,120}(?:invalid|not valid|does ?n.t exist|not exist|not found)",
    ),
    _rule(
        Verdict(ClusterFailedError, "see its stateDetails (GetApplication)"),
        r"application .{0,60}(?:failed to start|could not (?:be )?start|did not start|is terminated"
        r"|(?:was|is|been) stopped)",
    ),
)
# What helps instead of what would on a cluster, by a part of that hint.
_INSTEAD = {
    "instance profile": "allow it to the job role (execution_role_arn)",
    "bootstrap action": "ship it with SparkJob.py_files or archives, or put it into the application's image",
    "EBS volumes": "give workers more disk (spark.emr-serverless.driver.disk, "
    "spark.emr-serverless.executor.disk), or shuffle less",
    "cluster's subnet": "check that the application's subnets and security groups let it reach that address",
    "larger instances": "ask for larger workers (spark.driver.memory, spark.executor.memory), or for less",
}
_TIMED_OUT = Verdict(
    RunTimedOutError, "raise execution_timeout_minutes of the ServerlessApplication, or let the job do less"
)
_TIME = re.compile(r"time(?:d)?-?\s?out|executionTimeout", re.IGNORECASE)
# What EMR Serverless quotes of a job's logs follows the driver's exit code, and so do some of its own words.
_QUOTATION = re.compile(r"(?:(\bExitCode: \d{1,3})\b|Last few exceptions:).*", re.IGNORECASE | re.DOTALL)
_AMONG_QUOTED = re.compile(r"Worker has been killed as memory usage exceeded")
# The kinds of a cause that only tell what EMR says, or nothing.
_NOTHING_OWN = frozenset({"api", "cluster", "unknown"})


def classify_job_run(status: RunStatus, cause: Cause) -> Verdict:
    """Judge a job run that has ended without success.

    :param status: Its state, and what EMR Serverless says about it.
    :param cause: What its logs, or EMR Serverless, say.

    >>> from airflow_provider_emrkit.logs.causes import Cause
    >>> from airflow_provider_emrkit.runs.states import RunStatus
    >>> said = "Worker could not be allocated as the application has exceeded maximumCapacity settings"
    >>> classify_job_run(RunStatus(RunState.FAILED, "FAILED", said), Cause(said, "api")).error.__name__
    'CapacityError'
    """
    if status.state is RunState.CANCELLED:
        return _TIMED_OUT if _TIME.search(status.message) else Verdict(RunCancelledError)
    got_nothing = status.started_at is None and status.state is RunState.FAILED
    if got_nothing or cause.kind in _NOTHING_OWN:
        said = status.message if got_nothing else _own_words(status.message)
        fitting = (rule.verdict for rule in _RULES if rule.words.search(said))
        verdict = next(fitting, None)
        if verdict is not None:
            return verdict
        if got_nothing and _TIME.search(status.message):
            return _TIMED_OUT
    error = classify(status, cause).error
    return Verdict(error, next((hint for part, hint in _INSTEAD.items() if part in cause.hint), ""))


def _own_words(said: str) -> str:
    """Give what EMR Serverless itself says of a job that ran, without the job's exceptions that it quotes."""
    return " ".join((_QUOTATION.sub(r"\1", said), *_AMONG_QUOTED.findall(said)))
