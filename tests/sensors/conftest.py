from __future__ import annotations

from airflow_fixtures import emr, emrkit_connection, task_log, ti  # noqa: F401
