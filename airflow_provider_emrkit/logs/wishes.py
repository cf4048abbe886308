"""What a DAG author may wish to see of a job's logs beyond its driver's. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.frozen import FrozenSpec
from airflow_provider_emrkit.validation import check_pattern, check_text

if TYPE_CHECKING:
    from collections.abc import Sequence

# What CloudWatch Logs takes (CreateLogGroup, CreateLogStream).
MAX_NAME = 512
ANY_ENDING = "*"
_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]+", re.ASCII)
_STREAM = re.compile(r"[^:*]+\*?")


@dataclass(frozen=True, repr=False)
class LogStream(FrozenSpec):
    """A CloudWatch log stream that a job writes to by itself, in the account and region of its cluster.

    It is read from the submission of the job on, so that many jobs may share it.

    :param group: Log group. (templated)
    :param stream: Log stream; with a ``*`` at its end, all streams whose names begin like this, also those
        that appear while the job runs. (templated)
    :raises InvalidValueError: when CloudWatch Logs has no such names.

    >>> LogStream("/team/sales", "driver-{{ ds }}")
    LogStream(group='/team/sales', stream='driver-{{ ds }}')
    """

    group: str
    stream: str

    def __post_init__(self) -> None:
        owner = "LogStream"
        check_text(owner, "group", self.group, maximum=MAX_NAME)
        check_pattern(owner, "group", self.group, _GROUP, "use letters, digits and any of . - _ / #")
        check_text(owner, "stream", self.stream, maximum=MAX_NAME)
        check_pattern(owner, "stream", self.stream, _STREAM, "use no ':', and '*' behind all else only")


@dataclass(frozen=True)
class LogWishes:
    """What is to be shown of a job's logs beyond its driver's.

    :param executor_logs: Whether the executors' are.
    :param streams: Group and name of further CloudWatch streams; a ``*`` ends a name that is the beginning of
        many.

    >>> LogWishes.of(executor_logs=True, log_streams=[LogStream("/team/sales", "driver")]).streams
    (('/team/sales', 'driver'),)
    """

    executor_logs: bool = False
    streams: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, *, executor_logs: bool, log_streams: Sequence[LogStream]) -> LogWishes:
        """Read an operator's arguments."""
        streams = dict.fromkeys((one.group, one.stream) for one in log_streams)
        return cls(executor_logs, tuple(streams))


NO_WISHES = LogWishes()
