"""How long an operator's job may take, and how often it is looked at."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_emrkit._compat import conf
from airflow_provider_emrkit.validation import check_integer, check_seconds

if TYPE_CHECKING:
    from airflow_provider_emrkit.runs.watch import Pace

# Seconds: a shorter limit can't be kept.
MIN_LIMIT = 1.0
# Part of the execution timeout that is kept for ending the job, and the most seconds it may be.
TIMEOUT_MARGIN = 0.1
MAX_TIMEOUT_MARGIN = 10.0
# Lines that a worker repeats, and seconds for which logs are waited for on S3.
DEFAULT_LAST_LINES = 50
DEFAULT_ARCHIVE_PATIENCE = 60.0
# What is set in the configuration at least: AWS is asked by all tasks, and threads are shared.
MIN_POLL_INTERVAL = 1.0
MIN_LOG_INTERVAL = 0.1
MAX_LINES = 1_000_000_000


def check_limit(owner: str, field: str, value: timedelta | float | None) -> float | None:
    """Give a limit of time in seconds.

    :raises InvalidValueError: when it is no length of time, or shorter than :data:`MIN_LIMIT`.
    """
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if seconds is not None:
        check_seconds(owner, field, seconds, MIN_LIMIT)
    return seconds


def execution_deadline(
    ti: Any, execution_timeout: timedelta | None, earlier: float | None = None
) -> float | None:
    """Tell when a deferred task's ``execution_timeout`` is over, in seconds since 1970; None for never.

    Airflow 3 does not watch the timeout of a deferred task, and 2 leaves no time to clean up.

    :param earlier: What was told when the task was deferred before: 3.0 and 3.1 say of a task that goes on
        that it has started just now.
    """
    if execution_timeout is None:
        return None
    seconds = execution_timeout.total_seconds()
    margin = min(seconds * TIMEOUT_MARGIN, MAX_TIMEOUT_MARGIN)
    started = ti.start_date.timestamp() if ti.start_date else time.time()
    deadline = float(started + seconds - margin)
    return deadline if earlier is None else min(deadline, earlier)


def pace(poll_interval: float | None) -> Pace:
    """Give how often to look, as far as the operator or the ``[emrkit]`` configuration say.

    :raises InvalidValueError: when the configuration can't be right.
    """
    from airflow_provider_emrkit.runs.watch import Pace

    defaults = Pace()
    return Pace(
        poll=poll_interval or _seconds("poll_interval", defaults.poll, MIN_POLL_INTERVAL),
        logs=_seconds("log_poll_interval", defaults.logs, MIN_LOG_INTERVAL),
        drain=_seconds("log_drain", defaults.drain, 0.0),
        max_lines=_lines("max_log_lines", defaults.max_lines, 1),
        max_run_lines=_lines("max_run_log_lines", defaults.max_run_lines, 0),
    )


def last_lines() -> int:
    """Give how many lines of a log that was written elsewhere the worker repeats at the end.

    :raises InvalidValueError: when the configuration can't be right.
    """
    return _lines("worker_log_lines", DEFAULT_LAST_LINES, 0)


def archive_patience() -> float:
    """Give the seconds for which the logs of a failed run are waited for until they are on S3.

    :raises InvalidValueError: when the configuration can't be right.
    """
    return _seconds("s3_log_wait", DEFAULT_ARCHIVE_PATIENCE, 0.0)


def _seconds(option: str, default: float, minimum: float) -> float:
    seconds = float(conf.getfloat("emrkit", option, fallback=default))
    check_seconds("[emrkit]", option, seconds, minimum)
    return seconds


def _lines(option: str, default: int, minimum: int) -> int:
    lines = int(conf.getint("emrkit", option, fallback=default))
    check_integer("[emrkit]", option, lines, minimum, MAX_LINES)
    return lines
