"""The stages of the check: lint, unit tests and end-to-end tests on each Airflow."""

from __future__ import annotations
