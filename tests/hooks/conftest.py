from __future__ import annotations

from airflow_fixtures import emrkit_connection  # noqa: F401
