from __future__ import annotations

import pytest

from airflow_provider_emrkit.operators.timing import archive_patience, last_lines, pace
from airflow_provider_emrkit.validation import InvalidValueError


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("poll_interval", "0"),
        ("log_poll_interval", "0"),
        ("log_poll_interval", "nan"),
        ("log_drain", "-1"),
        ("log_drain", "inf"),
        ("max_log_lines", "0"),
        ("max_log_lines", "-5"),
        ("max_run_log_lines", "-1"),
        ("worker_log_lines", "-1"),
        ("s3_log_wait", "-1"),
    ],
)
def test_a_configuration_that_can_t_be_right_is_named(monkeypatch, option, value):
    monkeypatch.setenv(f"AIRFLOW__EMRKIT__{option.upper()}", value)
    with pytest.raises(InvalidValueError, match=rf"\[emrkit\]\.{option}"):
        pace(None), last_lines(), archive_patience()


@pytest.mark.parametrize("option", ["log_drain", "max_log_lines", "worker_log_lines", "s3_log_wait"])
def test_what_is_no_number_is_named(monkeypatch, option):
    monkeypatch.setenv(f"AIRFLOW__EMRKIT__{option.upper()}", "many")
    with pytest.raises(Exception, match=option):
        pace(None), last_lines(), archive_patience()


def test_the_least_that_may_be_set(monkeypatch):
    for option in ("MAX_LOG_LINES", "MAX_RUN_LOG_LINES", "WORKER_LOG_LINES", "LOG_DRAIN"):
        monkeypatch.setenv(f"AIRFLOW__EMRKIT__{option}", "1" if option == "MAX_LOG_LINES" else "0")
    assert (pace(None).max_lines, pace(None).max_run_lines, pace(None).drain, last_lines()) == (1, 0, 0.0, 0)
