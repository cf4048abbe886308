"""Where a job runs on EMR Serverless: an application, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit.compute.application_spec import ApplicationSpec
from airflow_provider_emrkit.compute.tags import checked_serverless_tags
from airflow_provider_emrkit.frozen import FrozenMapping, FrozenSpec
from airflow_provider_emrkit.releases import known_release
from airflow_provider_emrkit.templating import is_template
from airflow_provider_emrkit.validation import (
    InvalidValueError,
    check_choice,
    check_instance,
    check_integer,
    check_pattern,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

OWNER = "ServerlessApplication"
MODES = ("BATCH", "STREAMING")

MAX_ATTEMPTS = 10
MIN_TIMEOUT_MINUTES = 5
MAX_BATCH_MINUTES = 10_080
MAX_STREAMING_MINUTES = 1_000_000
MIN_GRACE_SECONDS = 15
MAX_GRACE_SECONDS = 1_800

_APPLICATION_ID = re.compile(r"[0-9a-z]{1,64}")
_ROLE = re.compile(r"arn:aws[a-zA-Z0-9-]*:iam::[0-9]{12}:role/(?:[!-\x7f]+/)?[\w+=,.@-]+", re.ASCII)


@dataclass(frozen=True, repr=False)
class ServerlessApplication(FrozenSpec):
    """An application of EMR Serverless, and how a job runs on it.

    Every string may hold a Jinja template; it is checked again when it has been rendered.

    :param application_id: One that exists, or a template that renders to its id.
    :param spec: What it is like, for one that emrkit creates and keeps up to date; one of the two.
    :param execution_role_arn: The job runtime role; by default the connection's ``execution_role_arn``.
    :param mode: ``BATCH`` or ``STREAMING``; the latter from ``emr-7.1.0`` on.
    :param max_attempts: How often EMR Serverless tries a BATCH job, 1 to 10; from ``emr-7.1.0`` on.
    :param max_failed_attempts_per_hour: How many failures an hour end a STREAMING job; EMR Serverless' own is
        5.
    :param execution_timeout_minutes: Minutes after which EMR Serverless ends a job, 5 to 10080; its own are
        720 for BATCH, and 0, for never, for STREAMING. It holds also when Airflow is gone, unlike the
        operator's limits.
    :param grace_seconds: Seconds a cancelled job may take to end by itself, 15 to 1800; 0 for EMR Serverless'
        own.
    :param tags: Tags of the job run, beside emrkit's.
    :raises InvalidValueError: when a field can't be right.

    >>> ServerlessApplication("00f1abcdefgh2i0j").mode
    'BATCH'
    """

    application_id: str | None = None
    spec: ApplicationSpec | None = None
    execution_role_arn: str | None = None
    mode: str = "BATCH"
    max_attempts: int | None = None
    max_failed_attempts_per_hour: int | None = None
    execution_timeout_minutes: int | None = None
    grace_seconds: int = 0
    tags: Mapping[str, str] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        if (self.application_id is None) == (self.spec is None):
            mend = "give application_id of one that exists, or spec of one that emrkit makes"
            raise InvalidValueError(OWNER, "application_id", self.application_id, "is not one of two", mend)
        if self.spec is not None:
            check_instance(OWNER, "spec", self.spec, ApplicationSpec)
        if self.application_id is not None:
            _check_application_id(self.application_id)
        if self.execution_role_arn is not None:
            mend = "write it like arn:aws:iam::123456789012:role/emr-serverless-job"
            check_pattern(OWNER, "execution_role_arn", self.execution_role_arn, _ROLE, mend)
        check_choice(OWNER, "mode", self.mode, MODES)
        self._check_retries()
        self._check_time()
        if self.spec is not None and not is_template(self.spec.release_label):
            self.check_release(self.spec.release_label)
        self._set("tags", FrozenMapping(checked_serverless_tags(OWNER, "tags", self.tags)))

    def check_release(self, label: str) -> None:
        """Check that an application's release can do what is asked for.

        :param label: Release label; one that nobody knows is not judged.
        :raises InvalidValueError: when it can't.
        """
        wanted = {"mode": self.mode if self.mode == "STREAMING" else None}
        wanted |= {name: getattr(self, name) for name in ("max_attempts", "max_failed_attempts_per_hour")}
        known = known_release(label)
        for name, value in wanted.items():
            if value is not None and known is not None and not known.supports("serverless_retries"):
                mend = "use emr-7.1.0 or later, or leave it out"
                raise InvalidValueError(OWNER, name, value, f"is not supported by {label}", mend)

    def _check_retries(self) -> None:
        of_mode = {"BATCH": "max_attempts", "STREAMING": "max_failed_attempts_per_hour"}
        for mode, name in of_mode.items():
            value = getattr(self, name)
            if value is None:
                continue
            check_integer(OWNER, name, value, 1, MAX_ATTEMPTS)
            if self.mode in MODES and mode != self.mode:
                problem = f"is not for jobs of mode {self.mode}"
                raise InvalidValueError(OWNER, name, value, problem, f"use {of_mode[self.mode]}")

    def _check_time(self) -> None:
        check_integer(OWNER, "grace_seconds", self.grace_seconds, 0, MAX_GRACE_SECONDS, "seconds")
        if 0 < self.grace_seconds < MIN_GRACE_SECONDS:
            mend = f"use 0, or {MIN_GRACE_SECONDS} to {MAX_GRACE_SECONDS} seconds"
            raise InvalidValueError(OWNER, "grace_seconds", self.grace_seconds, "is out of bounds", mend)
        name, minutes = "execution_timeout_minutes", self.execution_timeout_minutes
        if minutes is None:
            return
        if self.mode == "BATCH":
            check_integer(OWNER, name, minutes, MIN_TIMEOUT_MINUTES, MAX_BATCH_MINUTES, "minutes")
        elif minutes != 0 or isinstance(minutes, bool):  # 0 is for a job that streams without an end
            check_integer(OWNER, name, minutes, MIN_TIMEOUT_MINUTES, MAX_STREAMING_MINUTES, "minutes")


def _check_application_id(given: Any) -> None:
    if not isinstance(given, str):
        problem = f"is of type {type(given).__name__}"
        mend = "give a string; of a task's result, str(task.output), and set the task upstream"
        raise InvalidValueError(OWNER, "application_id", given, problem, mend)
    check_pattern(OWNER, "application_id", given, _APPLICATION_ID, "write it like 00f1abcdefgh2i0j")
