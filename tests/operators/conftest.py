from __future__ import annotations

import pytest
from airflow_fixtures import emr, emrkit_connection, task_log, ti, waiting_cluster  # noqa: F401


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    """Logs that never come are not waited for."""
    monkeypatch.setenv("AIRFLOW__EMRKIT__S3_LOG_WAIT", "0.1")
